"""Suspends logins and resumes them: what a suspended flow keeps, what a caller brings back, and that it counts once.

Knows the sealed state and the order of claiming, running and spending. Must not know how a flow runs or where the store
is.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

from vestibule.continuation.v1.suspended_flow_pb2 import EarlierExecution, SuspendedFlow
from vestibule.v1.event_pb2 import Transaction
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Claim, Definition, Flow, SuspendedFlows
from runtime.continuation import answer, keys, token
from runtime.continuation.process import ProcessSuspendedFlows
from runtime.core.model import Command, Execution, ExecutionError, Refused, Suspension, Verdict
from runtime.core.suspension import pending, suspends
from runtime.errors import (
    CatalogError,
    ContinuationExpired,
    ContinuationMismatch,
    ContinuationOutdated,
    ContinuationRunning,
    ContinuationUsed,
    DeadlineExceeded,
    FlowGone,
)
from runtime.login.answers import hold
from runtime.login.completed_factors import Completed
from runtime.login.gateway import side
from runtime.login.messages import EventReader
from runtime.login.plan import Login
from sandbox.contract import surface

T = TypeVar("T")

# After its deadline a login is given up soon; nothing may hold a continuation against a user who tries again.
_CLAIM_SLACK_MS: Final = 30_000
SPEND_S: Final = 0.025
"""Time that a resumed login leaves before its deadline, to have its continuation used up."""
# A decision that was reached in time is given if the store answers at all.
STORE_S: Final = 1.5
# The caller may have its error already; with the above it is over before a login counts as lost.
RELEASE_S: Final = 0.4


class Sealed(NamedTuple):
    """A continuation, and when it expires: milliseconds since the epoch."""

    token: bytes
    expires_at_ms: int


class Stop(NamedTuple):
    """What an execution that suspends leads to. `found` is None when the flow continues with the next binding.

    `execution` is the suspending one, or, if what it asks for cannot be had, a failed one in its place.
    """

    execution: Execution
    found: Suspension | Refused | None = None
    sealed: Sealed | None = None


@dataclass(slots=True)
class Held:
    """A continuation in a caller's hands.

    Args:
        earlier: the answer that the same request got before; then there is nothing to decide.
        answer: what this request leads to, to be kept for the case that its caller does not get it.
    """

    earlier: bytes | None = None
    answer: bytes | None = None


class Suspensions:
    """One per engine. Without a store and keys, those of this process: what it suspends ends with it."""

    def __init__(
        self, keyring: keys.Keyring | None = None, lifetime_s: float = 900.0, store: SuspendedFlows | None = None
    ) -> None:
        self.keys = keyring or keys.Keyring([keys.generate()])
        self._lifetime_ms = int(lifetime_s * 1000)
        self._store = store or ProcessSuspendedFlows()
        self._releasing: set[asyncio.Task[None]] = set()
        self.last_expiry_ms: dict[str, int] = {}
        """When the last login ends that was suspended here, by the id of the key that sealed it."""

    def use(self, keyring: keys.Keyring) -> None:
        """Seal and open with other keys from now on."""
        self.keys = keyring

    async def close(self) -> None:
        """Give back the last claims and release the store."""
        await asyncio.gather(*self._releasing, return_exceptions=True)
        await self._store.close()

    # -- suspend -----------------------------------------------------------------------------------------------------

    def judge(self, login: Login, done: Sequence[Execution]) -> Stop:
        """Say what the user is to do after the last execution of a login, which suspends, and seal a suspension.

        `done` are those since the login began or was resumed.
        """
        executions = hold([*login.before, *done])
        last = executions[-1]
        if not suspends(last):
            # With what the others asked for it was too much.
            return Stop(last)
        event = login.reader()
        gateway = side(event, login.gateway, login.clock_ns // 1_000_000)
        found = pending(executions, login.completed.types, login.plan.flow.settings, event, gateway)
        if not isinstance(found, Suspension):
            return Stop(last, found)
        try:
            return Stop(last, found, self._seal(login, executions, found, login.plan.start + len(done)))
        except token.TooLarge as error:
            fault = ExecutionError(
                "SuspensionTooLarge",
                f"the flow cannot be suspended: what its actions asked for takes {error.size} bytes; "
                f"{token.MAX_BYTES} are allowed",
            )
            return Stop(replace(last, verdict=Verdict.EXHAUSTED, commands=(), error=fault))

    def _seal(self, login: Login, executions: Sequence[Execution], suspension: Suspension, position: int) -> Sealed:
        flow, event = login.plan.flow, login.reader().message
        now_ms = login.now_ms or login.clock_ns // 1_000_000
        expires_at_ms = now_ms + self._lifetime_ms
        state = SuspendedFlow(
            tenant_id=flow.tenant,
            user_id=event.user.user_id,
            client_id=event.client.client_id,
            flow_digest=flow.digest,
            # Factors are presented to the flow; a page belongs to its action.
            position=position if suspension.kind == "mfa" else position - 1,
            continuing=suspension.kind != "mfa",
            executions=sealed_executions(executions),
            issued_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
            id=_name(login),
            epoch=self._store.epoch,
            transaction_id=_optional(event.transaction, "id"),
            protocol=_optional(event.transaction, "protocol"),
            prompt_id=suspension.prompt_id if suspension.kind == "prompt" else None,
        )
        login.completed.write(state, suspension, event)
        ring = self.keys
        sealed = Sealed(token.seal(ring, state), expires_at_ms)
        name = ring.sealing_id.hex()
        self.last_expiry_ms[name] = max(expires_at_ms, self.last_expiry_ms.get(name, 0))
        return sealed

    # -- resume ------------------------------------------------------------------------------------------------------

    def open(
        self, continuation: bytes, tenant: str, event: EventReader, completed: Sequence[int], now_ms: int
    ) -> tuple[SuspendedFlow, Completed]:
        """Open what a caller brings back; return it and the factors that the user has presented or enrolled by now.

        Args:
            continuation: the token; hostile.
            completed: numbers of Factor: what satisfied each step, as the caller says; hostile.

        Raises: InvalidContinuation, ContinuationError, InvalidRequest.
        """
        state = token.unseal(self.keys, continuation, now_ms)
        match(state, tenant, event)
        return state, Completed.of(state, completed, now_ms)

    async def find(self, tenant: str, digest: bytes, deadline: float) -> Definition | None:
        """Return what the tenant's flow was when it had this digest. Raises: CatalogError, DeadlineExceeded."""
        return await _within(deadline - monotonic(), self._store.find(tenant, digest))

    @contextlib.asynccontextmanager
    async def claimed(
        self, state: SuspendedFlow, now_ms: int, deadline: float, request: bytes = b""
    ) -> AsyncIterator[Held]:
        """Hold a continuation for a block that decides its login; use it up when the block has.

        A block that raises has decided nothing, and the continuation can be used again. `request` is the digest of the
        request, so that the same one gets the same answer; empty for one that is never the same.

        Raises: ContinuationUsed, ContinuationRunning, ContinuationOutdated, ContinuationExpired, CatalogError,
        DeadlineExceeded: there must be no answer.
        """
        left_s = deadline - monotonic()
        # The instant tells a claim from another one of the same continuation.
        until_ms = now_ms + int(left_s * 1000) + _CLAIM_SLACK_MS + secrets.randbelow(1000)
        claimed = False
        try:
            claim = self._store.claim(state.id, state.expires_at_ms, now_ms, until_ms, request, state.epoch)
            found = await _within(left_s, claim)
            if found.expired:
                raise ContinuationExpired(state.expires_at_ms)
            claimed = found.granted
            held = Held()
            if not claimed:
                held.earlier = self._earlier(state.id, request, found)
                yield held
                return
            yield held
            if monotonic() > deadline:
                raise DeadlineExceeded
            kept = answer.seal(self.keys, state.id, request, held.answer) if request and held.answer else None
            # The caller waits as long as it said; a busy store may take its time.
            within_s = max(STORE_S, deadline - monotonic())
            if not await _within(within_s, self._store.spend(state.id, until_ms, kept)):
                raise ContinuationUsed
        except (ContinuationUsed, ContinuationRunning, ContinuationOutdated, ContinuationExpired):
            raise
        except asyncio.CancelledError:
            # A caller that cancels waits for nothing.
            task = asyncio.get_running_loop().create_task(self._release(state.id, until_ms))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)
            raise
        except Exception as error:
            # Before the caller hears of it and tries again. A store that failed to claim has nothing to give back.
            if claimed or not isinstance(error, CatalogError):
                await self._release(state.id, until_ms)
            raise

    def _earlier(self, name: bytes, request: bytes, found: Claim) -> bytes:
        """Return the answer that a request got before.

        Raises: ContinuationOutdated, ContinuationRunning, ContinuationUsed.
        """
        if found.outdated:
            raise ContinuationOutdated
        if found.running:
            raise ContinuationRunning
        earlier = answer.unseal(self.keys, name, request, found.answer) if found.answer is not None else None
        if earlier is None:
            raise ContinuationUsed
        return earlier

    async def sweep(self, every_s: float = 60.0) -> None:
        """Drop answers that no request can ask for any more, for ever."""
        while True:
            await asyncio.sleep(every_s)
            # A store that cannot be written now is swept later; what it keeps is sealed.
            with contextlib.suppress(CatalogError):
                await self._store.sweep(time.time_ns() // 1_000_000)

    async def _release(self, name: bytes, until_ms: int) -> None:
        # A claim that cannot be given back lapses by itself.
        with contextlib.suppress(CatalogError, DeadlineExceeded):
            await _within(RELEASE_S, self._store.release(name, until_ms))


async def _within(seconds: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise DeadlineExceeded from None


def match(state: SuspendedFlow, tenant: str, event: EventReader) -> None:
    """Hold a continuation to the login that it is of. Raises: ContinuationMismatch."""
    message = event.message
    transaction = message.transaction
    same = {
        "tenant": state.tenant_id == tenant,
        "user": state.user_id == message.user.user_id,
        "transaction": _optional(state, "transaction_id") == _optional(transaction, "id"),
        "client": state.client_id == message.client.client_id,
        # Where no page can be shown less is asked for, so a login does not change over in the middle.
        "protocol": _optional(state, "protocol") == _optional(transaction, "protocol"),
        "prompt": not state.HasField("prompt_id") or state.prompt_id == message.prompt.id,
    }
    for what, holds in same.items():
        if not holds:
            raise ContinuationMismatch(what)


def _name(login: Login) -> bytes:
    """Name a continuation. What a caller sends again while the clock stands still has the same one, to be used once."""
    if not login.continuation:
        return os.urandom(token.ID_OF_TOKEN_BYTES)
    said = login.continuation + login.clock_ns.to_bytes(8)
    return hashlib.blake2b(said, digest_size=token.ID_OF_TOKEN_BYTES).digest()


def _optional(message: SuspendedFlow | Transaction, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def sealed_executions(executions: Sequence[Execution]) -> list[EarlierExecution]:
    """Return what a continuation keeps of executions."""
    kept = []
    binding = -1
    for execution in executions:
        binding += not execution.continued
        error = execution.error or ExecutionError("", "")
        part = EarlierExecution(
            binding=binding,
            verdict=int(execution.verdict),
            commands=[
                worker_pb2.Command(op=command.op, args_json=surface.encode(command.op, command.args))
                for command in execution.commands
            ],
            continued=execution.continued,
            error_type=error.type,
            error_message=error.message,
            error_line=error.line,
            error_file=error.file,
        )
        kept.append(part)
    return kept


def executions(state: SuspendedFlow, flow: Flow) -> tuple[Execution, ...]:
    """Return what ran before, of the flow as it was then.

    Raises: FlowGone: another version of Vestibule sealed what this one cannot carry out.
    """
    try:
        found = tuple([_execution(part, flow) for part in state.executions])
    except (surface.CommandError, ValueError, IndexError):
        raise FlowGone(flow.tenant) from None
    if not 0 <= state.position <= len(flow.bindings) - state.continuing:
        raise FlowGone(flow.tenant)
    return found


def _execution(part: EarlierExecution, flow: Flow) -> Execution:
    if part.binding < 0:
        raise IndexError(part.binding)
    binding = flow.bindings[part.binding]
    pairs = [(command.op, command.args_json) for command in part.commands]
    checked = surface.parse_all(pairs, part.continued)
    return Execution(
        binding.action,
        binding.revision,
        binding.on_error,
        Verdict(part.verdict),
        tuple([Command(op, args) for (op, _), args in zip(pairs, checked, strict=True)]),
        error=(
            ExecutionError(part.error_type, part.error_message, part.error_line, part.error_file)
            if part.error_type
            else None
        ),
        continued=part.continued,
        earlier=True,
    )
