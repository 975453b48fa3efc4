"""Write log lines to a descriptor from a thread of its own, so that no caller ever waits for a reader."""

import contextlib
import fcntl
import os
import queue
import select
import threading
import time
from collections.abc import Sequence
from typing import Final, TextIO

from runtime.errors import StartError
from runtime.ops.log import Log

QUEUE_BYTES: Final = 512 << 10
"""Lines that wait to be written, together. Some 800 logins: a reader that pauses for longer loses lines."""

# The thread collects lines for this long, so that it does not take the interpreter from the event loop for each one.
_LINGER_S: Final = 0.01
_WRITE_BYTES: Final = 64 << 10
# A descriptor that another process made non-blocking is asked again this often.
_POLL_MS: Final = 200
# At the end: a reader that takes nothing for this long has stalled, and one that is slow gets so much in all.
_STALLED_S: Final = 0.5
_CLOSE_S: Final = 5.0
_JOIN_S: Final = 0.05


class LogWriter:
    """Takes whole lines at once and writes them later. What does not fit, or cannot be written, is lost and counted."""

    def __init__(self, descriptor: int | None, max_bytes: int = QUEUE_BYTES, turn: int | None = None) -> None:
        """Write to a copy of `descriptor`; without one every line is lost. Raises: StartError without a thread.

        `turn` is a file that several processes lock for each write to the same pipe, which would mix lines of theirs
        beyond PIPE_BUF bytes. A process that ends gives its lock back.
        """
        self._turn = turn
        # A copy: it stays ours when the thread outlives the caller's own, blocked in a write.
        self._descriptor = None if descriptor is None else os.dup(descriptor)
        self._max_bytes = max_bytes
        # Both can be entered again by a destructor that logs while this very thread is inside.
        self._lock = threading.RLock()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._written_bytes = 0
        self._lost = self._reported = 0
        self._cut = False
        self._closing = False
        # A daemon thread: the interpreter does not wait for it at its end.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            raise StartError("no thread can be started for the log; raise the limit of processes") from None

    @classmethod
    def to(cls, stream: TextIO | None, turn: int | None = None) -> "LogWriter":
        """Write where a stream writes. Standard error is None in a process that was started without one."""
        try:
            return cls(None if stream is None else stream.fileno(), turn=turn)
        except (OSError, ValueError):
            return cls(None)

    @property
    def lost(self) -> int:
        """Lines that were dropped because the queue was full, or that could not be written."""
        return self._lost

    @property
    def has_room(self) -> bool:
        """Is at least half of the queue free?"""
        return self._waiting_bytes * 2 < self._max_bytes

    def report_lost(self, log: Log) -> None:
        """Say how many lines were lost since this was said last, once there is room for a line again."""
        lost = self._lost
        if lost > self._reported and self.has_room:
            log.warning("log.lines_dropped", lines=lost - self._reported)
            self._reported = lost

    def isatty(self) -> bool:
        """Is it a terminal?"""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, text: str) -> None:
        """Take one line with its end, or count it as lost. Never waits, never raises."""
        line = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._closing or self._waiting_bytes + len(line) > self._max_bytes:
                self._lost += 1
                return
            self._waiting_bytes += len(line)
            self._queue.put(line)

    def close(self, patience_s: float = _CLOSE_S) -> None:
        """Write what waits, while the reader takes it, and stop. The process may end afterwards in any case."""
        with self._lock:
            self._closing = True
        self._queue.put(None)
        now_s = time.monotonic()
        give_up_s = now_s + patience_s
        written, moved_s = self._written_bytes, now_s
        while self._thread.is_alive() and now_s < min(give_up_s, moved_s + _STALLED_S):
            self._thread.join(_JOIN_S)
            now_s = time.monotonic()
            if written != self._written_bytes:
                written, moved_s = self._written_bytes, now_s

    def _run(self) -> None:
        open_ = True
        while open_:
            batch: list[bytes] = []
            line = self._queue.get()
            if not self._closing:
                time.sleep(_LINGER_S)
            size = 0
            with contextlib.suppress(queue.Empty):
                while line is not None:
                    batch.append(line)
                    size += len(line)
                    if size >= _WRITE_BYTES:
                        break
                    line = self._queue.get_nowait()
            open_ = line is not None
            if batch:
                self._take(batch)
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _take(self, batch: Sequence[bytes]) -> None:
        if self._turn is not None:
            fcntl.lockf(self._turn, fcntl.LOCK_EX)
        try:
            whole = self._write(batch)
        finally:
            if self._turn is not None:
                fcntl.lockf(self._turn, fcntl.LOCK_UN)
        with self._lock:
            self._waiting_bytes -= sum(map(len, batch))
            self._lost += len(batch) - whole

    def _write(self, batch: Sequence[bytes]) -> int:
        """Write lines, as far as it goes; return how many are whole."""
        if self._descriptor is None:
            return 0
        # The rest of a line that broke off does not become part of this one.
        head = b"\n" if self._cut else b""
        data = memoryview(head + b"".join(batch))
        done = 0
        while done < len(data):
            try:
                count = os.write(self._descriptor, data[done:])
            except BlockingIOError:
                waiter = select.poll()
                waiter.register(self._descriptor, select.POLLOUT)
                waiter.poll(_POLL_MS)
            except OSError:
                break
            else:
                done += count
                self._written_bytes += count
        if done == len(data):
            self._cut = False
            return len(batch)
        whole, end = 0, len(head)
        for line in batch:
            if end + len(line) > done:
                break
            end += len(line)
            whole += 1
        if done:
            self._cut = done > end
        return whole
