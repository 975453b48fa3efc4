"""When a zygote is renewed, and that its workers are replaced without a login having to wait."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from runtime.catalog.base import Flow
from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.core.model import Settings
from runtime.ops import log
from runtime.ops.labels import RenewalReason
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.renewal import PAUSE_S, Renewal
from runtime.workers.worker import State, Worker
from tests.pool_rig import Loop, Process, Zygote

HOUR = 3600.0


class Clock:
    """A clock in the test's hands."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_age_is_reached_give_or_take_a_tenth(clock: Clock) -> None:
    """Replicas that began together renew at different instants; none before nine tenths of the age."""
    for spread, due_s in ((lambda low, _: low, 0.9), (lambda _, high: high, 1.1)):
        renewal = Renewal(HOUR, 0, clock, spread)
        assert renewal.due() is None, "there is no zygote yet"
        renewal.began()
        begun_s = clock.now_s
        clock.now_s = begun_s + due_s * HOUR - 1
        assert renewal.due() is None
        clock.now_s = begun_s + due_s * HOUR + 1
        assert renewal.due() is RenewalReason.AGE
        renewal.began()
        assert renewal.due() is None


def test_crashes_are_counted_since_the_last_zygote(clock: Clock) -> None:
    """So many crashes make one due, but not before a pause, and a new zygote begins with none."""
    renewal = Renewal(0, 3, clock)
    renewal.began()
    for _ in range(3):
        assert renewal.due() is None
        assert not renewal.exposed
        renewal.crashed()
    assert renewal.exposed
    assert renewal.due() is None, "right after the last one"
    clock.now_s += PAUSE_S
    assert renewal.due() is RenewalReason.CRASHES
    renewal.began()
    assert not renewal.exposed


def test_nothing_is_due_where_both_are_off(clock: Clock) -> None:
    """0 means never, for hours and for crashes."""
    renewal = Renewal(0, 0, clock)
    renewal.began()
    for _ in range(1000):
        renewal.crashed()
    clock.now_s += 1e9
    assert renewal.due() is None


def test_a_failed_renewal_is_tried_again_later(clock: Clock) -> None:
    """For crashes after a pause, for age after a minute."""
    renewal = Renewal(HOUR, 1, clock)
    renewal.began()
    renewal.crashed()
    clock.now_s += PAUSE_S
    renewal.failed()
    assert renewal.due() is None
    clock.now_s += PAUSE_S
    assert renewal.due() is RenewalReason.CRASHES
    aged = Renewal(HOUR, 0, clock)
    aged.began()
    clock.now_s += 2 * HOUR
    aged.failed()
    clock.now_s += 59
    assert aged.due() is None
    clock.now_s += 2
    assert aged.due() is RenewalReason.AGE


class Rig:
    """A pool whose zygotes, forks and loads succeed at once, unless a test holds them up."""

    def __init__(self, *, tenants: int = 3, crashes: int = 64, **pool: Any) -> None:
        self.loop = Loop()
        base = Config()
        self.config = replace(
            base,
            sandbox=replace(base.sandbox, zygote_renew_s=HOUR, zygote_renew_crashes=crashes),
            pool=replace(base.pool, **({"blank_workers": 2, "workers_per_tenant": 2, "idle_s": 10 * HOUR} | pool)),
        )
        self.tenants = [f"tenant-{number}" for number in range(tenants)]
        self.zygotes: list[Zygote] = []
        self.lines = io.StringIO()
        self.metrics = Metrics("")
        self.hold_forks = False
        starting = self.loop.create_task(self._start())
        self.pass_()
        assert starting.done()

    async def _start(self) -> None:
        self.pool = Pool(self.config, self._zygote, self.metrics, log.build(LogConfig(), self.lines))  # type: ignore[arg-type]  # a stand-in for a zygote
        self.pool.flows_changed({name: Flow(name, Settings(), digest=b"flow") for name in self.tenants})
        self.loader = self.loop.create_task(self._load_all())
        await self.pool.start()

    async def _load_all(self) -> None:
        while True:
            self.pool.loaded(await self.pool.to_load())

    def _zygote(self, on_exit: Callable[[int, int], None], on_death: Callable[[str], None]) -> Zygote:
        self.zygotes.append(Zygote(self.loop, on_exit, on_death))
        return self.zygotes[-1]

    def pass_(self, seconds: float = 0.0, *, times: int = 5) -> None:
        """Let time pass; every fork is answered unless they are held up."""
        for _ in range(times):
            self.loop.now_s += seconds / times
            self.loop.settle()
            for zygote in self.zygotes:
                while zygote.forks and not self.hold_forks:
                    zygote.fork(zygote.forks[0]).say_ready()
                    self.loop.settle()

    def lease(self, tenant: str) -> Worker | None:
        """Take a worker that serves a login at once."""
        worker = self.pool.lease_nowait(tenant, b"flow")
        if worker is not None:
            worker.plan = "compiled"
        return worker

    def use(self, tenant: str) -> Worker:
        """Decide a login, which must not have to wait."""
        worker = self.lease(tenant)
        assert worker is not None, f"a login of {tenant} had to wait"
        self.pool.release(worker, cpu_us=20_000)
        return worker

    def process(self, worker: Worker) -> Process:
        """Return the process of a worker."""
        found: Any = worker.spawned
        assert isinstance(found, Process)
        return found

    def of(self, zygote: Zygote) -> int:
        """Count the processes of a zygote."""
        return len(zygote.processes)

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of an event so far."""
        return [line for line in map(json.loads, self.lines.getvalue().splitlines()) if line["event"] == event]

    def close(self) -> None:
        """End."""
        closing = self.loop.create_task(self.pool.close())
        self.loader.cancel()
        self.loop.settle()
        assert closing.done()
        assert self.loop.faults == []
        self.loop.close()


@pytest.fixture
def made() -> Iterator[list[Rig]]:
    rigs: list[Rig] = []
    yield rigs
    for rig in rigs:
        rig.close()


def rig_of(made: list[Rig], **options: Any) -> Rig:
    made.append(Rig(**options))
    return made[-1]


def test_every_worker_is_replaced_and_no_login_waits(made: list[Rig]) -> None:
    """After its age the zygote and all idle workers are other ones; at each instant a login has a worker at once."""
    rig = rig_of(made, tenants=20)
    for tenant in rig.tenants:
        rig.use(tenant)
        rig.pass_(0.02)
    first = rig.zygotes[0]
    assert rig.of(first) == 20 + 2
    rig.pass_(1.2 * HOUR, times=2)
    assert len(rig.zygotes) == 2
    while rig.of(first):
        for tenant in rig.tenants:
            rig.use(tenant)
        rig.pass_(0.005, times=1)
    assert not first.alive, "it has no worker left, and ends"
    assert rig.of(rig.zygotes[1]) == 20 + 2
    (renewed,) = rig.events("zygote.renewed")
    assert (renewed["reason"], renewed["crashes"], renewed["workers"]) == ("age", 0, 22)
    assert rig.events("zygote.died") == []
    assert rig.pool.counts() == {"blank": 2, "idle": 20, "busy": 0, "starting": 0}


def test_a_login_in_flight_ends_on_its_old_worker(made: list[Rig]) -> None:
    """A busy worker is kept until its login is decided, however long; then it goes, and with it the old zygote."""
    rig = rig_of(made, tenants=1)
    rig.use(rig.tenants[0])
    busy = rig.lease(rig.tenants[0])
    assert busy is not None
    rig.pass_(1.2 * HOUR, times=2)
    rig.pass_(30, times=60)
    assert rig.process(busy).id in rig.zygotes[0].processes
    assert rig.of(rig.zygotes[0]) == 1
    other = rig.use(rig.tenants[0])
    assert other is not busy
    rig.pool.release(busy)
    rig.pass_(1)
    assert busy.state is State.DEAD
    assert not rig.zygotes[0].alive


def test_a_tenant_at_its_limit_gets_its_new_worker_too(made: list[Rig]) -> None:
    """With one worker a tenant the old one makes room first; it is a matter of one fork."""
    rig = rig_of(made, tenants=2, workers_per_tenant=1)
    for tenant in rig.tenants:
        rig.use(tenant)
    rig.pass_(1.2 * HOUR, times=2)
    rig.pass_(1, times=20)
    assert not rig.zygotes[0].alive
    assert rig.pool.counts()["idle"] == 2


@pytest.mark.parametrize("fault", ["start", "layers"])
def test_a_new_zygote_that_is_no_good_replaces_none(made: list[Rig], fault: str) -> None:
    """One that cannot start, or whose workers lack a layer: the one before serves on, and an error says so."""
    rig = rig_of(made, tenants=1)
    rig.use(rig.tenants[0])
    if fault == "start":
        rig.loop.start_failures = 1
        rig.pass_(1.2 * HOUR, times=2)
    else:
        rig.hold_forks = True
        rig.pass_(1.2 * HOUR, times=2)
        process = rig.zygotes[1].fork(rig.zygotes[1].forks[0])
        process.say(b"")
        rig.loop.settle()
        rig.hold_forks = False
    rig.pass_(1)
    (failed,) = rig.events("zygote.renewal_failed")
    assert (failed["level"], failed["reason"]) == ("error", "age")
    assert ("seccomp" in failed["error"]) is (fault == "layers")
    assert rig.zygotes[0].alive
    assert rig.of(rig.zygotes[0]) == 3
    rig.use(rig.tenants[0])
    rig.pass_(61, times=200)
    assert len(rig.events("zygote.renewed")) == 1, "it is tried again"


def test_crashes_renew_it_and_hold_up_who_crashes(made: list[Rig]) -> None:
    """After so many crashes the tenant gets no new worker until a pause is over; others are served; then all is new."""
    rig = rig_of(made, tenants=2, crashes=3, workers_per_tenant=1)
    attacker, neighbour = rig.tenants
    rig.use(neighbour)
    for number in range(3):
        worker = rig.lease(attacker)
        assert worker is not None, f"crash {number} of 3 is no reason yet"
        rig.process(worker).die(-signal.SIGSEGV)
        rig.loop.settle()
        rig.pass_()
    assert rig.lease(attacker) is None
    assert rig.events("tenant.paused")[0]["tenant"] == attacker
    rig.use(neighbour)
    rig.pass_(6, times=12)
    (renewed,) = rig.events("zygote.renewed")
    assert (renewed["reason"], renewed["crashes"]) == ("crashes", 3)
    rig.use(attacker)
    rig.pass_(1, times=50)
    assert not rig.zygotes[0].alive


def test_kills_of_ours_are_no_crashes(made: list[Rig]) -> None:
    """A worker that is killed, or dies in another way, says nothing about guesses."""
    rig = rig_of(made, tenants=1, crashes=1)
    for code in (-signal.SIGKILL, 0, 1):
        worker = rig.lease(rig.tenants[0])
        assert worker is not None
        rig.process(worker).die(code)
        rig.loop.settle()
        rig.pass_()
    rig.pass_(10, times=20)
    assert len(rig.zygotes) == 1


def test_an_earlier_zygote_that_dies_takes_its_own_workers_alone(made: list[Rig]) -> None:
    """A login on an old worker is lost with it; the new zygote and its workers are not touched."""
    rig = rig_of(made, tenants=2)
    busy = rig.lease(rig.tenants[0])
    assert busy is not None
    rig.pass_(1.2 * HOUR, times=2)
    rig.pass_(1, times=20)
    rig.zygotes[0].die()
    rig.loop.settle()
    assert busy.state is State.DEAD
    assert rig.zygotes[1].alive
    rig.use(rig.tenants[1])
    assert len(rig.zygotes) == 2


def test_full_of_busy_workers_it_waits(made: list[Rig]) -> None:
    """Where no worker more may be made and none is unused, the renewal waits until one is."""
    rig = rig_of(made, tenants=2, max_workers=2, blank_workers=0, workers_per_tenant=2)
    taken = []
    for tenant in rig.tenants:
        task = rig.loop.create_task(rig.pool.lease(tenant, 5, b"flow"))
        rig.pass_()
        taken.append(task.result())
    rig.pass_(1.2 * HOUR, times=2)
    rig.pass_(10, times=20)
    assert len(rig.zygotes) == 1
    for worker in taken:
        rig.pool.release(worker)
    rig.pass_(2, times=10)
    assert len(rig.zygotes) == 2
    assert sum(rig.pool.counts().values()) <= 2
