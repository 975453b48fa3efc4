"""Answers unary calls by way of gRPC's core: one task a call and three completions, where grpc.aio has two and four.

Knows the operations that a call is made of. Must not know methods or messages.

grpc.aio asks the core, at once and in a batch of its own, to be told when the caller gives up. A login is mostly
answered before that matters, and the question costs a task, a future and a turn of two threads: a twelfth of the
daemon's processor time. Here the batch that answers asks it too, and only a call that is still open at the second
look is listened to.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from grpc._cython import cygrpc

Handler = Callable[[bytes, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[bytes]]

# A caller's giving up is heard of after one to two of these; its deadline is known from the start.
_LOOK_S: Final = 0.02
_NO_FLAGS: Final = 0
_NO_METADATA: Final = ()


class _Call:
    """A call that is being answered."""

    __slots__ = ("listener", "seen", "state", "task")

    def __init__(self, state: Any) -> None:
        self.state = state
        self.task: asyncio.Task[None] | None = None
        self.listener: asyncio.Task[None] | None = None
        self.seen = False


class UnaryCalls:
    """The unary calls of one server that are open. Belongs to one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The loop itself holds no task.
        self._tasks: set[asyncio.Task[None]] = set()
        self._unheard: set[_Call] = set()
        self._look: asyncio.TimerHandle | None = None
        self._stopped = False

    def answer(self, handler: Handler, state: Any) -> None:
        """Let a handler answer a call that the core gave us. It aborts what it cannot answer, or is cancelled."""
        call = _Call(state)
        task = call.task = self._loop.create_task(self._answer(handler, call))
        self._tasks.add(task)
        self._unheard.add(call)
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_S, self._listen)

    def stop(self) -> None:
        """The server is gone: whoever still answers must not touch the core any more."""
        self._stopped = True

    async def _answer(self, handler: Handler, call: _Call) -> None:
        state, loop = call.state, self._loop
        try:
            request = await cygrpc._receive_message(state, loop)
            if request is None:
                # Given up before it was whole.
                return
            context = cygrpc._ServicerContext(state, None, None, loop)
            try:
                response = await handler(request, context)
                operations: tuple[Any, ...] = (
                    cygrpc.SendInitialMetadataOperation(_NO_METADATA, _NO_FLAGS),
                    cygrpc.SendMessageOperation(response, _NO_FLAGS),
                    cygrpc.SendStatusFromServerOperation(_NO_METADATA, cygrpc.StatusCode.ok, "", _NO_FLAGS),
                )
            except (cygrpc.AbortError, cygrpc.ExecuteBatchError):
                # It was answered with a status, or the caller is gone.
                operations = ()
            except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
                # At once: a task's own is told when it is collected.
                loop.call_exception_handler({"message": "a call's handler failed", "exception": error})
                operations = ()
                if not (self._stopped or context.done()):
                    await self._abort(context)
            finally:
                self._unheard.discard(call)
            if call.listener is None:
                operations += (cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),)
            if operations and not self._stopped:
                await cygrpc.execute_batch(state, operations, loop)
        except cygrpc.ExecuteBatchError:
            # The caller is gone.
            return
        finally:
            self._unheard.discard(call)
            # Not by a callback, which takes a turn of the loop.
            assert call.task is not None
            self._tasks.discard(call.task)

    async def _abort(self, context: Any) -> None:
        try:
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        except (cygrpc.AbortError, cygrpc.ExecuteBatchError):
            return

    def _listen(self) -> None:
        """Listen to the callers of those calls that were here at the last look already."""
        for call in [call for call in self._unheard if call.seen]:
            assert call.task is not None
            self._unheard.discard(call)
            # It cancels the call's task.
            call.listener = self._loop.create_task(
                cygrpc._handle_cancellation_from_core(call.task, call.state, self._loop)
            )
            self._tasks.add(call.listener)
            call.listener.add_done_callback(self._tasks.discard)
        for call in self._unheard:
            call.seen = True
        self._look = self._loop.call_later(_LOOK_S, self._listen) if self._unheard else None
