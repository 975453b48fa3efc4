"""Replaces a zygote by a new one, and its workers without a login waiting for it: first the new worker, then the end.

Knows the tenants' workers and the zygotes they are of. Must not know flows, queues or what a worker is asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from runtime.ops.labels import KillReason, RenewalReason
from runtime.workers.assign import Limits, Slot
from runtime.workers.spares import Spares
from runtime.workers.spawner import Spawner
from runtime.workers.worker import Worker

# A worker takes some milliseconds of a processor to make and load: a hundred tenants a second leave the most of it.
SLOTS_AT_ONCE: Final = 2
_TURN_S: Final = 0.02
# A kill costs some 100 us.
_KILLS_AT_ONCE: Final = 64


class Handover:
    """The renewal of one pool's zygote. Construct it inside the loop."""

    def __init__(
        self,
        spawner: Spawner,
        spares: Spares,
        slots: Mapping[str, Slot],
        idle: Collection[Worker],
        limits: Limits,
        succeed: Callable[[str, bytes], bool],
    ) -> None:
        """Take what a pool has.

        Args:
            spawner: makes workers, and knows of which zygote one is.
            spares: the blank workers.
            slots: the tenants, by name, whenever it is looked at.
            idle: the workers that serve no login; the one that has been idle longest comes first.
            limits: of workers.
            succeed: binds a blank worker to a tenant ahead of its next login, by its name and the digest of a flow;
                False when it gets none.
        """
        self._loop = asyncio.get_running_loop()
        self._spawner = spawner
        self._spares = spares
        self._slots = slots
        self._idle = idle
        self._limits = limits
        self._succeed = succeed
        self._task: asyncio.Task[None] | None = None
        self._left: deque[Slot] = deque()
        self._waited = False

    def look(self, workers: int) -> None:
        """Begin a renewal if one is due; `workers` is how many there are."""
        reason = self._spawner.renewal.due()
        if reason is not None and self._task is None and self._has_room(workers):
            self._task = self._loop.create_task(self._renew(reason))

    async def close(self) -> None:
        """Begin nothing more."""
        self._left.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _has_room(self, workers: int) -> bool:
        """Make room for one worker more; False when all are busy."""
        if workers < self._limits.workers:
            return True
        unused = next(iter((*self._spares.blanks, *self._idle)), None)
        if unused is not None:
            unused.kill(KillReason.EVICTED)
        return unused is not None and workers <= self._limits.workers

    async def _renew(self, reason: RenewalReason) -> None:
        try:
            first = await self._spawner.renew(reason)
            if first is not None:
                self._spares.take(first)
                self._begin()
        finally:
            self._task = None

    def _begin(self) -> None:
        # What is left of a handover before is part of this one.
        running = bool(self._left)
        self._left = deque(self._slots.values())
        self._waited = False
        if not running:
            self._turn()

    def _turn(self) -> None:
        handed = 0
        while self._left and handed < SLOTS_AT_ONCE:
            handed += self._hand_over(self._left.popleft())
        if self._left:
            self._loop.call_later(_TURN_S, self._turn)

    def _old(self, slot: Slot) -> list[Worker]:
        return [worker for worker in (*slot.idle, *slot.busy) if self._spawner.is_old(worker)]

    def _hand_over(self, slot: Slot) -> bool:
        """Have a successor made for a tenant's old workers, which serve until it is there; False without any."""
        old = self._old(slot)
        if not old:
            return False
        for worker in old:
            if not worker.leases:
                # It serves the login that comes before its successor, and that is its last one.
                worker.retiring = True
        if slot.workers >= self._limits.per_tenant:
            _let_go(old[:1])
        if not self._succeed(slot.tenant, old[-1].flow):
            _let_go(old)
        return True

    def loaded(self, slot: Slot) -> None:
        """Let go of a tenant's old workers if the one that was loaded is a new one."""
        if not self._spawner.renewing:
            return
        old = self._old(slot)
        if len(old) < slot.workers:
            _let_go(old)
        else:
            self._hand_over(slot)

    def sweep(self) -> None:
        """Let go of old workers whose successor was not made in time: for want of memory, or of a flow."""
        if self._left or self._task is not None or not self._spawner.renewing:
            return
        if not self._waited:
            self._waited = True
            return
        for slot in self._slots.values():
            for worker in slot.busy:
                worker.retiring = worker.retiring or self._spawner.is_old(worker)
        unused = [worker for worker in (*self._spares.blanks, *self._idle) if self._spawner.is_old(worker)]
        _let_go(unused[:_KILLS_AT_ONCE])


def _let_go(workers: Iterable[Worker]) -> None:
    for worker in workers:
        if worker.leases:
            worker.retiring = True
        else:
            worker.kill(KillReason.RENEWED)
