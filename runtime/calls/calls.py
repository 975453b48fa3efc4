"""The one way a login takes through the daemon, whatever it came in by: serialized request in, answer or refusal out.

Knows admission, deadlines, what is counted and logged. Must not know gRPC or HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Final, NamedTuple, Protocol

from google.rpc import status_pb2

from runtime.callers.caller import ANYONE, Caller, Scope
from runtime.callers.errors import CallerError
from runtime.calls import status
from runtime.calls.admission import Places
from runtime.calls.codec import decode, decode_continuation, decode_tenant
from runtime.calls.refusals import Refusals
from runtime.config.effective import Config
from runtime.errors import (
    ContinuationError,
    ContinuationRunning,
    DeadlineExceeded,
    Draining,
    InvalidContinuation,
    NoStore,
    TooManyInFlight,
)
from runtime.login.ending import Decided
from runtime.login.request import Request
from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD, GRPC_TENANT
from runtime.ops.log import Log, clip, where
from runtime.ops.metrics import Metrics, RpcCounts

# A flow answers by its deadline. One that has not this long after it is lost, by a fault of ours; it is given up.
LOST_S: Final = 2.0
# How many times its budget of processor time a flow may take on the clock: others use the machine too.
_BUSY: Final = 6


def longest_login_s(config: Config) -> float:
    """Return how long a login may take whose caller sets no deadline."""
    return (_BUSY * config.sandbox.flow_timeout_ms + config.pool.queue_wait_ms) / 1000


class Answered(NamedTuple):
    """The answer to a call: the serialized response, and ids that a transport may name beside it."""

    data: bytes
    request_id: str
    decision_id: str


class NoAnswer(NamedTuple):
    """Why a call has no answer. `code` is the word of the gRPC status; `status` has it too, with google.rpc details."""

    code: str
    status: status_pb2.Status
    request_id: str = ""

    @property
    def late(self) -> bool:
        """Say whether its caller's time was over, so that it says nothing to a caller who asks the same."""
        return self.code == "DEADLINE_EXCEEDED"


Remaining = Callable[[], float | None]
"""Returns the seconds that the caller has left; None when it set no deadline."""

Identify = Callable[[], Caller]
"""Returns who calls, by the credentials that the transport saw. Raises: CallerError."""


def anyone() -> Caller:
    """Return the caller where no credentials are asked for."""
    return ANYONE


class Decider(Protocol):
    """What decides, and knows its tenants."""

    def serves(self, tenant: str) -> bool | None:
        """Tell whether logins of a tenant can be decided now; None for a tenant that is unknown."""

    async def describe(self, request: Request, deadline: float) -> Decided:
        """Return what a gateway may know of a tenant, as `decide` returns a decision."""

    async def decide(self, request: Request, deadline: float) -> Decided:
        """Return the decision by the instant `deadline` of time.monotonic()."""


Decode = Callable[[bytes, int], Request]
"""Reads the message of a method; its second argument is what an event may have, in bytes."""


Answering = Callable[[Request, float], Awaitable[Decided]]
"""Does what a request asks for, by an instant of time.monotonic()."""


class Method(NamedTuple):
    """One method: how its message is read, what does it, what is counted of it, and which scopes allow it."""

    read: Decode
    act: Answering
    counts: RpcCounts
    scopes: tuple[Scope, ...]


class Calls:
    """Answers calls until it drains. Belongs to one event loop."""

    def __init__(self, logins: Decider, config: Config, metrics: Metrics, log: Log) -> None:
        self.draining = False
        self.serves = logins.serves
        self._metrics = metrics
        self._log = log
        self._places = Places(config.limits.max_in_flight, config.limits.tenant_share)
        self._max_event_bytes = config.limits.event_bytes
        self._longest_s = longest_login_s(config)
        self._refusals = Refusals(log)
        self._running: dict[asyncio.Task[object], float] = {}
        self._lost: set[asyncio.Task[object]] = set()
        self._loop = asyncio.get_running_loop()
        facts_bytes = config.limits.facts_bytes
        known: dict[str, tuple[Decode, Answering, tuple[Scope, ...]]] = {
            GRPC_METHOD: (partial(decode, max_facts_bytes=facts_bytes), logins.decide, (Scope.EXECUTE,)),
            GRPC_CONTINUE: (partial(decode_continuation, max_facts_bytes=facts_bytes), logins.decide, (Scope.EXECUTE,)),
            GRPC_TENANT: (decode_tenant, logins.describe, tuple(Scope)),
        }
        self.methods = {name: Method(read, act, metrics.rpc[name], may) for name, (read, act, may) in known.items()}
        """The methods of the service by name, for gRPC."""
        self.stream_methods = {
            name: Method(read, act, metrics.stream[name], may) for name, (read, act, may) in known.items()
        }
        """The same methods for logins that come in by a stream."""
        self.http_methods = {
            name: Method(read, act, metrics.http[name], may) for name, (read, act, may) in known.items()
        }
        """The same methods for all that comes in by HTTP."""

    @property
    def in_flight(self) -> int:
        """Logins being decided."""
        return len(self._running)

    async def wait_idle(self) -> None:
        """Return when no login is in flight."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def answer(
        self, method: Method, data: bytes, remaining: Remaining, identify: Identify = anyone, traceparent: str = ""
    ) -> Answered | NoAnswer:
        """Answer one call of a method with its serialized response. A task of its own has to wait for this.

        Args:
            method: one of `methods`.
            data: the serialized request; hostile.
            remaining: what time the caller has; when the task is cancelled, whether that was for lack of it.
            identify: who calls.
            traceparent: of the caller's trace; empty for none.
        """
        began = monotonic()
        metrics = self._metrics
        counts = method.counts
        counts.started += 1
        code = "OK"
        tenant_id = request_id = ""
        task: asyncio.Task[object] | None = None
        try:
            if self.draining:
                raise Draining
            caller = identify()
            self._places.check()
            request = method.read(data, self._max_event_bytes)
            tenant_id, request_id = request.tenant, request.request_id
            caller.require(tenant_id, *method.scopes)
            if traceparent or caller is not ANYONE:
                name = "" if caller is ANYONE else caller.name
                request = request._replace(traceparent=traceparent, caller=name)
            longest_s = self._longest_s
            remaining_s = remaining()
            if remaining_s is not None and remaining_s < longest_s:
                if remaining_s <= 0:
                    raise DeadlineExceeded
                longest_s = remaining_s
            # Not loop.time(): uvloop's stands still between two turns. Both count on the same clock.
            deadline = began + longest_s
            current = asyncio.current_task(self._loop)
            assert current is not None
            self._places.take(tenant_id)
            task = current
            self._running[task] = deadline + LOST_S
            metrics.logins_in_flight += 1
            response, decision_id = await method.act(request, deadline)
            return Answered(response, request_id, decision_id)
        except asyncio.CancelledError:
            if task is None or task not in self._lost:
                remaining_s = remaining()
                code = "DEADLINE_EXCEEDED" if remaining_s is not None and remaining_s <= 0 else "CANCELLED"
                raise
            task.uncancel()
            self._log.error("login.lost", tenant=clip(tenant_id), request_id=clip(request_id))
            refusal = self.refuse(DeadlineExceeded(), tenant_id, request_id)
            code = refusal.code
            return refusal
        except Exception as error:  # noqa: BLE001 - a process edge: whatever it is, the caller gets a status
            refusal = self.refuse(error, tenant_id, request_id)
            code = refusal.code
            return refusal
        finally:
            if task is not None:
                metrics.logins_in_flight -= 1
                self._places.give_back(tenant_id)
                del self._running[task]
                if self._lost:
                    self._lost.discard(task)
            counts.handled(code, monotonic() - began)

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

    def count_shed(self, error: TooManyInFlight) -> None:
        """Count a login that is refused by what `refuse` has said of another one."""
        self._metrics.shed(error.reason)

    def refuse(self, error: Exception, tenant_id: str = "", request_id: str = "") -> NoAnswer:
        """Count and log an error; return the status for the caller. The ids are empty if they were not read."""
        code, reason, answer = status.to_status(error)
        # The pool counts what it sheds itself.
        if isinstance(error, TooManyInFlight):
            self.count_shed(error)
        elif isinstance(error, Draining):
            self._metrics.shed("draining")
        elif isinstance(error, CallerError):
            self._metrics.caller_refused(error.reason)
        elif isinstance(error, InvalidContinuation | ContinuationError):
            self._metrics.continuation(error.result)
        log, ids = self._log, {"tenant": clip(tenant_id), "request_id": clip(request_id)}
        if code in ("INTERNAL", "UNKNOWN"):
            # Not the message: an unforeseen error might quote anything.
            log.error("login.failed", error=type(error).__name__, where=where(error), **ids)
        elif code == "UNAVAILABLE" and not isinstance(error, Draining | NoStore | ContinuationRunning):
            log.error("login.failed", reason=reason, error=clip(str(error)), **ids)
        else:
            self._refusals.refused(tenant_id, reason, code, request_id, str(error))
        return NoAnswer(code, answer, request_id)
