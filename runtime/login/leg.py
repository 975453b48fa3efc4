"""One leg of a login: from its start, or from where it was suspended, to a decision or to the next suspension.

Knows what a suspended flow must remember, and checks what a caller brings back. Must not know workers, storage or
keys' files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vestibule.continuation.v1.suspended_flow_pb2 import EarlierCommand, EarlierExecution, SuspendedFlow

from runtime.continuation import token
from runtime.core.model import Command, Execution, ExecutionError, Suspension, Verdict
from runtime.core.suspension import pending, suspends
from runtime.errors import ContinuationMismatch, FlowGone, InvalidRequest
from runtime.login import completed_factors, flow_limits, messages
from runtime.login.completed_factors import TYPE_NAMES, Completed
from runtime.login.gateway import side
from runtime.workers import loss
from sandbox.contract import surface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vestibule.v1.event_pb2 import Transaction

    from runtime.catalog.base import Flow
    from runtime.continuation.keys import Keyring
    from runtime.core.model import Refused


@dataclass(slots=True)
class Leg:
    """What the executions of this leg need to be judged by, and what came of it.

    `position` is the binding it begins with; `before` and `completed` are of the legs before.
    """

    keys: Keyring
    lifetime_ms: int
    flow: Flow
    event: messages.EventReader
    gateway: bytes | None
    now_ms: int
    position: int = 0
    before: tuple[Execution, ...] = ()
    completed: Completed = field(default_factory=Completed)
    token: bytes = b""
    expires_at_ms: int = 0

    def judge(self, done: list[Execution]) -> Suspension | Refused | None:
        """Say what the user is to do after the last execution of this leg; None lets the flow go on.

        A suspension is sealed then and there. One that cannot be sealed whole has failed: its execution is replaced by
        one that failed, and its binding's on_error decides.
        """
        executions = [*flow_limits.hold([*self.before, *done])]
        if not suspends(executions[-1]):
            # With what the others asked for it was too much.
            done[-1] = executions[-1]
            return None
        gateway = side(self.event, self.gateway, self.now_ms)
        found = pending(executions, self.completed.types, self.flow.settings, self.event, gateway)
        if isinstance(found, Suspension):
            try:
                self.token = self._seal(executions, found, self.position + len(done))
            except token.TooLarge as error:
                last = done[-1]
                fault = loss.Failure(
                    Verdict.EXHAUSTED,
                    "SuspensionTooLarge",
                    f"the flow cannot be suspended: what its actions asked for takes {error.size} bytes; "
                    f"{token.MAX_BYTES} are allowed",
                )
                binding = self.flow.bindings[self.position + len(done) - 1]
                failed = loss.failed(binding, fault, last.wall_us)
                done[-1] = replace(failed, cpu_us=last.cpu_us, output=last.output, continued=last.continued)
                return None
        return found

    def _seal(self, executions: Sequence[Execution], suspension: Suspension, position: int) -> bytes:
        event = self.event.message
        self.expires_at_ms = self.now_ms + self.lifetime_ms
        state = SuspendedFlow(
            tenant_id=self.flow.tenant,
            user_id=event.user.user_id,
            client_id=event.client.client_id,
            flow_digest=self.flow.digest,
            # Factors are presented to the flow; a page belongs to its action.
            position=position if suspension.kind == "mfa" else position - 1,
            continuing=suspension.kind != "mfa",
            executions=_earlier(executions),
            issued_at_ms=self.now_ms,
            expires_at_ms=self.expires_at_ms,
            id=os.urandom(token.ID_OF_TOKEN_BYTES),
        )
        if event.transaction.HasField("id"):
            state.transaction_id = event.transaction.id
        if event.transaction.HasField("protocol"):
            state.protocol = event.transaction.protocol
        if suspension.kind == "prompt":
            state.prompt_id = suspension.prompt_id
        self.completed.write(state, suspension, event)
        return token.seal(self.keys, state)


def _earlier(executions: Sequence[Execution]) -> list[EarlierExecution]:
    kept = []
    binding = -1
    for execution in executions:
        binding += not execution.continued
        part = EarlierExecution(
            binding=binding,
            verdict=int(execution.verdict),
            commands=[
                EarlierCommand(op=command.op, args_json=surface.encode(command.op, command.args))
                for command in execution.commands
            ],
            continued=execution.continued,
        )
        if execution.error is not None:
            part.error_type = execution.error.type
            part.error_message = execution.error.message
            part.error_line = execution.error.line
        kept.append(part)
    return kept


def match(state: SuspendedFlow, tenant: str, event: messages.EventReader) -> None:
    """Hold a continuation to the login that it is of. Raises: ContinuationMismatch."""
    if state.tenant_id != tenant:
        raise ContinuationMismatch("tenant")
    message = event.message
    if state.user_id != message.user.user_id:
        raise ContinuationMismatch("user")
    transaction = message.transaction
    if _optional(state, "transaction_id") != _optional(transaction, "id"):
        raise ContinuationMismatch("transaction")
    if state.client_id != message.client.client_id:
        raise ContinuationMismatch("client")
    if _optional(state, "protocol") != _optional(transaction, "protocol"):
        # Where no page can be shown less is asked for, so a login does not change over in the middle.
        raise ContinuationMismatch("protocol")
    if state.HasField("prompt_id") and state.prompt_id != message.prompt.id:
        raise ContinuationMismatch("prompt")


def _optional(message: SuspendedFlow | Transaction, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def completed(state: SuspendedFlow, numbers: Sequence[int], now_ms: int) -> Completed:
    """Return the factors that the user has presented or enrolled by now.

    Args:
        state: the suspended flow.
        numbers: what satisfied each step, as the caller says.
        now_ms: milliseconds since the epoch, when the caller says so.

    Raises:
        InvalidRequest: a step that is waited for is not satisfied, and none is ever skipped.
        FlowGone: another version of Vestibule sealed what this one does not know.
    """
    awaited = [tuple(step.factors) for step in state.awaited]
    if not awaited and numbers:
        raise InvalidRequest("completed", "is for factors; this flow waits for a page: send none")
    if len(numbers) != len(awaited):
        raise InvalidRequest(
            "completed",
            f"has {len(numbers)}, and the flow waits for {len(awaited)}; send the factor that satisfied each step, "
            "in order, or refuse the login",
        )
    try:
        before = completed_factors.read(state)
    except (KeyError, ValueError):
        raise FlowGone(state.tenant_id) from None
    if not all(number in TYPE_NAMES for wanted in awaited for number in wanted):
        raise FlowGone(state.tenant_id)
    at_ms, enrolled = dict(before.at_ms), set(before.enrolled)
    for at, (number, wanted) in enumerate(zip(numbers, awaited, strict=True)):
        if number not in wanted:
            raise InvalidRequest(
                f"completed[{at}]",
                f"{_shown(number)} does not satisfy this step; it wants {' or '.join(map(_shown, wanted))}",
            )
        at_ms.setdefault(TYPE_NAMES[number], now_ms)
        if state.awaited[at].enroll:
            enrolled.add(TYPE_NAMES[number])
    return Completed(at_ms, frozenset(enrolled), before.known)


def _shown(number: int) -> str:
    return TYPE_NAMES.get(number, f"factor type {number}")


def executions(state: SuspendedFlow, flow: Flow) -> tuple[Execution, ...]:
    """Return what ran before, of the pinned flow.

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
    error = None
    if part.error_type:
        error = ExecutionError(part.error_type, part.error_message, part.error_line)
    return Execution(
        binding.action,
        binding.revision,
        binding.on_error,
        Verdict(part.verdict),
        tuple([Command(op, args) for (op, _), args in zip(pairs, checked, strict=True)]),
        error=error,
        continued=part.continued,
        earlier=True,
    )
