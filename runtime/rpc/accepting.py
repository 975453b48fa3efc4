"""The grpc.aio server, made to outlive any call: its own loop decodes the method of a call that it does not know.

Knows how grpc.aio takes in calls. Must not know our services.

Up to grpcio 1.85 at least, one call whose :path is no UTF-8 raises in that loop, and the server shuts down. Anybody
who reaches the port can send one. So every method we have is registered, which gRPC's core then tells apart by
itself; all other calls are taken in here, where nobody looks at what they ask for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server

from runtime.rpc.unary import Handler, UnaryCalls

_UNKNOWN: Final = ""
# Takes in calls of one method. With one, as in grpc.aio, calls that come together wait for each other, a turn of two
# threads each, and a daemon with eight logins in flight decides a fifth fewer. More than eight gain nothing.
_WAITING: Final = 8


class _Core(cygrpc.AioServer):  # type: ignore[misc]  # the package has no types
    """Takes in calls by method. Its base waits for one call of each method in turn; here each has a task for that."""

    def __init__(self, loop: asyncio.AbstractEventLoop, options: Sequence[tuple[str, Any]]) -> None:
        super().__init__(loop, None, (), (), options, None)
        self._loop_of_calls = loop
        self._known: dict[str, grpc.RpcMethodHandler] = {}
        self._direct: dict[str, Handler] = {}
        self._unary = UnaryCalls(loop)
        self._calls: set[asyncio.Task[None]] = set()

    def add_registered_method_handlers(self, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        super().add_registered_method_handlers(handlers)
        self._known.update(handlers)

    def add_unary(self, handlers: Mapping[str, Handler]) -> None:
        """Answer these methods without what grpc.aio does for any kind of call."""
        self.add_registered_method_handlers(
            {name: grpc.unary_unary_rpc_method_handler(handler) for name, handler in handlers.items()}
        )
        self._direct.update(handlers)

    async def shutdown(self, grace: float | None) -> None:
        await super().shutdown(grace)
        self._unary.stop()

    def _make_request_call_future(self, method: bytes | None) -> asyncio.Task[None]:
        """Called by the base's loop, for each registered method and for None: what it waits for never gives it a call.

        The task ends when the server shuts down, by the error that the base expects then.
        """
        return self._loop_of_calls.create_task(self._take_in_several(method))

    async def _take_in_several(self, method: bytes | None) -> None:
        direct = method is not None and method.decode() in self._direct
        await asyncio.gather(*(self._take_in(method) for _ in range(_WAITING if direct else 1)))

    async def _take_in(self, method: bytes | None) -> None:
        loop, calls = self._loop_of_calls, self._calls
        name = _UNKNOWN if method is None else method.decode()
        resolver = cygrpc._MethodResolver([], self._known)
        direct = self._direct.get(name)
        while True:
            state = await (self._request_call() if method is None else self._request_registered_call(method))
            if direct is not None:
                self._unary.answer(direct, state)
                continue
            handling = cygrpc._handle_rpc(name, resolver, (), state, loop, False)
            task = loop.create_task(cygrpc._schedule_rpc_coro(handling, state, loop, name))
            # The loop itself holds no task.
            calls.add(task)
            task.add_done_callback(calls.discard)


def concurrent_streams(limit: int) -> list[tuple[str, int]]:
    """Return the options that let a connection have `limit` calls open at a time.

    A call that was answered counts for gRPC's core until this process has let go of it. Without room for as many of
    those again, a caller that keeps to the limit and begins its next calls at once gets UNAVAILABLE for them.
    """
    return [("grpc.max_concurrent_streams", limit), ("grpc.http2.max_deallocating_streams", limit)]


class Server(_server.Server):  # type: ignore[misc]  # the package has no types
    """grpc.aio.server() for registered methods only: an unknown one is UNIMPLEMENTED, whatever it is called."""

    def __init__(self, options: Sequence[tuple[str, Any]]) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Core(self._loop, tuple(options))

    def add_unary(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Register unary methods by name, on the shortest way."""
        self._server.add_unary({f"/{service}/{method}": handler for method, handler in handlers.items()})

    @property
    def running(self) -> bool:
        """Does it take in calls? Not before its start, and not once it has begun to stop, for whatever reason."""
        return bool(self._server.is_running())
