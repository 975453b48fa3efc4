"""Streams of logins: many in flight on each, every one answered as it is done, no more held than either end can take.

Knows admission to a stream, deadlines, who is cancelled, what waits to be sent. Must not know gRPC.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Final

from runtime.calls import metadata, stream_codec
from runtime.calls.calls import Calls, Identify, Method, NoAnswer
from runtime.calls.codec import ENVELOPE_BYTES
from runtime.errors import (
    DuplicateId,
    InvalidRequest,
    LoginCancelled,
    StreamFull,
    TooManyStreams,
    VestibuleError,
)
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD

if TYPE_CHECKING:
    from vestibule.worker.v1.worker_pb2 import StreamedLogin

    from runtime.calls.stream_codec import AnswerField
    from runtime.config.effective import Config
    from runtime.ops.metrics import Metrics

# Of one message of answers, unless a single one is larger: clients take 4 MiB unless told otherwise.
_MESSAGE_BYTES: Final = 256 << 10
# Of answers that wait to be sent: nothing more is read of a stream that has so many.
_UNSENT_BYTES: Final = 1 << 20
# Logins of a message between two turns of the loop, in which the others are answered.
_AT_ONCE: Final = 16


class Streams:
    """The streams that are open. Belongs to one event loop."""

    def __init__(self, calls: Calls, config: Config, metrics: Metrics) -> None:
        self._calls = calls
        self._most = config.limits.max_streams
        self._in_flight = config.limits.stream_in_flight
        self._message_bytes = max(stream_codec.MESSAGE_BYTES, config.limits.event_bytes + ENVELOPE_BYTES)
        self._open: set[LoginStream] = set()
        metrics.streams.watch(lambda: {(): len(self._open)})

    def open(self, identify: Identify, ends: float | None) -> LoginStream:
        """Open a stream, until an instant of time.monotonic() if its caller gave it one; `close` it when it is over.

        `identify` is asked again with each message. Raises: TooManyStreams, CallerError.
        """
        if len(self._open) >= self._most:
            raise TooManyStreams(f"{self._most} streams are open, as many as are allowed: limits.max_streams")
        identify()
        stream = LoginStream(self._calls, identify, ends, self._in_flight, self._message_bytes)
        self._open.add(stream)
        return stream

    def close(self, stream: LoginStream) -> None:
        """Let go of a stream."""
        stream.close()
        self._open.discard(stream)

    def finish(self, why: VestibuleError) -> None:
        """Read no more of any stream; each ends, saying why, once what was read is answered."""
        for stream in self._open:
            stream.finish(why)


class LoginStream:
    """One stream. One task reads (`room`, `read`), another one writes (`answers`); each login has a task, too."""

    def __init__(
        self,
        calls: Calls,
        identify: Identify,
        ends: float | None,
        most: int,
        message_bytes: int,
    ) -> None:
        self.finished = False
        """Nothing more is read."""
        self.why: Exception | None = None
        """Why it was finished; None when the caller did."""
        self._calls, self._identify, self._ends = calls, identify, ends
        self._most, self._message_bytes = most, message_bytes
        self._execute = calls.stream_methods[GRPC_METHOD]
        self._resume = calls.stream_methods[GRPC_CONTINUE]
        self._loop = asyncio.get_running_loop()
        self._logins: dict[int, asyncio.Task[None]] = {}
        self._given_up: set[asyncio.Task[None]] = set()
        self._unsent: deque[tuple[int, AnswerField, bytes]] = deque()
        self._unsent_bytes = 0
        self._writer: asyncio.Future[None] | None = None
        self._reader: asyncio.Future[None] | None = None

    @property
    def unsent(self) -> int:
        """Answers that wait for `answers`."""
        return len(self._unsent)

    def is_full(self) -> bool:
        """Tell whether it has as much as it may have, so that no message is to be read."""
        held = len(self._logins) + len(self._given_up) + len(self._unsent)
        return held >= self._most or self._unsent_bytes >= _UNSENT_BYTES

    async def room(self) -> bool:
        """Wait until another message may be read; say whether one is to be."""
        while not self.finished and self.is_full():
            self._reader = self._loop.create_future()
            await self._reader
        return not self.finished

    async def read(self, data: bytes) -> None:
        """Begin the logins of a message. data: hostile. Raises: CallerError, InvalidRequest; the stream is to end."""
        envelope = stream_codec.read(data, self._message_bytes)
        caller, now, most = self._identify(), monotonic(), self._most
        for place, item in enumerate(envelope.items[:most]):
            if place and not place % _AT_ONCE:
                await asyncio.sleep(0)
            if self.finished:
                return
            try:
                self._begin(item, now, lambda: caller)
            except InvalidRequest as error:
                self._refuse(item.id, error)
        if len(envelope.items) > most:
            await self._refuse_rest(envelope.items[most:])
        for login in envelope.cancel:
            self._cancel(login)

    async def answers(self) -> bytes:
        """Wait for answers; return those that are ready as one message, or nothing at the end of the stream."""
        unsent = self._unsent
        while not unsent:
            if self.finished and not self._logins:
                return b""
            self._writer = self._loop.create_future()
            await self._writer
        taken: list[tuple[int, AnswerField, bytes]] = []
        size = 0
        while unsent and (not taken or size + len(unsent[0][2]) <= _MESSAGE_BYTES):
            size += len(unsent[0][2])
            taken.append(unsent.popleft())
        self._unsent_bytes -= size
        self._wake_reader()
        return stream_codec.message(taken)

    def finish(self, why: Exception | None = None) -> None:
        """Read no more. The stream ends once what was read is answered."""
        if not self.finished:
            self.finished, self.why = True, why
            self._wake_reader()
            self._wake_writer()

    def close(self) -> None:
        """Give up the logins that are open, as a call of one login is when its caller is gone."""
        self.finish()
        for task in self._logins.values():
            task.cancel()
        self._logins = {}
        self._unsent.clear()

    async def _refuse_rest(self, items: Iterable[StreamedLogin]) -> None:
        """Refuse the logins of a message beyond those that are taken. All have one status: making it takes long."""
        error = StreamFull(f"a message has more than {self._most} logins, of which no more are taken at a time")
        refused = self._calls.refuse(error).status.SerializeToString()
        for place, item in enumerate(items):
            if place:
                self._calls.count_shed(error)
            if not place % _AT_ONCE:
                await asyncio.sleep(0)
            self._put(item.id, "error", refused)

    def _begin(self, item: StreamedLogin, now: float, identify: Identify) -> None:
        """Begin a login. Raises: InvalidRequest."""
        login = item.id
        if login in self._logins:
            raise DuplicateId(login)
        ends = self._ends
        waits_s = stream_codec.timeout_s(item)
        if waits_s is not None:
            ends = now + waits_s if ends is None else min(ends, now + waits_s)
        if item.HasField("execute"):
            asked = self._run(login, "execute", self._execute, item.execute, ends, identify, item.traceparent)
        elif item.HasField("resume"):
            asked = self._run(login, "resume", self._resume, item.resume, ends, identify, item.traceparent)
        else:
            raise InvalidRequest("login", "is absent; send `execute` or `resume`")
        self._logins[login] = self._loop.create_task(asked)

    async def _run(
        self,
        login: int,
        kind: AnswerField,
        method: Method,
        data: bytes,
        ends: float | None,
        identify: Identify,
        traceparent: str,
    ) -> None:
        answer = await self._calls.answer(
            method,
            data,
            lambda: None if ends is None else ends - monotonic(),
            identify,
            metadata.taken(traceparent) if traceparent else "",
        )
        if self._given_up and asyncio.current_task() in self._given_up:
            return
        if self._logins.pop(login, None) is None:  # closed
            return
        if isinstance(answer, NoAnswer):
            self._put(login, "error", answer.status.SerializeToString())
        else:
            self._put(login, kind, answer.data)

    def _cancel(self, login: int) -> None:
        """Give up a login that is open, and answer it. Its task may need a moment."""
        task = self._logins.pop(login, None)
        if task is None:
            return
        self._given_up.add(task)
        task.add_done_callback(self._let_go)
        task.cancel()
        self._refuse(login, LoginCancelled())

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._given_up.discard(task)
        self._wake_reader()

    def _refuse(self, login: int, error: VestibuleError) -> None:
        self._put(login, "error", self._calls.refuse(error).status.SerializeToString())

    def _put(self, login: int, kind: AnswerField, data: bytes) -> None:
        self._unsent.append((login, kind, data))
        self._unsent_bytes += len(data)
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writer is not None:
            if not self._writer.done():
                self._writer.set_result(None)
            self._writer = None

    def _wake_reader(self) -> None:
        if self._reader is not None and (self.finished or not self.is_full()):
            if not self._reader.done():
                self._reader.set_result(None)
            self._reader = None
