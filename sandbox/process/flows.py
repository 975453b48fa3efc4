"""The flows that a worker has read and the revisions that it has compiled; both are kept from login to login."""

from __future__ import annotations

import gc
import marshal
import os
import time
from collections.abc import Sequence
from types import CodeType
from typing import Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, execution
from sandbox.contract import exit_codes, journal, wire
from sandbox.contract.policy_rule import Chosen
from sandbox.contract.report import Verdict
from sandbox.contract.surface import ENTRY
from sandbox.inspection import inspection
from sandbox.language import compiler
from sandbox.language.program import RevisionCode, compile_program
from sandbox.reach import interrupts
from sandbox.reach.facades import addresses
from sandbox.reach.shared_files import Files

COMPILE_BUDGET_NS: Final = 3_000_000_000
"""Compiling is an attack surface too, and has a budget of its own: the action's starts with its first statement."""
BUDGET_US_MAX: Final = 1 << 50
"""Years. What is longer has no place in the journal."""
_FLOWS_MAX: Final = 16
_FAULTS_MAX: Final = 100

Compiled = RevisionCode | bytes
"""The code of a revision, or the serialized StepReport that says why it has none."""


class Prepared:
    """One step of a flow, read once for all of its logins."""

    __slots__ = (
        "budget_ns", "checked", "code", "files", "handler", "policy", "salt", "secrets", "stop_on_failure", "uses",
    )  # fmt: skip

    def __init__(self, step: worker_pb2.Step, code: Compiled, policy: Chosen) -> None:
        self.policy = policy
        self.uses = frozenset(step.uses) if step.limited else None
        self.handler = step.handler or ENTRY
        if isinstance(code, RevisionCode) and self.handler not in code.code.co_names:
            # The daemon asks an action to continue that cannot: a revision with the function would be another one.
            code = _rejected(f"the action does not define {self.handler}")
        self.code: CodeType | bytes = code if isinstance(code, bytes) else code.code
        self.files = () if isinstance(code, bytes) else code.files
        self.checked = execution.DONE
        """The report of a question that runs nothing."""
        self.secrets = dict(step.secrets)
        self.budget_ns = max(0, min(step.budget_us, BUDGET_US_MAX)) * 1000
        self.salt = step.action.encode()
        self.stop_on_failure = step.stop_on_failure


class Flows:
    """What a worker keeps of the flows of its tenant."""

    __slots__ = ("_codes", "_compiles", "_view", "gave_up", "known")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._codes: dict[bytes, Compiled] = {}
        self._compiles = True
        self.known: dict[bytes, list[Prepared]] = {}
        """Steps by serialized FlowSteps, as every login but the first of a flow brings it: without sources."""
        self.gave_up = False
        """Compiling used up its time or memory here, perhaps because the machine was full for a moment: another process
        must decide about that source."""

    def load_only(self) -> None:
        """Compile nothing from now on: a source ends the process."""
        self._compiles = False

    def prepare(self, flow: bytes, nonce: int, deadline_ns: int) -> list[Prepared]:
        """Return the steps of a serialized FlowSteps, compiled; none when the deadline passes meanwhile."""
        try:
            read = worker_pb2.FlowSteps.FromString(flow)
        except DecodeError:
            os._exit(exit_codes.PROTOCOL)
        steps, policy = read.steps, chosen_policy(read.policy)
        if len(steps) > wire.STEPS_MAX:
            os._exit(exit_codes.PROTOCOL)
        # Before anything is compiled, which a deadline may end: what cannot be run whole is not begun.
        known = set(self._codes)
        for step in steps:
            if step.HasField("source") or step.HasField("code"):
                known.add(step.revision)
            elif step.revision not in known:
                os._exit(exit_codes.PROTOCOL)
        prepared = []
        for index, step in enumerate(steps):
            code = self._codes.get(step.revision)
            if code is None:
                code = self._compile(step, index, nonce, deadline_ns)
                if code is None:
                    return []
            made = Prepared(step, code, policy)
            if step.HasField("inspection") and isinstance(made.code, CodeType):
                made.checked = self._inspect(step, made.code, made.files, index, nonce)
            prepared.append(made)
        if len(self.known) >= _FLOWS_MAX:
            self.known.clear()
        if not any(step.HasField("source") or step.HasField("code") for step in steps):
            self.known[flow] = prepared
        return prepared

    def _compile(self, step: worker_pb2.Step, index: int, nonce: int, deadline_ns: int) -> Compiled | None:
        """Return how a revision was loaded; None when the caller's deadline passed meanwhile."""
        code: Compiled
        late = False
        now_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        journal.write_phase(self._view, nonce, now_ns, index, journal.Phase.COMPILING, 0, cpu_ns, COMPILE_BUDGET_NS)
        try:
            try:
                alarm.start(COMPILE_BUDGET_NS, now_ns, cpu_ns, deadline_ns)
                if step.HasField("code"):
                    code = _load(step.code)
                elif not self._compiles:
                    os._exit(exit_codes.PROTOCOL)
                else:
                    code = compile_program(step.source, alarm.ACTION_FILENAME)
                for part in (code.code, *(found for _, found in code.files)):
                    addresses.learn(part)
            finally:
                alarm.stop()
        except compiler.Rejected as rejected:
            code = _report(rejected.faults)
        except interrupts.Interrupted:
            self.gave_up = True
            late = alarm.late()
            code = _rejected(
                f"compiling took longer than {COMPILE_BUDGET_NS / 1e9:.0f} s of processor time "
                f"(it had {(time.thread_time_ns() - cpu_ns) / 1e9:.1f} s): simplify it"
            )
        except MemoryError:
            self.gave_up = True
            code = _rejected("compiling used up the memory limit: simplify the action")
        interrupts.reset()
        alarm.disarm()
        if late:
            return None
        self._codes[step.revision] = code
        # Compiled code lives as long as the worker: keep the collector from walking it after every execution.
        gc.collect()
        gc.freeze()
        return code

    def _inspect(self, step: worker_pb2.Step, code: CodeType, files: Files, index: int, nonce: int) -> bytes:
        """Return the report of an action that compiles: what was found in it, in its text and by running its body."""
        asked = step.inspection

        def phase(kind: journal.Phase, budget_ns: int) -> None:
            now_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
            journal.write_phase(self._view, nonce, now_ns, index, kind, 0, cpu_ns, budget_ns)

        phase(journal.Phase.COMPILING, COMPILE_BUDGET_NS)
        secrets = frozenset(asked.secrets) if asked.knows_secrets else None
        found = inspection.of_source(step.source, alarm.ACTION_FILENAME, secrets, COMPILE_BUDGET_NS)
        budget_ns = max(0, min(asked.budget_us, BUDGET_US_MAX)) * 1000
        if budget_ns:
            phase(journal.Phase.RUNNING, budget_ns)
            found = inspection.with_body(found, code, files, budget_ns)
        if not found:
            return execution.DONE
        report = worker_pb2.StepReport(verdict=Verdict.COMPLETED)
        _add(report, found)
        data: bytes = report.SerializeToString()
        return data


def chosen_policy(said: worker_pb2.PolicySettings) -> Chosen:
    """Return a tenant's policy as the steps of a flow say it."""
    return Chosen(said.policy or "never", said.step_up, said.exempt_refresh, factors=tuple(said.factors))


def marshalled(steps: Sequence[Prepared], room: int) -> list[bytes]:
    """Return the code of every step, or nothing when one has none or together they are longer than `room`."""
    codes = [marshal.dumps((step.code, step.files)) for step in steps if isinstance(step.code, CodeType)]
    return codes if len(codes) == len(steps) and sum(map(len, codes)) + 8 * len(codes) <= room else []


def _load(data: bytes) -> RevisionCode:
    """Read code that another worker of this tenant compiled. It is as hostile as this tenant, and reaches as far."""
    try:
        code, files = marshal.loads(data)
        named = dict(files)
    except (EOFError, ValueError, TypeError):
        os._exit(exit_codes.PROTOCOL)
    if not all(isinstance(part, CodeType) for part in (code, *named.values())):
        os._exit(exit_codes.PROTOCOL)
    return RevisionCode(code, tuple(named.items()))


def _rejected(message: str) -> bytes:
    return _report((compiler.SourceFault(1, 1, message, alarm.ACTION_FILENAME),))


def _report(faults: Sequence[compiler.SourceFault]) -> bytes:
    shared = faults[0].filename != alarm.ACTION_FILENAME
    where = f"{faults[0].filename}:{faults[0].line}: " if shared else ""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    report = worker_pb2.StepReport(
        verdict=Verdict.REJECTED,
        error_type="Rejected",
        error_message=execution.clean(f"{where}{faults[0].message}{more}"),
        error_line=0 if where else faults[0].line,
    )
    _add(report, faults)
    data: bytes = report.SerializeToString()
    return data


def _add(report: worker_pb2.StepReport, faults: Sequence[compiler.SourceFault]) -> None:
    for fault in faults[:_FAULTS_MAX]:
        report.faults.add(
            file="" if fault.filename == alarm.ACTION_FILENAME else fault.filename,
            line=fault.line,
            column=fault.column,
            message=execution.clean(fault.message),
            code=fault.code,
            end_line=fault.end_line,
            end_column=fault.end_column,
        )
