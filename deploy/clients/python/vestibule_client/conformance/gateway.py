"""A gateway under test: a process that reads what the user does and writes what it did, one JSON object a line.

Must not know the cases or the daemon's script."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

TURN_S: Final = 20.0


class GatewayFault(Exception):
    """A gateway that does not speak as the kit does."""


class Gateway:
    """One process for all cases. Its standard error is the kit's own."""

    def __init__(self, command: Sequence[str], target: str, deadline_s: float) -> None:
        """Start it. Raises: OSError."""
        environment = os.environ | {"VESTIBULE_TARGET": target, "VESTIBULE_DEADLINE_S": f"{deadline_s:g}"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def turn(self, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Say what the user does; return what the gateway did, in order. Raises: GatewayFault."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(said) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=TURN_S)
        except BrokenPipeError:
            line = None
        except queue.Empty:
            raise GatewayFault(f"it wrote nothing for {TURN_S:g} s") from None
        if line is None:
            raise GatewayFault("it has ended; it must read standard input until that ends")
        try:
            did = json.loads(line)["did"]
        except (ValueError, KeyError, TypeError):
            raise GatewayFault(f'it wrote {line.strip()[:200]!r}; write {{"did": [...]}} on one line') from None
        if not isinstance(did, list) or not all(isinstance(each, dict) for each in did):
            raise GatewayFault('"did" is no list of objects')
        return did

    def close(self) -> None:
        """End it: by the end of its input, otherwise by a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
