"""The processes of a benchmark: a real daemon, an echo server, and the promise that none outlives it.

Knows how to start, find and stop them. Must not know what is sent to them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from prometheus_client.parser import text_string_to_metric_families

from runtime.config.environment import ENV_PREFIX
from runtime.errors import ClientError
from tests.load.usage import cpu_s, family

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT: Final = Path(__file__).parents[2]
_START_S: Final = 30.0
_STOP_S: Final = 20.0
_POLL_S: Final = 0.02


class BenchError(ClientError):
    """A measurement cannot be made, or what was measured is not what was asked for."""


def python(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs one of our modules, whatever lies in the current directory."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(checkout: Path | None = None) -> dict[str, str]:
    """Return our environment without settings: a benchmark measures what it says, not what the shell has set.

    Args:
        checkout: where our packages are to be imported from, if not from this checkout.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    root = checkout or _ROOT
    ours["PYTHONPATH"] = os.pathsep.join((str(root), str(root / "proto" / "python")))
    return ours


class Child:
    """A process of ours, in a session of its own so that a Ctrl-C is ours to handle."""

    def __init__(self, command: Sequence[str], checkout: Path | None = None, **pipes: Any) -> None:
        self.process: subprocess.Popen[str] = subprocess.Popen(
            command, env=environment(checkout), start_new_session=True, text=True, **pipes
        )

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.process.pid

    def stop(self) -> None:
        """End it, politely at first. Its own children end with it: a zygote and its workers die with their parents."""
        process = self.process
        try:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    # What is left in a pipe to a process that is gone is of no interest.
                    with contextlib.suppress(OSError):
                        pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


class Server(Child):
    """A child that answers gRPC at `target`."""

    target: str

    def cpu_s(self) -> float:
        """Return the processor time of it and its descendants so far."""
        return cpu_s(self.pid)

    def below_cpu_s(self) -> float:
        """Return the processor time of its descendants so far: of a daemon, the zygote's and the workers'."""
        found = family(self.pid)
        return sum(stat.cpu_s for pid, stat in found.items() if pid != self.pid)


class Echo(Server):
    """The bare echo server."""

    def __init__(self) -> None:
        super().__init__(python("tests.load.echo"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert self.process.stdout is not None
            ready, _, _ = select.select([self.process.stdout], [], [], _START_S)
            port = self.process.stdout.readline().strip() if ready else ""
            if not port:
                raise BenchError("the echo server did not start")
        except BaseException:
            self.stop()
            raise
        self.target = f"127.0.0.1:{port}"


class Daemon(Server):
    """`vestibule serve` on free ports, metrics on, one login in a hundred logged."""

    def __init__(self, folder: Path, *flags: str, checkout: Path | None = None, module: str = "runtime.cli") -> None:
        """Start it on the store in `folder` and wait until it serves. Raises: BenchError."""
        self._log = folder / f"daemon-{time.monotonic_ns()}.log"
        store = f"sqlite:{folder / 'store.db'}"
        command = python(
            module, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--store", store,
            "--log-format", "json", "--log-sample", "0.01", *flags,
        )  # fmt: skip
        with self._log.open("w") as log:
            super().__init__(command, checkout, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            started = self._await_start("supervisor.started" if "--processes" in flags else "daemon.started")
        except BaseException:
            self.stop()
            raise
        self.target = started["listen"]
        self.http: str = started.get("http_listen", "")
        self._metrics = f"http://{started['metrics_listen']}/metrics"

    def _await_start(self, name: str) -> dict[str, Any]:
        latest_s = time.monotonic() + _START_S
        with self._log.open() as log:
            while time.monotonic() < latest_s:
                ended = self.process.poll() is not None
                for event in _events(log):
                    if event.get("event") == name:
                        return event
                if ended:
                    break
                time.sleep(_POLL_S)
        lines = self._log.read_text().strip().splitlines()
        raise BenchError("the daemon did not start: " + (lines[-1][:300] if lines else "it said nothing"))

    def metrics(self) -> Metrics:
        """Scrape its metrics."""
        with urllib.request.urlopen(self._metrics, timeout=10) as answer:  # loopback, and an address it told us
            return Metrics(answer.read().decode())


def _events(log: IO[str]) -> list[dict[str, Any]]:
    """Read the whole lines that are there; one that is still being written is left for the next call."""
    events: list[dict[str, Any]] = []
    while True:
        position = log.tell()
        line = log.readline()
        if not line.endswith("\n"):
            log.seek(position)
            return events
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """Add up every series of a name that has these labels."""
        return sum(s.value for s in self._samples if s.name == name and labels.items() <= s.labels.items())

    def values(self, name: str, label: str) -> list[str]:
        """Return the values that a label has in the series of a name."""
        return sorted({s.labels[label] for s in self._samples if s.name == name and label in s.labels})
