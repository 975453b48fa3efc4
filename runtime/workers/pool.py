"""The workers of all tenants: lends them to logins, makes and recycles them, and lets logins wait their turn.

A blank worker is bound to the first tenant that leases it, and to that tenant's flow, until it dies: no worker serves
two tenants, and none that ran an old flow sees the sources and secrets of the next one. `assign` decides who gets
what; this module does it. Every method runs on the event loop, so that no decision needs a lock. Must not know what a
flow is or what a worker answers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from typing import Final

from runtime.catalog.base import Flow
from runtime.config.effective import Config
from runtime.errors import WorkerError
from runtime.ops.labels import KillReason
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.workers.assign import Assignment, Limits, Slot, Slots, Supply, Waiter, assign
from runtime.workers.deployed import Deployed
from runtime.workers.fairness import Fairness
from runtime.workers.generation import MakeZygote
from runtime.workers.handover import Handover
from runtime.workers.idle import Idle
from runtime.workers.leases import Leases
from runtime.workers.patrol import Patrol
from runtime.workers.pauses import Pauses
from runtime.workers.sharing import Sharing
from runtime.workers.shortage import Shortage
from runtime.workers.spares import Spares
from runtime.workers.spawner import Spawner
from runtime.workers.watchdog import Watchdog
from runtime.workers.worker import State, Worker
from sandbox.contract.layers import Layer

_SWEEP_S: Final = 5.0
_REFILL_DELAY_S: Final = 0.01


class Pool:
    """Workers by tenant, and a few blank ones. Construct it inside the loop."""

    def __init__(self, config: Config, make_zygote: MakeZygote, metrics: Metrics, log: Log) -> None:
        pool = config.pool
        self._limits = Limits(pool.max_workers, pool.workers_per_tenant, pool.queue_per_tenant, pool.blank_workers)
        self._max_executions = config.sandbox.max_executions
        self._one_login = config.sandbox.isolation == "login"
        self._metrics = metrics
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._spawner = Spawner(config, make_zygote, metrics, log, self._on_dead, self._on_crash, self._on_renewed)
        self._patrol = Patrol(config, self._spawner, metrics, log)
        self._fairness = Fairness(pool.long_run_share, self._spawner, metrics, log, self._loop.time)
        self._pauses = Pauses(self._loop, log, self._assign)
        self._spares = Spares(self._spawner, log, self._assign)
        self._shortage = Shortage(self._limits, self._spares, self._patrol, metrics)
        # Of several processes each has its part.
        cpus = max(1, len(os.sched_getaffinity(0)) // max(1, config.processes))
        self._leases = Leases(Sharing(cpus, self._max_executions, one_login=self._one_login))
        self.watchdog = Watchdog(
            self._loop, config.sandbox.kill_grace_ms * 1_000_000, self._fairness, moves=pool.workers_per_tenant > 1
        )
        self._slots = Slots()
        self._idle = Idle(pool.idle_s)
        self._deployed = Deployed(self._loop, self._idle)
        self._handover = Handover(self._spawner, self._spares, self._slots, self._idle, self._limits, self._succeed)
        # Templates whose login is done, and whose next child is not there yet; with what the login took.
        self._renewing: dict[Worker, int] = {}
        self._changed: dict[Slot, None] = {}
        self._turns: list[Slot] = []
        self._successors: dict[Slot, bytes] = {}
        self._to_load: asyncio.Queue[Worker] = asyncio.Queue()
        self._sweep_at_s = self._loop.time() + _SWEEP_S
        self._open = self._assigning = self._again = self._loads_ahead = False

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the zygote, spawn the first blank worker and compare its layers with the required ones.

        Raises: WorkerStartError, naming each required layer that is not active.
        """
        await self._spares.first()
        self._open = True
        self._assign()
        self._on_tick()

    async def close(self) -> None:
        """Kill every worker. Logins in flight should have been finished before."""
        self._open = False
        self.watchdog.close()
        await self._handover.close()
        await self._spares.close()
        self._shortage.ending(self._slots.values())
        await self._spawner.close()

    def __repr__(self) -> str:
        return f"<Pool tenants={len(self._slots)} {' '.join(f'{name}={n}' for name, n in self.counts().items())}>"

    def counts(self) -> dict[str, int]:
        """Workers by state, for the gauge."""
        spares = self._spares
        return {"blank": len(spares.blanks), "idle": len(self._idle), "busy": self.busy, "starting": spares.coming}

    @property
    def busy(self) -> int:
        """How many workers serve a login, or are loaded for the next one."""
        return len(self._leases)

    @property
    def zygote_alive(self) -> bool:
        """Whether workers can be made now; for the readiness probe, from any thread."""
        return self._spawner.zygote_alive

    def serves(self, tenant: str) -> bool:
        """Tell whether a tenant's logins can get a worker now."""
        slot = self._slots.get(tenant)
        return self.zygote_alive and (slot is None or not slot.paused)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What holds the workers, as the newest of them reported it."""
        return self._spawner.layers

    # -- lease and release -------------------------------------------------------------------------------------------

    def lease_nowait(self, tenant: str, flow: bytes = b"", *, alone: bool = False) -> Worker | None:
        """Return a worker of the tenant's flow, named by its digest, if one can be had at once.

        It may have other logins to answer before, unless the login is to be `alone`.
        """
        slot = self._slots.get(tenant)
        if slot is None:
            return self._of_blank(tenant, flow)
        worker = None if alone else self._leases.crowded(slot, flow)
        if worker is None and (worker := slot.take(flow)) is not None:
            del self._idle[worker]
        if worker is not None:
            return self._lease(worker, slot)
        if not (slot.waiters or slot.paused or slot.workers >= self._limits.per_tenant):
            worker = self._of_blank(tenant, flow)
        if worker is None and not alone and (worker := self._leases.behind(slot, flow)) is not None:
            self._lease(worker, slot)
        return worker

    def _of_blank(self, tenant: str, flow: bytes) -> Worker | None:
        blanks = self._spares.blanks
        if self._turns or not blanks:
            return None
        slot = self._slots[tenant]
        worker = self._lease(self._bind(blanks[0], slot, flow), slot)
        if not blanks:
            self._assign()
        else:
            # A moment later, not while this login wants the processor.
            self._loop.call_later(_REFILL_DELAY_S, self._assign)
        return worker

    async def lease(self, tenant: str, wait_s: float, flow: bytes = b"", *, alone: bool = False) -> Worker:
        """Return a worker of the tenant's flow, waiting in the tenant's queue for at most `wait_s` seconds.

        Raises: QueueFull, PoolExhausted (none came free in time), WorkerStartError (no worker can be started).
        """
        worker = self.lease_nowait(tenant, flow, alone=alone)
        if worker is not None:
            return worker
        slot = self._slots[tenant]
        future: asyncio.Future[Worker] = self._loop.create_future()
        waiter = Waiter(flow, future, alone=alone)
        slot.waiters.append(waiter)
        if not slot.is_stuck(self._limits):
            self._assign(slot)
        timer = self._loop.call_later(wait_s, self._expire, slot, waiter)
        try:
            return await future
        except asyncio.CancelledError:
            if waiter in slot.waiters:
                slot.waiters.remove(waiter)
                self._assign(slot)
            elif future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result())
            raise
        finally:
            timer.cancel()

    def release(self, worker: Worker, *, retire: bool = False, cpu_us: int = -1) -> None:
        """Give a leased worker back. One that died meanwhile is not leased any more.

        Args:
            worker: that the login had, and other logins may still have.
            retire: it is given no further login.
            cpu_us: processor time that the login took by the worker's word; negative when that is not known.
        """
        worker.retiring = worker.retiring or retire
        if worker.state is State.RENEWING and not worker.retiring:
            self._renewing[worker] = cpu_us
            return
        slot = self._leases.end(worker, cpu_us)
        if slot is None:
            return
        if worker.leases:
            if slot.waiters:
                self._fill(worker, slot)
        elif (
            worker.retiring
            or (self._one_login and not worker.is_template)
            or worker.executions >= self._max_executions
            or worker.state is not State.IDLE
        ):
            worker.kill(KillReason.RENEWED if self._spawner.is_old(worker) else KillReason.RECYCLED)
            self._succeed(slot.tenant, worker.flow)
        else:
            self._rest(worker, slot)

    def _fill(self, worker: Worker, slot: Slot) -> None:
        """Give a busy worker more logins that wait."""
        while (waiter := self._leases.next_behind(worker, slot)) is not None:
            waiter.future.set_result(self._lease(worker, slot))

    def flows_changed(self, flows: Mapping[str, Flow], beside: Mapping[str, bytes] | None = None) -> None:
        """Take the flows that tenants have now, and kill the idle workers of all others; busy ones when released.

        `beside` has the digests of flows that some tenants have on trial.

        An action that escaped would hold on to what its worker has, and none of these is ever given the new flow.
        """
        dropped = list(self._successors)
        self._successors = {slot: flows[slot.tenant].digest for slot in dropped if slot.tenant in flows}
        self._deployed.flows, self._deployed.beside = flows, beside or {}
        self._assign(*dropped)
        self._deployed.kill_outdated()

    async def to_load(self) -> Worker:
        """Wait for a worker that was bound ahead of its tenant's next login; load it, and say so with `loaded`.

        No worker is bound ahead before this is called for the first time.
        """
        self._loads_ahead = True
        return await self._to_load.get()

    def loaded(self, worker: Worker, error: WorkerError | None = None) -> None:
        """Take a worker that has been loaded with its flow, or could not be."""
        slot = self._slots[worker.tenant or ""]
        slot.loading = False
        if error is not None:
            self._log.warning("worker.prime_failed", worker=worker.id, error=str(error))
            worker.kill(KillReason.START)
        if self._leases.end(worker) is None:
            self._assign(slot)
        else:
            self._rest(worker, slot)
            self._handover.loaded(slot)

    def _lease(self, worker: Worker, slot: Slot) -> Worker:
        self._leases.begin(worker, slot)
        self._fairness.leased(worker, slot.tenant)
        if self._one_login and not worker.is_template:
            # Its successor is forked and loaded while this login runs.
            self._loop.call_soon(self._succeed, slot.tenant, worker.flow)
        return worker

    def _bind(self, blank: Worker, slot: Slot, flow: bytes) -> Worker:
        self._spares.blanks.remove(blank)
        blank.bind(slot.tenant, flow, partial(self._metrics.tenant_cpu.spent, slot.tenant))
        slot.workers += 1
        return blank

    def _rest(self, worker: Worker, slot: Slot) -> None:
        waiter = slot.next_waiter(worker)
        if waiter is not None:
            waiter.future.set_result(self._lease(worker, slot))
            self._fill(worker, slot)
            return
        slot.idle.append(worker)
        self._idle[worker] = self._loop.time()
        outdated = self._deployed.outdated(worker)
        if slot.waiters or self._turns or outdated:
            self._assign(slot)
            if outdated and worker in self._idle:
                worker.kill(KillReason.OUTDATED)

    def _succeed(self, tenant: str, flow: bytes) -> bool:
        """Bind a blank worker to a tenant ahead of its next login, once there is one; False when it gets none."""
        digest = self._deployed.digest(tenant, flow)
        if not self._loads_ahead or digest is None:
            return False
        slot = self._slots[tenant]
        self._successors[slot] = digest
        self._assign(slot)
        return True

    def _expire(self, slot: Slot, waiter: Waiter) -> None:
        if waiter.future.done():
            return
        self._shortage.waited_in_vain(slot, waiter)
        self._assign(slot)

    # -- the pass ----------------------------------------------------------------------------------------------------

    def _assign(self, *changed: Slot, trim: bool = False) -> None:
        """Decide and do what follows from a change. What is done may change more: then decide again."""
        self._changed.update(dict.fromkeys(changed))
        self._again = True
        if self._assigning or not self._open:
            return
        self._assigning = True
        try:
            while self._again:
                self._again = False
                slots, self._changed = self._changed, {}
                spares, over_bytes = self._spares, self._patrol.over_bytes
                supply = Supply(spares.blanks, self._idle, self.busy, spares.coming, spares.may_make, over_bytes, trim)
                self._do(assign(slots, self._turns, self._successors, supply, self._limits))
                for slot in slots:
                    if slot.empty and slot not in self._successors:
                        self._slots.pop(slot.tenant, None)
        finally:
            self._assigning = False

    def _do(self, found: Assignment) -> None:
        self._turns, self._successors = found.turns, found.successors
        for slot, waiter, worker in found.leases:
            slot.waiters.remove(waiter)
            if worker.tenant is None:
                self._bind(worker, slot, waiter.flow)
            else:
                slot.idle.remove(worker)
                del self._idle[worker]
            waiter.future.set_result(self._lease(worker, slot))
        for slot, flow, blank in found.loads:
            worker = self._bind(blank, slot, flow)
            slot.loading = True
            self._leases.begin(worker, slot)
            self._fairness.place(worker)
            self._to_load.put_nowait(worker)
        for slot, waiter in found.refused:
            self._shortage.queue_full(slot, waiter)
        for worker, reason in found.kills:
            worker.kill(reason)
        self._spares.make(found.spawn)

    # -- what happens to workers -------------------------------------------------------------------------------------

    def _on_renewed(self, worker: Worker) -> None:
        self.watchdog.unwatch(worker)
        cpu_us = self._renewing.pop(worker, None)
        if cpu_us is not None:
            self.release(worker, cpu_us=cpu_us)

    def _on_dead(self, worker: Worker) -> None:
        self._renewing.pop(worker, None)
        self.watchdog.unwatch(worker)
        self._fairness.forget(worker)
        self._patrol.forget(worker)
        if worker.tenant is None:
            # One that died while it started is no blank worker yet.
            if worker in self._spares.blanks:
                self._spares.blanks.remove(worker)
            self._assign()
            return
        slot = self._slots[worker.tenant]
        slot.workers -= 1
        self._leases.lost(worker)
        if self._idle.pop(worker, None) is not None:
            slot.idle.remove(worker)
        if worker.kill_reason is KillReason.VIOLATION:
            self._pauses.begin(slot)
        self._assign(slot)

    def _on_crash(self, worker: Worker) -> None:
        """Give the tenant of a crashed worker no new one for a while, where it may be guessing at addresses."""
        if worker.tenant is not None and self._spawner.renewal.exposed:
            self._pauses.begin(self._slots[worker.tenant])

    def _on_tick(self) -> None:
        """Look at some of the workers, and every few seconds at what has been kept for too long."""
        if not self._open:
            return
        pause_s = self._patrol.turn()
        self._handover.look(sum(self.counts().values()))
        if self._loop.time() >= self._sweep_at_s:
            self.sweep()
        elif self._patrol.over_bytes >= 0:
            self._assign()
        self._loop.call_later(pause_s, self._on_tick)

    def sweep(self) -> None:
        """Let go of blank workers that are not needed, and of workers that have been idle for long."""
        now_s = self._loop.time()
        self._sweep_at_s = now_s + _SWEEP_S
        self._fairness.settle()
        self._pauses.forget()
        self._idle.sweep(now_s)
        self._handover.sweep()
        self._assign(trim=True)
