"""One zygote with the workers that it forked: whose exits it reports, and which are left when it dies.

Knows ids, which mean something to one zygote only. Must not know tenants, layers or why a zygote is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from runtime.workers.spawned import SpawnedWorker
from runtime.workers.worker import Worker
from runtime.workers.zygote import Zygote

_EARLY_EXITS_MAX: Final = 256

MakeZygote = Callable[[Callable[[int, int], None], Callable[[str], None]], Zygote]
"""Takes `on_exit(worker id, exit code or negated signal)` and `on_death(reason)`."""


class Generation:
    """One zygote, and its workers whose end is not known yet."""

    def __init__(
        self,
        make_zygote: MakeZygote,
        on_exit: Callable[[Worker, int], None],
        on_death: Callable[[Generation, str], None],
    ) -> None:
        """Prepare. `on_exit` gets a worker with its exit code or negated signal, `on_death` why the zygote died."""
        self._on_exit = on_exit
        self._on_death = on_death
        self._workers: dict[int, Worker] = {}
        # Exits that were reported in one turn of the loop with the fork, before the worker was known.
        self._early_exits: dict[int, int] = {}
        self._forks = 0
        self.zygote = make_zygote(self._exited, lambda reason: self._on_death(self, reason))

    def __len__(self) -> int:
        """How many of its workers live, or are being made."""
        return len(self._workers) + self._forks

    async def fork(self) -> SpawnedWorker:
        """Fork a worker; give it to `add`, or undo it. Raises: WorkerStartError."""
        self._forks += 1
        try:
            return await self.zygote.spawn()
        finally:
            self._forks -= 1

    def add(self, worker: Worker) -> None:
        """Note a worker. Its exit may have been reported already."""
        self._workers[worker.id] = worker
        early = self._early_exits.pop(worker.id, None)
        if early is not None:
            self._exited(worker.id, early)

    def _exited(self, worker_id: int, code: int) -> None:
        worker = self._workers.pop(worker_id, None)
        if worker is not None:
            self._on_exit(worker, code)
            return
        if len(self._early_exits) >= _EARLY_EXITS_MAX:
            # Of forks that were given up before they were answered.
            self._early_exits.clear()
        self._early_exits[worker_id] = code

    def orphans(self) -> list[Worker]:
        """Return the workers of a dead zygote, whose exits will never be reported, and forget them."""
        workers = list(self._workers.values())
        self._workers.clear()
        self._early_exits.clear()
        return workers
