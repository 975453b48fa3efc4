"""Listens to what a store in PostgreSQL announces: a thread with one connection, which is made anew when it is lost.

It says that something may have changed, never what: a follower reads the store.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg

from runtime.catalog.deadlines import Deadlines

CHANNEL: Final = "vestibule"
# How long it is silent before it asks whether the server is still there, and how long that may take.
_SILENT_S: Final = 5.0
_ANSWER_S: Final = 3.0
# Between two attempts to connect, growing.
_FIRST_S: Final = 0.2
_LAST_S: Final = 5.0


class Announcements:
    """Calls `changed` for every announcement, and each time that some may have been missed."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection[Any]], changed: Callable[[], None], deadlines: Deadlines
    ) -> None:
        self._connect = connect
        self._changed = changed
        self._deadlines = deadlines
        self._closing = threading.Event()
        self._doubted = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self.listening = False

    def start(self) -> None:
        """Begin, without waiting for a connection."""
        threading.Thread(target=self._run, name="store-listener", daemon=True).start()

    def doubt(self) -> None:
        """Ask the server soon whether it is still there: another connection to it has failed."""
        self._doubted.set()

    def close(self) -> None:
        """End the thread; it is not waited for."""
        self._closing.set()

    def _run(self) -> None:
        pause_s = _FIRST_S
        while not self._closing.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    self._ask(connection, f"LISTEN {CHANNEL}")
                    self.listening = True
                    pause_s = _FIRST_S
                    self._doubted.clear()
                    # What was announced before is not repeated.
                    self._changed()
                    self._listen(connection)
            except (psycopg.Error, OSError):
                pass
            if self.listening:
                self.listening = False
                self._changed()
            # Replicas that lost the same server do not come back at the same moment.
            self._closing.wait(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LAST_S)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        silent_s = 0.0
        while not self._closing.is_set():
            heard = False
            for _ in connection.notifies(timeout=_STEP_S, stop_after=1):
                heard = True
            if heard:
                silent_s = 0.0
                self._changed()
                continue
            silent_s += _STEP_S
            if silent_s >= _SILENT_S or self._doubted.is_set():
                self._doubted.clear()
                self._ask(connection, "SELECT 1")
                silent_s = 0.0

    def _ask(self, connection: psycopg.Connection[Any], statement: str) -> None:
        with self._deadlines.within(connection.fileno(), _ANSWER_S):
            connection.execute(statement.encode())


# How soon a close or a doubt is noticed.
_STEP_S: Final = 0.5
