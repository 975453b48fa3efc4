"""End what a server does not answer in time: a watch that shuts the socket of a connection that takes too long.

The server's own time limits do not help against one that hangs, or is behind a network that swallows packets. Knows
sockets; must not know SQL.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LOOK_S: Final = 0.25
# Most waits find the thread running.
_IDLE_S: Final = 5.0


@dataclass(slots=True, eq=False)
class Wait:
    """One wait for an answer. `expired` once its socket was shut."""

    descriptor: int
    ends_at_s: float
    expired: bool = False


class Deadlines:
    """The waits of one store. Its thread looks at them four times a second, while there are any.

    It is not woken for each: the switch to it and back would take longer than most answers do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: set[Wait] = set()
        self._running = False
        self._closed = threading.Event()

    @contextlib.contextmanager
    def within(self, descriptor: int, seconds: float) -> Iterator[Wait]:
        """Shut a socket that is still waited for after that time; who waits then reads its end."""
        wait = Wait(descriptor, time.monotonic() + seconds)
        with self._lock:
            self._waits.add(wait)
            if not self._running:
                self._running = True
                threading.Thread(target=self._watch, name="store-deadlines", daemon=True).start()
        try:
            yield wait
        finally:
            # From here on the descriptor may be closed, and be another's.
            with self._lock:
                self._waits.discard(wait)

    def expire(self) -> None:
        """Shut every socket that is waited for now, and look no more: the store is closed."""
        self._closed.set()
        with self._lock:
            for wait in self._waits:
                wait.expired = True
                _shut(wait.descriptor)
            self._waits.clear()

    def _watch(self) -> None:
        idle_until_s = time.monotonic() + _IDLE_S
        while True:
            self._closed.wait(_LOOK_S)
            now_s = time.monotonic()
            with self._lock:
                for wait in [each for each in self._waits if each.ends_at_s <= now_s]:
                    self._waits.discard(wait)
                    wait.expired = True
                    _shut(wait.descriptor)
                if self._waits:
                    idle_until_s = now_s + _IDLE_S
                elif now_s >= idle_until_s or self._closed.is_set():
                    self._running = False
                    return


def _shut(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
