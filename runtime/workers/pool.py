"""Which worker serves which tenant: lease, bind, recycle, queue, shed.

Knows processes and counts. Must not know what a flow is or what a worker answers. Used by the flow runner; every method
runs on the event loop, so that a decision needs no lock. No worker ever serves two tenants: a blank one is bound to the
tenant that first leases it and belongs to it until it dies.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING, Final

from runtime.errors import PoolExhausted, QueueFull, WorkerError, WorkerLost, WorkerStartError
from runtime.metrics import KillReason
from runtime.workers.lane import Lane
from runtime.workers.meter import Meter
from runtime.workers.nursery import Nursery
from runtime.workers.stock import Stock
from runtime.workers.worker import State, Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime.config import Config
    from runtime.log import Log
    from runtime.metrics import Metrics
    from runtime.workers.nursery import LayerReport, MakeZygote

_SWEEP_S: Final = 5.0
# A look costs two system calls, and on a full machine hundreds of executions are long.
_LOOK_NS: Final = 20_000_000
# Each compiled revision stays in the worker; a process that has seen so many has outlived several releases.
_REVISIONS_MAX: Final = 200


class _Slot:
    """Everything of one tenant."""

    __slots__ = ("expecting", "idle", "tenant", "waiters", "wanting", "workers")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.idle: list[Worker] = []
        self.workers = 0
        self.waiters: deque[asyncio.Future[Worker]] = deque()
        self.wanting = False
        # A successor is wanted or being loaded.
        self.expecting = False


class Pool:
    """Workers by tenant, and a few blank ones kept warm."""

    def __init__(self, config: Config, make_zygote: MakeZygote, metrics: Metrics, log: Log) -> None:
        self._settings = config.pool
        self._max_executions = config.sandbox.max_executions
        self._one_login = config.sandbox.isolation == "login"
        self._metrics = metrics
        self._nursery = Nursery(config, make_zygote, metrics, log, self._on_dead, self._on_zygote_death)
        self._stock = Stock(config.pool, self._nursery, log, self._demand, self._blank_ready)
        self._log = log
        self._slots: dict[str, _Slot] = {}
        # Idle workers of tenants, the longest idle first.
        self._idle: OrderedDict[Worker, None] = OrderedDict()
        # Tenants that want a blank worker, served in turn: a tenant with many waiting logins stands in it once.
        self._wanting: deque[_Slot] = deque()
        # Tenants that get a blank worker ahead of their next login, once nobody waits for it.
        self._expecting: deque[_Slot] = deque()
        self._closed = False
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lane = Lane(sorted(os.sched_getaffinity(0)), config.pool.long_run_share)
        self._forks_aside = False
        self.busy = 0
        self.prime: Callable[[Worker], Awaitable[None]] | None = None
        """Loads a bound worker with its tenant's sources before it is needed; set by the flow runner."""

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the zygote, spawn the first blank worker and compare its layers with the required ones.

        Raises: WorkerStartError, naming each required layer that is not active.
        """
        self._loop = asyncio.get_running_loop()
        await self._stock.start()
        self._sweep_timer = self._loop.call_later(_SWEEP_S, self._sweep)

    async def close(self) -> None:
        """Kill every worker. Logins in flight should have been finished before."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        await self._stock.close()
        for slot in self._slots.values():
            for waiter in slot.waiters:
                if not waiter.done():
                    waiter.set_exception(WorkerLost("the daemon is shutting down"))
            slot.waiters.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._nursery.close()

    def counts(self) -> dict[str, int]:
        """Workers by state, for the gauge."""
        blank, starting = len(self._stock.blanks), self._stock.spawning
        return {"blank": blank, "idle": len(self._idle), "busy": self.busy, "starting": starting}

    @property
    def zygote_alive(self) -> bool:
        """Whether workers can be made now; for the readiness probe, from any thread."""
        return self._nursery.zygote_alive

    @property
    def layers(self) -> tuple[LayerReport, ...]:
        """What holds the workers, as the newest of them reported it."""
        return self._nursery.layers

    # -- lease and release -------------------------------------------------------------------------------------------

    def lease_nowait(self, tenant: str) -> Worker | None:
        """Return a worker of the tenant if one can be had at once."""
        slot = self._slots.get(tenant)
        if slot is not None:
            if slot.idle:
                worker = slot.idle.pop()
                del self._idle[worker]
                return self._lease(worker, slot)
            if slot.waiters or slot.workers >= self._settings.workers_per_tenant:
                return None
        if self._wanting or not self._stock.blanks:
            return None
        if slot is None:
            slot = self._slot(tenant)
        worker = self._stock.blanks.popleft()
        self._bind(worker, slot)
        self._stock.refill_soon()
        return self._lease(worker, slot)

    async def lease(self, tenant: str, wait_s: float) -> Worker:
        """Return a worker of the tenant, waiting in its queue for at most `wait_s` seconds.

        Raises: QueueFull, PoolExhausted (nothing came free in time), WorkerStartError (no worker can be started).
        """
        worker = self.lease_nowait(tenant)
        if worker is not None:
            return worker
        slot = self._slot(tenant)
        if len(slot.waiters) >= self._settings.queue_per_tenant:
            self._metrics.shed(QueueFull.reason)
            raise QueueFull(
                f"tenant {tenant}: {len(slot.waiters)} logins already wait for its "
                f"{self._settings.workers_per_tenant} workers"
            )
        waiter: asyncio.Future[Worker] = self._loop.create_future()
        slot.waiters.append(waiter)
        self._want(slot)
        timer = self._loop.call_later(wait_s, self._expire, slot, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())
            elif waiter in slot.waiters:
                slot.waiters.remove(waiter)
            raise
        finally:
            timer.cancel()

    def release(self, worker: Worker, *, retire: bool = False) -> None:
        """Give a leased worker back; a dead one has been accounted for already."""
        if not worker.leased:
            return
        worker.leased = False
        self.busy -= 1
        if (
            retire
            or self._one_login
            or worker.executions >= self._max_executions
            or len(worker.revisions) > _REVISIONS_MAX
            or worker.state is not State.IDLE
        ):
            worker.kill(KillReason.RECYCLED)
            self._successor(worker.tenant or "")
            return
        self._hand_over(worker)

    def _lease(self, worker: Worker, slot: _Slot) -> Worker:
        worker.leased = True
        self.busy += 1
        self._lane.arrived(slot.tenant)
        if self._lane.held or worker.aside:
            self._place(worker)
        if self._one_login:
            # Its successor is forked and loaded while this login runs.
            self._loop.call_soon(self._successor, slot.tenant)
        return worker

    def _hand_over(self, worker: Worker) -> None:
        slot = self._slots[worker.tenant or ""]
        while slot.waiters:
            waiter = slot.waiters.popleft()
            if not waiter.done():
                waiter.set_result(self._lease(worker, slot))
                return
        worker.idle_since_s = self._loop.time()
        slot.idle.append(worker)
        self._idle[worker] = None
        if self._wanting:
            # It became evictable; another tenant may be waiting for room.
            self._make_room()
            self._stock.refill()

    def _expire(self, slot: _Slot, waiter: asyncio.Future[Worker]) -> None:
        if waiter.done():
            return
        slot.waiters.remove(waiter)
        if self._stock.last_error is not None:
            waiter.set_exception(WorkerStartError(f"no worker can be started: {self._stock.last_error}"))
        else:
            self._metrics.shed(PoolExhausted.reason)
            waiter.set_exception(PoolExhausted(f"tenant {slot.tenant}: no worker came free in time"))

    # -- binding ---------------------------------------------------------------------------------------------------

    def _slot(self, tenant: str) -> _Slot:
        slot = self._slots.get(tenant)
        if slot is None:
            slot = self._slots[tenant] = _Slot(tenant)
        return slot

    def _drop_if_empty(self, slot: _Slot) -> None:
        if slot.workers == 0 and not slot.wanting and not slot.expecting and not slot.waiters:
            self._slots.pop(slot.tenant, None)

    def _bind(self, worker: Worker, slot: _Slot) -> None:
        worker.tenant = slot.tenant
        worker.meter = Meter(worker.spawned, partial(self._metrics.tenant_cpu.spent, slot.tenant))
        slot.workers += 1

    def _want(self, slot: _Slot) -> None:
        if not slot.wanting and slot.workers < self._settings.workers_per_tenant:
            slot.wanting = True
            self._wanting.append(slot)
            if self._stock.blanks:
                self._blank_ready(self._stock.blanks.popleft())
            self._make_room()
            self._stock.refill()

    def _blank_ready(self, worker: Worker) -> None:
        while self._wanting:
            slot = self._wanting.popleft()
            slot.wanting = False
            while slot.waiters and slot.waiters[0].done():
                slot.waiters.popleft()
            if not slot.waiters or slot.workers >= self._settings.workers_per_tenant:
                self._drop_if_empty(slot)
                continue
            waiter = slot.waiters.popleft()
            self._bind(worker, slot)
            waiter.set_result(self._lease(worker, slot))
            if slot.waiters:
                self._want(slot)
            return
        while self._expecting:
            slot = self._expecting.popleft()
            if not slot.idle and slot.workers < self._settings.workers_per_tenant:
                self._settle_in(worker, slot)
                return
            slot.expecting = False
            self._drop_if_empty(slot)
        self._stock.blanks.append(worker)

    def _successor(self, tenant: str) -> None:
        """Bind a blank worker to a tenant ahead of its next login, and load it."""
        slot = self._slot(tenant)
        if self._closed or slot.idle or slot.expecting or slot.workers >= self._settings.workers_per_tenant:
            return
        if slot.waiters:
            self._want(slot)
            return
        slot.expecting = True
        if self._stock.blanks and not self._wanting:
            self._settle_in(self._stock.blanks.popleft(), slot)
        else:
            self._expecting.append(slot)
        self._stock.refill()

    def _settle_in(self, worker: Worker, slot: _Slot) -> None:
        """Make a blank worker a tenant's, and load it."""
        self._bind(worker, slot)
        worker.leased = True
        self.busy += 1
        self._place(worker)
        task = self._loop.create_task(self._prime(worker, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prime(self, worker: Worker, slot: _Slot) -> None:
        try:
            if self.prime is not None:
                await self.prime(worker)
        except WorkerError as error:
            self._log.warning("worker.prime_failed", worker=worker.id, error=str(error))
            worker.kill(KillReason.START)
            return
        finally:
            slot.expecting = False
            self._drop_if_empty(slot)
        if worker.leased and worker.state is State.IDLE:
            worker.leased = False
            self.busy -= 1
            self._hand_over(worker)

    # -- the side lane, and room -----------------------------------------------------------------------------------

    def runs_long(self, worker: Worker, now_ns: int) -> None:
        """Count what a worker takes of the processor that has not answered for some milliseconds; see `Lane`."""
        meter = worker.meter
        if meter is None or not self._lane.open:
            return
        soon = worker.looked_s >= 0 and now_ns - meter.read_ns < _LOOK_NS <= now_ns - worker.sent_ns
        if not soon and meter.read():
            self._charge(worker)
            worker.looked_s = meter.seen_s
            self._place(worker)

    def _charge(self, worker: Worker) -> None:
        """Count what a worker spent since it was last found to run long; before, it was short executions, perhaps."""
        meter, tenant = worker.meter, worker.tenant
        if meter is None or tenant is None or worker.looked_s < 0:
            return
        if self._lane.spent(tenant, meter.seen_s - worker.looked_s, self._loop.time()):
            self._log.warning("tenant.set_aside", tenant=tenant, share=self._settings.long_run_share)

    def _place(self, worker: Worker) -> None:
        """Send a worker where its tenant is to run now."""
        aside = self._lane.holds(worker.tenant or "", self._loop.time())
        if aside != worker.aside:
            worker.aside = aside
            self._nursery.place(worker, self._lane.cpus if aside else self._lane.everywhere)
            self._fork_aside()

    def _fork_aside(self) -> None:
        """Make workers in the lane as long as it is taken: most of them replace those of its tenants."""
        held = self._lane.held
        self._metrics.tenants_aside(held)
        if bool(held) != self._forks_aside:
            self._forks_aside = not self._forks_aside
            self._nursery.fork_on(self._lane.cpus if held else self._lane.everywhere)

    def _demand(self) -> int:
        """Count the blank workers that tenants wait for already."""
        return len(self._wanting) + len(self._expecting)

    def _make_room(self) -> None:
        while self._idle and self._stock.full and self._stock.coming < len(self._wanting):
            next(iter(self._idle)).kill(KillReason.EVICTED)

    # -- death -----------------------------------------------------------------------------------------------------

    def _on_zygote_death(self) -> None:
        self._stock.refill()

    def _on_dead(self, worker: Worker) -> None:
        if worker.leased:
            worker.leased = False
            self.busy -= 1
        self._charge(worker)
        if worker.tenant is None:
            if worker in self._stock.blanks:
                self._stock.blanks.remove(worker)
        else:
            slot = self._slots[worker.tenant]
            slot.workers -= 1
            if worker in self._idle:
                del self._idle[worker]
                slot.idle.remove(worker)
            if slot.waiters:
                self._want(slot)
            self._drop_if_empty(slot)
        self._stock.refill()

    def _sweep(self) -> None:
        """Read the meters of those who ran; let go of blank workers too many, and of those idle for a while."""
        self._nursery.read_meters()
        self._lane.settle(self._loop.time())
        self._fork_aside()
        before_s = self._loop.time() - self._settings.idle_s
        for worker in list(self._idle):
            if worker.idle_since_s > before_s:
                break
            worker.kill(KillReason.RECYCLED)
        self._stock.trim()
        self._sweep_timer = self._loop.call_later(_SWEEP_S, self._sweep)
