"""Answers: executions held to the limits of a flow, folded into a decision, resolved, and remembered.

Knows decisions and which members of an event they looked at. Must not know workers or gRPC. Most logins of a tenant end
like one before. Aggregation and resolution are pure functions, so the same reports of the same flow give the same
decision, and the same decision the same answer to a gateway that knows the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.core.aggregate import DENIALS, aggregate
from runtime.core.model import (
    Command,
    Decision,
    Execution,
    ExecutionError,
    Refused,
    Resolution,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.outcome import followed
from runtime.core.resolution import resolve
from runtime.login import gateway, messages
from runtime.login.answer import Answer, Printed
from sandbox.contract import surface, wire
from sandbox.contract.spending import Spending

# Of one flow. A tenant whose logins all end differently pays the ordinary price, and no other tenant does.
_KEYS_MAX: Final = 16
_FACTS_MAX: Final = 16
_KEY_BYTES_MAX: Final = 4096
_FACTS_CHARS_MAX: Final = 512
_LOGINS_MAX: Final = 16
_RESOLUTIONS_MAX: Final = 8
# Of a report that is looked through for its output: verdict, commands, output and whether it was cut.
_FIELDS_MAX: Final = surface.MAX_COMMANDS + 3
_STEP, _OUTPUT, _CUT = 0x12, 0x32, b"\x38\x01"
_ENDS: Final = frozenset((b"", _CUT))
_NOTHING: Final = ("", False)


class FlowDecision:
    """What the actions of a flow decided, and its answers: one for each way in which a required factor is resolved.

    A resolution depends on the time and on this login; what of it most logins share is remembered.
    """

    def __init__(self, decision: Decision, settings: Settings) -> None:
        self.decision = decision
        self._settings = settings
        factor = decision.multifactor
        required = factor is not None and factor.provider != "none"
        self._only = None if required else Answer(decision)
        self._by_login: dict[tuple[Any, ...], Answer] = {}
        self._by_resolution: dict[Resolution, Answer] = {}

    def __len__(self) -> int:
        return len(self._by_login)

    def answer(self, event: PostLoginEvent, context: bytes | None, now_ms: int) -> tuple[Answer, int]:
        """Return the answer to a login, and when the remembered browser that let it in is forgotten; 0 for none.

        Args:
            event: the login's.
            context: a serialized GatewayContext that was parsed before; None when the gateway sent none.
            now_ms: since the epoch.
        """
        if self._only is not None:
            return self._only, 0
        depends_on = gateway.depends_on(event, context)
        if depends_on is not None and (known := self._by_login.get(depends_on)) is not None:
            return known, 0
        reader = messages.EventReader(b"", event)
        side = gateway.side(reader, context, now_ms)
        resolution = resolve(self.decision.multifactor, self._settings, reader, side)
        if resolution is None:
            raise ValueError("a factor is required, and no resolution says what follows")
        until_ms = resolution.remembered_until_ms
        answer = self._resolved(replace(resolution, remembered_until_ms=0))
        if depends_on is not None and len(repr(depends_on)) <= _FACTS_CHARS_MAX:
            # What an end user may fill at will is not kept.
            if len(self._by_login) >= _LOGINS_MAX:
                self._by_login.clear()
            self._by_login[depends_on] = answer
        return answer, until_ms

    def _resolved(self, resolution: Resolution) -> Answer:
        answer = self._by_resolution.get(resolution)
        if answer is None:
            if len(self._by_resolution) >= _RESOLUTIONS_MAX:
                self._by_resolution.clear()
                self._by_login.clear()
            answer = self._by_resolution[resolution] = Answer(followed(self.decision, resolution))
        return answer


@dataclass(slots=True)
class _Remembered:
    """The answers that equal reports led to, so many of them, by the members of the event that were consulted."""

    count: int
    reports: tuple[bytes, ...]
    """Each without its output; none where none prints."""
    consulted: tuple[messages.Fact, ...]
    by_facts: dict[tuple[Any, ...], FlowDecision]


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
    ) -> tuple[FlowDecision, Printed] | None:
        """Return the decision that these reports led to, with an event whose members that mattered were the same.

        Args:
            steps: the reports as they stand in the usual reply; hostile.
            count: how many there are said to be; hostile.
            event: the login's.
            output_bytes: what each execution may print; of one that printed more, nothing is remembered.
        """
        printed: Printed = ()
        remembered = self._remembered.get(steps)
        if remembered is None and self._prints:
            for candidate in self._remembered.values():
                found = _printed(steps, candidate.reports, output_bytes)
                if found is not None:
                    remembered, printed = candidate, found
                    break
        if remembered is None or remembered.count != count:
            return None
        decided = remembered.by_facts.get(tuple([fact(event) for fact in remembered.consulted]))
        return None if decided is None else (decided, printed)

    def decide(
        self,
        steps: bytes | None,
        count: int,
        executions: Sequence[Execution],
        event: messages.EventReader,
        *,
        suspension: Suspension | Refused | None = None,
        completed: tuple[str, ...] = (),
    ) -> FlowDecision:
        """Return what a flow decides. What is decided of a flow that is or was suspended is never remembered.

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
        decided = FlowDecision(decision, self._settings)
        # What is suspended depends on more than these reports: on the gateway, and on what happened before.
        once = suspension is not None or completed or (executions and executions[0].earlier)
        if steps is not None and not once and not decision.degraded:
            self._remember(steps, count, any(execution.output for execution in executions), decided, event)
        return decided

    def _remember(
        self, steps: bytes, count: int, printed: bool, decided: FlowDecision, event: messages.EventReader
    ) -> None:
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
            remembered = self._remembered[steps] = _Remembered(count, (), consulted, {})
        if printed:
            remembered.reports = tuple([steps[start:end] for _, start, end in wire.fields(steps, count)])
        facts = tuple([fact(event.message) for fact in consulted])
        if len(repr(facts)) <= _FACTS_CHARS_MAX:
            # What an end user may fill at will is not kept.
            remembered.by_facts[facts] = decided


def printed_by(executions: Sequence[Execution]) -> Printed:
    """Return what executions printed."""
    if not any(execution.output for execution in executions):
        return ()
    return tuple([(execution.output, execution.output_truncated) for execution in executions])


def _printed(steps: bytes, reports: Sequence[bytes], output_bytes: int) -> Printed | None:
    """Return what was printed if the reports of a reply are these and some output; None otherwise.

    To look for what is known takes a fifth of the time that `_split` takes to look at each field.
    """
    printed, at, last = [], 0, len(steps)
    try:
        for report in reports:
            size, start = steps[at + 1], at + 2
            if size >= 0x80:
                size, start = wire.number(steps, at + 1, last)
            end, behind = start + size, start + len(report)
            if steps[at] != _STEP or end > last or behind > end or not steps.startswith(report, start):
                return None
            at = end
            if behind == end:
                printed.append(_NOTHING)
                continue
            size, start = steps[behind + 1], behind + 2
            if size >= 0x80:
                size, start = wire.number(steps, behind + 1, end)
            stop = start + size
            # No worker says that it printed nothing.
            if steps[behind] != _OUTPUT or not 0 < size <= output_bytes + 4 or steps[stop:end] not in _ENDS:
                return None
            if stop > end:
                return None
            printed.append((steps[start:stop].decode(), stop < end))
    except (ValueError, IndexError):
        return None
    return tuple(printed) if at == last else None


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
