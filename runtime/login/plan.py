"""A tenant's flow ready to be sent to workers, serialized once per catalog change, and a login that runs it.

Knows bindings, budgets and the private messages. Must not know processes or decisions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Flow
from runtime.core.mfa import policy_offer
from runtime.core.model import Execution, OnError
from runtime.login.answers import Answers
from runtime.login.completed_factors import NONE_COMPLETED, Completed
from runtime.login.messages import EventReader
from sandbox.contract.surface import CONTINUE


class Plan:
    """A flow ready to be sent, from any of its steps on; or the rest of one that was suspended, from `start` on.

    `continuing` is how many of its first steps run CONTINUE. `measured`: its workers are asked which lines run.
    """

    def __init__(
        self,
        flow: Flow,
        sources: Mapping[str, str],
        action_timeout_us: int,
        *,
        start: int = 0,
        continuing: int = 0,
        codes: dict[str, bytes] | None = None,
        measured: bool = False,
    ) -> None:
        self.flow = flow
        self.measured = measured
        self.start = start
        self.bindings = bindings = flow.bindings[start:]
        self.continuing = continuing
        self.answers = Answers(flow.settings)
        # A binding's own budget may be larger or smaller than the default; the flow's budget caps both.
        budgets_us = [binding.timeout_us or action_timeout_us for binding in bindings]
        self.budgets_ns = tuple(budget_us * 1000 for budget_us in budgets_us)
        self.revisions = tuple(binding.revision for binding in bindings)
        self._action_timeout_us = action_timeout_us
        # Its own only: a plan outlives the snapshot that it was made of, and must not keep all of that.
        self.sources = {revision: sources[revision] for revision in self.revisions}
        self._codes: dict[str, bytes] = {} if codes is None else codes
        self._rests: dict[tuple[int, int], Plan] = {}
        self._steps = [
            worker_pb2.Step(
                action=binding.action,
                revision=bytes.fromhex(binding.revision),
                budget_us=budget_us,
                secrets=flow.secrets.get(binding.action),
                stop_on_failure=binding.on_error is OnError.DENY,
                handler=CONTINUE if at < continuing else "",
                uses=binding.uses,
                limited=binding.uses is not None,
            )
            for at, (binding, budget_us) in enumerate(zip(bindings, budgets_us, strict=True))
        ]
        settings = flow.settings
        self._policy = worker_pb2.PolicySettings(
            policy=settings.policy.value,
            step_up=settings.step_up,
            exempt_refresh=settings.exempt_refresh,
            factors=policy_offer(settings),
        )
        self._tails: dict[int, bytes] = {}
        self.all_steps = self._tail(0)

    def rest(self, start: int, *, continuing: bool) -> "Plan":
        """Return what is left of the flow from a binding on, whose first step runs CONTINUE or begins.

        It has answers of its own, since those of a whole flow say nothing of a part.
        """
        key = start, int(continuing)
        plan = self._rests.get(key)
        if plan is None:
            plan = self._rests[key] = Plan(
                self.flow, self.sources, self._action_timeout_us, start=start, continuing=key[1], codes=self._codes,
                measured=self.measured,
            )  # fmt: skip
        return plan

    def _tail(self, start: int) -> bytes:
        tail = self._tails.get(start)
        if tail is None:
            steps = worker_pb2.FlowSteps(steps=self._steps[start:], policy=self._policy)
            tail = self._tails[start] = steps.SerializeToString()
        return tail

    def steps(self, start: int, known: set[str]) -> tuple[bytes, bool]:
        """Return the serialized steps from `start` on, and whether sources are among them.

        A source, or the code that a worker of this tenant made of it, is included for each revision that is not known:
        to the worker that is to run them.
        """
        if known.issuperset(self.revisions[start:]):
            return self._tail(start), False
        flow = worker_pb2.FlowSteps(steps=self._steps[start:], policy=self._policy)
        for step, revision in zip(flow.steps, self.revisions[start:], strict=True):
            if revision not in known:
                code = self._codes.get(revision)
                if code is None:
                    step.source = self.sources[revision]
                else:
                    step.code = code
        return flow.SerializeToString(), True

    @property
    def compiled(self) -> bool:
        """Is the code of every revision known?"""
        return self._codes.keys() >= set(self.revisions)

    def keep(self, codes: Sequence[bytes]) -> None:
        """Remember what a worker compiled, one code for each binding, for this tenant's other workers.

        It must come from a worker that has seen no event: what a login did to one would otherwise outlive it.
        """
        self._codes.clear()
        self._codes.update(zip(self.revisions, codes, strict=True))

    def forget(self) -> None:
        """Drop the code, since a worker was lost: should it have died of the code, the next one compiles again."""
        self._codes.clear()


# Like the other values of the usual login no NamedTuple: reading a member of one takes three times as long.
@dataclass(slots=True)
class Login:
    """A login that begins, or, by the rest of its plan, one that is resumed.

    Args:
        event: a serialized PostLoginEvent that has been parsed once without error.
        gateway: a serialized GatewayContext that has been parsed once; None when the gateway sent none.
        deadline_ns: CLOCK_MONOTONIC instant by which the answer must be sent.
        clock_ns: the executions' clock, nanoseconds since the epoch.
        seed: 16 bytes for the executions' randomness.
        records: the trigger's cache as this part of the flow finds it, serialized as the part of a RunFlow it is.
        before: executions of the flow before it was suspended.
        completed: the factors that were presented or enrolled in it.
        message: the event as it was parsed, if it is at hand.
        now_ms: milliseconds since the epoch, where the executions' clock stands back; 0 where it does not.
        continuation: what the name of its continuation follows from, so that equal logins have one; empty for a random
            name.
    """

    plan: Plan
    event: bytes
    gateway: bytes | None
    deadline_ns: int
    clock_ns: int
    seed: bytes
    records: bytes = b""
    before: tuple[Execution, ...] = ()
    completed: Completed = NONE_COMPLETED
    message: PostLoginEvent | None = None
    now_ms: int = 0
    continuation: bytes = b""

    def reader(self) -> EventReader:
        """Return a reader of the event."""
        return EventReader(self.event, self.message)
