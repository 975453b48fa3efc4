"""A reload takes what is right, keeps what is in effect for the rest, and nothing of it ends the daemon."""

import asyncio
import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.config.sections import LogConfig
from runtime.config.settings import Config, Loaded
from runtime.continuation import keys
from runtime.errors import ConfigError
from runtime.login.suspensions import Suspensions
from runtime.ops.log import build
from runtime.reload import Reload
from tests.fakes import reached


class Rig:
    """A reload, its log and what it may change."""

    def __init__(self, read: Callable[[], Loaded], config: Config | None = None) -> None:
        self.stream = io.StringIO()
        self.polls = 0
        config = config or Config()
        self.suspensions = Suspensions(keys.Keyring([keys.generate()]))
        self.reload = Reload(read, config, build(config.log, self.stream), self.suspensions, self._poll)

    def _poll(self) -> None:
        self.polls += 1

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of an event so far."""
        return [line for line in map(json.loads, self.stream.getvalue().splitlines()) if line["event"] == event]

    async def once(self) -> None:
        """Reload once."""
        before = len(self.lines("config.reloaded"))
        task = asyncio.create_task(self.reload.run())
        self.reload.ask()
        await reached(lambda: len(self.lines("config.reloaded")) != before)
        task.cancel()


def loaded(**groups: Any) -> Loaded:
    return Loaded(replace(Config(), **groups), {})


@pytest.mark.parametrize("error", [ConfigError(["log.level: wrong"]), ValueError("hunter2"), MemoryError()])
async def test_whatever_fails_changes_nothing(error: Exception) -> None:
    """A fault that is foreseen and one that is not are an error in the log; the next reload works."""
    answers: list[Any] = [error, loaded(log=LogConfig(level="info", sample=0.5))]

    def read() -> Loaded:
        answer: Loaded | Exception = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    rig = Rig(read)
    before = rig.suspensions.keys
    await rig.once()
    (failed,) = rig.lines("config.reload_failed")
    assert failed["level"] == "error"
    assert rig.lines("config.reloaded")[0]["complete"] is False
    assert "hunter2" not in rig.stream.getvalue()
    assert rig.suspensions.keys is before
    await rig.once()
    assert rig.lines("config.restart_needed")[0]["settings"] == ["log.sample"]
    assert rig.lines("config.reloaded")[1]["complete"] is True
    assert rig.polls == 2


async def test_a_host_without_a_thread_left_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a thread to read with, the reload fails and can be asked for again."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    rig = Rig(loaded)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        await rig.once()
    assert "no thread can be started" in rig.lines("config.reload_failed")[0]["faults"][0]
    await rig.once()
    assert len(rig.lines("config.reload_failed")) == 1


async def test_a_keys_file_that_is_configured_later_is_read(tmp_path: Path) -> None:
    """The path of the keys is read again too; without one the keys in effect stay."""
    made = keys.generate()
    file = tmp_path / "keys"
    file.write_text(keys.text([made]))
    file.chmod(0o600)
    continuation = replace(Config().continuation, keys_file=str(file))
    answers = [loaded(continuation=continuation), loaded()]
    rig = Rig(lambda: answers.pop(0))
    for _ in range(2):
        await rig.once()
        assert rig.suspensions.keys.sealing_id == keys.key_id(made)
