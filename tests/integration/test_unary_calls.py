"""Unary calls on the shortest way through gRPC's core, from a real client."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import pytest

from runtime.rpc import accepting
from runtime.rpc.unary import Handler

PATH = "/test.Service/Method"


class Rig:
    """A server with one method, a channel to it, and what went wrong in the loop."""

    def __init__(self, server: accepting.Server, port: int, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.port = port
        self.channel = channel
        self.failed: list[BaseException | None] = []

    def call(self, request: bytes = b"?", **options: Any) -> Any:
        return self.channel.unary_unary(PATH)(request, **options)

    async def settle(self) -> None:
        """Wait until no task of a call is left, and none will look for callers any more."""
        unary = self.server._server._unary
        await until(lambda: not unary._tasks and not unary._unheard and unary._look is None)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def rig(handler: Handler, options: Sequence[tuple[str, int]] = ()) -> AsyncIterator[Rig]:
    server = accepting.Server([("grpc.so_reuseport", 0), *options])
    server.add_unary("test.Service", {"Method": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        it = Rig(server, port, channel)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: it.failed.append(context.get("exception")))
        try:
            yield it
        finally:
            loop.set_exception_handler(None)
            await server.stop(0)


async def test_calls_are_answered_and_leave_nothing() -> None:
    """A thousand calls, quick ones and some that are listened to, get their own answers, and no task is left."""

    async def echo(request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(0.1 if request.endswith(b"0") else 0)
        return request * 2

    async with rig(echo) as it:
        asked = [str(number).encode() for number in range(1000)]
        answers = []
        for start in range(0, 1000, 50):
            answers += await asyncio.gather(*(it.call(request) for request in asked[start : start + 50]))
        assert answers == [request * 2 for request in asked]
        await it.settle()
        assert not it.failed


async def test_a_caller_that_gives_up_is_heard_of() -> None:
    """Whoever gives up after it was listened to has its work cancelled; the next call is answered."""
    begun, cancelled = [], []

    async def slow(request: bytes, _context: Any) -> bytes:
        begun.append(request)
        if request == b"next":
            return b"!"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(request)
            raise
        raise AssertionError

    async with rig(slow) as it:
        calls = [it.call(b"%d" % number) for number in range(20)]
        await until(lambda: len(begun) == 20)
        # Some before anybody listens, which is found out a little later.
        for call in calls:
            call.cancel()
        await until(lambda: sorted(cancelled) == sorted(begun))
        assert await it.call(b"next") == b"!"
        await it.settle()
        assert not it.failed


async def test_a_caller_that_gives_up_at_once_costs_nothing_but_the_answer() -> None:
    """A call that ends before anybody listens is worked on to its end, and its answer goes nowhere."""
    go, finished = asyncio.Event(), []

    async def handler(request: bytes, _context: Any) -> bytes:
        await go.wait()
        finished.append(request)
        return request

    async with rig(handler) as it:
        # Nobody is listened to while this runs.
        it.server._server._unary._look = asyncio.get_running_loop().call_later(3600, str)
        call = it.call(b"gone")
        await until(lambda: bool(it.server._server._unary._unheard))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go.set()
        await until(lambda: finished == [b"gone"])
        assert await it.call(b"next") == b"next"
        await until(lambda: not it.server._server._unary._tasks)
        assert not it.failed


async def test_what_a_handler_did_not_foresee_is_an_internal_error() -> None:
    """The caller gets INTERNAL without a word of what it was; our log gets the error; the server goes on."""

    async def handler(request: bytes, _context: Any) -> bytes:
        if request == b"bad":
            raise ValueError("a secret")
        return request

    async with rig(handler) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.call(b"bad")
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in (caught.value.details() or "")
        assert await it.call(b"good") == b"good"
        await it.settle()
        await until(lambda: [type(error) for error in it.failed] == [ValueError])


async def test_an_abort_is_the_answer() -> None:
    """A status that the handler aborts with reaches the caller, with its details, whether or not it is listened to."""

    async def handler(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0.1 if request == b"late" else 0)
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        raise AssertionError

    async with rig(handler) as it:
        for request in (b"soon", b"late"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await it.call(request)
            assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
        await it.settle()
        assert not it.failed


@pytest.mark.parametrize("room", [True, False])
async def test_a_caller_that_keeps_to_the_limit_is_never_refused(room: bool) -> None:
    """Calls begun before the server has let go of those it has answered are taken in; the control: not without room."""
    limit = 20
    begun: list[bytes] = []
    go, arrived = asyncio.Event(), threading.Event()

    async def handler(request: bytes, _context: Any) -> bytes:
        begun.append(request)
        if len(begun) == limit:
            go.set()
            # Comes after the answers: they are on their way while the loop stands still.
            asyncio.get_running_loop().call_soon(arrived.wait, 30)
        await go.wait()
        return request

    def two_waves(port: int) -> list[grpc.StatusCode]:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = channel.unary_unary(PATH)
            first = [method.future(b"first") for _ in range(limit)]
            assert [call.result(30) for call in first] == [b"first"] * limit
            second = [method.future(b"second") for _ in range(limit)]
            time.sleep(0.5)
            arrived.set()
            return [call.code() for call in second]

    async with rig(handler, accepting.concurrent_streams(limit)[: 2 if room else 1]) as it:
        codes = await asyncio.to_thread(two_waves, it.port)
        assert (set(codes) == {grpc.StatusCode.OK}) is room, codes
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        await it.settle()
        assert not it.failed


async def test_a_server_that_is_stopped_cancels_what_is_open() -> None:
    """Calls that are open when the grace is over end UNAVAILABLE or CANCELLED, and touch nothing any more."""

    async def handler(_request: bytes, _context: Any) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async with rig(handler) as it:
        calls = [it.call() for _ in range(5)]
        await until(lambda: len(it.server._server._unary._tasks) >= 5)
        await asyncio.sleep(0.1)
        await it.server.stop(0)
        for call in calls:
            with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
                await call
        await it.settle()
        assert not it.failed
