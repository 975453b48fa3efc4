"""The handlers of ActionRuntimeService: one login in, begun or resumed, one serialized decision out.

Requests and answers pass as bytes: gRPC is given no serializer, so the event is never turned into Python objects.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final, Protocol

import grpc
from google.rpc import status_pb2

from runtime.config.settings import Config
from runtime.errors import (
    ContinuationError,
    DeadlineExceeded,
    Draining,
    InvalidContinuation,
    NoStore,
    TooManyInFlight,
)
from runtime.login.logins import Request
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD
from runtime.ops.log import Log, clip, where
from runtime.ops.metrics import Metrics, RpcCounts
from runtime.rpc import status
from runtime.rpc.admission import Places
from runtime.rpc.codec import decode, decode_continuation
from runtime.rpc.own_call import OWN_CALL
from runtime.rpc.refusals import Refusals

# A flow answers by its deadline. One that has not this long after it is lost, by a fault of ours; it is given up.
LOST_S: Final = 2.0
# How many times its budget of processor time a flow may take on the clock: others use the machine too.
_BUSY: Final = 6


def longest_login_s(config: Config) -> float:
    """Return how long a login may take whose caller sets no deadline."""
    return (_BUSY * config.sandbox.flow_timeout_ms + config.pool.queue_wait_ms) / 1000


class Decider(Protocol):
    """What decides."""

    async def decide(self, request: Request, deadline: float) -> bytes:
        """Return the serialized response by the instant `deadline` of time.monotonic()."""


Decode = Callable[[bytes, int], Request]
"""Reads the message of a method; its second argument is what an event may have, in bytes."""


class ActionRuntime:
    """Decides logins until it drains. Belongs to one event loop."""

    def __init__(self, logins: Decider, config: Config, metrics: Metrics, log: Log) -> None:
        self.draining = False
        self._logins = logins
        self._metrics = metrics
        self._log = log
        self._places = Places(config.limits.max_in_flight, config.limits.tenant_share)
        self._max_event_bytes = config.limits.event_bytes
        self._longest_s = longest_login_s(config)
        self._refusals = Refusals(log)
        self._running: dict[asyncio.Task[bytes], float] = {}
        self._lost: set[asyncio.Task[bytes]] = set()
        self._loop = asyncio.get_running_loop()

    def methods(self) -> "dict[str, grpc.RpcMethodHandler[bytes, bytes]]":
        """Return the handlers by method. They have no serializers: requests and answers are bytes."""
        decoders: dict[str, Decode] = {GRPC_METHOD: decode, GRPC_CONTINUE: decode_continuation}
        return {
            method: grpc.unary_unary_rpc_method_handler(partial(self._handle, self._metrics.rpc[method], read))
            for method, read in decoders.items()
        }

    @property
    def in_flight(self) -> int:
        """Logins being decided."""
        return len(self._running)

    async def wait_idle(self) -> None:
        """Return when no login is in flight."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def _handle(
        self, counts: RpcCounts, read: Decode, data: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]"
    ) -> bytes:
        if data == OWN_CALL:
            return b""
        began = monotonic()
        metrics = self._metrics
        counts.started += 1
        code = "OK"
        tenant_id = request_id = ""
        task: asyncio.Task[bytes] | None = None
        try:
            if self.draining:
                raise Draining
            self._places.check()
            request = read(data, self._max_event_bytes)
            tenant_id, request_id = request.tenant, request.request_id
            longest_s = self._longest_s
            remaining = context.time_remaining()
            if remaining is not None and remaining < longest_s:
                if remaining <= 0:
                    raise DeadlineExceeded
                longest_s = remaining
            # Not loop.time(): uvloop's stands still between two turns. Both count on the same clock.
            deadline = began + longest_s
            current = asyncio.current_task(self._loop)
            assert current is not None
            self._places.take(tenant_id)
            task = current
            self._running[task] = deadline + LOST_S
            metrics.logins_in_flight += 1
            return await self._logins.decide(request, deadline)
        except asyncio.CancelledError:
            if task is None or task not in self._lost:
                remaining = context.time_remaining()
                code = "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"
                raise
            task.uncancel()
            self._log.error("login.lost", tenant=clip(tenant_id), request_id=clip(request_id))
            code, answer = self._answer(DeadlineExceeded(), tenant_id, request_id)
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
            code, answer = self._answer(error, tenant_id, request_id)
        finally:
            if task is not None:
                metrics.logins_in_flight -= 1
                self._places.give_back(tenant_id)
                del self._running[task]
                if self._lost:
                    self._lost.discard(task)
            counts.handled(code, monotonic() - began)
        return await status.abort(context, answer)

    def report(self, *, everything: bool = False) -> None:
        """Write what was counted of refused logins; see Refusals."""
        self._refusals.report(everything=everything)

    def give_up_lost(self) -> None:
        """Cancel logins far past their deadline. Called every second or so: a timer for each login would cost 4 us."""
        now = monotonic()
        for task, latest in tuple(self._running.items()):
            if latest < now and task not in self._lost:
                self._lost.add(task)
                task.cancel()

    def _answer(self, error: Exception, tenant_id: str, request_id: str) -> tuple[str, status_pb2.Status]:
        """Count and log an error; return its code's name and the status for the caller. The ids are empty if unread."""
        code, reason, answer = status.to_status(error)
        # The pool counts what it sheds itself.
        if isinstance(error, TooManyInFlight):
            self._metrics.shed(error.reason)
        elif isinstance(error, Draining):
            self._metrics.shed("draining")
        elif isinstance(error, InvalidContinuation | ContinuationError):
            self._metrics.continuation(error.result)
        log, ids = self._log, {"tenant": clip(tenant_id), "request_id": clip(request_id)}
        if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
            # Not the message: an unforeseen error might quote anything.
            log.error("login.failed", error=type(error).__name__, where=where(error), **ids)
        elif code is grpc.StatusCode.UNAVAILABLE and not isinstance(error, Draining | NoStore):
            log.error("login.failed", reason=reason, error=clip(str(error)), **ids)
        else:
            self._refusals.refused(tenant_id, reason, code.name, request_id, str(error))
        return code.name, answer
