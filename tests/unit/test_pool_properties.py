"""The pool under any sequence of logins and faults: every login is served in the end, and every count is right.

What is decided for whom is held by test_assign.py, this holds that it is done.

Workers are sockets, the clock is the test's own, and each fork and each load of a successor ends when and how the test
says. Several things may happen before the event loop turns, which is where a wake-up would get lost.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.catalog.base import Flow
from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.core.model import Settings
from runtime.errors import PoolExhausted, QueueFull, WorkerLost, WorkerStartError
from runtime.ops import log
from runtime.ops.labels import KillReason
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.sharing import DEPTH_MAX
from runtime.workers.worker import State, Worker
from tests.effort import effort
from tests.fakes import FakeSpawned
from tests.pool_rig import Loop, Process, Zygote

TENANTS = ("acme", "bank", "club")
WAIT_S = 4.0
TURN = st.sampled_from([True, True, False])  # or more happens before the loop turns
IDLE_S = 60.0
LOG = log.build(LogConfig(level="error"), io.StringIO())


@dataclass(eq=False)
class Login:
    """One that waits for a worker, and then has one until the test releases it."""

    tenant: str
    task: asyncio.Future[Worker]
    flow: bytes

    @property
    def worker(self) -> Worker | None:
        done = self.task.done() and not self.task.cancelled() and self.task.exception() is None
        return self.task.result() if done else None


class World(RuleBasedStateMachine):
    """A pool, its zygotes, and everything that happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.zygotes: list[Zygote] = []
        self.logins: list[Login] = []
        self.loads: dict[asyncio.Future[None], Worker] = {}
        self.used: set[Worker] = set()
        self.owners: dict[Worker, str] = {}
        self.versions: dict[str, int] = {}
        self.deployed = self.lost = 0
        self.settled = False
        self.patches = ExitStack()

    @initialize(
        isolation=st.sampled_from(["tenant", "login"]),
        blank_workers=st.integers(0, 2),
        workers_per_tenant=st.integers(1, 3),
        max_workers=st.integers(1, 6),
        queue=st.integers(1, 3),
        short=st.booleans(),
        renew_s=st.sampled_from([0.0, 3.0]),
    )
    def start(
        self,
        isolation: Any,
        blank_workers: int,
        workers_per_tenant: int,
        max_workers: int,
        queue: int,
        short: bool,
        renew_s: float,
    ) -> None:
        # What a login takes of the processor: short ones share a worker, from the first of a tenant on.
        self.cpu_us = 100 if short else 20_000
        for place in ("assign", "leases"):
            self.patches.enter_context(patch(f"runtime.workers.{place}.UNKNOWN_US", self.cpu_us))
        base = Config()
        config = replace(
            base,
            sandbox=replace(base.sandbox, isolation=isolation, zygote_renew_s=renew_s),
            pool=replace(
                base.pool,
                blank_workers=blank_workers,
                workers_per_tenant=workers_per_tenant,
                max_workers=max_workers,
                queue_per_tenant=queue,
                idle_s=IDLE_S,
            ),
        )
        self.config = config
        starting = self.loop.create_task(self._start())
        self.loop.settle()
        self.zygotes[0].fork(self.zygotes[0].forks[0]).say_ready()
        self.loop.settle()
        assert starting.done()
        self.settled = True

    async def _start(self) -> None:
        self.pool = Pool(self.config, self._zygote, Metrics(""), LOG)  # type: ignore[arg-type]  # a stand-in for a zygote
        self.loader = self.loop.create_task(self._load_all())
        self._deploy()
        await self.pool.start()

    async def _load_all(self) -> None:
        """Load successors until the test says that they are loaded, or their processes die."""
        while True:
            worker = await self.pool.to_load()
            load: asyncio.Future[None] = self.loop.create_future()
            self.loads[load] = worker
            load.add_done_callback(self._loaded)

    def _loaded(self, load: asyncio.Future[None]) -> None:
        error = load.exception()
        assert error is None or isinstance(error, WorkerLost)
        self.pool.loaded(self.loads.pop(load), error)

    def _zygote(self, on_exit: Callable[[int, int], None], on_death: Callable[[str], None]) -> Zygote:
        self.zygotes.append(Zygote(self.loop, on_exit, on_death))
        return self.zygotes[-1]

    def _current(self, tenant: str) -> bytes | None:
        version = self.versions.get(tenant, 0)
        return None if version < 0 else b"%d" % version

    def _deploy(self) -> None:
        flows = {name: Flow(name, Settings(), digest=found) for name in TENANTS if (found := self._current(name))}
        self.pool.flows_changed(flows)

    def _after(self, turn: bool) -> None:
        self.settled = False
        if turn:
            self.turn()

    # -- what callers do -------------------------------------------------------------------------------------------

    @rule(tenant=st.sampled_from(TENANTS), count=st.integers(1, 3), turn=TURN, old=st.booleans())
    def login(self, tenant: str, count: int, turn: bool, old: bool = False) -> None:
        """Log in, or continue a login that was suspended under the flow before."""
        flow = b"before" if old else self._current(tenant) or b"removed a moment ago"
        for _ in range(count):
            self.logins.append(Login(tenant, self.loop.create_task(self.pool.lease(tenant, WAIT_S, flow)), flow))
        self._after(turn)

    @rule(tenant=st.sampled_from(TENANTS), turn=TURN)
    def login_in_passing(self, tenant: str, turn: bool) -> None:
        """Take what is there at once, or nothing."""
        flow = self._current(tenant) or b"removed a moment ago"
        worker = self.pool.lease_nowait(tenant, flow)
        if worker is not None:
            given: asyncio.Future[Worker] = self.loop.create_future()
            given.set_result(worker)
            self.logins.append(Login(tenant, given, flow))
        self._after(turn)

    @rule(tenant=st.sampled_from(TENANTS), removed=st.booleans(), turn=TURN)
    def deploy(self, tenant: str, removed: bool, turn: bool) -> None:
        """Deploy another flow of a tenant, or remove it; the pool hears of it a little later, or at once."""
        self.deployed += 1
        self.versions[tenant] = -1 if removed else self.deployed
        self._deploy()
        self._after(turn)

    @precondition(lambda self: self.logins)
    @rule(data=st.data(), turn=TURN)
    def leave(self, data: st.DataObject, turn: bool) -> None:
        """Stop waiting, perhaps in the very turn in which a worker was handed over."""
        waiting = [login for login in self.logins if not login.task.done()]
        if waiting:
            login = data.draw(st.sampled_from(waiting))
            login.task.cancel()
            self.logins.remove(login)
        self._after(turn)

    @precondition(lambda self: any(login.worker for login in self.logins))
    @rule(data=st.data(), retire=st.booleans(), turn=TURN)
    def release(self, data: st.DataObject, retire: bool, turn: bool) -> None:
        login = data.draw(st.sampled_from([login for login in self.logins if login.worker]))
        self._release(login, retire=retire)
        self._after(turn)

    def _release(self, login: Login, *, retire: bool = False) -> None:
        worker = login.worker
        assert worker is not None
        worker.executions += 1
        self.pool.release(worker, retire=retire, cpu_us=self.cpu_us)
        self.logins.remove(login)
        if self._sharers(worker):
            assert self.config.sandbox.isolation == "tenant"
        elif retire or self.config.sandbox.isolation == "login":
            assert worker.state is State.DEAD

    @precondition(lambda self: any(login.worker for login in self.logins))
    @rule(data=st.data(), reason=st.sampled_from([KillReason.DEADLINE, KillReason.VIOLATION]), turn=TURN)
    def be_killed(self, data: st.DataObject, reason: KillReason, turn: bool) -> None:
        """Run too long or lie: the worker is dead, and its login releases nothing, or too late."""
        login = data.draw(st.sampled_from([login for login in self.logins if login.worker]))
        assert login.worker is not None
        login.worker.kill(reason)
        self._release(login)
        self._after(turn)

    # -- what the machine does -------------------------------------------------------------------------------------

    def _forks(self) -> list[tuple[Zygote, asyncio.Future[FakeSpawned]]]:
        return [(zygote, fork) for zygote in self.zygotes for fork in zygote.forks]

    @precondition(lambda self: self._forks())
    @rule(data=st.data(), ready=st.booleans(), turn=TURN)
    def fork(self, data: st.DataObject, ready: bool, turn: bool) -> None:
        zygote, fork = data.draw(st.sampled_from(self._forks()))
        process = zygote.fork(fork)
        if ready:
            process.say_ready()
        self._after(turn)

    @precondition(lambda self: self._forks())
    @rule(data=st.data(), turn=TURN)
    def fork_fails(self, data: st.DataObject, turn: bool) -> None:
        zygote, fork = data.draw(st.sampled_from(self._forks()))
        zygote.fail(fork, "out of pids")
        self._after(turn)

    def _processes(self, *, ready: bool | None = None) -> list[Process]:
        found = [process for zygote in self.zygotes for process in zygote.processes.values()]
        return [process for process in found if ready is None or process.ready is ready]

    @precondition(lambda self: self._processes(ready=False))
    @rule(data=st.data(), turn=TURN)
    def get_ready(self, data: st.DataObject, turn: bool) -> None:
        data.draw(st.sampled_from(self._processes(ready=False))).say_ready()
        self._after(turn)

    @precondition(lambda self: self._processes())
    @rule(data=st.data(), turn=TURN)
    def die(self, data: st.DataObject, turn: bool) -> None:
        """Any worker: one that starts, is blank, is idle, is loaded or runs."""
        process = data.draw(st.sampled_from(self._processes()))
        process.die()
        self._after(turn)

    @precondition(lambda self: self.loads)
    @rule(data=st.data(), fails=st.booleans(), turn=TURN)
    def load(self, data: st.DataObject, fails: bool, turn: bool) -> None:
        """Finish loading a successor."""
        loads = [load for load in self.loads if not load.done()]
        if loads:
            load = data.draw(st.sampled_from(loads))
            if fails:
                load.set_exception(WorkerLost("it could not load its flow"))
            else:
                load.set_result(None)
        self._after(turn)

    @rule()
    def go_well(self) -> None:
        """Every fork and every load succeeds."""
        self._pass(0.01)

    # Twice at most: it takes everything with it.
    @precondition(lambda self: any(zygote.alive for zygote in self.zygotes) and self.lost < 2)
    @rule(data=st.data(), cannot_start=st.integers(0, 2), turn=TURN)
    def lose_a_zygote(self, data: st.DataObject, cannot_start: int, turn: bool) -> None:
        """The one that forks, an earlier one, or one that is being tried."""
        zygote = data.draw(st.sampled_from([zygote for zygote in self.zygotes if zygote.alive]))
        self.lost += 1
        self.loop.start_failures = cannot_start
        zygote.die()
        self._after(turn)

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.5, 2.0, 6.0, IDLE_S]))
    def wait(self, seconds: float) -> None:
        self.loop.now_s += seconds
        self.turn()

    def turn(self) -> None:
        self.loop.settle()
        for load, loaded in self.loads.items():
            if loaded.state is State.DEAD and not load.done():
                load.set_exception(WorkerLost("it died as it was loaded"))
        self.loop.settle()
        self.settled = True
        for login in list(self.logins):
            worker = login.worker
            if worker is not None:
                self._got(login, worker)
            elif login.task.done():
                error = login.task.exception()
                assert isinstance(error, PoolExhausted | QueueFull | WorkerStartError), error
                self.logins.remove(login)

    def _sharers(self, worker: Worker) -> list[Login]:
        return [login for login in self.logins if login.worker is worker]

    def _got(self, login: Login, worker: Worker) -> None:
        assert self.owners.setdefault(worker, login.tenant) == login.tenant, "a worker served two tenants"
        worker.plan = "compiled"
        assert len(self._sharers(worker)) <= (1 if self.config.sandbox.isolation == "login" else DEPTH_MAX)

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def every_count_is_what_is_there(self) -> None:
        if not self.settled:
            return
        assert self.loop.faults == []
        counts, config = self.pool.counts(), self.config.pool
        held = {login.worker for login in self.logins if login.worker and login.worker.state is not State.DEAD}
        assert counts["busy"] == self.pool.busy == len(held) + len(self.loads)
        assert counts["starting"] == len(self._forks()) + len(self._processes(ready=False))
        assert counts["blank"] + counts["idle"] + counts["busy"] == len(self._processes(ready=True))
        assert sum(counts.values()) <= config.max_workers
        waiting = Counter(login.tenant for login in self.logins if not login.task.done())
        assert max(waiting.values(), default=0) <= config.queue_per_tenant
        assert all(login.worker.flow == login.flow for login in self.logins if login.worker)
        tenants = Counter(worker.tenant for worker in [*held, *self.loads.values()])
        assert max(tenants.values(), default=0) <= config.workers_per_tenant

    # -- the end ---------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "pool"):
                self._calm_down()
                self._log_in_once_more()
                self._close()
        finally:
            if hasattr(self, "loader"):
                self.loader.cancel()
                self.loop.settle()
            self.loop.close()
            self.patches.close()

    def _pass(self, seconds: float = 0.1) -> None:
        """Let everything on its way arrive, and time pass."""
        for zygote, fork in self._forks():
            zygote.fork(fork)
        for process in self._processes(ready=False):
            process.say_ready()
        for load in self.loads:
            if not load.done():
                load.set_result(None)
        self.wait(seconds)

    def _calm_down(self) -> None:
        """From here on nothing fails any more: every login that waits gets a worker, and gives it back."""
        self.versions = {tenant: max(version, 0) for tenant, version in self.versions.items()}
        self._deploy()
        self.loop.start_failures = 0
        self.turn()
        for _ in range(25):
            for login in [login for login in self.logins if login.worker]:
                self._release(login)
            self._pass()
        assert self.logins == []
        self.every_count_is_what_is_there()
        assert self.pool.busy == 0

    def _log_in_once_more(self) -> None:
        for tenant in TENANTS:
            self.login(tenant, count=1, turn=True)
            for _ in range(5):
                self._pass()
            assert self.logins, "the login got no worker"
            assert self.logins[-1].worker is not None
            self._release(self.logins[-1])
            self.turn()
            self.every_count_is_what_is_there()
        # What is not used goes, and with it all that was remembered of a tenant.
        for _ in range(4 * len(TENANTS)):
            self._pass(IDLE_S)
        for _ in range(10):
            self._pass(0.01)
        self.every_count_is_what_is_there()
        assert all(zygote.processes for zygote in self.zygotes[:-1] if zygote.alive), "an earlier zygote stays"
        blank = min(self.config.pool.blank_workers, self.config.pool.max_workers)
        # The first worker of a new zygote, by which the zygote is known to work, is kept.
        renewed = {max(blank, 1)} if self.config.sandbox.zygote_renew_s else set()
        ends = {f"<Pool tenants=0 blank={count} idle=0 busy=0 starting=0>" for count in {blank} | renewed}
        assert repr(self.pool) in ends

    def _close(self) -> None:
        closing = self.loop.create_task(self.pool.close())
        self.loop.settle()
        assert closing.done()
        assert not self._processes()
        assert self.loop.faults == []


TestPool = World.TestCase
TestPool.settings = effort(10, stateful_step_count=30)
