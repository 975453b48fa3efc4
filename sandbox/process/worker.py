"""The loop of a locked-down worker: read one question, run its steps in order, answer once.

Knows the frames, the journal and the order of steps. Knows nothing of tenants, settings or decisions. After the first
tenant byte nothing this process says is believed.
"""

from __future__ import annotations

import gc
import marshal
import os
import resource
import socket
import struct
import time
from types import CodeType
from typing import TYPE_CHECKING, Final, NoReturn

from google.protobuf.message import DecodeError
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, execution, live
from sandbox.contract import journal, surface, wire
from sandbox.language import compiler
from sandbox.process import rehearsal
from sandbox.reach import environment, interrupts

if TYPE_CHECKING:
    from collections.abc import Sequence

_LENGTH: Final = struct.Struct(">I")
_READ_BYTES: Final = 32 * 1024
REQUEST_BYTES_MAX: Final = 16 * 1024 * 1024
"""An event of 1 MiB and twenty sources of 100 kB with their secrets fit many times over."""

COMPILE_BUDGET_NS: Final = 3_000_000_000
"""Compiling is an attack surface too, and has a budget of its own: the action's starts with its first statement."""

_BUDGET_US_MAX: Final = 1 << 50
"""Years. What is longer has no place in the journal."""
EXIT_CLOSED: Final = 0
EXIT_PROTOCOL: Final = 3
EXIT_MEMORY: Final = 4

# Peak memory above which a process is not worth keeping: the pages would stay with the tenant for good.
_RETIRE_ABOVE_KIB: Final = 32 * 1024
# Far below the processor time that the lock-down grants a process for its whole life.
_RETIRE_ABOVE_CPU_S: Final = 120.0
_MEASURE_EVERY: Final = 64
_LONG_NS: Final = 20_000_000
_GC_THRESHOLD: Final = 50_000
_GC_NEVER: Final = 1 << 30
_FLOWS_MAX: Final = 16
_REHEARSAL_JOURNAL_BYTES: Final = 64 * 1024
# Room for the last fragment and for a report that says that the real one was too long.
_TAIL_BYTES: Final = 512


def prepare() -> None:
    """Do, once and before any fork, what a worker could not do after its lock-down."""
    environment.preload()
    alarm.install()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = _Worker(theirs.fileno(), memoryview(bytearray(_REHEARSAL_JOURNAL_BYTES)))
        for question in rehearsal.questions():
            ours.sendall(_LENGTH.pack(len(question)) + question)
            worker.answer(_read(theirs.fileno()))
            ours.recv(_READ_BYTES)
    alarm.disarm()
    # The worker froze what it compiled; nothing of it is needed any more.
    gc.unfreeze()


def serve(sock_fd: int, view: memoryview, ready: bytes) -> NoReturn:
    """Say what holds this process, then answer questions until the socket closes.

    Args:
        sock_fd: this worker's end of the socketpair, blocking; the only descriptor there is.
        view: the shared journal.
        ready: a Ready message, the report of the lock-down.
    """
    _write(sock_fd, ready)
    worker = _Worker(sock_fd, view)
    while True:
        try:
            worker.answer(_read(sock_fd))
        except MemoryError:
            # Not even a report could be built: the daemon reads the journal.
            os._exit(EXIT_MEMORY)


def _read(fd: int) -> bytes:
    data = os.read(fd, _READ_BYTES)
    while len(data) < _LENGTH.size:
        more = os.read(fd, _READ_BYTES)
        if not more:
            os._exit(EXIT_CLOSED)
        data += more
    (length,) = _LENGTH.unpack_from(data)
    if length > REQUEST_BYTES_MAX:
        os._exit(EXIT_PROTOCOL)
    end = _LENGTH.size + length
    if len(data) == end:
        return data[_LENGTH.size :]
    buffer = bytearray(data)
    while len(buffer) < end:
        more = os.read(fd, min(end - len(buffer), 1 << 20))
        if not more:
            os._exit(EXIT_CLOSED)
        buffer += more
    if len(buffer) > end:
        os._exit(EXIT_PROTOCOL)
    return bytes(buffer[_LENGTH.size :])


def _write(fd: int, payload: bytes) -> None:
    data = _LENGTH.pack(len(payload)) + payload
    sent = os.write(fd, data)
    while sent < len(data):
        sent += os.write(fd, data[sent:])


class _Prepared:
    """One step of a flow, read once for all of its logins."""

    __slots__ = ("budget_ns", "code", "handler", "salt", "secrets", "stop_on_failure")

    def __init__(self, step: worker_pb2.Step, code: CodeType | tuple[compiler.Fault, ...]) -> None:
        self.handler = step.handler or execution.HANDLER
        if isinstance(code, CodeType) and self.handler not in code.co_names:
            # Asked to go on with an action that cannot: a revision with the function would be another one.
            code = (compiler.Fault(1, 1, f"the action does not define {self.handler}"),)
        self.code = code
        self.secrets = dict(step.secrets)
        self.budget_ns = max(0, min(step.budget_us, _BUDGET_US_MAX)) * 1000
        self.salt = step.action.encode()
        self.stop_on_failure = step.stop_on_failure


class _Worker:
    """State that outlives a login: compiled revisions, and nothing a tenant can reach."""

    __slots__ = ("_codes", "_fd", "_flows", "_hand_over", "_logins", "_reply_max", "_rss_base_kib", "_view")

    def __init__(self, fd: int, view: memoryview) -> None:
        self._fd = fd
        self._view = view
        self._reply_max = len(view) - journal.REPORTS_AT - _TAIL_BYTES
        self._codes: dict[bytes, CodeType | tuple[compiler.Fault, ...]] = {}
        self._flows: dict[bytes, list[_Prepared]] = {}
        # Another process will serve the next logins better. Compiling was given up here, perhaps because the machine
        # was full for a moment: not this source's last word, and not to be said of it for as long as this process
        # lives. Or it was done here for others, who load the code and stay 0.45 MiB smaller (measured on CPython 3.11).
        self._hand_over = False
        self._logins = 0
        self._rss_base_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # The collector runs when a flow is torn down; only a huge execution needs it before. Never of itself over the
        # oldest: how often it would have to run for that counts on from login to login, and an action sees it run.
        gc.set_threshold(_GC_THRESHOLD, 10, _GC_NEVER)

    def answer(self, frame: bytes) -> None:
        """Run one flow and send its reply."""
        view = self._view
        try:
            request = worker_pb2.RunFlow.FromString(frame)
            message = event_pb2.PostLoginEvent.FromString(request.event)
        except DecodeError:
            os._exit(EXIT_PROTOCOL)
        nonce = request.nonce
        deadline_ns = request.deadline_ns or alarm.NEVER
        steps = self._flows.get(request.flow)
        if steps is None:
            steps = self._prepare(request.flow, nonce, deadline_ns)
        started_ns = now_ns = time.monotonic_ns()
        clock_ns, seed, output_bytes, check_only = (
            request.now_ns,
            request.seed,
            request.output_bytes,
            request.check_only,
        )
        length = 0
        # As the daemon counts it: the budget less what the reports say, so that both find it used up at the same step,
        # and the first step of a question always has some.
        left_us = min(request.budget_us, _BUDGET_US_MAX)
        retire = self._hand_over
        flow = live.Flow()
        if request.earlier or request.cache:
            _go_on(flow, request)
        reports: list[bytes] = []
        walls_us: list[int] = []
        cpus_us: list[int] = []
        for index, step in enumerate(steps):
            code = step.code
            ran = False
            kept, spent = len(flow.live), flow.spending
            wall_ns = cpu_us = 0
            cpu_ns = cpu_from_ns = time.thread_time_ns()
            if isinstance(code, tuple):
                failed, report = True, _rejected(code)
            elif check_only:
                failed, report = False, execution.DONE
            else:
                now_ns = time.monotonic_ns()
                if left_us <= 0 or now_ns >= deadline_ns:
                    break
                budget_ns = min(step.budget_ns, left_us * 1000)
                journal.write_phase(view, nonce, now_ns, index, journal.Phase.RUNNING, length, cpu_from_ns, budget_ns)
                ran = True
                report, end, namespace = execution.execute(
                    code,
                    step.handler,
                    message,
                    step.secrets,
                    clock_ns,
                    seed + step.salt,
                    now_ns,
                    budget_ns,
                    output_bytes,
                    flow,
                    cpu_from_ns,
                    deadline_ns,
                )
                if end is execution.End.LATE:
                    namespace.clear()
                    break
                cpu_ns = time.thread_time_ns()
                cpu_us = min((cpu_ns - cpu_from_ns) // 1000, wire.TIME_US_MAX)
                left_us -= cpu_us
                wall_ns = time.monotonic_ns() - now_ns
                failed = end is execution.End.FAILED or end is execution.End.EXHAUSTED
                retire = retire or end is execution.End.EXHAUSTED
            wall_us = min(wall_ns // 1000, wire.TIME_US_MAX)
            if length + len(report) > self._reply_max:
                failed, retire, report = True, True, _reply_too_long()
                del flow.live[kept:]
                flow.spending = spent
            length = journal.append_report(
                view, length, wire.journal_step(report, wall_us, cpu_us), nonce, now_ns + wall_ns, index, cpu_ns
            )
            reports.append(wire.step(report))
            walls_us.append(wall_us)
            cpus_us.append(cpu_us)
            if ran:
                # The journal says TEARDOWN from here: what the action left behind dies inside a budget of its own.
                namespace.clear()
                if wall_ns > _LONG_NS or gc.get_count()[1]:
                    # What survived a run of the collector is not among the young ones, which are walked below.
                    gc.collect()
                if failed:
                    if step.stop_on_failure:
                        break
                elif end is not execution.End.COMPLETED:
                    break
            elif failed and step.stop_on_failure:
                break
        # Cycles that executions left behind die here and not in the next login; all that is older is frozen.
        gc.collect(1)
        alarm.stop()
        self._logins += 1
        if not retire and (self._logins % _MEASURE_EVERY == 0 or now_ns - started_ns > _LONG_NS):
            retire = self._outworn()
        answer = wire.flow_reply(nonce, walls_us, cpus_us, reports, retire)
        if check_only and request.return_code:
            codes = self._marshalled(steps, self._reply_max - len(answer))
            answer += wire.codes(codes)
            self._hand_over = self._hand_over or bool(codes)
        _write(self._fd, answer)

    def _marshalled(self, steps: Sequence[_Prepared], room: int) -> list[bytes]:
        """Return the code of every step, or nothing when one has none or together they are too long for a reply."""
        codes = [marshal.dumps(step.code) for step in steps if isinstance(step.code, CodeType)]
        return codes if len(codes) == len(steps) and sum(map(len, codes)) + 8 * len(codes) <= room else []

    def _prepare(self, flow: bytes, nonce: int, deadline_ns: int) -> list[_Prepared]:
        """Read the steps of a flow, and compile those revisions that are new here; no step if it is late then."""
        try:
            steps = worker_pb2.FlowSteps.FromString(flow).steps
        except DecodeError:
            os._exit(EXIT_PROTOCOL)
        if len(steps) > wire.STEPS_MAX:
            os._exit(EXIT_PROTOCOL)
        # Before anything is compiled, which a deadline may end: what cannot be run whole is not begun.
        known = set(self._codes)
        for step in steps:
            if step.HasField("source") or step.HasField("code"):
                known.add(step.revision)
            elif step.revision not in known:
                os._exit(EXIT_PROTOCOL)
        prepared = []
        for index, step in enumerate(steps):
            code = self._codes.get(step.revision)
            if code is None:
                code = self._compile(step, index, nonce, deadline_ns)
                if code is None:
                    return []
            prepared.append(_Prepared(step, code))
        if len(self._flows) >= _FLOWS_MAX:
            self._flows.clear()
        if not any(step.HasField("source") or step.HasField("code") for step in steps):
            # With sources it comes once; the same flow without them is what every later login brings.
            self._flows[flow] = prepared
        return prepared

    def _outworn(self) -> bool:
        """Has this process grown or worked more than it is worth keeping?"""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return (
            usage.ru_maxrss - self._rss_base_kib > _RETIRE_ABOVE_KIB
            or usage.ru_utime + usage.ru_stime > _RETIRE_ABOVE_CPU_S
        )

    def _compile(
        self, step: worker_pb2.Step, index: int, nonce: int, deadline_ns: int
    ) -> CodeType | tuple[compiler.Fault, ...] | None:
        """Return the code of a revision, or its faults; None when the caller's deadline passed meanwhile."""
        code: CodeType | tuple[compiler.Fault, ...]
        late = False
        now_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        journal.write_phase(self._view, nonce, now_ns, index, journal.Phase.COMPILING, 0, cpu_ns, COMPILE_BUDGET_NS)
        try:
            try:
                alarm.start(COMPILE_BUDGET_NS, now_ns, cpu_ns, deadline_ns)
                code = (
                    _load(step.code)
                    if step.HasField("code")
                    else compiler.compile_action(step.source, alarm.ACTION_FILENAME)
                )
            finally:
                alarm.stop()
        except compiler.Rejected as rejected:
            code = tuple(rejected.faults)
        except interrupts.Interrupted:
            self._hand_over = True
            late = alarm.late()
            code = (compiler.Fault(1, 1, _slow(time.thread_time_ns() - cpu_ns)),)
        except MemoryError:
            self._hand_over = True
            code = (compiler.Fault(1, 1, "compiling used up the memory limit: simplify the action"),)
        interrupts.reset()
        alarm.disarm()
        if late:
            return None
        self._codes[step.revision] = code
        # Compiled code lives as long as the worker: keep the collector from walking it after every execution.
        gc.collect()
        gc.freeze()
        return code


def _go_on(flow: live.Flow, request: worker_pb2.RunFlow) -> None:
    """Read the cache and the commands of earlier steps, these by the table: any other is a broken daemon's."""
    if request.cache:
        flow.records = {record.key: (record.value, record.expires_at_ms) for record in request.cache}
    for command in request.earlier:
        try:
            (args,) = surface.parse_all([(command.op, command.args_json)])
        except surface.CommandError:
            os._exit(EXIT_PROTOCOL)
        call = surface.CALLS[command.op]
        if not call.carried:
            os._exit(EXIT_PROTOCOL)
        flow.replay(call, (command.op, args))


def _slow(had_ns: int) -> str:
    return (
        f"compiling took longer than {COMPILE_BUDGET_NS / 1e9:.0f} s of processor time (it had {had_ns / 1e9:.1f} s): "
        "simplify it"
    )


def _load(data: bytes) -> CodeType:
    """Read code that another worker of this tenant compiled. It is as hostile as this tenant, and reaches as far."""
    try:
        code = marshal.loads(data)
    except (EOFError, ValueError, TypeError):
        os._exit(EXIT_PROTOCOL)
    if not isinstance(code, CodeType):
        os._exit(EXIT_PROTOCOL)
    return code


def _rejected(faults: tuple[compiler.Fault, ...]) -> bytes:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    report = worker_pb2.StepReport(
        verdict=execution.REJECTED,
        error_type="Rejected",
        error_message=execution.clean(first.message + more),
        error_line=first.line,
    )
    for fault in faults[:100]:
        report.faults.add(line=fault.line, column=fault.column, message=execution.clean(fault.message))
    data: bytes = report.SerializeToString()
    return data


def _reply_too_long() -> bytes:
    data: bytes = worker_pb2.StepReport(
        verdict=execution.EXHAUSTED,
        error_type="ReplyLimitExceeded",
        error_message="the action asked for more than fits into a reply: record fewer or smaller values",
    ).SerializeToString()
    return data
