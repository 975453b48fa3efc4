"""StreamPostLogin by gRPC: one call, a reader beside its writer, by public names of grpcio alone.

Knows gRPC's streams and their statuses. Must not know what is in a message.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import Any, Final

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from runtime.callers.callers import Callers
from runtime.calls import status
from runtime.calls.calls import Calls, Identify, anyone
from runtime.calls.streams import LoginStream, Streams
from runtime.errors import AnswersNotTaken, Draining, StreamEnded, VestibuleError
from runtime.ops.metrics import Metrics
from runtime.rpc.credentials import credentials_of

# How long a message of answers may wait for a caller that takes none.
TAKEN_S: Final = 10.0


class PostLoginStreams:
    """Takes streams in. Belongs to one event loop."""

    def __init__(
        self,
        calls: Calls,
        streams: Streams,
        callers: Callers,
        metrics: Metrics,
        life_s: float | None,
        taken_s: float = TAKEN_S,
    ) -> None:
        """End streams in good order after `life_s` (None: never), or when no answer is taken for `taken_s`."""
        self._calls, self._streams, self._callers, self._metrics = calls, streams, callers, metrics
        self._life_s, self._taken_s = life_s, taken_s

    def method(self) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Return the handler. It has no serializers: messages are bytes."""
        return grpc.stream_stream_rpc_method_handler(self._handle)

    async def _handle(self, _: Any, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        """Answer one stream: this task writes, another one reads."""
        ended = "CANCELLED"
        stream: LoginStream | None = None
        try:
            # At once: the caller learns that it has a stream, and an end needs no batch that could still be on its way.
            await context.send_initial_metadata(())
            try:
                stream = self._open(context)
                await self._serve(stream, context)
                why = stream.why
            except VestibuleError as error:
                why = error
            if stream is not None:
                stream.close()
            if why is None:
                ended = "OK"
                return
            ended, answer = self._end(why)
            await context.abort_with_status(rpc_status.to_status(answer))
        finally:
            if stream is not None:
                self._streams.close(stream)
            self._metrics.stream_ended(ended)

    def _open(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> LoginStream:
        """Begin a stream. Raises: Draining, TooManyStreams, CallerError."""
        if self._calls.draining:
            raise Draining
        identify: Identify = anyone
        if self._callers.required:
            identify = partial(self._callers.identify, *credentials_of(context))
        remaining_s = context.time_remaining()
        return self._streams.open(identify, None if remaining_s is None else monotonic() + remaining_s)

    async def _serve(self, stream: LoginStream, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        """Read and write until the stream has come to its end. Raises: AnswersNotTaken."""
        reading = asyncio.create_task(self._read(stream, context))
        if self._life_s is not None:
            ending = asyncio.get_running_loop().call_later(self._life_s, stream.finish, StreamEnded())
        try:
            while message := await stream.answers():
                async with asyncio.timeout(self._taken_s):
                    await context.write(message)
        except TimeoutError:
            raise AnswersNotTaken(f"no answer was taken for {self._taken_s:g} s; read while you write") from None
        finally:
            if self._life_s is not None:
                ending.cancel()
            reading.cancel()

    async def _read(self, stream: LoginStream, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        try:
            while await stream.room():
                message: Any = await context.read()
                if message is grpc.aio.EOF:
                    stream.finish()
                else:
                    await stream.read(message)
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
            stream.finish(error)

    def _end(self, why: Exception) -> tuple[str, status_pb2.Status]:
        """Return the code and the status of an end that is not the caller's own."""
        if isinstance(why, Draining):  # no login is refused by it
            code, _, answer = status.to_status(why)
            return code, answer
        refused = self._calls.refuse(why)
        return refused.code, refused.status
