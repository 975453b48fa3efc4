"""The loop of a locked-down worker: read one question, run its steps in order, answer once.

Knows the journal and the order of steps. Must not know tenants, settings or decisions. After the first tenant byte the
daemon believes nothing that this process says.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from google.protobuf.message import DecodeError
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm, covered, execution, live
from sandbox.contract import exit_codes, frames, journal, surface, wire
from sandbox.contract.report import Verdict
from sandbox.process import compact, flows, rehearsal
from sandbox.process.channel import Channel
from sandbox.process.children import Children
from sandbox.process.processor import ProcessorClock
from sandbox.reach import environment
from sandbox.reach.facades import addresses

# Peak memory above which a process is not worth keeping: the pages would stay with the tenant for good.
_RETIRE_ABOVE_KIB: Final = 32 * 1024
# Far below the processor time that the lock-down grants a process for its whole life.
_RETIRE_ABOVE_CPU_S: Final = 120.0
_MEASURE_EVERY: Final = 64
_LONG_NS: Final = 20_000_000
_GC_THRESHOLD: Final = 50_000
_GC_NEVER: Final = 1 << 30
REHEARSAL_JOURNAL_BYTES: Final = 64 * 1024
# Room for the last fragment and for a report that says that the real one was too long.
_TAIL_BYTES: Final = 512

_REPLY_TOO_LONG: Final[bytes] = worker_pb2.StepReport(
    verdict=Verdict.EXHAUSTED,
    error_type="ReplyLimitExceeded",
    error_message="the action asked for more than fits into a reply: record fewer or smaller values",
).SerializeToString()


def _drop(_unraisable: sys.UnraisableHookArgs, /) -> None:
    """Say nothing of an exception that nothing can catch."""


def prepare() -> None:
    """Do, once and before any fork, what a worker could not do after its lock-down."""
    environment.preload()
    # What a finaliser loses is no text for a process that has nowhere to write it.
    sys.unraisablehook = _drop
    alarm.install()
    # Twice, for what runs first also imports.
    _rehearse(rehearsal.questions(1))
    compact.gather(lambda: _rehearse(rehearsal.questions(6)))
    _rehearse(rehearsal.questions())
    alarm.disarm()
    # The worker froze what it compiled; nothing of it is needed any more.
    gc.unfreeze()
    addresses.forget()


def _rehearse(questions: Iterable[bytes]) -> None:
    ends = *os.pipe(), *os.pipe()
    question_fd, asking_fd, hearing_fd, answer_fd = ends
    channel = Channel(question_fd, answer_fd)
    runner = QuestionRunner(channel, memoryview(bytearray(REHEARSAL_JOURNAL_BYTES)))
    for question in questions:
        os.write(asking_fd, frames.encode(question))
        runner.answer(channel.read())
        os.read(hearing_fd, REHEARSAL_JOURNAL_BYTES)
    for end in ends:
        os.close(end)


def serve(channel: Channel, view: memoryview, ready: bytes, children: Children | None = None) -> NoReturn:
    """Say what holds this process, then answer questions until there are no more.

    Args:
        channel: of this worker's two pipes, the only descriptors there are.
        view: the shared journal.
        ready: a Ready message, the report of the lock-down.
        children: how it forks, if it may become a template.
    """
    channel.write(ready)
    runner = QuestionRunner(channel, view)
    try:
        if children is not None:
            _begin(channel, runner, children)
        while True:
            runner.answer(channel.read())
    except MemoryError:
        # Not even a report could be built: the daemon reads the journal.
        os._exit(exit_codes.MEMORY)


def _begin(channel: Channel, runner: QuestionRunner, children: Children) -> None:
    """Answer the first question: as a template, which never returns, or as a worker that forks no more."""
    question = channel.read()
    try:
        flow = worker_pb2.RunFlow.FromString(question).template
    except DecodeError:
        os._exit(exit_codes.PROTOCOL)
    if not flow:
        children.narrow()
        runner.answer(question)
        return
    runner.load(question, flow)
    children.serve(lambda: runner.answer(channel.read()))


class QuestionRunner:
    """State that outlives a login: compiled flows, and nothing a tenant can reach."""

    __slots__ = ("_channel", "_flows", "_logins", "_once", "_replace", "_reply_max", "_rss_base_kib", "_view")

    def __init__(self, channel: Channel, view: memoryview) -> None:
        self._channel = channel
        self._view = view
        self._reply_max = len(view) - journal.REPORTS_AT - _TAIL_BYTES
        self._flows = flows.Flows(view)
        # It compiled for other workers, which load the code and stay 0.45 MiB smaller (measured on CPython 3.11).
        self._replace = False
        self._logins = 0
        # The process ends with its answer, so that nothing has to be tidied up for the next.
        self._once = False
        self._rss_base_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # The collector runs when a flow is torn down; only a huge execution needs it before. Never of itself over the
        # oldest: how often it would have to run for that counts on from login to login, and an action sees it run.
        gc.set_threshold(_GC_THRESHOLD, 10, _GC_NEVER)

    def load(self, frame: bytes, flow: bytes) -> None:
        """Load code that other workers compiled, for children that answer one question each, and say so.

        Args:
            frame: a question that runs nothing; its steps have code and no sources.
            flow: serialized FlowSteps, as each login will bring them.
        """
        self._flows.load_only()
        self.answer(frame)
        self._flows.prepare(flow, 0, alarm.NEVER)
        self._once = True
        gc.collect()
        gc.freeze()

    def answer(self, frame: bytes) -> None:
        """Run one flow and send its reply."""
        try:
            request = worker_pb2.RunFlow.FromString(frame)
            message = event_pb2.PostLoginEvent.FromString(request.event)
        except DecodeError:
            os._exit(exit_codes.PROTOCOL)
        nonce, deadline_ns = request.nonce, request.deadline_ns or alarm.NEVER
        journal.clear(self._view)
        steps = self._flows.known.get(request.flow)
        if steps is None:
            steps = self._flows.prepare(request.flow, nonce, deadline_ns)
        view, reply_max = self._view, self._reply_max
        clock_ns, seed, output_bytes = request.now_ns, request.seed, request.output_bytes
        check_only = request.check_only
        execute = covered.execute if request.measure else execution.execute
        processor = ProcessorClock()
        started_ns = began_ns = time.monotonic_ns()
        # As the daemon counts it: the budget less what the reports say, so that both find it used up at the same step,
        # and the first step of a question always has some.
        left_us = min(request.budget_us, flows.BUDGET_US_MAX)
        retire = self._replace or self._flows.gave_up
        flow = live.FlowState()
        if request.earlier or request.cache:
            _replay(flow, request)
        length = 0
        reports: list[bytes] = []
        walls_us: list[int] = []
        cpus_us: list[int] = []
        for index, step in enumerate(steps):
            code = step.code
            namespace: dict[str, Any] = {}
            kept, spent = len(flow.live), flow.spending
            wall_ns = cpu_us = 0
            if isinstance(code, bytes):
                end, report, cpu_ns = execution.Ending.FAILED, code, processor.at(began_ns)
            elif check_only:
                end, report, cpu_ns = execution.Ending.COMPLETED, step.checked, processor.at(began_ns)
            else:
                began_ns = time.monotonic_ns()
                if left_us <= 0 or began_ns >= deadline_ns:
                    break
                cpu_from_ns = processor.at(began_ns)
                budget_ns = left_us * 1000
                if step.budget_ns < budget_ns:
                    budget_ns = step.budget_ns
                journal.write_phase(view, nonce, began_ns, index, journal.Phase.RUNNING, length, cpu_from_ns, budget_ns)
                report, end, namespace = execute(
                    code, step.handler, message, step.secrets, clock_ns, seed + step.salt, began_ns,
                    budget_ns, output_bytes, flow, cpu_from_ns, deadline_ns, step.files, step.policy,
                    step.uses,
                )  # fmt: skip
                if end is execution.Ending.LATE:
                    namespace.clear()
                    break
                ended_ns = time.monotonic_ns()
                wall_ns = ended_ns - began_ns
                cpu_ns = processor.at(ended_ns)
                spent_ns = cpu_ns - cpu_from_ns
                if spent_ns > 0:  # a clock that was too far on is put right in between
                    # The kernel is asked a moment later than the clock on the wall.
                    cpu_us = (spent_ns if spent_ns < wall_ns else wall_ns) // 1000
                    left_us -= cpu_us
            if length + len(report) > reply_max:
                end, report = execution.Ending.EXHAUSTED, _REPLY_TOO_LONG
                del flow.live[kept:]
                flow.spending = spent
            retire = retire or end is execution.Ending.EXHAUSTED
            wall_us = wall_ns // 1000
            if wall_us > wire.TIME_US_MAX:
                wall_us, cpu_us = wire.TIME_US_MAX, min(cpu_us, wire.TIME_US_MAX)
            fragment = wire.step(report)
            reports.append(fragment)
            fragment += wire.step_times(wall_us, cpu_us)
            length = journal.append_report(view, length, fragment, nonce, began_ns + wall_ns, index, cpu_ns)
            walls_us.append(wall_us)
            cpus_us.append(cpu_us)
            if self._once and index + 1 == len(steps):
                break
            # The journal says TEARDOWN from here: what the action left behind dies inside a budget of its own.
            namespace.clear()
            if wall_ns > _LONG_NS or (wall_ns and gc.get_count()[1]):
                # What survived a run of the collector is not among the young ones, which are walked below.
                gc.collect()
            if end is execution.Ending.FAILED or end is execution.Ending.EXHAUSTED:
                if step.stop_on_failure:
                    break
            elif end is not execution.Ending.COMPLETED:
                break
        # Cycles that executions left behind die here and not in the next login; all that is older is frozen.
        if self._once:
            self._channel.write(wire.flow_reply(nonce, walls_us, cpus_us, reports, retire))
            os._exit(exit_codes.ANSWERED)
        gc.collect(1)
        alarm.stop()
        self._logins += 1
        if not retire and (self._logins % _MEASURE_EVERY == 0 or began_ns - started_ns > _LONG_NS):
            retire = self._outworn()
        reply = wire.flow_reply(nonce, walls_us, cpus_us, reports, retire)
        if check_only and request.return_code:
            codes = flows.marshalled(steps, reply_max - len(reply))
            self._replace = self._replace or bool(codes)
            reply += wire.codes(codes)
        self._channel.write(reply)

    def _outworn(self) -> bool:
        """Has this process grown or worked more than it is worth keeping?"""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return (
            usage.ru_maxrss - self._rss_base_kib > _RETIRE_ABOVE_KIB
            or usage.ru_utime + usage.ru_stime > _RETIRE_ABOVE_CPU_S
        )


def _replay(flow: live.FlowState, request: worker_pb2.RunFlow) -> None:
    """Take over the cache and the commands of earlier steps, these by the table: any other is a broken daemon's."""
    if request.cache:
        flow.records = {record.key: (record.value, record.expires_at_ms) for record in request.cache}
    for command in request.earlier:
        try:
            (args,) = surface.parse_all([(command.op, command.args_json)])
        except surface.CommandError:
            os._exit(exit_codes.PROTOCOL)
        call = surface.CALLS[command.op]
        if not call.carried:
            os._exit(exit_codes.PROTOCOL)
        flow.replay(call, (command.op, args))
