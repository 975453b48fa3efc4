"""Decides which login gets which worker: one pure pass over logins that wait, the workers there are, and the limits.

It changes nothing and knows no clock, process or log. The pool does what it says, and asks again after each change.
The model is `ConnectionPool._assign_requests_to_connections` of httpcore.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runtime.ops.labels import KillReason
from runtime.workers.worker import Worker

UNKNOWN_US: Final = 1000.0
"""What a login of a tenant takes of which nothing is known: too much for another one to wait behind it."""
SPAWNS_AT_ONCE: Final = 8
"""Workers that are made at the same time. More would wait for the processor and for each other."""


class Waiter:
    """A login that waits for a worker of a flow, named by the flow's digest."""

    __slots__ = ("alone", "flow", "future")

    def __init__(self, flow: bytes, future: asyncio.Future[Worker], *, alone: bool = False) -> None:
        self.flow = flow
        self.future = future
        self.alone = alone
        """It goes behind no other login: it did, and has been let down by it."""


class Slot:
    """One tenant's part of the pool."""

    __slots__ = ("busy", "idle", "loading", "login_us", "paused", "tenant", "waiters", "workers")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.workers = 0
        """All that are bound to it and alive."""
        self.idle: list[Worker] = []
        """Those of them that serve no login; the one that ran last comes last."""
        self.busy: list[Worker] = []
        """The others."""
        self.login_us = UNKNOWN_US
        """Processor time that its logins took of late."""
        self.waiters: deque[Waiter] = deque()
        self.loading = False
        """A worker is being loaded with its flow, ahead of its next login."""
        self.paused = False
        """It gets no new worker for now, because its last ones broke the protocol."""

    def next_waiter(self, worker: Worker) -> Waiter | None:
        """Take out the login that has waited longest, if this worker is one that it waits for."""
        waiters = self.waiters
        while waiters and waiters[0].future.done():
            waiters.popleft()
        fits = waiters and waiters[0].flow == worker.flow and not (waiters[0].alone and worker.leases)
        return waiters.popleft() if fits else None

    def is_stuck(self, limits: Limits) -> bool:
        """Say whether its logins can only wait for workers of its own that are leased now."""
        full = self.paused or self.workers >= limits.per_tenant
        return full and not self.idle and len(self.waiters) <= limits.queue_per_tenant

    @property
    def empty(self) -> bool:
        """Say whether there is nothing left to remember of it."""
        return not (self.workers or self.waiters or self.loading or self.paused)

    def take(self, flow: bytes) -> Worker | None:
        """Take out the idle worker of a flow that ran last."""
        idle = self.idle
        if idle and idle[-1].flow == flow:
            return idle.pop()
        for at in range(len(idle) - 2, -1, -1):
            if idle[at].flow == flow:
                return idle.pop(at)
        return None


class Slots(dict[str, Slot]):
    """Slots by tenant; that of a tenant without one is made when it is asked for."""

    def __missing__(self, tenant: str) -> Slot:
        slot = self[tenant] = Slot(tenant)
        return slot


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows."""

    workers: int
    """Of all tenants together, blank ones included."""
    per_tenant: int
    queue_per_tenant: int
    blanks: int
    """Blank workers to keep ready."""


@dataclass(frozen=True, slots=True)
class Supply:
    """The workers of all tenants together."""

    blanks: Sequence[Worker]
    """Ready, and bound to no tenant."""
    idle: Collection[Worker]
    """Bound, and serving no login; the one that has been idle longest comes first."""
    leased: int
    spawning: int
    may_spawn: bool = True
    """False for a while after a worker could not be made."""
    over_bytes: int = -1
    """By how much the memory of all workers exceeds what they may take; negative where there is room."""
    trim: bool = False
    """Blank workers that are not needed any more are to go."""


@dataclass(slots=True)
class Assignment:
    """What is to be done, in this order."""

    leases: list[tuple[Slot, Waiter, Worker]] = field(default_factory=list)
    """Idle and blank workers, each for a login that waits."""
    loads: list[tuple[Slot, bytes, Worker]] = field(default_factory=list)
    """Blank workers to be bound to a tenant and its flow, and loaded, ahead of the next login."""
    refused: list[tuple[Slot, Waiter]] = field(default_factory=list)
    """Logins beyond what the queue of their tenant holds."""
    kills: list[tuple[Worker, KillReason]] = field(default_factory=list)
    spawn: int = 0
    turns: list[Slot] = field(default_factory=list)
    """Tenants that still wait for a blank worker, in the order in which they will get one."""
    successors: dict[Slot, bytes] = field(default_factory=dict)
    """Tenants that still wait for a successor."""


def assign(
    changed: Iterable[Slot], turns: Iterable[Slot], successors: Mapping[Slot, bytes], supply: Supply, limits: Limits
) -> Assignment:
    """Decide what happens next.

    Args:
        changed: tenants whose waiters, workers or pause changed since the last pass.
        turns: tenants that waited for a blank worker after the last pass.
        successors: tenants that are to get a worker ahead of their next login, with the digest of their flow.
        supply: the workers of all tenants.
        limits: what the configuration allows.
    """
    found = Assignment()
    wishes = {slot: _serve_by_own(slot, found, limits) for slot in dict.fromkeys(changed)}
    queue = [slot for slot in dict.fromkeys([*turns, *wishes]) if wishes.get(slot, True)]
    left = _hand_out(deque(queue), successors, wishes, found, supply, limits)
    _adjust(left, found, supply, limits)
    return found


def _serve_by_own(slot: Slot, found: Assignment, limits: Limits) -> list[Waiter]:
    """Give a tenant's idle workers to its logins, the longest waiting first; return those that want a blank one."""
    own = list(slot.idle)
    free = 0 if slot.paused else limits.per_tenant - slot.workers
    wishes: list[Waiter] = []
    unserved = 0
    for waiter in slot.waiters:
        if not own and len(wishes) >= free and len(slot.waiters) <= limits.queue_per_tenant:
            break
        if waiter.future.done():
            continue
        worker = next((one for one in reversed(own) if one.flow == waiter.flow), None)
        if worker is not None:
            own.remove(worker)
            found.leases.append((slot, waiter, worker))
            continue
        unserved += 1
        if unserved > limits.queue_per_tenant:
            found.refused.append((slot, waiter))
        elif len(wishes) < free:
            wishes.append(waiter)
        elif own and not slot.paused:
            # An idle worker of another flow makes room, and the login is served once it is gone.
            found.kills.append((own.pop(0), KillReason.OUTDATED))
    return wishes


def _hand_out(
    queue: deque[Slot],
    successors: Mapping[Slot, bytes],
    wishes: dict[Slot, list[Waiter]],
    found: Assignment,
    supply: Supply,
    limits: Limits,
) -> list[Worker]:
    """Hand out blank workers: one to each tenant in turn, then to successors once no login waits. Return the rest."""
    blanks = deque(supply.blanks)
    bound: Counter[Slot] = Counter()
    while queue and blanks:
        slot = queue.popleft()
        if slot not in wishes:
            # It did not change: it has no idle worker for any of its logins.
            waiting = [waiter for waiter in slot.waiters if not waiter.future.done()]
            wishes[slot] = waiting[: limits.per_tenant - slot.workers]
        if not wishes[slot]:
            continue
        found.leases.append((slot, wishes[slot].pop(0), blanks.popleft()))
        bound[slot] += 1
        if wishes[slot]:
            queue.append(slot)
    found.turns = list(queue)
    for slot, flow in successors.items():
        full = slot.workers + bound[slot] >= limits.per_tenant
        served = any(one.flow == flow and not one.retiring for one in slot.idle)
        if full or slot.loading or slot.paused or served:
            continue
        if blanks:
            found.loads.append((slot, flow, blanks.popleft()))
        else:
            found.successors[slot] = flow
    return list(blanks)


def _adjust(blanks: list[Worker], found: Assignment, supply: Supply, limits: Limits) -> None:
    """Say how many workers are to be made, and which are let go for want of room or of need."""
    coming = len(blanks) + supply.spawning
    missing = limits.blanks + len(found.turns) + len(found.successors) - coming
    startable = SPAWNS_AT_ONCE - supply.spawning if supply.may_spawn else 0
    room = limits.workers - len(supply.blanks) - len(supply.idle) - supply.leased - supply.spawning
    over_bytes = supply.over_bytes
    # Idle workers are evicted for logins that wait, not to keep blank ones or for successors.
    short = min(len(found.turns) - coming, startable)
    taken = {worker for _, _, worker in found.leases} | {worker for worker, _ in found.kills}
    for worker in supply.idle:
        if over_bytes < 0 and short <= room:
            break
        if worker not in taken:
            found.kills.append((worker, KillReason.EVICTED))
            over_bytes -= worker.memory.bytes
            room += 1
    if over_bytes < 0:
        found.spawn = max(0, min(missing, startable, room))
    if supply.trim and missing < 0:
        found.kills += [(blank, KillReason.RECYCLED) for blank in blanks[:-missing]]
