"""Answers: executions held to the limits of a flow, folded into a decision, and remembered with its message.

Knows decisions, their messages and which members of an event they looked at. Must not know workers or gRPC. Most logins
of a tenant end like one before. Aggregation is a pure function, so the same reports of the same flow give the same
decision; what differs from login to login (ids, times, revision, what the actions printed) is filled in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.core.aggregate import CACHE, DENIALS, aggregate
from runtime.core.model import Command, Decision, Execution, ExecutionError, Refused, Settings, Suspension, Verdict
from runtime.login import messages
from sandbox.contract import surface, wire
from sandbox.contract.spending import Spending

# Of one flow. A tenant whose logins all end differently pays the ordinary price, and no other tenant does.
_KEYS_MAX: Final = 16
_FACTS_MAX: Final = 16
_KEY_BYTES_MAX: Final = 4096
_FACTS_CHARS_MAX: Final = 512
# Of a report that is looked through for its output: verdict, commands, output and whether it was cut.
_FIELDS_MAX: Final = surface.MAX_COMMANDS + 3
_STEP, _OUTPUT, _CUT = 0x12, 0x32, b"\x38\x01"

Printed = tuple[tuple[str, bool], ...]
"""What each execution printed, and whether that was cut; empty when none printed."""


class Answer:
    """A decision and its message, ready to be filled in; the executions of the decision hold no output.

    `cache`: what they wrote to the trigger's cache. The message is an ExecutePostLoginResponse and a
    ContinuePostLoginResponse alike.
    """

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
        printed: Printed = (),
        resolution: pb.Resolution | None = None,
        sealed: tuple[bytes, int] | None = None,
    ) -> bytes:
        """Return the serialized ExecutePostLoginResponse of one login, as protobuf would write it.

        The ids are written by hand, and output into a copy: a message keeps every text that was ever set in it until it
        is gone itself, and these ones are filled in again for as long as the flow is served.

        Args:
            printed: by each execution.
            resolution: what the gateway does about the decision's second factor; of this login only.
            sealed: the continuation of a suspension, which is never remembered, and when it expires: milliseconds since
                the epoch.
        """
        last, reports = self._last, self._reports
        last.catalog_revision = catalog_revision
        longest_us = max((wall_us, *step_wall_us, *step_cpu_us))
        if longest_us < 1_000_000 and not self._long:
            # No whole second in it, and none left over from an earlier login.
            last.wall_time.nanos = wall_us * 1000
            for duration, us in zip(self._wall, step_wall_us, strict=False):
                duration.nanos = us * 1000
            for duration, us in zip(self._cpu, step_cpu_us, strict=False):
                duration.nanos = us * 1000
        else:
            self._long = True
            messages.set_duration(last.wall_time, wall_us)
            for duration, us in zip((*self._wall, *self._cpu), (*step_wall_us, *step_cpu_us), strict=False):
                messages.set_duration(duration, us)
        if printed:
            reports = pb.Decision(executions=reports.executions)
            for report, (text, cut) in zip(reports.executions, printed, strict=False):
                if text:
                    report.output, report.output_truncated = text, cut
        if sealed is not None:
            last.suspension.continuation, expires_at_ms = sealed
            last.suspension.expires_at.FromMilliseconds(expires_at_ms)
        fixed = self._fixed
        if resolution is not None and self.decision.multifactor is not None:
            # `resolution` (7) is the last field of `multifactor` (2).
            multifactor = self._multifactor + _member(b"\x3a", resolution.SerializeToString())
            fixed = b"".join((self._outcome, _member(b"\x12", multifactor), self._middle))
        return _response(fixed, reports.SerializeToString(), last.SerializeToString(), decision_id, request_id)


def _response(fixed: bytes, reports: bytes, rest: bytes, decision_id: str, request_id: str) -> bytes:
    decision, request = decision_id.encode(), request_id.encode()
    size = len(fixed) + len(reports) + len(decision) + len(rest) + 2
    if 0x80 <= size < 0x4000 and 0 < len(decision) < 0x80 and 0 < len(request) < 0x80:
        # The usual lengths, in one step.
        return b"\x0a%c%c%b%b\x4a%c%b%b\x12%c%b" % (
            size & 0x7F | 0x80, size >> 7, fixed, reports, len(decision), decision, rest, len(request), request,
        )  # fmt: skip
    message = b"".join((fixed, reports, _member(b"\x4a", decision) if decision else b"", rest))
    return _member(b"\x0a", message) + (_member(b"\x12", request) if request else b"")


def _member(tag: bytes, data: bytes) -> bytes:
    """Write a text or a message with its tag and length."""
    return b"".join((tag, wire.varint(len(data)), data))


@dataclass(slots=True)
class _Remembered:
    """The answers that equal reports led to, so many of them, by the members of the event that were consulted."""

    reports: int
    consulted: tuple[messages.Fact, ...]
    by_facts: dict[tuple[Any, ...], Answer]


class Answers:
    """The remembered answers of one flow at one revision of the catalog, by its reports without their output."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._remembered: dict[bytes, _Remembered] = {}
        self._prints = False

    def __len__(self) -> int:
        return len(self._remembered)

    def recall(
        self, steps: bytes, count: int, event: PostLoginEvent, output_bytes: int
    ) -> tuple[Answer, Printed] | None:
        """Return the answer that these reports led to, with an event whose members that mattered were the same.

        Args:
            steps: the reports as they stand in the usual reply; hostile.
            count: how many there are said to be; hostile.
            event: the login's.
            output_bytes: what each execution may print; of one that printed more, nothing is remembered.
        """
        printed: Printed = ()
        remembered = self._remembered.get(steps)
        if remembered is None and self._prints:
            split = _split(steps, output_bytes)
            if split is not None:
                key, printed = split
                remembered = self._remembered.get(key)
        if remembered is None or remembered.reports != count:
            return None
        answer = remembered.by_facts.get(tuple([fact(event) for fact in remembered.consulted]))
        return None if answer is None else (answer, printed)

    def decide(
        self,
        steps: bytes | None,
        count: int,
        executions: Sequence[Execution],
        event: messages.EventReader,
        *,
        suspension: Suspension | Refused | None = None,
        completed: tuple[str, ...] = (),
    ) -> Answer:
        """Return the answer to a login. One of a flow that is or was suspended is never remembered.

        Args:
            steps: the reports that the executions were read from; None when they were not all read from one reply.
            count: how many reports there are.
            executions: of every binding, in order; of a flow that was suspended, those before come first.
            event: the login's, of which nothing was read yet.
            suspension: as in `aggregate`.
            completed: as in `aggregate`.
        """
        silent = [replace(e, output="", output_truncated=False) if e.output else e for e in executions]
        decision = aggregate(hold(silent), self._settings, event, suspension=suspension, completed=completed)
        answer = Answer(decision)
        # What is suspended depends on more than these reports: on the gateway, and on what happened before.
        once = suspension is not None or completed or (executions and executions[0].earlier)
        if steps is not None and not once and not decision.degraded:
            self._remember(steps, count, any(execution.output for execution in executions), answer, event)
        return answer

    def _remember(self, steps: bytes, count: int, printed: bool, answer: Answer, event: messages.EventReader) -> None:
        if printed:
            split = _split(steps, len(steps))
            if split is None:
                return
            self._prints = True
            steps, _ = split
        if len(steps) > _KEY_BYTES_MAX:
            return
        consulted = messages.facts(sorted(event.read))
        remembered = self._remembered.get(steps)
        if remembered is None and len(self._remembered) >= _KEYS_MAX:
            self._remembered.clear()
        if remembered is None or remembered.consulted != consulted or len(remembered.by_facts) >= _FACTS_MAX:
            remembered = self._remembered[steps] = _Remembered(count, consulted, {})
        facts = tuple([fact(event.message) for fact in consulted])
        if len(repr(facts)) <= _FACTS_CHARS_MAX:
            # What an end user may fill at will is not kept.
            remembered.by_facts[facts] = answer


def printed_by(executions: Sequence[Execution]) -> Printed:
    """Return what executions printed."""
    if not any(execution.output for execution in executions):
        return ()
    return tuple([(execution.output, execution.output_truncated) for execution in executions])


def _split(steps: bytes, output_bytes: int) -> tuple[bytes, Printed] | None:
    """Take apart the reports of a reply and what they say was printed; None for what the strict parser must read.

    Only equal reports are recalled, so of the rest nothing but its place is looked at.
    """
    key, printed = [], []
    try:
        for tag, start, end in wire.fields(steps, wire.STEPS_MAX):
            if tag != _STEP:
                return None
            cut, text, rest = end, "", b""
            for field, at, stop in wire.fields(steps, _FIELDS_MAX, start, end):
                if field == _OUTPUT:
                    text, rest = steps[at:stop].decode(), steps[stop:end]
                    break
                cut = stop
            if rest not in (b"", _CUT) or len(text.encode()) > output_bytes + 4:
                return None
            key.append(wire.step(steps[start:cut]))
            printed.append((text, bool(rest)))
    except ValueError:
        return None
    return b"".join(key), tuple(printed)


def hold(executions: Sequence[Execution]) -> Sequence[Execution]:
    """Return the executions of a flow, where each that exceeds what all of them may spend is exhausted.

    Its `on_error` decides what that means, as when a call raises. Only a denial of it stands: that needs no budget, and
    a login that an action refused is refused. Each execution was held to the same limits by itself.
    Source: the post-login reference, section 4, where each limit is one of a login.

    Args:
        executions: in order, those before earlier suspensions included.
    """
    if sum([bool(execution.commands) for execution in executions]) < 2:
        return executions
    held = []
    spending = Spending()
    for execution in executions:
        fault = ""
        if execution.verdict is Verdict.COMPLETED and execution.commands:
            # What it spends before it goes too far is not spent.
            spent = spending.copy()
            fault = _spend(spent, execution.commands)
            spending = spending if fault else spent
        held.append(_exhausted(execution, fault) if fault else execution)
    return held


def _spend(spending: Spending, commands: Sequence[Command]) -> str:
    for command in commands:
        if fault := spending.spend(surface.CALLS[command.op], command.args):
            return f"api.{command.op}: with what earlier actions set, {fault}"
    return ""


def _exhausted(execution: Execution, fault: str) -> Execution:
    error = ExecutionError("FlowLimitExceeded", fault)
    denials = tuple([command for command in execution.commands if command.op in DENIALS])
    if denials:
        return replace(execution, commands=denials, error=error)
    return replace(execution, verdict=Verdict.EXHAUSTED, commands=(), error=error)
