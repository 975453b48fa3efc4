"""The login engine: what each reply, silence, lie and death of a worker means for the login, with scripted workers."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from vestibule.v1 import event_pb2, runtime_service_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding, Flow, Snapshot
from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.core.model import OnError, Settings, Verdict
from runtime.errors import DeadlineExceeded, PoolExhausted, QueueFull, UnknownTenant, WorkerLost, WorkerStartError
from runtime.login.engine import LoginOutcome
from runtime.login.logins import Logins, Request
from runtime.login.plan import Login, Plan
from runtime.ops import log
from runtime.ops.labels import KillReason
from runtime.ops.metrics import Metrics
from runtime.workers import reply
from runtime.workers.pool import Pool
from sandbox.contract import journal, wire
from tests.fakes import FakeSpawned, FakeZygote, Question, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from runtime.core.model import Execution

SHA = {name: f"{index:064x}" for index, name in enumerate(("one", "two", "three"), 1)}
COMPLETED = int(Verdict.COMPLETED)
REQUIRE = ("multifactor.enable", '{"provider":"any"}')
CHALLENGE = ("authentication.challenge_with", '{"factor":{"type":"otp"}}')
DENY = ("access.deny", '{"reason":"no"}')


def step(verdict: int = COMPLETED, *commands: tuple[str, str], **fields: Any) -> worker_pb2.StepReport:
    """One step report."""
    return worker_pb2.StepReport(
        verdict=verdict, commands=[worker_pb2.Command(op=op, args_json=args) for op, args in commands], **fields
    )


def whole(nonce: int, *steps: worker_pb2.StepReport, **fields: Any) -> bytes:
    """One reply, with a time for each step."""
    times = {"wall_us": [5] * len(steps), "cpu_us": [4] * len(steps)} | fields
    return worker_pb2.FlowReply(nonce=nonce, steps=steps, **times).SerializeToString()


class Catalog:
    """One tenant, `acme`, with three actions."""

    healthy = True
    reason = ""

    def __init__(self, on_error: OnError) -> None:
        bindings = tuple(Binding(name, sha, on_error) for name, sha in SHA.items())
        self.flow = Flow("acme", Settings(), bindings)
        self.sources = dict.fromkeys(SHA.values(), "def on_execute_post_login(event, api): pass")

    def snapshot(self) -> Snapshot:
        return Snapshot(7, MappingProxyType({"acme": self.flow, "bare": Flow("bare", Settings())}), self.sources)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Rig:
    """The daemon's logins over scripted workers."""

    def __init__(
        self,
        on_error: OnError = OnError.REQUIRE_MFA,
        isolation: Any = "tenant",
        sample: float = 0.0,
        timeouts_ms: tuple[int, int] = (60, 200),
        **pool: Any,
    ) -> None:
        config = Config()
        limits: Any = {"action_timeout_ms": timeouts_ms[0], "flow_timeout_ms": timeouts_ms[1], "kill_grace_ms": 10}
        config = replace(
            config,
            sandbox=replace(config.sandbox, isolation=isolation, **limits),
            pool=replace(config.pool, **({"blank_workers": 0} | pool)),
        )
        self.lines = io.StringIO()
        logger = log.build(LogConfig(level="info" if sample else "error", format="json"), self.lines)
        self.catalog = Catalog(on_error)
        self.zygote = FakeZygote()
        self.pool = Pool(config, self.zygote.make, Metrics(""), logger)  # type: ignore[arg-type]  # a stand-in for a zygote
        self.logins = Logins(self.catalog, self.pool, Metrics(""), config, logger, log.LoginLog(logger, sample))
        # Another worker compiled it, so that a question is about a login. `login` has a plan of its own.
        self.plan = Plan(self.catalog.flow, self.catalog.sources, 60_000)
        self.plan.keep([b"code"] * len(SHA))

    def run(self, left_s: float = 2.0) -> asyncio.Task[Sequence[Execution]]:
        """Start one flow, whose caller waits so long."""

        async def executions() -> Sequence[Execution]:
            outcome = await self.outcome(left_s)
            executions = outcome.answer.decision.executions
            assert len(executions) == len(outcome.wall_us) == len(outcome.cpu_us)
            return executions

        return asyncio.create_task(executions())

    def outcome(self, left_s: float) -> Awaitable[LoginOutcome]:
        """Decide one login whose caller waits so long."""
        deadline_ns = time.monotonic_ns() + int(left_s * 1e9)
        return self.logins.engine.decide(Login(self.plan, b"", None, deadline_ns, 0, bytes(16)))

    async def login(self, tenant: str, event: bytes = b"", left_s: float = 2.0) -> bytes:
        """Decide one login as the daemon does."""
        return (await self.logins.decide(Request(tenant, "r1", event), time.monotonic() + left_s)).response

    async def question(self, worker: int = 0) -> tuple[FakeSpawned, Question]:
        """Wait until a worker has been asked."""
        await reached(lambda: len(self.zygote.spawned) > worker)
        spawned = self.zygote.spawned[worker]
        return spawned, await spawned.hear()

    def answer(self, spawned: FakeSpawned, nonce: int, *steps: worker_pb2.StepReport) -> None:
        """Send a whole reply."""
        spawned.say(whole(nonce, *steps))

    def note(self, spawned: FakeSpawned, nonce: int, index: int, phase: int, *steps: worker_pb2.StepReport) -> None:
        """Write the journal as a worker does."""
        view = memoryview(spawned.journal)
        fragment = whole(0, *steps)
        view[journal.REPORTS_AT : journal.REPORTS_AT + len(fragment)] = fragment
        journal.write_phase(view, nonce, time.monotonic_ns(), index, phase, len(fragment))
        view.release()


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Any]]:
    """Make rigs and close them."""
    rigs: list[Rig] = []

    async def build(*args: Any, **settings: Any) -> Rig:
        rig = Rig(*args, **settings)
        await rig.pool.start()
        rigs.append(rig)
        return rig

    yield build
    for rig in rigs:
        await rig.pool.close()
        await rig.logins.close()


def verdicts(executions: Sequence[Execution]) -> list[str]:
    return [execution.verdict.name for execution in executions]


async def test_three_reports_become_three_executions(make: Any) -> None:
    """A whole reply gives one completed execution for each binding, with its commands."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    assert [s.action for s in question.steps] == ["one", "two", "three"]
    rig.answer(spawned, question.nonce, step(), step(COMPLETED, REQUIRE), step())
    executions = await task
    assert verdicts(executions) == ["COMPLETED"] * 3
    assert executions[1].commands[0].args == {"provider": "any"}


async def test_sources_are_sent_once(make: Any) -> None:
    """A worker that has compiled a revision is not sent its source again."""
    rig = await make()
    rig.plan.forget()
    for first in (True, False):
        task = rig.run()
        await reached(lambda: rig.zygote.spawned)
        request = await rig.zygote.spawned[0].read()
        if first:
            # It compiles before the login.
            sent = worker_pb2.FlowSteps.FromString(request.flow).steps
            assert [s.HasField("source") for s in sent] == [True] * 3
            rig.zygote.spawned[0].say(whole(request.nonce, step(), step(), step()))
            request = await rig.zygote.spawned[0].read()
        sent = worker_pb2.FlowSteps.FromString(request.flow).steps
        assert [s.HasField("source") for s in sent] == [False] * 3
        rig.answer(rig.zygote.spawned[0], request.nonce, step(), step(), step())
        await task


async def test_a_denial_skips_the_rest(make: Any) -> None:
    """After an action that denied, the later ones are skipped and not failed."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.answer(spawned, question.nonce, step(COMPLETED, DENY))
    assert verdicts(await task) == ["COMPLETED", "SKIPPED", "SKIPPED"]


async def test_on_error_deny_skips_the_rest(make: Any) -> None:
    """A failure that decides the login by itself ends the flow, and the worker hears so beforehand."""
    rig = await make(OnError.DENY)
    task = rig.run()
    spawned, question = await rig.question()
    assert all(s.stop_on_failure for s in question.steps)
    rig.answer(spawned, question.nonce, step(int(Verdict.RAISED), error_type="ValueError", error_line=3))
    executions = await task
    assert verdicts(executions) == ["RAISED", "SKIPPED", "SKIPPED"]
    assert executions[0].error is not None
    assert executions[0].error.line == 3


async def test_an_early_end_is_a_spent_budget(make: Any) -> None:
    """Steps that a worker did not reach count as timed out: they are failures, not omissions."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.answer(spawned, question.nonce, step())
    assert verdicts(await task) == ["COMPLETED", "TIMED_OUT", "TIMED_OUT"]


LIES: list[tuple[str, Callable[[int], bytes]]] = [
    ("wrong nonce", lambda nonce: whole(nonce + 1, *[step()] * 3)),
    ("not protobuf", lambda _: b"\xff\xff\xff\xff"),
    ("no step", lambda nonce: whole(nonce)),
    ("four steps", lambda nonce: whole(nonce, *[step()] * 4)),
    ("verdict of the daemon", lambda nonce: whole(nonce, step(8))),
    ("verdict 0", lambda nonce: whole(nonce, step(0))),
    ("unknown command", lambda nonce: whole(nonce, step(1, ("sys.exit", "{}")))),
    ("bad argument", lambda nonce: whole(nonce, step(1, ("multifactor.enable", '{"provider":"mine"}')))),
    ("arguments that are not JSON", lambda nonce: whole(nonce, step(1, ("access.deny", "{")))),
    ("a failed step with commands", lambda nonce: whole(nonce, step(2, REQUIRE))),
    ("no time", lambda nonce: whole(nonce, step(), wall_us=[])),
    ("too much output", lambda nonce: whole(nonce, step(1, output="x" * 20_000))),
    ("ran on after a denial", lambda nonce: whole(nonce, step(1, DENY), step())),
    ("ran on after a suspension", lambda nonce: whole(nonce, step(1, CHALLENGE), step())),
    ("101 commands", lambda nonce: whole(nonce, step(1, *[REQUIRE] * 101))),
]


@pytest.mark.parametrize(("name", "lie"), LIES, ids=[name for name, _ in LIES])
async def test_a_lying_worker_is_violated(make: Any, name: str, lie: Callable[[int], bytes]) -> None:
    """A reply that our own worker code would not send is believed in nothing, and its worker is killed."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    spawned.say(lie(question.nonce))
    assert verdicts(await task) == ["VIOLATED"] * 3
    assert spawned.closed


async def test_large_replies_are_read_in_parts_one_after_the_other(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the largest replies are read, the loop turns after every part of one of them; all are believed."""
    rig = await make()
    items = ",".join(["0"] * 190)
    claims = [("id_token.set_custom_claim", f'{{"name":"n{n}","value":[{items}]}}') for n in range(5)]
    padded = step(COMPLETED, *claims, output="x" * 8000)
    between: list[int] = []
    reading: list[int] = []
    in_parts = reply.in_parts

    def watched(*args: Any, **named: Any) -> Any:
        number = len(between)
        between.append(0)
        reading.append(number)
        assert reading == [number], "another large reply is being read"
        parts = in_parts(*args, **named)
        while True:
            try:
                next(parts)
            except StopIteration as end:
                reading.remove(number)
                return end.value
            between[number] += 1
            yield

    monkeypatch.setattr(reply, "in_parts", watched)
    flows = [rig.run(), rig.run()]
    for number in range(2):
        spawned, question = await rig.question(number)
        rig.answer(spawned, question.nonce, padded, step(), step())
    for flow in flows:
        executions = await flow
        assert verdicts(executions) == ["COMPLETED"] * 3
        assert len(executions[0].commands) == 5
    assert between == [5, 5]


async def test_a_frame_too_long_is_violated(make: Any) -> None:
    """A worker that announces 64 MiB is killed before a byte of it is read."""
    rig = await make()
    task = rig.run()
    spawned, _ = await rig.question()
    spawned.peer.sendall((64 << 20).to_bytes(4))
    assert verdicts(await task) == ["VIOLATED"] * 3


async def test_two_answers_are_violated(make: Any) -> None:
    """A second frame behind the answer is a violation."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    data = whole(question.nonce, *[step()] * 3)
    frame = len(data).to_bytes(4) + data
    spawned.peer.sendall(frame + frame)
    assert verdicts(await task) == ["VIOLATED"] * 3


async def test_a_reply_byte_by_byte_is_read(make: Any) -> None:
    """An answer that arrives in single bytes is the same answer."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    data = whole(question.nonce, *[step()] * 3)
    for byte in len(data).to_bytes(4) + data:
        spawned.peer.sendall(bytes([byte]))
        await asyncio.sleep(0)
    assert verdicts(await task) == ["COMPLETED"] * 3


async def test_a_hung_action_is_killed_and_the_others_run(make: Any) -> None:
    """The second action hangs: the first one's requests stand, the third runs on another worker."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 1, journal.Phase.RUNNING, step(COMPLETED, REQUIRE))
    second, again = await rig.question(1)
    assert [s.action for s in again.steps] == ["three"]
    rig.answer(second, again.nonce, step())
    executions = await task
    assert verdicts(executions) == ["COMPLETED", "TIMED_OUT", "COMPLETED"]
    assert executions[0].commands[0].op == "multifactor.enable"
    assert executions[1].wall_us >= 60_000


async def test_a_hung_teardown_loses_nothing(make: Any) -> None:
    """A worker killed while it tears an action down has completed that action."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 2, journal.Phase.TEARDOWN, step(), step(), step())
    assert verdicts(await task) == ["COMPLETED"] * 3
    assert spawned.closed


@pytest.mark.parametrize("half", [True, False])
async def test_a_worker_that_dies_in_its_header_reports_no_earlier_login(make: Any, half: bool) -> None:
    """It had cleared the header and written the new nonce: the login is asked again. The control wrote a report."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 2, journal.Phase.TEARDOWN, step(COMPLETED, REQUIRE), step(), step())
    rig.answer(spawned, question.nonce, step(COMPLETED, REQUIRE), step(), step())
    await task
    task = rig.run()
    spawned, again = await rig.question()
    if half:
        with memoryview(spawned.journal) as view:
            journal.clear(view)
        spawned.journal[:8] = again.nonce.to_bytes(8, "little")
    else:
        rig.note(spawned, again.nonce, 2, journal.Phase.TEARDOWN, step(), step(), step())
    rig.zygote.on_exit(spawned.id, -9)
    spawned.peer.close()
    if half:
        async with asyncio.timeout(5):
            other, third = await rig.question(1)
        rig.answer(other, third.nonce, step(), step(), step())
    assert [execution.commands for execution in await task] == [(), (), ()]
    assert len(rig.zygote.spawned) == (2 if half else 1)


async def test_a_worker_killed_from_outside_costs_one_retry(make: Any) -> None:
    """SIGKILL by an operator: the same step runs again on another worker."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 1, journal.Phase.RUNNING, step(COMPLETED, REQUIRE))
    spawned.peer.close()
    rig.zygote.on_exit(spawned.id, -9)
    second, again = await rig.question(1)
    assert [s.action for s in again.steps] == ["two", "three"]
    rig.answer(second, again.nonce, step(), step())
    executions = await task
    assert verdicts(executions) == ["COMPLETED"] * 3
    assert executions[0].commands


@pytest.mark.parametrize("finished", [0, 1])
async def test_two_deaths_are_no_decision(make: Any, finished: int) -> None:
    """When two workers die through no fault of an action, none has failed: there is an error and no decision."""
    rig = await make()
    task = rig.run()
    for index in range(2):
        spawned, question = await rig.question(index)
        rig.note(spawned, question.nonce, finished, journal.Phase.RUNNING, *[step()] * (finished if index == 0 else 0))
        spawned.peer.close()
        rig.zygote.on_exit(spawned.id, -9)
    with pytest.raises(WorkerLost):
        await task


async def test_workers_that_were_dead_when_asked_cost_no_retry(make: Any) -> None:
    """As when a zygote dies with every idle worker: a login that none of five began is decided by the sixth."""
    rig = await make()
    task = rig.run()
    for index in range(5):
        spawned, _ = await rig.question(index)
        spawned.peer.close()
    spawned, question = await rig.question(5)
    rig.answer(spawned, question.nonce, step(), step(), step())
    assert verdicts(await task) == ["COMPLETED"] * 3


async def test_a_worker_that_died_between_lease_and_question_costs_no_retry(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login whose worker is dead by the time that the login gets its turn is decided by another one."""
    rig = await make()
    lease_nowait = rig.pool.lease_nowait

    def dying(*args: Any) -> Any:
        worker = lease_nowait(*args)
        worker.kill(KillReason.EVICTED)
        monkeypatch.undo()
        return worker

    monkeypatch.setattr(rig.pool, "lease_nowait", dying)
    task = rig.run()
    spawned, question = await rig.question(1)
    rig.answer(spawned, question.nonce, step(), step(), step())
    assert verdicts(await task) == ["COMPLETED"] * 3


async def test_workers_that_only_die_are_given_up(make: Any) -> None:
    """On a host where no worker ever begins, a login ends with an error long before its deadline."""
    rig = await make()
    task = rig.run()
    for index in range(33):
        spawned, _ = await rig.question(index)
        spawned.peer.close()
    with pytest.raises(WorkerLost, match="33 workers died"):
        await task


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (-signal.SIGSYS, "VIOLATED"),
        (-signal.SIGSEGV, "CRASHED"),
        (-signal.SIGABRT, "CRASHED"),
        (-signal.SIGXCPU, "TIMED_OUT"),
        (4, "EXHAUSTED"),
    ],
)
async def test_a_death_in_tenant_code_is_a_verdict(make: Any, code: int, verdict: str) -> None:
    """How the process died says what the action did; the later actions run on another worker."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 0, journal.Phase.RUNNING)
    spawned.peer.close()
    rig.zygote.on_exit(spawned.id, code)
    second, again = await rig.question(1)
    rig.answer(second, again.nonce, step(), step())
    assert verdicts(await task) == [verdict, "COMPLETED", "COMPLETED"]


def begin(rig: Rig, left_s: float) -> asyncio.Task[LoginOutcome]:
    """Start one flow whose caller waits so long."""

    async def outcome() -> LoginOutcome:
        return await rig.outcome(left_s)

    return asyncio.create_task(outcome())


def past_the_deadline(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be later than the worker should have stopped, with a daemon that is late to say so."""
    (worker,) = rig.pool.watchdog.running
    rig.pool.watchdog.unwatch(worker)
    later_ns = time.monotonic_ns() + 60 * 10**9
    monkeypatch.setattr(time, "monotonic_ns", lambda: later_ns)


@pytest.mark.parametrize("finished", [0, 1, 2])
async def test_an_answer_that_the_deadline_cut_is_no_decision(
    make: Any, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    """Whatever had finished by then: the rest did not fail, so that there is nothing to decide by. The worker stays."""
    rig = await make()
    task = begin(rig, 5.0)
    spawned, question = await rig.question()
    past_the_deadline(rig, monkeypatch)
    rig.answer(spawned, question.nonce, *[step()] * finished)
    with pytest.raises(DeadlineExceeded):
        await task
    await reached(lambda: not rig.pool.busy)
    assert not spawned.closed


async def test_a_denial_before_the_deadline_stands(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow had ended: an answer that comes at the last moment is whole."""
    rig = await make()
    task = begin(rig, 5.0)
    spawned, question = await rig.question()
    past_the_deadline(rig, monkeypatch)
    rig.answer(spawned, question.nonce, step(COMPLETED, DENY))
    assert verdicts((await task).answer.decision.executions) == ["COMPLETED", "SKIPPED", "SKIPPED"]


async def test_no_answer_by_the_deadline_is_no_decision(make: Any) -> None:
    """The caller gets an error, and the worker, which may have had no processor, is not killed for it."""
    rig = await make()
    task = begin(rig, 0.02)
    spawned, question = await rig.question()
    with pytest.raises(DeadlineExceeded):
        await task
    assert not spawned.closed
    rig.answer(spawned, question.nonce, step(), step(), step())
    await reached(lambda: not rig.pool.busy)
    assert rig.pool.counts()["idle"] == 1


@pytest.mark.parametrize("fault", [PoolExhausted("full"), QueueFull("full"), WorkerStartError("no process left")])
async def test_no_worker_for_the_rest_of_a_flow_is_no_decision(
    make: Any, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The first action ran, its worker was lost and there is no other: the later actions did not fail."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    monkeypatch.setattr(rig.pool, "lease_nowait", lambda *_, **__: None)

    async def full(*_: Any, **__: Any) -> Any:
        raise fault

    monkeypatch.setattr(rig.pool, "lease", full)
    rig.note(spawned, question.nonce, 1, journal.Phase.RUNNING, step(COMPLETED, REQUIRE))
    spawned.peer.close()
    rig.zygote.on_exit(spawned.id, -9)
    with pytest.raises(type(fault)):
        await task


@pytest.mark.parametrize(("left_s", "error"), [(0.02, DeadlineExceeded), (5.0, PoolExhausted)], ids=["", "control"])
async def test_a_queue_that_is_longer_than_the_callers_time(
    make: Any, monkeypatch: pytest.MonkeyPatch, left_s: float, error: type[Exception]
) -> None:
    """Whose time ends in the queue is out of time; one that would have waited longer hears that the pool is full."""
    rig = await make()
    monkeypatch.setattr(rig.pool, "lease_nowait", lambda *_, **__: None)

    async def nothing_came_free(*_: Any, **__: Any) -> Any:
        raise PoolExhausted("no worker came free in time")

    monkeypatch.setattr(rig.pool, "lease", nothing_came_free)
    with pytest.raises(error):
        await begin(rig, left_s)


@pytest.mark.parametrize("stalled", [True, False])
async def test_a_stalled_worker_is_not_its_actions_fault(make: Any, stalled: bool) -> None:
    """A worker that had no processor is killed, and the action runs again elsewhere. The control had its budget."""
    rig = await make()
    task = begin(rig, 2.0)
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 1, journal.Phase.RUNNING, step(COMPLETED, REQUIRE))
    (worker,) = rig.pool.watchdog.running
    worker.kill_at_limit(55_000_000, stalled=stalled)
    second, again = await rig.question(1)
    assert [s.action for s in again.steps] == (["two", "three"] if stalled else ["three"])
    rig.answer(second, again.nonce, *[step()] * len(again.steps))
    executions = (await task).answer.decision.executions
    assert verdicts(executions) == ["COMPLETED", "COMPLETED" if stalled else "TIMED_OUT", "COMPLETED"]
    if not stalled:
        assert executions[1].error is not None
        assert "with 55 ms of processor time" in executions[1].error.message
        assert executions[1].cpu_us == 55_000


async def test_a_cancelled_caller_does_not_lose_the_worker(make: Any) -> None:
    """An answer that no login waits for any more still brings the worker back to the pool."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    rig.answer(spawned, question.nonce, step(), step(), step())
    await reached(lambda: rig.pool.counts()["idle"] == 1)
    assert rig.pool.busy == 0


async def test_an_abandoned_hung_worker_is_killed(make: Any) -> None:
    """A caller that went away does not turn the watchdog off."""
    rig = await make()
    task = rig.run()
    spawned, question = await rig.question()
    rig.note(spawned, question.nonce, 0, journal.Phase.RUNNING)
    task.cancel()
    await reached(lambda: spawned.closed)
    assert rig.pool.busy == 0


async def test_closing_waits_for_no_abandoned_answer(make: Any) -> None:
    """A drain that was cut ends although a worker still runs for a caller that was given up."""
    rig = await make()
    task = rig.run()
    await rig.question()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await rig.logins.close()
    # Not given back, so not waited for.
    assert rig.pool.busy == 1


async def test_execute_answers_with_a_decision(make: Any) -> None:
    """The bytes are a response with the decision, its revision and the request's id."""
    rig = await make()
    event = event_pb2.PostLoginEvent().SerializeToString()
    task = asyncio.ensure_future(rig.login("acme", event))
    spawned, question = await rig.question()
    rig.answer(spawned, question.nonce, step(), step(COMPLETED, REQUIRE), step())
    response = runtime_service_pb2.ExecutePostLoginResponse.FromString(await task)
    assert response.request_id == "r1"
    assert response.decision.catalog_revision == 7
    assert response.decision.outcome == 2
    assert len(response.decision.executions) == 3
    assert len(response.decision.decision_id) == 32


async def test_a_login_that_prints_is_remembered(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one folds nothing and encodes nothing; its response has its own output, and its line is written."""
    rig = await make(sample=1.0)
    for said in ("user 1", "user 2"):
        task = asyncio.ensure_future(rig.login("acme"))
        spawned, question = await rig.question()
        reports = step(), step(COMPLETED, REQUIRE, output=said), step()
        steps = [wire.step(report.SerializeToString()) for report in reports]
        spawned.say(wire.flow_reply(question.nonce, [5, 6, 7], [4, 4, 4], steps, False))
        decision = runtime_service_pb2.ExecutePostLoginResponse.FromString(await task).decision
        assert [report.output for report in decision.executions] == ["", said, ""]
        assert [report.wall_time.nanos for report in decision.executions] == [5000, 6000, 7000]
        # From here on nothing but a remembered answer can decide.
        monkeypatch.setattr("runtime.login.answers.aggregate", None)
    lines = [json.loads(line) for line in rig.lines.getvalue().splitlines()]
    decided = [line for line in lines if line["event"] == "login.decided"]
    assert [[e["wall_us"] for e in line["executions"]] for line in decided] == [[5, 6, 7]] * 2
    assert "user" not in rig.lines.getvalue()


async def test_a_tenant_without_a_flow_is_decided_by_policy(make: Any) -> None:
    """No binding is no error: the policy decides, and no worker is needed."""
    rig = await make()
    data = await rig.login("bare")
    response = runtime_service_pb2.ExecutePostLoginResponse.FromString(data)
    assert response.decision.outcome == 1
    assert not response.decision.executions


async def test_no_decision_without_tenant_or_time(make: Any) -> None:
    """An unknown tenant and a deadline that has passed are errors, not decisions."""
    rig = await make()
    with pytest.raises(UnknownTenant):
        await rig.login("unknown")
    for tenant in ("acme", "bare"):
        with pytest.raises(DeadlineExceeded):
            await rig.login(tenant, left_s=0.0)


async def test_what_is_gone_from_the_catalog_is_let_go(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenants come and go: plans are kept of those that are served now, and of no source but their own."""
    rig = await make()
    for revision in range(1, 20):
        tenants = {name: Flow(name, Settings()) for name in (f"tenant-{revision}", f"other-{revision}")}
        snapshot = Snapshot(revision, MappingProxyType(tenants), {})
        monkeypatch.setattr(rig.catalog, "snapshot", lambda: snapshot)  # noqa: B023  called within this turn of the loop
        for name in tenants:
            await rig.login(name)
        assert set(rig.logins.plans) == set(tenants)
    everybodys = rig.catalog.sources | {f"{number:064x}": "another tenant's" for number in range(10, 1000)}
    plan = Plan(rig.catalog.flow, everybodys, 60_000)
    assert plan.sources == rig.catalog.sources
