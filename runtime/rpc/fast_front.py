"""Take in calls with our own accept loop in grpc.aio's core. The only module that uses private names of a library.

1. grpc.aio decodes the :path of every call in one loop, and a :path that is not UTF-8 ends that loop and the server.
   Here gRPC's core tells our methods apart, and the :path of any other call is never decoded. This can be deleted when
   the control in tests/security/fuzz/test_fuzz_stream.py fails.
2. grpc.aio asks the core at once, in a batch of its own, to report a caller that gives up: a twelfth of the daemon's
   processor time. Here the batch that answers asks it too, and only a call that is still open at the second look is
   listened to. This can be deleted when stock grpc.aio is as fast: grpc/grpc#41796 slowed it, #43461 rewrites it.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, cast

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # a private module without types

from runtime.rpc.listener import GrpcListener
from runtime.rpc.stock_front import Methods

FIRST: Final = (1, 85)
BEYOND: Final = (1, 86)
"""The first minor version that was never tested. pyproject.toml has the same bounds; a test compares them."""

NAMES: Final = (
    "AbortError", "AioServer", "ExecuteBatchError", "ReceiveCloseOnServerOperation", "SendInitialMetadataOperation",
    "SendMessageOperation", "SendStatusFromServerOperation", "StatusCode", "_MethodResolver", "_ServicerContext",
    "_handle_cancellation_from_core", "_handle_rpc", "_receive_message", "_schedule_rpc_coro", "execute_batch",
    "get_working_loop",
)  # fmt: skip
"""What is used of grpc._cython.cygrpc; a test compares this and METHODS with the code below."""
METHODS: Final = ("_make_request_call_future", "_request_call", "_request_registered_call", "is_running")
"""What is used of its AioServer, which grpc.aio.Server holds as `_server`."""

OTHER: Final = ""  # stands for every method that is not ours
# Requests for the next call of one unary method. With one, calls that come together wait for each other, and a daemon
# with eight logins in flight decides a fifth fewer. More than eight gain nothing.
_WAITING: Final = 8
# The fast front learns of a caller that gives up after one to two of these; the deadline is known from the start.
_LOOK_S: Final = 0.02

Handler = Callable[[bytes, "grpc.aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]
_Base: Any = getattr(cygrpc, "AioServer", object)  # without it `unusable` has something to say


def unusable() -> str:
    """Say why the installed grpcio must not be used in this way; empty if it may."""
    release = re.fullmatch(r"(\d+)\.(\d+)\.\d+", grpc.__version__)
    if release is None or not FIRST <= (int(release[1]), int(release[2])) < BEYOND:
        return f"grpcio {grpc.__version__} was not tested with this version of Vestibule"
    missing = [name for name in NAMES if not hasattr(cygrpc, name)]
    missing += [f"AioServer.{name}" for name in METHODS if not hasattr(_Base, name)]
    return f"grpcio {grpc.__version__} lacks {', '.join(missing)}" if missing else ""


class FastFront:
    """Has one `grpc.aio.Server`, whose core is ours. Belongs to one event loop."""

    def __init__(self, methods: Methods, options: Sequence[tuple[str, int]], look_s: float = _LOOK_S) -> None:
        handlers = {f"/{service}/{name}": found for service, named in methods.items() for name, found in named.items()}
        self._core = _Core(options, handlers, look_s)
        self._server = grpc.aio.server(options=options)
        self._server._server = self._core  # type: ignore[attr-defined]  # private, see above
        for service, named in methods.items():
            self._server.add_registered_method_handlers(service, dict(named))

    @property
    def running(self) -> bool:
        """Does it take in calls?"""
        return bool(self._core.is_running())

    @property
    def taken_in(self) -> frozenset[str]:
        """Methods of which calls came in by our loop, which proves that grpc.aio uses it. OTHER for all not ours."""
        return frozenset(self._core.taken_in)

    async def start(self, listener: GrpcListener) -> int:
        """Listen and serve; return the port. Raises: RuntimeError when the address cannot be used."""
        port = listener.add_to(self._server)
        await self._server.start()
        return port

    async def stop(self, grace_s: float) -> None:
        """Take in no more calls, and cancel those that are still open after `grace_s`. Call it once."""
        await self._server.stop(grace_s)
        # Calls that are still being answered must not touch gRPC's core any more.
        self._core.closed.set()


class _Core(_Base):  # type: ignore[misc]  # cygrpc has no types
    """Takes in calls by method. Its base waits for one call of each method in turn; here each has tasks for that."""

    def __init__(
        self, options: Sequence[tuple[str, int]], handlers: dict[str, "grpc.RpcMethodHandler[Any, Any]"], look_s: float
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = cygrpc.get_working_loop()
        super().__init__(self.loop, None, (), (), tuple(options), None)
        self._resolver = cygrpc._MethodResolver([], handlers)
        # Those of bytes; the others are answered as grpc.aio does.
        unary = ((name, handler.unary_unary) for name, handler in handlers.items() if not handler.request_deserializer)
        self._direct: dict[str, Handler] = {name: cast(Handler, answer) for name, answer in unary if answer}
        self._look_s, self._looking, self.closed = look_s, False, asyncio.Event()
        self.taken_in: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.unheard: set[_UnaryCall] = set()

    def _make_request_call_future(self, method: bytes | None) -> asyncio.Future[Any]:
        """Override what the base's loop calls once for each registered method and once with None for all other calls.

        The future gives the base no call. It ends when the server shuts down, by the error that the base expects.
        """
        name = OTHER if method is None else method.decode()
        return asyncio.gather(*(self._take_in(method, name) for _ in range(_WAITING if name in self._direct else 1)))

    async def _take_in(self, method: bytes | None, name: str) -> None:
        direct = self._direct.get(name)
        while True:
            state = await (self._request_call() if method is None else self._request_registered_call(method))
            self.taken_in.add(name)
            if direct is not None:
                self.unheard.add(_UnaryCall(self, direct, state))
                if not self._looking:
                    self._looking = True
                    self.loop.call_later(self._look_s, self._look)
                continue
            handling = cygrpc._handle_rpc(name, self._resolver, (), state, self.loop, False)
            self.hold(cygrpc._schedule_rpc_coro(handling, state, self.loop, name))

    def hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work as a task that is held until it is over; the loop itself holds none."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _look(self) -> None:
        """Listen to the callers of those calls that were here at the last look already."""
        for call in [call for call in self.unheard if call.seen]:
            self.unheard.discard(call)
            call.listen()
        for call in self.unheard:
            call.seen = True
        if self.unheard:
            self.loop.call_later(self._look_s, self._look)
        else:
            self._looking = False


class _UnaryCall:
    """A unary call, from when it came in to its answer."""

    __slots__ = ("_core", "_listens", "_state", "_task", "seen")

    def __init__(self, core: _Core, handler: Handler, state: Any) -> None:
        self._core, self._state = core, state
        self._listens = self.seen = False
        self._task = core.loop.create_task(self._answer(handler))
        core.tasks.add(self._task)

    def listen(self) -> None:
        """Cancel the call when its caller gives up."""
        self._listens = True
        self._core.hold(cygrpc._handle_cancellation_from_core(self._task, self._state, self._core.loop))

    async def _answer(self, handler: Handler) -> None:
        core, state, loop = self._core, self._state, self._core.loop
        operations: tuple[Any, ...] = ()
        try:
            request = await cygrpc._receive_message(state, loop)
            if request is None:  # the caller gave up before the request was whole
                return
            context = cygrpc._ServicerContext(state, None, None, loop)
            try:
                response = await handler(request, context)
                trailing = context.trailing_metadata() or ()
                operations = (
                    cygrpc.SendInitialMetadataOperation((), 0),
                    cygrpc.SendMessageOperation(response, 0),
                    cygrpc.SendStatusFromServerOperation(trailing, cygrpc.StatusCode.ok, "", 0),
                )
            except (cygrpc.AbortError, cygrpc.ExecuteBatchError):  # answered with a status, or the caller is gone
                pass
            except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
                # At once, because a task reports its own error only when it is collected.
                loop.call_exception_handler({"message": "a call's handler failed", "exception": error})
                if not (core.closed.is_set() or context.done()):
                    with contextlib.suppress(cygrpc.AbortError, cygrpc.ExecuteBatchError):
                        await context.abort(grpc.StatusCode.INTERNAL, "internal error")
            finally:
                core.unheard.discard(self)
            if not self._listens:
                operations += (cygrpc.ReceiveCloseOnServerOperation(0),)
            if operations and not core.closed.is_set():
                await cygrpc.execute_batch(state, operations, loop)
        except cygrpc.ExecuteBatchError:  # the caller is gone
            return
        finally:
            core.unheard.discard(self)
            core.tasks.discard(self._task)  # not by a callback, which takes a turn of the loop
