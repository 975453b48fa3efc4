"""Unary calls on both fronts, from a real client."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import pytest

from runtime.config.effective import Config
from runtime.rpc.fast_front import FastFront, Handler
from runtime.rpc.listener import GrpcListener
from runtime.rpc.server import concurrent_streams, options, unrequested
from runtime.rpc.stock_front import StockFront
from tests.calls import unary

PATH = "/test.Service/Method"
FRONTS = pytest.mark.parametrize("kind", ["fast", "stock"])


class Rig:
    """A front with one method, a channel to it, and what went wrong in the loop."""

    def __init__(
        self,
        front: FastFront | StockFront,
        port: int,
        channel: grpc.aio.Channel,
        failed: list[BaseException | None],
    ) -> None:
        self.front = front
        self.failed = failed
        self.port = port
        self.channel = channel
        self._tasks = len(asyncio.all_tasks())

    def call(self, request: bytes = b"?", **options: Any) -> Any:
        return unary(self.channel, PATH)(request, **options)

    async def settle(self) -> None:
        """Wait until no call is open and no task of one is left."""
        await until(lambda: len(asyncio.all_tasks()) <= self._tasks)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def rig(
    handler: Handler, kind: str = "fast", options: Sequence[tuple[str, int]] = (), look_s: float = 0.02
) -> AsyncIterator[Rig]:
    methods: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {
        "test.Service": {"Method": grpc.unary_unary_rpc_method_handler(handler)}
    }
    options = [("grpc.so_reuseport", 0), *options]
    failed: list[BaseException | None] = []
    front = FastFront(methods, options, look_s) if kind == "fast" else StockFront(methods, options, 30.0, failed.append)
    port = await front.start(GrpcListener("127.0.0.1:0"))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        it = Rig(front, port, channel, failed)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failed.append(context.get("exception")))
        try:
            yield it
        finally:
            loop.set_exception_handler(None)
            if front.running:
                await front.stop(0)


@FRONTS
async def test_calls_are_answered_and_leave_nothing(kind: str) -> None:
    """A thousand calls, quick ones and some that are listened to, get their own answers, and no task is left."""

    async def echo(request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(0.1 if request.endswith(b"0") else 0)
        return request * 2

    async with rig(echo, kind) as it:
        asked = [str(number).encode() for number in range(1000)]
        answers = []
        for start in range(0, 1000, 50):
            answers += await asyncio.gather(*(it.call(request) for request in asked[start : start + 50]))
        assert answers == [request * 2 for request in asked]
        await it.settle()
        assert not it.failed


@FRONTS
async def test_a_caller_that_gives_up_is_heard_of(kind: str) -> None:
    """A call whose caller gives up is cancelled; the next call is answered."""
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

    async with rig(slow, kind) as it:
        calls = [it.call(b"%d" % number) for number in range(20)]
        await until(lambda: len(begun) == 20)
        # The fast front hears of some of them a little later, when it begins to listen.
        for call in calls:
            call.cancel()
        await until(lambda: sorted(cancelled) == sorted(begun))
        assert await it.call(b"next") == b"!"
        await it.settle()
        assert not it.failed


async def test_a_caller_that_gives_up_at_once_costs_nothing_but_the_answer() -> None:
    """A call that the fast front does not listen to yet is worked on to its end, and its answer goes nowhere."""
    begun, go, finished = asyncio.Event(), asyncio.Event(), []

    async def handler(request: bytes, _context: Any) -> bytes:
        begun.set()
        await go.wait()
        finished.append(request)
        return request

    async with rig(handler, look_s=3600) as it:
        call = it.call(b"gone")
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go.set()
        await until(lambda: finished == [b"gone"])
        assert await it.call(b"next") == b"next"
        await it.settle()
        assert not it.failed


async def test_what_a_handler_did_not_foresee_is_an_internal_error() -> None:
    """The caller gets INTERNAL without a word of what it was; our log gets the error; the next call is answered."""

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


@FRONTS
async def test_an_abort_is_the_answer(kind: str) -> None:
    """A status that the handler aborts with reaches the caller, with its details, whether or not it is listened to."""

    async def handler(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0.1 if request == b"late" else 0)
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        raise AssertionError

    async with rig(handler, kind) as it:
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
            method = unary(channel, PATH)
            first = [method.future(b"first") for _ in range(limit)]
            assert [call.result(30) for call in first] == [b"first"] * limit
            second = [method.future(b"second") for _ in range(limit)]
            time.sleep(0.5)
            arrived.set()
            return [call.code() for call in second]

    async with rig(handler, options=concurrent_streams(limit)[: 2 if room else 1]) as it:
        codes = await asyncio.to_thread(two_waves, it.port)
        assert (set(codes) == {grpc.StatusCode.OK}) is room, codes
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        await it.settle()
        assert not it.failed


@pytest.mark.parametrize(
    ("kind", "kept"), [("fast", True), ("fast", False), pytest.param("stock", True, marks=pytest.mark.long)]
)
async def test_calls_that_wait_for_the_loop_are_all_answered(kind: str, kept: bool) -> None:
    """However long the loop did not turn. Control: with an option of a second the core drops calls, for no reason."""

    async def handler(request: bytes, _context: Any) -> bytes:
        if request == b"first":
            time.sleep(2.2)
        return request

    def wave(port: int) -> list[grpc.StatusCode]:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = unary(channel, PATH)
            calls = [method.future(b"first"), *(method.future(b"next") for _ in range(50))]
            return [call.code() for call in calls]

    (ours,) = [option for option in options(Config()) if option[0] == unrequested(1)[0]]
    async with rig(handler, kind, [ours if kept else unrequested(1)]) as it:
        codes = await asyncio.to_thread(wave, it.port)
        assert set(codes) == {grpc.StatusCode.OK} | (set() if kept else {grpc.StatusCode.CANCELLED})
        await it.settle()
        assert not it.failed
    assert ours[1] > 600


@FRONTS
async def test_a_server_that_is_stopped_cancels_what_is_open(kind: str) -> None:
    """Calls that are open when the grace is over end UNAVAILABLE or CANCELLED, and touch nothing any more."""

    begun = []

    async def handler(request: bytes, _context: Any) -> bytes:
        begun.append(request)
        await asyncio.Event().wait()
        raise AssertionError

    async with rig(handler, kind) as it:
        calls = [it.call() for _ in range(5)]
        await until(lambda: len(begun) == 5)
        await asyncio.sleep(0.1)
        await it.front.stop(0)
        for call in calls:
            with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
                await call
        await it.settle()
        assert not it.failed
