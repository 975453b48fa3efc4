"""Follow files: a value is read from them again when they change, and a change that cannot be used keeps the old value.

Looks once a second in a thread of its own, because a disk may hang. Must not know what the files hold.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from runtime.errors import ConfigError
from runtime.ops.log import Log, clip

LOOK_S: Final = 1.0
T = TypeVar("T")

_Stamp = tuple[tuple[int, ...], ...]


class Followed(Generic[T]):
    """The value of some files. `what` names them in the log: tls, certificates."""

    def __init__(
        self, what: str, paths: Sequence[Path], read: Callable[[], T], log: Log, on_read: Callable[[T | None], None]
    ) -> None:
        """Read at once. `on_read` gets each new value, and None when one could not be used. Raises: ConfigError."""
        self._what, self._paths, self._read, self._log, self._on_read = what, paths, read, log, on_read
        self._stamp = self._seen = _stamp(paths)
        self.value = read()
        on_read(self.value)
        self._asked = threading.Event()
        self._closed = False

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._follow, name=self._what, daemon=True).start()

    def close(self) -> None:
        """Stop following; a look in progress is not waited for."""
        self._closed = True
        self._asked.set()

    def ask(self) -> None:
        """Read again soon, whether or not the files changed."""
        self._asked.set()

    def look(self, *, asked: bool = False) -> None:
        """Read again what has changed since it was read, and not since the last look: someone may be writing still."""
        stamp = _stamp(self._paths)
        settled, self._seen = stamp == self._seen, stamp
        if asked or (settled and stamp != self._stamp):
            self._stamp = stamp
            self._read_again()

    def _read_again(self) -> None:
        try:
            value = self._read()
        except ConfigError as error:
            self._failed([clip(str(fault), 300) for fault in error.faults[:20]])
        except Exception as error:  # noqa: BLE001 - the edge of a thread: it must not end for a file
            self._failed([f"cannot be read: {type(error).__name__}"])
        else:
            self.value = value
            self._on_read(value)
            self._log.info("files.reloaded", what=self._what, files=[str(path) for path in self._paths])

    def _failed(self, faults: list[str]) -> None:
        self._on_read(None)
        self._log.error("files.failed", what=self._what, faults=faults, remedy="what is in effect stays")

    def _follow(self) -> None:
        while not self._closed:
            asked = self._asked.wait(LOOK_S)
            self._asked.clear()
            if not self._closed:
                self.look(asked=asked)


def _stamp(paths: Sequence[Path]) -> _Stamp:
    return tuple([_stamp_of(path) for path in paths])


def _stamp_of(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode, status.st_uid
