"""Many logins on one call: what waits is sent together, an answer finds its login, a stream that ends is replaced.

No timer gathers: a message has what has come since the last one was taken. Must not know retries or steps."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from vestibule.v1.runtime_service_pb2 import StreamPostLoginRequest, StreamPostLoginResponse

from vestibule_client.errors import Failure, failure_of, failure_of_status
from vestibule_client.requests import Call

PATH: Final = "/vestibule.v1.ActionRuntimeService/StreamPostLogin"
# Below what a daemon takes in one message, and below what it takes in bytes; a single login may be larger.
_LOGINS: Final = 32
_BYTES: Final = 1 << 20

Item = StreamPostLoginRequest.Item
F = TypeVar("F", "asyncio.Future[Any]", "concurrent.futures.Future[Any]")


class _Book(Generic[F]):
    """The logins of one stream that have no answer yet, and what is to be sent."""

    def __init__(self) -> None:
        self._open: dict[int, F] = {}
        self._waiting: deque[Item] = deque()
        self._cancel: list[int] = []
        self._last = 0
        self._answered = False

    def add(self, call: Call[Any, Any], timeout_s: float, future: F) -> int:
        """Note a login to be sent; return its id."""
        self._last = login = self._last + 1 & 0xFFFFFFFF
        kind = "resume" if call.method == "ContinuePostLogin" else "execute"
        timeout = Duration()
        timeout.FromNanoseconds(max(1, int(timeout_s * 1e9)))
        # The item is written into its message once; until then it refers to the caller's.
        self._waiting.append(Item(id=login, timeout=timeout, **{kind: call.request}))
        self._open[login] = future
        return login

    def give_up(self, login: int) -> None:
        """Note that the answer to a login is wanted no more."""
        if self._open.pop(login, None) is not None:
            self._cancel.append(login)

    def message(self) -> bytes:
        """Return what is to be sent, as much as one message takes; empty for nothing."""
        items: list[Item] = []
        size = 0
        while self._waiting and len(items) < _LOGINS and size < _BYTES:
            item = self._waiting.popleft()
            if item.id in self._open:
                items.append(item)
                size += item.ByteSize()
        cancel, self._cancel = self._cancel, []
        return StreamPostLoginRequest(items=items, cancel=cancel).SerializeToString()

    def answers(self, message: StreamPostLoginResponse) -> Iterator[tuple[F, Any]]:
        """Return who waits for the answers of a message, with the response or the failure for each."""
        self._answered = True
        for item in message.items:
            future = self._open.pop(item.id, None)
            if future is not None:
                kind = item.WhichOneof("answer") or "error"
                answer = getattr(item, kind)
                yield future, failure_of_status(item.error) if kind == "error" else answer

    def end(self, failure: Failure) -> Iterator[tuple[F, Failure]]:
        """Return who is left without an answer, with what the end of the stream means for each."""
        if _is_worth_another(failure, self._answered):
            failure = Failure(
                status=grpc.StatusCode.UNAVAILABLE,
                message=failure.message,
                reason=failure.reason,
                retry_after_s=failure.retry_after_s,
            )
        left, self._open = self._open, {}
        self._waiting.clear()
        for future in left.values():
            yield future, failure


def _is_worth_another(failure: Failure, answered: bool) -> bool:
    """Say whether a new stream may do better: this one broke, or its key ended after it had been good."""
    broken = (grpc.StatusCode.OK, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)
    if failure.status is grpc.StatusCode.UNAUTHENTICATED:
        return answered
    return not failure.reason and failure.status in broken


class AsyncStream:
    """Asks on a stream that is open, or opens one. Belongs to one event loop."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Callable[[], Any]) -> None:
        self._method: Any = channel.stream_stream(PATH, None, StreamPostLoginResponse.FromString)
        self._metadata = metadata
        self._opened: _AsyncOpened | None = None

    async def ask(self, call: Call[Any, Any], timeout_s: float) -> Any:
        """Return the response to one login, or its failure."""
        if self._opened is None or self._opened.over:
            self._opened = _AsyncOpened(self._method(metadata=self._metadata()))
        return await self._opened.ask(call, timeout_s)

    async def close(self) -> None:
        """End the stream; logins without an answer end."""
        if self._opened is not None:
            await self._opened.close()


class _AsyncOpened:
    def __init__(self, call: Any) -> None:
        self.over = False
        self._call = call
        self._book: _Book[asyncio.Future[Any]] = _Book()
        self._news = asyncio.Event()
        self._writing = asyncio.create_task(self._write())
        self._reading = asyncio.create_task(self._read())

    async def ask(self, call: Call[Any, Any], timeout_s: float) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        login = self._book.add(call, timeout_s, future)
        self._news.set()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return Failure(status=grpc.StatusCode.DEADLINE_EXCEEDED, message="there was no answer in time")
        finally:
            if not future.done() or future.cancelled():
                self._book.give_up(login)
                self._news.set()

    async def close(self) -> None:
        self._call.cancel()
        await asyncio.wait([self._reading])

    async def _write(self) -> None:
        try:
            while await self._news.wait():
                self._news.clear()
                while message := self._book.message():
                    await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):  # the reader learns why
            return

    async def _read(self) -> None:
        failure = Failure(status=grpc.StatusCode.OK, message="the daemon ended the stream")
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                for future, answer in self._book.answers(message):
                    if not future.done():
                        future.set_result(answer)
            if (code := await self._call.code()) is not grpc.StatusCode.OK:
                failure = Failure(status=code, message=await self._call.details() or "")
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
        except asyncio.CancelledError:
            failure = Failure(status=grpc.StatusCode.CANCELLED, message="the client was closed")
        finally:
            self.over = True
            self._writing.cancel()
            for future, none in self._book.end(failure):
                if not future.done():
                    future.set_result(none)


class Stream:
    """Asks on a stream that is open, or opens one. Serves all threads."""

    def __init__(self, channel: grpc.Channel, metadata: Callable[[], Any]) -> None:
        self._method: Any = channel.stream_stream(PATH, None, StreamPostLoginResponse.FromString)
        self._metadata = metadata
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def ask(self, call: Call[Any, Any], timeout_s: float) -> Any:
        """Return the response to one login, or its failure."""
        with self._lock:
            if self._opened is None or self._opened.over:
                self._opened = _Opened(self._method, self._metadata())
            opened = self._opened
        return opened.ask(call, timeout_s)

    def close(self) -> None:
        """End the stream; logins without an answer end."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()


class _Opened:
    def __init__(self, method: Any, metadata: Any) -> None:
        self.over = False
        self._book: _Book[concurrent.futures.Future[Any]] = _Book()
        self._lock = threading.Lock()
        self._news: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._call = method(self._messages(), metadata=metadata)
        threading.Thread(target=self._read, name="vestibule-stream", daemon=True).start()

    def ask(self, call: Call[Any, Any], timeout_s: float) -> Any:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        with self._lock:
            if self.over:
                return Failure(status=grpc.StatusCode.UNAVAILABLE, message="the stream has just ended")
            login = self._book.add(call, timeout_s, future)
        self._news.put(True)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            with self._lock:
                self._book.give_up(login)
            self._news.put(True)
            return Failure(status=grpc.StatusCode.DEADLINE_EXCEEDED, message="there was no answer in time")

    def close(self) -> None:
        self._call.cancel()

    def _messages(self) -> Iterator[bytes]:
        # gRPC asks for the next message when it has let go of the one before.
        while self._news.get():
            while True:
                with self._lock:
                    message = self._book.message()
                if not message:
                    break
                yield message

    def _read(self) -> None:
        failure = Failure(status=grpc.StatusCode.OK, message="the daemon ended the stream")
        try:
            for message in self._call:
                with self._lock:
                    found = list(self._book.answers(message))
                for future, answer in found:
                    future.set_result(answer)
        except grpc.RpcError as error:
            failure = failure_of(error)
        with self._lock:
            self.over = True
            left = list(self._book.end(failure))
        for future, none in left:
            future.set_result(none)
        self._news.put(False)
