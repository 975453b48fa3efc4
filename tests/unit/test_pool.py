"""The pool: lease, bind, queue, fairness, recycling and failures, with scripted workers instead of processes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.errors import PoolExhausted, QueueFull, WorkerStartError
from runtime.ops import log
from runtime.ops.labels import KillReason
from runtime.ops.metrics import Metrics
from runtime.workers.pool import Pool
from runtime.workers.spawner import Spawner
from runtime.workers.worker import State, Worker
from tests.fakes import FakeSpawned, FakeZygote, reached

Load = Callable[[Worker], Awaitable[None]]


class Harness:
    """A started pool with its fakes. Workers that are bound ahead of a login are loaded by `load`."""

    def __init__(self, pool: Pool, zygote: FakeZygote, load: Load) -> None:
        self.pool = pool
        self.zygote = zygote
        self._load = load
        self._loading = asyncio.get_running_loop().create_task(self._load_all())

    async def _load_all(self) -> None:
        while True:
            worker = await self.pool.to_load()
            await self._load(worker)
            self.pool.loaded(worker)

    async def close(self) -> None:
        self._loading.cancel()
        await self.pool.close()


def config(**pool: Any) -> Config:
    base = Config()
    return replace(base, pool=replace(base.pool, **({"blank_workers": 2, "workers_per_tenant": 2} | pool)))


async def nothing(_worker: Worker) -> None:
    """Load a worker in no time."""


async def start(settings: Config, zygote: FakeZygote | None = None, load: Load = nothing) -> Harness:
    zygote = zygote or FakeZygote()
    logger = log.build(LogConfig(level="error"), io.StringIO())
    pool = Pool(settings, zygote.make, Metrics(""), logger)  # type: ignore[arg-type]  # a stand-in for a zygote
    await pool.start()
    harness = Harness(pool, zygote, load)
    await settle()
    return harness


async def settle() -> None:
    for _ in range(40):
        await asyncio.sleep(0)


async def test_a_worker_serves_one_tenant_until_it_dies() -> None:
    """A released worker is leased again by its own tenant, and never by another."""
    h = await start(config())
    first = h.pool.lease_nowait("acme")
    assert first is not None
    h.pool.release(first)
    other = h.pool.lease_nowait("bank")
    assert other is not None
    assert other is not first
    assert h.pool.lease_nowait("acme") is first
    assert (first.tenant, other.tenant) == ("acme", "bank")
    await h.close()


async def test_blank_workers_are_kept_ready() -> None:
    """Binding a blank worker makes the pool spawn another one."""
    h = await start(config(blank_workers=3))
    assert h.pool.counts()["blank"] == 3
    assert h.pool.lease_nowait("acme") is not None
    assert h.pool.counts()["blank"] == 2
    await reached(lambda: h.pool.counts() == {"blank": 3, "idle": 0, "busy": 1, "starting": 0})
    await h.close()


async def test_a_tenant_at_its_limit_waits_and_gets_the_released_worker() -> None:
    """With all of its workers busy, a tenant's next login waits in its own queue."""
    h = await start(config(workers_per_tenant=1))
    busy = h.pool.lease_nowait("acme")
    assert busy is not None
    waiting = asyncio.create_task(h.pool.lease("acme", 5))
    await settle()
    assert not waiting.done()
    h.pool.release(busy)
    assert await waiting is busy
    await h.close()


async def test_a_full_queue_sheds() -> None:
    """One login more than the queue holds is refused at once; another tenant is not."""
    h = await start(config(workers_per_tenant=1, queue_per_tenant=1))
    assert h.pool.lease_nowait("acme") is not None
    waiting = asyncio.create_task(h.pool.lease("acme", 5))
    await settle()
    with pytest.raises(QueueFull, match="acme"):
        await h.pool.lease("acme", 5)
    assert h.pool.lease_nowait("bank") is not None
    waiting.cancel()
    await h.close()


async def test_waiting_ends_in_time() -> None:
    """A login that no worker comes free for is refused after its wait, and leaves the queue."""
    h = await start(config(workers_per_tenant=1))
    assert h.pool.lease_nowait("acme") is not None
    with pytest.raises(PoolExhausted):
        await h.pool.lease("acme", 0.01)
    await h.close()


async def test_a_cancelled_wait_loses_no_worker() -> None:
    """A worker handed to a login that was cancelled in the same instant goes to the next one."""
    h = await start(config(workers_per_tenant=1))
    busy = h.pool.lease_nowait("acme")
    assert busy is not None
    waiting = asyncio.create_task(h.pool.lease("acme", 5))
    await settle()
    h.pool.release(busy)
    waiting.cancel()
    await settle()
    assert h.pool.lease_nowait("acme") is busy
    await h.close()


async def test_tenants_take_turns_for_blank_workers() -> None:
    """A tenant with many waiting logins does not keep another one from its first worker."""
    zygote = FakeZygote()
    h = await start(config(blank_workers=0, workers_per_tenant=3), zygote)
    assert h.pool.lease_nowait("first") is not None  # the one that proved the layers
    order: list[str] = []

    async def login(tenant: str) -> None:
        await h.pool.lease(tenant, 5)
        order.append(tenant)

    tasks = [asyncio.create_task(login("greedy")) for _ in range(3)] + [asyncio.create_task(login("quiet"))]
    await asyncio.gather(*tasks)
    assert order.index("quiet") < 2
    await h.close()


async def test_the_longest_idle_worker_makes_room() -> None:
    """At the limit of all workers, the one idle longest is killed for a tenant that has none."""
    h = await start(config(blank_workers=0, max_workers=2))
    old = await h.pool.lease("old", 1)
    new = await h.pool.lease("new", 1)
    h.pool.release(old)
    h.pool.release(new)
    third = await h.pool.lease("third", 1)
    assert third.tenant == "third"
    assert (old.state, new.state) == (State.DEAD, State.IDLE)
    assert old.kill_reason is KillReason.EVICTED
    await h.close()


async def test_a_worker_is_recycled_after_its_executions() -> None:
    """A worker that has done its number of flows is killed, and its successor is bound ahead of the next login."""
    base = config()
    h = await start(replace(base, sandbox=replace(base.sandbox, max_executions=1)))
    worker = h.pool.lease_nowait("acme")
    assert worker is not None
    worker.executions = 1
    h.pool.release(worker)
    await settle()
    assert worker.state is State.DEAD
    assert worker.id in h.zygote.killed
    assert h.pool.counts()["idle"] == 1
    await h.close()


async def test_isolation_login_uses_a_process_once() -> None:
    """With isolation `login` the successor is ready while the login runs, and the used process dies."""
    base = config()
    primed: list[Worker] = []

    async def prime(worker: Worker) -> None:
        primed.append(worker)

    h = await start(replace(base, sandbox=replace(base.sandbox, isolation="login")), load=prime)
    worker = h.pool.lease_nowait("acme")
    assert worker is not None
    await settle()
    assert len(primed) == 1
    assert h.pool.counts()["idle"] == 1
    h.pool.release(worker)
    assert worker.state is State.DEAD
    assert h.pool.lease_nowait("acme") is primed[0]
    await h.close()


async def test_who_waits_gets_a_blank_worker_when_its_own_dies() -> None:
    """A login that waits for its tenant's only worker is served by a blank one, even while none can be made."""
    h = await start(config(workers_per_tenant=1, blank_workers=1))
    worker = h.pool.lease_nowait("acme")
    assert worker is not None
    waiting = asyncio.create_task(h.pool.lease("acme", 1.0))
    await reached(lambda: h.pool.counts()["blank"] == 1)
    h.zygote.failures = [WorkerStartError("fork: out of pids")] * 100
    worker.kill(KillReason.DEADLINE)
    assert (await asyncio.wait_for(waiting, 0.5)).tenant == "acme"
    assert h.pool.counts()["blank"] == 0
    await h.close()


async def test_a_successor_comes_although_no_blank_worker_is_left() -> None:
    """With isolation `login` and no blank worker kept, the next worker that is made is the tenant's, and is loaded."""
    base = config(blank_workers=0)
    loading = asyncio.Event()

    async def prime(_worker: Worker) -> None:
        await loading.wait()

    h = await start(replace(base, sandbox=replace(base.sandbox, isolation="login")), load=prime)
    for spawned in (2, 3):
        worker = h.pool.lease_nowait("acme")
        assert worker is not None
        await settle()
        h.pool.release(worker)
        await settle()
        # One successor: the release does not want another while the first one is being loaded.
        assert len(h.zygote.spawned) == spawned
        loading.set()
        await settle()
        assert h.pool.counts() == {"blank": 0, "idle": 1, "busy": 0, "starting": 0}
        loading.clear()
    await h.close()


async def test_blank_workers_that_are_needed_no_more_are_let_go() -> None:
    """A login that waits has one made, but gets the successor that is loaded by then: the next sweep lets go of one."""
    base = config(blank_workers=1)
    loading = asyncio.Event()

    async def prime(_worker: Worker) -> None:
        await loading.wait()

    h = await start(base, load=prime)
    first = h.pool.lease_nowait("acme")
    assert first is not None
    await settle()
    h.pool.release(first, retire=True)
    waiting = asyncio.create_task(h.pool.lease("acme", 5.0))
    await asyncio.sleep(0)
    loading.set()
    assert (await waiting).tenant == "acme"
    await settle()
    assert h.pool.counts()["blank"] == 2
    h.pool.sweep()
    await settle()
    assert h.pool.counts() == {"blank": 1, "idle": 0, "busy": 1, "starting": 0}
    await h.close()


async def test_a_missing_required_layer_refuses_to_start() -> None:
    """The error names each required layer that is not active."""
    with pytest.raises(WorkerStartError, match=r"landlock.*seccomp|seccomp.*landlock"):
        await start(config(), FakeZygote(layers=("rlimits", "no_new_privs")))


async def test_spawn_failures_are_retried_and_named() -> None:
    """A zygote that cannot fork delays logins; when it recovers, waiting logins are served."""
    zygote = FakeZygote()
    h = await start(config(blank_workers=0), zygote)
    assert h.pool.lease_nowait("first") is not None
    zygote.failures = [WorkerStartError("fork: out of pids")] * 2
    worker = await h.pool.lease("acme", 5)
    assert worker.tenant == "acme"
    zygote.failures = [WorkerStartError("fork: out of pids")] * 50
    with pytest.raises(WorkerStartError, match="out of pids"):
        await h.pool.lease("bank", 0.3)
    await h.close()


async def test_a_dead_zygote_is_started_again() -> None:
    """After the zygote died, the next spawn starts a new one."""
    h = await start(config(blank_workers=0))
    assert h.pool.lease_nowait("first") is not None
    h.zygote.alive = False
    worker = await h.pool.lease("acme", 5)
    assert worker.tenant == "acme"
    assert h.zygote.started == 2
    await h.close()


class DyingZygote(FakeZygote):
    """Its next worker says that it is ready and is gone, both in one turn of the loop; or the zygote itself is."""

    def __init__(self) -> None:
        super().__init__()
        self.next_dies = False
        self.dies_next = False

    async def spawn(self) -> FakeSpawned:
        spawned = await super().spawn()
        if self.next_dies:
            self.next_dies = False
            spawned.peer.close()
            # The report comes before the loop looks at the worker's own socket.
            asyncio.get_running_loop().call_soon(self.on_exit, spawned.id, -9)
        if self.dies_next:
            self.dies_next = self.alive = False
        return spawned


async def test_a_worker_that_dies_as_it_gets_ready_keeps_no_place_of_its_tenant() -> None:
    """It was taken for a live one, counted for its tenant for ever, and a login for that place kept waiting."""
    zygote = DyingZygote()
    h = await start(config(blank_workers=0, workers_per_tenant=1), zygote)
    assert h.pool.lease_nowait("first") is not None
    zygote.next_dies = True
    for _ in range(2):
        worker = await h.pool.lease("acme", 5)
        assert worker.state is State.IDLE
        h.pool.release(worker, retire=True)
        await settle()
    await h.close()


async def test_the_last_fork_of_a_zygote_is_not_used() -> None:
    """A worker that was reported in the breath in which its zygote died dies too, and its exit is never reported."""
    zygote = DyingZygote()
    h = await start(config(blank_workers=0), zygote)
    assert h.pool.lease_nowait("first") is not None
    zygote.dies_next = True
    worker = await h.pool.lease("acme", 5)
    assert worker.id == 3
    assert zygote.spawned[1].closed
    assert zygote.started == 2
    await h.close()


async def test_a_worker_that_speaks_out_of_turn_is_killed() -> None:
    """Bytes from an idle worker are a violation: it is killed and never leased again."""
    h = await start(config(blank_workers=1))
    worker = h.pool.lease_nowait("acme")
    assert worker is not None
    h.pool.release(worker)
    next(one for one in h.zygote.spawned if one.id == worker.id).say(b"hello")
    await settle()
    assert worker.state is State.DEAD
    assert worker.kill_reason is KillReason.VIOLATION
    again = await h.pool.lease("acme", 1)
    assert again is not worker
    await h.close()


async def test_idle_workers_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose tenant has not logged in for the idle time is killed by the sweep."""
    h = await start(config(idle_s=60))
    worker = h.pool.lease_nowait("acme")
    assert worker is not None
    h.pool.release(worker)
    h.pool.sweep()
    assert h.pool.counts()["idle"] == 1
    loop = asyncio.get_running_loop()
    later_s = loop.time() + 61
    with monkeypatch.context() as later:
        later.setattr(loop, "time", lambda: later_s)
        h.pool.sweep()
    assert worker.state is State.DEAD
    await h.close()


async def test_with_full_memory_and_none_idle_a_cold_tenant_waits_in_vain_or_for_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The refusal says why; when a worker goes while it waits, it gets one. Warm tenants are served."""
    # Each holds what it was forked with, and two MiB of its own.
    monkeypatch.setattr("runtime.workers.memory.anonymous_bytes", lambda _pid: 5 << 20)
    h = await start(config(blank_workers=0, memory_bytes=8 << 20))
    workers = [await h.pool.lease(f"t{at}", 1) for at in range(4)]
    with pytest.raises(PoolExhausted, match=r"no worker came free in time .*pool\.memory_bytes"):
        await h.pool.lease("cold", 0.05)
    spawned = len(h.zygote.spawned)
    waiting = asyncio.create_task(h.pool.lease("cold", 5))
    await settle()
    assert not waiting.done()
    assert len(h.zygote.spawned) == spawned
    # An idle worker is room.
    h.pool.release(workers[0])
    assert (await waiting).tenant == "cold"
    assert workers[0].kill_reason is KillReason.EVICTED
    h.pool.release(workers[1])
    assert h.pool.lease_nowait("t1") is workers[1]
    await h.close()


async def test_a_new_zygote_makes_workers_where_the_one_before_did() -> None:
    """On the processors that new workers are kept to."""
    zygote = FakeZygote()
    logger = log.build(LogConfig(level="error"), io.StringIO())

    def ignore(_worker: Worker) -> None:
        pass

    spawner = Spawner(config(), zygote.make, Metrics(""), logger, ignore, ignore)  # type: ignore[arg-type]  # no Config
    await spawner.spawn()
    spawner.fork_on((1,))
    await settle()
    assert zygote.placed == {0: (1,)}
    zygote.placed.clear()
    zygote.alive = False
    await spawner.spawn()
    assert (zygote.started, zygote.placed) == (2, {0: (1,)})
    await spawner.close()
