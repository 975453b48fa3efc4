"""Which worker serves which tenant: lease, bind, recycle, queue, shed.

Knows processes and counts. Must not know what a flow is or what a worker answers. Every method runs on the event loop,
so that a decision needs no lock. A blank worker is bound to the tenant that first leases it, and to that tenant's flow,
until it dies: no worker ever serves two tenants, and none that ran an old flow is given the sources and secrets of the
next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from runtime.errors import PoolExhausted, QueueFull, WorkerError, WorkerLost, WorkerStartError
from runtime.ops.labels import KillReason
from runtime.workers.idle import Idle
from runtime.workers.patrol import Patrol
from runtime.workers.pauses import Pauses
from runtime.workers.placing import Placing
from runtime.workers.slot import Slot, Waiter
from runtime.workers.spares import Stock
from runtime.workers.spawner import Nursery
from runtime.workers.worker import State, Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime.config.settings import Config
    from runtime.ops.log import Log
    from runtime.ops.metrics import Metrics
    from runtime.workers.spawner import MakeZygote
    from sandbox.contract.layers import Layer

_SWEEP_S: Final = 5.0


class Pool:
    """Workers by tenant, and a few blank ones kept warm."""

    def __init__(self, config: Config, make_zygote: MakeZygote, metrics: Metrics, log: Log) -> None:
        self._settings = config.pool
        self._max_executions = config.sandbox.max_executions
        self._one_login = config.sandbox.isolation == "login"
        self._metrics = metrics
        self._nursery = Nursery(config, make_zygote, metrics, log, self._on_dead, self._on_zygote_death)
        self._patrol = Patrol(config, self._nursery, metrics, log, self._relieve)
        self._placing = Placing(config.pool.long_run_share, self._nursery, metrics, log)
        self._stock = Stock(config.pool, self._nursery, log, self._demand, self._blank_ready, self._patrol.has_room)
        self._log = log
        self._slots: dict[str, Slot] = {}
        self._idle = Idle()
        # Tenants that want a blank worker, served in turn: a tenant with many waiting logins stands in it once.
        self._wanting: deque[Slot] = deque()
        # Tenants that get a blank worker ahead of their next login, once nobody waits for it.
        self._expecting: deque[Slot] = deque()
        self._closed = False
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.busy = 0
        self.prime: Callable[[Worker], Awaitable[None]] | None = None
        """Loads a bound worker with its tenant's sources before it is needed; set by the flow runner."""
        self.current: Callable[[str], bytes | None] | None = None
        """Returns the digest of the flow that a tenant has now, None if it has none; set by the flow runner."""

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the zygote, spawn the first blank worker and compare its layers with the required ones.

        Raises: WorkerStartError, naming each required layer that is not active.
        """
        self._loop = asyncio.get_running_loop()
        self._pauses = Pauses(self._loop.time)
        self._placing.start(self._loop)
        await self._stock.start()
        self._patrol.start(self._loop)
        self._sweep_timer = self._loop.call_later(_SWEEP_S, self._sweep)

    async def close(self) -> None:
        """Kill every worker. Logins in flight should have been finished before."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self._patrol.close()
        await self._stock.close()
        for slot in self._slots.values():
            for waiter in slot.waiters:
                if not waiter.future.done():
                    waiter.future.set_exception(WorkerLost("the daemon is shutting down"))
            slot.waiters.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._nursery.close()

    def counts(self) -> dict[str, int]:
        """Workers by state, for the gauge."""
        stock = self._stock
        return {"blank": len(stock.blanks), "idle": len(self._idle), "busy": self.busy, "starting": stock.spawning}

    @property
    def zygote_alive(self) -> bool:
        """Whether workers can be made now; for the readiness probe, from any thread."""
        return self._nursery.zygote_alive

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What holds the workers, as the newest of them reported it."""
        return self._nursery.layers

    # -- lease and release -------------------------------------------------------------------------------------------

    def lease_nowait(self, tenant: str, flow: bytes = b"") -> Worker | None:
        """Return a worker of the tenant's flow, named by its digest, if one can be had at once."""
        slot = self._slots.get(tenant)
        if slot is not None:
            if (idle := slot.take(flow)) is not None:
                self._idle.remove(idle)
                return self._lease(idle, slot)
            if slot.waiters or slot.workers >= self._settings.workers_per_tenant:
                return None
        if self._wanting or not self._stock.blanks or self._pauses.left_s(tenant):
            return None
        slot = slot or self._slot(tenant)
        worker = self._stock.blanks.popleft()
        self._bind(worker, slot, flow)
        self._stock.refill_soon()
        return self._lease(worker, slot)

    async def lease(self, tenant: str, wait_s: float, flow: bytes = b"") -> Worker:
        """Return a worker of the tenant's flow, waiting in the tenant's queue for at most `wait_s` seconds.

        Raises: QueueFull, PoolExhausted (nothing came free in time), WorkerStartError (no worker can be started).
        """
        worker = self.lease_nowait(tenant, flow)
        if worker is not None:
            return worker
        slot = self._slot(tenant)
        if len(slot.waiters) >= self._settings.queue_per_tenant:
            self._metrics.shed(QueueFull.reason)
            raise QueueFull(
                f"tenant {tenant}: {len(slot.waiters)} logins already wait for its "
                f"{self._settings.workers_per_tenant} workers"
            )
        future: asyncio.Future[Worker] = self._loop.create_future()
        waiter = Waiter(flow, future)
        slot.waiters.append(waiter)
        if slot.idle and slot.workers >= self._settings.workers_per_tenant:
            # All are of another flow: one makes room.
            slot.idle[0].kill(KillReason.OUTDATED)
        self._want(slot)
        timer = self._loop.call_later(wait_s, self._expire, slot, waiter)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result())
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
        if retire or self._one_login or worker.executions >= self._max_executions or worker.state is not State.IDLE:
            worker.kill(KillReason.RECYCLED)
            self._successor(worker.tenant or "")
            return
        self._hand_over(worker)

    def flows_changed(self) -> None:
        """Let go of the idle workers whose flow is not their tenant's any more; of the others when they are released.

        None of them would be given the new flow. They go at once, because an action that escaped would hold on to what
        it has, and some at a time.
        """
        if self._idle.let_go(self._outdated):
            self._loop.call_soon(self.flows_changed)

    def _outdated(self, worker: Worker) -> bool:
        return self.current is not None and self.current(worker.tenant or "") != worker.flow

    def _lease(self, worker: Worker, slot: Slot) -> Worker:
        worker.leased = True
        self.busy += 1
        self._placing.leased(worker, slot.tenant)
        if self._one_login:
            # Its successor is forked and loaded while this login runs.
            self._loop.call_soon(self._successor, slot.tenant)
        return worker

    def _hand_over(self, worker: Worker) -> None:
        slot = self._slots[worker.tenant or ""]
        first = slot.first_waiter()
        # The login whose turn it is may be of another flow, and needs the room.
        gives_way = (
            first is not None and first.flow != worker.flow and slot.workers >= self._settings.workers_per_tenant
        )
        waiter = None if first is None or gives_way else slot.next_waiter(worker.flow)
        if waiter is not None:
            waiter.future.set_result(self._lease(worker, slot))
            return
        if gives_way or self._outdated(worker):
            worker.kill(KillReason.OUTDATED)
            return
        slot.idle.append(worker)
        self._idle.add(worker, self._loop.time())
        if self._wanting:
            # It became evictable; another tenant may be waiting for room.
            self._make_room()
            self._stock.refill()

    def _expire(self, slot: Slot, waiter: Waiter) -> None:
        if waiter.future.done():
            return
        slot.waiters.remove(waiter)
        if self._stock.last_error is not None:
            waiter.future.set_exception(WorkerStartError(f"no worker can be started: {self._stock.last_error}"))
        else:
            self._metrics.shed(PoolExhausted.reason)
            why = "" if self._patrol.has_room() else f" ({self._patrol.describe()})"
            if slot.paused:
                why = ": its last ones broke their protocol, and a new one is made after a pause"
            waiter.future.set_exception(PoolExhausted(f"tenant {slot.tenant}: no worker came free in time{why}"))

    # -- binding ---------------------------------------------------------------------------------------------------

    def _slot(self, tenant: str) -> Slot:
        if tenant not in self._slots:
            self._slots[tenant] = Slot(tenant)
        return self._slots[tenant]

    def _drop_if_empty(self, slot: Slot) -> None:
        if slot.empty:
            self._slots.pop(slot.tenant, None)

    def _bind(self, worker: Worker, slot: Slot, flow: bytes) -> None:
        worker.tenant, worker.flow = slot.tenant, flow
        if worker.meter is not None:
            worker.meter.charge(partial(self._metrics.tenant_cpu.spent, slot.tenant))
        slot.workers += 1

    def _want(self, slot: Slot) -> None:
        if slot.wanting or slot.paused or slot.workers >= self._settings.workers_per_tenant:
            return
        if pause_s := self._pauses.left_s(slot.tenant):
            slot.paused = True
            self._loop.call_later(pause_s, self._pause_over, slot)
            return
        slot.wanting = True
        self._wanting.append(slot)
        if self._stock.blanks:
            self._blank_ready(self._stock.blanks.popleft())
        self._make_room()
        self._stock.refill()

    def _pause_over(self, slot: Slot) -> None:
        slot.paused = False
        if slot.first_waiter() is not None and not self._closed:
            self._want(slot)
        self._drop_if_empty(slot)

    def _may_grow(self, slot: Slot) -> bool:
        """Say whether a tenant may have one more worker now."""
        return slot.workers < self._settings.workers_per_tenant and not self._pauses.left_s(slot.tenant)

    def _blank_ready(self, worker: Worker) -> None:
        while self._wanting:
            slot = self._wanting.popleft()
            slot.wanting = False
            if slot.waiters and self._pauses.left_s(slot.tenant):
                # It broke the protocol while it stood here.
                self._want(slot)
            waiter = slot.next_waiter() if self._may_grow(slot) else None
            if waiter is None:
                self._drop_if_empty(slot)
                continue
            self._bind(worker, slot, waiter.flow)
            waiter.future.set_result(self._lease(worker, slot))
            if slot.waiters:
                self._want(slot)
            return
        while self._expecting:
            slot = self._expecting.popleft()
            flow = self._flow_of(slot.tenant)
            if flow is not None and not slot.holds(flow) and self._may_grow(slot):
                self._settle_in(worker, slot, flow)
                return
            slot.expecting = False
            self._drop_if_empty(slot)
        self._stock.blanks.append(worker)

    def _successor(self, tenant: str) -> None:
        """Bind a blank worker to a tenant ahead of its next login, and load it."""
        flow = self._flow_of(tenant)
        if self._closed or flow is None:
            return
        slot = self._slot(tenant)
        if slot.holds(flow) or slot.expecting or not self._may_grow(slot):
            self._drop_if_empty(slot)
            return
        if slot.waiters:
            self._want(slot)
            return
        slot.expecting = True
        if self._stock.blanks and not self._wanting:
            self._settle_in(self._stock.blanks.popleft(), slot, flow)
        else:
            self._expecting.append(slot)
        self._stock.refill()

    def _flow_of(self, tenant: str) -> bytes | None:
        """Return the digest of the flow that a successor would be for; None when the tenant has none."""
        return b"" if self.current is None else self.current(tenant)

    def _settle_in(self, worker: Worker, slot: Slot, flow: bytes) -> None:
        """Make a blank worker a tenant's, and load it."""
        self._bind(worker, slot, flow)
        worker.leased = True
        self.busy += 1
        self._placing.place(worker)
        task = self._loop.create_task(self._prime(worker, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prime(self, worker: Worker, slot: Slot) -> None:
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

    # -- room --------------------------------------------------------------------------------------------------------

    def runs_long(self, worker: Worker, now_ns: int) -> None:
        """Note at a tick that a worker has not answered for some milliseconds, by CLOCK_MONOTONIC."""
        if self._placing.runs_long(worker, now_ns):
            self._patrol.weigh(worker)

    def _demand(self) -> int:
        """Count the blank workers that tenants wait for already."""
        return len(self._wanting) + len(self._expecting)

    def _make_room(self) -> None:
        while self._idle and self._stock.full and self._stock.coming < len(self._wanting):
            self._idle.evict()

    def _relieve(self) -> None:
        """Evict idle workers, the longest idle first, until the others have room within the memory for all."""
        while self._idle and not self._patrol.has_room():
            self._idle.evict()
        self._stock.refill()

    # -- death -----------------------------------------------------------------------------------------------------

    def _on_zygote_death(self) -> None:
        self._stock.refill()

    def _on_dead(self, worker: Worker) -> None:
        if worker.leased:
            worker.leased = False
            self.busy -= 1
        self._placing.charge(worker)
        if worker.tenant is not None:
            slot = self._slots[worker.tenant]
            slot.workers -= 1
            if worker.kill_reason is KillReason.VIOLATION:
                self._log.warning("tenant.paused", tenant=slot.tenant, pause_s=self._pauses.begin(slot.tenant))
            if worker in self._idle:
                self._idle.remove(worker)
                slot.idle.remove(worker)
            if slot.waiters:
                self._want(slot)
            self._drop_if_empty(slot)
        elif worker in self._stock.blanks:
            self._stock.blanks.remove(worker)
        self._stock.refill()

    def _sweep(self) -> None:
        """Let go of blank workers too many, and of those idle for a while."""
        self._placing.settle()
        self._pauses.forget()
        self._idle.recycle(self._loop.time() - self._settings.idle_s)
        self._stock.trim()
        self._sweep_timer = self._loop.call_later(_SWEEP_S, self._sweep)
