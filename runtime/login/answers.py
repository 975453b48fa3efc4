"""Remembers what a flow's reports led to, because most logins of a tenant end like one before.

Knows decisions, their messages and which members of an event they looked at. Must not know workers or gRPC.
Aggregation is a pure function, so the same reports of the same flow give the same decision; what differs from login
to login (ids, times, revision) is filled in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vestibule.v1 import decision_pb2 as pb

from runtime.core.aggregate import CACHE, aggregate
from runtime.core.model import Verdict
from runtime.login import flow_limits, messages
from sandbox.contract.wire import varint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.core.model import Decision, Execution, Refused, Settings, Suspension

# Of one flow. A tenant whose logins all end differently pays the ordinary price, and no other tenant does.
_KEYS_MAX: Final = 16
_FACTS_MAX: Final = 16
_KEY_BYTES_MAX: Final = 4096
_FACTS_CHARS_MAX: Final = 512

Sealed = tuple[bytes, int]
"""A continuation, and when it expires: milliseconds since the epoch."""


class Answer:
    """A decision and its message, ready to be filled in. `cache`: what its executions wrote to the trigger's cache.

    The message is an ExecutePostLoginResponse and a ContinuePostLoginResponse alike.
    """

    __slots__ = (
        "_cpu",
        "_fixed",
        "_last",
        "_long",
        "_middle",
        "_multifactor",
        "_outcome",
        "_reports",
        "_total",
        "_wall",
        "cache",
        "decision",
        "verdicts",
    )

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.verdicts = tuple([int(execution.verdict) for execution in decision.executions])
        self.cache = tuple(
            [
                command
                for execution in decision.executions
                for command in execution.commands
                if command.op in CACHE and execution.verdict is Verdict.COMPLETED and not execution.earlier
            ]
        )
        message = messages.encode(decision, "", 0, 0)
        # What is the same for every login is serialized once. The rest is put between in the order of the field
        # numbers, so that each field stands once: many readers take the last of two, where protobuf's own merge them.
        self._outcome = pb.Decision(outcome=message.outcome).SerializeToString()
        required = message.HasField("multifactor")
        self._multifactor = message.multifactor.SerializeToString(deterministic=True) if required else b""
        self._reports = pb.Decision(executions=message.executions)
        self._last = pb.Decision(
            wall_time=message.wall_time, suspension=message.suspension if message.HasField("suspension") else None
        )
        for name in ("outcome", "multifactor", "executions", "wall_time", "suspension"):
            message.ClearField(name)
        self._middle = message.SerializeToString(deterministic=True)
        self._fixed = self._outcome + (_member(b"\x12", self._multifactor) if required else b"") + self._middle
        self._total = self._last.wall_time
        self._wall = [report.wall_time for report in self._reports.executions]
        self._cpu = [report.cpu_time for report in self._reports.executions]
        self._long = False

    def fill(
        self,
        request_id: str,
        decision_id: str,
        catalog_revision: int,
        wall_us: int,
        step_wall_us: Sequence[int],
        step_cpu_us: Sequence[int],
        *,
        resolution: pb.Resolution | None = None,
        sealed: Sealed | None = None,
    ) -> bytes:
        """Return the serialized ExecutePostLoginResponse of one login, as protobuf would write it.

        The ids are written by hand: a message keeps every text that was ever set in it until it is gone itself, and
        these ones are filled in again for as long as the flow is served.

        Args:
            resolution: what the gateway does about the decision's second factor; of this login only.
            sealed: the continuation of a suspension, which is never remembered.
        """
        last, total = self._last, self._total
        last.catalog_revision = catalog_revision
        longest_us = max((wall_us, *step_wall_us, *step_cpu_us))
        if longest_us < 1_000_000 and not self._long:
            # No whole second in it, and none left over from an earlier login.
            total.nanos = wall_us * 1000
            for duration, us in zip(self._wall, step_wall_us, strict=False):
                duration.nanos = us * 1000
            for duration, us in zip(self._cpu, step_cpu_us, strict=False):
                duration.nanos = us * 1000
        else:
            self._long = True
            messages.set_duration(total, wall_us)
            for duration, us in zip((*self._wall, *self._cpu), (*step_wall_us, *step_cpu_us), strict=False):
                messages.set_duration(duration, us)
        if sealed is not None:
            last.suspension.continuation, expires_at_ms = sealed
            last.suspension.expires_at.FromMilliseconds(expires_at_ms)
        fixed = self._fixed
        if resolution is not None and self.decision.multifactor is not None:
            fixed = self._resolved(resolution)
        reports, rest = self._reports.SerializeToString(), last.SerializeToString()
        decision, request = decision_id.encode(), request_id.encode()
        size = len(fixed) + len(reports) + len(decision) + len(rest) + 2
        if 0x80 <= size < 0x4000 and 0 < len(decision) < 0x80 and 0 < len(request) < 0x80:
            # The usual lengths, in one step.
            return b"\x0a%c%c%b%b\x4a%c%b%b\x12%c%b" % (
                size & 0x7F | 0x80, size >> 7, fixed, reports, len(decision), decision, rest, len(request), request,
            )  # fmt: skip
        message = b"".join((fixed, reports, _member(b"\x4a", decision) if decision else b"", rest))
        return _member(b"\x0a", message) + (_member(b"\x12", request) if request else b"")

    def _resolved(self, resolution: pb.Resolution) -> bytes:
        """Write what is fixed with `resolution` (7) as the last field of `multifactor` (2)."""
        multifactor = self._multifactor + _member(b"\x3a", resolution.SerializeToString())
        return b"".join((self._outcome, _member(b"\x12", multifactor), self._middle))


def _member(tag: bytes, data: bytes) -> bytes:
    """Write a text or a message with its tag and length."""
    return b"".join((tag, varint(len(data)), data))


class _Entry:
    __slots__ = ("by_facts", "consulted", "count")

    def __init__(self, count: int) -> None:
        self.count = count
        self.consulted: tuple[str, ...] = ()
        self.by_facts: dict[tuple[Any, ...], Answer] = {}


class Answers:
    """The remembered answers of one flow at one revision of the catalog."""

    __slots__ = ("_entries", "_settings")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._entries: dict[bytes, _Entry] = {}

    def __contains__(self, steps: bytes) -> bool:
        """Were these very reports checked and decided upon before?"""
        return steps in self._entries

    def recall(self, steps: bytes, count: int, event: bytes) -> Answer | None:
        """Return the answer that these reports led to, with an event whose members that mattered were the same.

        Args:
            steps: the reports as they stand in the usual reply; hostile.
            count: how many there are said to be; hostile.
            event: serialized; parsed only if the decision depends on it.
        """
        entry = self._entries.get(steps)
        if entry is None or entry.count != count:
            return None
        if not entry.consulted:
            return entry.by_facts.get(())
        reader = messages.EventReader(event)
        return entry.by_facts.get(tuple([reader.get(name) for name in entry.consulted]))

    def decide(
        self,
        steps: bytes | None,
        count: int,
        executions: Sequence[Execution],
        event: bytes,
        *,
        suspension: Suspension | Refused | None = None,
        completed: tuple[str, ...] = (),
    ) -> Answer:
        """Return the answer to a login. One of a flow that is or was suspended is never remembered.

        Args:
            steps: the reports that the executions were read from; None when they were not all read from one reply.
            count: how many reports there are.
            executions: of every binding, in order; of a flow that was suspended, those before come first.
            event: serialized; parsed only if the decision depends on it.
            suspension: as in `aggregate`.
            completed: as in `aggregate`.
        """
        if suspension is not None or completed or (executions and executions[0].earlier):
            # It depends on more than these reports: on what the gateway can do, and on what happened before.
            reader = messages.EventReader(event)
            held = flow_limits.hold(executions)
            return Answer(aggregate(held, self._settings, reader, suspension=suspension, completed=completed))
        answer = self.recall(steps, count, event) if steps is not None else None
        if answer is not None:
            return answer
        reader = messages.EventReader(event)
        entry = self._entries.get(steps) if steps is not None else None
        answer = Answer(aggregate(flow_limits.hold(executions), self._settings, reader))
        if steps is None or len(steps) > _KEY_BYTES_MAX or answer.decision.degraded:
            return answer
        if entry is None:
            if any(execution.output for execution in executions):
                # What an action prints is rarely the same twice.
                return answer
            if len(self._entries) >= _KEYS_MAX:
                self._entries.clear()
            entry = self._entries[steps] = _Entry(count)
        consulted = tuple(sorted(reader.read))
        if consulted != entry.consulted or len(entry.by_facts) >= _FACTS_MAX:
            entry.by_facts.clear()
            entry.consulted = consulted
        facts = tuple([reader.get(name) for name in consulted])
        if len(repr(facts)) <= _FACTS_CHARS_MAX:
            # What an end user may fill at will is not kept.
            entry.by_facts[facts] = answer
        return answer
