"""The pool under any sequence of logins and faults: nobody waits for nothing, and every count is what is there.

Workers are sockets, the clock is the test's own, and each fork and each load of a successor ends when and how the test
says. Several things may happen before the event loop turns, which is where a wake-up would get lost.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.config.settings import Config, LogConfig
from runtime.errors import PoolExhausted, QueueFull, WorkerLost, WorkerStartError
from runtime.ops import log
from runtime.ops.labels import KillReason
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.worker import State, Worker
from tests.effort import effort
from tests.fakes import FakeSpawned
from tests.pool_rig import Loop, Process, Zygote

TENANTS = ("acme", "bank", "club")
WAIT_S = 4.0
TURN = st.sampled_from([True, True, False])  # or more happens before the loop turns
IDLE_S = 60.0
LOG = log.build(LogConfig(level="error"), io.StringIO())


class Clock:
    """The meter of a worker that runs on and on: two seconds of processor time between two looks."""

    pid = -1
    read_ns = 0
    seen_s = 0.0
    moved = True

    def read(self) -> bool:
        self.read_ns = time.monotonic_ns()
        self.seen_s += 2.0
        return True

    def close(self, _since_ns: int) -> None: ...


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
        self.deployed = 0
        self.settled = False

    @initialize(
        isolation=st.sampled_from(["tenant", "login"]),
        blank_workers=st.integers(0, 2),
        workers_per_tenant=st.integers(1, 3),
        max_workers=st.integers(1, 6),
        queue=st.integers(1, 3),
    )
    def start(self, isolation: Any, blank_workers: int, workers_per_tenant: int, max_workers: int, queue: int) -> None:
        base = Config()
        config = replace(
            base,
            sandbox=replace(base.sandbox, isolation=isolation),
            pool=replace(
                base.pool,
                blank_workers=blank_workers,
                workers_per_tenant=workers_per_tenant,
                max_workers=max_workers,
                queue_per_tenant=queue,
                idle_s=IDLE_S,
                long_run_share=0.25,
            ),
        )
        self.config = config
        with mock.patch.object(os, "sched_getaffinity", return_value={0, 1, 2, 3}):
            self.pool = Pool(config, self._zygote, Metrics(""), LOG)  # type: ignore[arg-type]  # a stand-in for a zygote
        self.pool.prime = self._load
        self.pool.current = self._current
        starting = self.loop.create_task(self.pool.start())
        self.loop.settle()
        self.zygotes[0].fork(self.zygotes[0].forks[0]).say_ready()
        self.loop.settle()
        assert starting.done()
        self.settled = True

    def _zygote(self, on_exit: Callable[[int, int], None], on_death: Callable[[str], None]) -> Zygote:
        self.zygotes.append(Zygote(self.loop, on_exit, on_death))
        return self.zygotes[-1]

    async def _load(self, worker: Worker) -> None:
        """Load a successor until the test says that it is loaded, or its process dies."""
        load: asyncio.Future[None] = self.loop.create_future()
        self.loads[load] = worker
        try:
            await load
        finally:
            del self.loads[load]

    def _current(self, tenant: str) -> bytes | None:
        version = self.versions.get(tenant, 0)
        return None if version < 0 else b"%d" % version

    def _after(self, turn: bool) -> None:
        self.settled = False
        if turn:
            self.turn()

    # -- what callers do -------------------------------------------------------------------------------------------

    @rule(tenant=st.sampled_from(TENANTS), count=st.integers(1, 3), turn=TURN, old=st.booleans())
    def login(self, tenant: str, count: int, turn: bool, old: bool = False) -> None:
        """Log in, or go on with a login that was suspended under the flow before."""
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
        self.pool.flows_changed()
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
        self.pool.release(worker, retire=retire)
        if retire or self.config.sandbox.isolation == "login":
            assert worker.state is State.DEAD
        self.logins.remove(login)

    @precondition(lambda self: any(login.worker for login in self.logins))
    @rule(data=st.data(), reason=st.sampled_from([KillReason.DEADLINE, KillReason.VIOLATION]), turn=TURN)
    def be_killed(self, data: st.DataObject, reason: KillReason, turn: bool) -> None:
        """Run too long or lie: the worker is dead, and its login releases nothing, or too late."""
        login = data.draw(st.sampled_from([login for login in self.logins if login.worker]))
        assert login.worker is not None
        login.worker.kill(reason)
        self._release(login)
        self._after(turn)

    @precondition(lambda self: any(login.worker for login in self.logins))
    @rule(data=st.data(), turn=TURN)
    def run_on_and_on(self, data: st.DataObject, turn: bool) -> None:
        """Spend processor time that counts against the tenant, until it is kept to the lane."""
        login = data.draw(st.sampled_from([login for login in self.logins if login.worker]))
        assert login.worker is not None
        if login.worker.state is not State.DEAD:
            login.worker.meter = Clock()  # type: ignore[assignment]  # a stand-in for a clock
            for _ in range(3):
                self.pool.runs_long(login.worker, time.monotonic_ns())
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
    @precondition(lambda self: self.zygotes[-1].alive and len(self.zygotes) < 3)
    @rule(cannot_start=st.integers(0, 2), turn=TURN)
    def lose_the_zygote(self, cannot_start: int, turn: bool) -> None:
        zygote = self.zygotes[-1]
        if zygote.alive:
            self.loop.start_failures = cannot_start
            zygote.die()
        self._after(turn)

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.5, 2.0, 6.0, IDLE_S]))
    def wait(self, seconds: float) -> None:
        self.loop.now_s += seconds
        self.turn()

    def turn(self) -> None:
        self.loop.settle()
        for load, worker in self.loads.items():
            if worker.state is State.DEAD and not load.done():
                load.set_exception(WorkerLost("it died as it was loaded"))
        self.loop.settle()
        self.settled = True
        for login in list(self.logins):
            given = login.worker
            if given is not None:
                self._got(login, given)
            elif login.task.done():
                error = login.task.exception()
                assert isinstance(error, PoolExhausted | QueueFull | WorkerStartError), error
                self.logins.remove(login)

    def _got(self, login: Login, worker: Worker) -> None:
        assert self.owners.setdefault(worker, login.tenant) == login.tenant, "a worker served two tenants"
        if self.config.sandbox.isolation == "login":
            others = [other for other in self.logins if other is not login]
            assert worker not in [other.worker for other in others]

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if not self.settled:
            return
        pool, stock = self.pool, self.pool._stock
        assert self.loop.faults == []
        waiting = Counter(login.tenant for login in self.logins if not login.task.done())
        assert {name: len(slot.waiters) for name, slot in pool._slots.items() if slot.waiters} == waiting
        for slot in pool._slots.values():
            assert slot.wanting == (slot in pool._wanting)
            assert all(worker.flow == self._current(slot.tenant) for worker in slot.idle)
            if slot.waiters:
                assert not any(slot.holds(waiter.flow) for waiter in slot.waiters)
                # Otherwise each of its workers is with a login or being loaded, and its end is the next one's turn.
                assert slot.wanting or slot.paused or slot.workers >= self.config.pool.workers_per_tenant
        if pool._wanting or pool._expecting:
            assert not stock.blanks
            assert stock.spawning or stock._timer is not None or stock.full
        if pool._wanting and stock.full and not stock.coming:
            assert not pool._idle

    @invariant()
    def every_count_is_what_is_there(self) -> None:
        if not self.settled:
            return
        pool, stock = self.pool, self.pool._stock
        alive = pool._nursery._alive
        bound = Counter(worker.tenant for worker in alive if worker.tenant is not None)
        assert {name: slot.workers for name, slot in pool._slots.items() if slot.workers} == bound
        assert all(login.worker.flow == login.flow for login in self.logins if login.worker)
        held = [login.worker for login in self.logins if login.worker and login.worker.state is not State.DEAD]
        leased = [worker for worker in alive if worker.leased]
        assert pool.busy == len(leased)
        assert set(leased) == {*held, *self.loads.values()}
        assert len(leased) == len(held) + len(self.loads)
        idle = {worker for worker in alive if worker.tenant is not None and not worker.leased}
        assert set(pool._idle) == idle == {worker for slot in pool._slots.values() for worker in slot.idle}
        starting = {worker for worker in alive if worker.state is State.STARTING}
        assert set(stock.blanks) == {worker for worker in alive if worker.tenant is None} - starting
        assert len(alive) + stock.spawning - len(starting) <= self.config.pool.max_workers
        assert all(slot.workers <= self.config.pool.workers_per_tenant for slot in pool._slots.values())
        loading = {worker.tenant for worker in self.loads.values()} | {slot.tenant for slot in pool._expecting}
        assert {slot.tenant for slot in pool._slots.values() if slot.expecting} == loading
        assert set(pool._nursery._awaiting_exit.values()) == alive

    # -- the end ---------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "pool"):
                self._calm_down()
                self._log_in_once_more()
                self._close()
        finally:
            self.loop.close()

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
        """From here on nothing fails any more: everybody who waits gets a worker, and gives it back."""
        self.versions = {tenant: max(version, 0) for tenant, version in self.versions.items()}
        self.pool.flows_changed()
        self.loop.start_failures = 0
        self.turn()
        for _ in range(60):
            for login in [login for login in self.logins if login.worker]:
                self._release(login)
            self._pass()
        assert self.logins == []
        self.nobody_waits_for_nothing()
        self.every_count_is_what_is_there()
        assert self.pool.busy == 0
        assert not self.pool._wanting

    def _log_in_once_more(self) -> None:
        for tenant in TENANTS:
            self.login(tenant, count=1, turn=True)
            for _ in range(5):
                self._pass()
            assert self.logins, "the login got no worker"
            assert self.logins[-1].worker is not None
            self._release(self.logins[-1])
            self.turn()
            self.nobody_waits_for_nothing()
            self.every_count_is_what_is_there()
        # What nobody uses goes, and with it whatever was remembered of a tenant.
        for _ in range(4 * len(TENANTS)):
            self._pass(IDLE_S)
        self.every_count_is_what_is_there()
        assert self.pool._slots == {}
        assert len(self.pool._stock.blanks) == min(self.config.pool.blank_workers, self.config.pool.max_workers)

    def _close(self) -> None:
        closing = self.loop.create_task(self.pool.close())
        self.loop.settle()
        assert closing.done()
        assert not self.pool._nursery._alive
        assert self.loop.faults == []


TestPool = World.TestCase
TestPool.settings = effort(40, stateful_step_count=50)
