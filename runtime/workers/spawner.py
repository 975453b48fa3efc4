"""Makes workers that are held by every required layer, and learns how each of them ended.

Knows the zygote and the required layers. Must not know tenants or queues.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.config.settings import Config
from runtime.errors import WorkerError, WorkerStartError
from runtime.ops.labels import KillReason
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.workers.spawned import CRASH_SIGNALS, SpawnedWorker
from runtime.workers.worker import State, Worker
from runtime.workers.zygote import Zygote
from sandbox.contract.layers import Layer

_START_BUDGET_S: Final = 5.0
_EARLY_EXITS_MAX: Final = 256


MakeZygote = Callable[[Callable[[int, int], None], Callable[[str], None]], Zygote]
"""Takes `on_exit(worker id, exit code or negated signal)` and `on_death(reason)`."""


class Spawner:
    """Makes workers. The first one starts the zygote."""

    def __init__(
        self, config: Config, make_zygote: MakeZygote, metrics: Metrics, log: Log, on_dead: Callable[[Worker], None]
    ) -> None:
        """Prepare. `on_dead` is called once for each worker that can serve no more."""
        self._reply_bytes = config.sandbox.reply_bytes
        self._required_layers = config.sandbox.required_layers
        self._make_zygote = make_zygote
        self._metrics = metrics
        self._log = log
        self._on_dead = on_dead
        self._zygote: Zygote | None = None
        self._restart_lock = asyncio.Lock()
        self._alive: set[Worker] = set()
        self._awaiting_exit: dict[int, Worker] = {}
        # Exits that were reported in one turn of the loop with the fork, before the worker was known.
        self._early_exits: dict[int, int] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._forks_on: Sequence[int] = ()
        self._closed = False
        self.memory_bytes = 0
        """Private memory of all that live."""
        self.layers: tuple[Layer, ...] = ()

    def workers(self) -> list[Worker]:
        """Return those that live."""
        return list(self._alive)

    @property
    def zygote_alive(self) -> bool:
        """Can a worker be forked now?"""
        return self._zygote is not None and self._zygote.alive

    async def close(self) -> None:
        """Kill every worker and stop the zygote."""
        self._closed = True
        for worker in self.workers():
            worker.kill(KillReason.SHUTDOWN)
        if self._zygote is not None:
            await self._zygote.close()

    async def spawn(self) -> Worker:
        """Make one worker. Raises: WorkerStartError, naming each required layer that is not active."""
        started_s = time.monotonic()
        zygote = await self._live_zygote()
        spawned = await zygote.spawn()
        if not zygote.alive:
            # Its last report: the worker dies with it, and no exit of it will ever be reported.
            spawned.undo()
            raise WorkerStartError("the zygote died as soon as it had forked")
        worker = Worker(asyncio.get_running_loop(), spawned, self._reply_bytes, self._died, self._kill_by_zygote)
        self._alive.add(worker)
        self._awaiting_exit[worker.id] = worker
        ready = worker.ready()
        early = self._early_exits.pop(worker.id, None)
        if early is not None:
            self._on_exit(worker.id, early)
        try:
            async with asyncio.timeout(_START_BUDGET_S):
                frame = await ready
        except TimeoutError:
            worker.kill(KillReason.START)
            raise WorkerStartError(f"a worker was not ready within {_START_BUDGET_S:.0f} s") from None
        except WorkerError as error:
            code = await worker.exit_code()
            worker.kill(KillReason.START)
            raise WorkerStartError(f"a worker died before it was ready ({describe_exit(code)})") from error
        self._check_layers(worker, frame)
        if worker.state is State.DEAD:
            # Its frame and its end came in one turn of the loop, so that its death has been reported already.
            code = await worker.exit_code()
            raise WorkerStartError(f"a worker died as soon as it was ready ({describe_exit(code)})")
        self.weigh(worker)
        self._metrics.worker_spawned(time.monotonic() - started_s)
        return worker

    def weigh(self, worker: Worker) -> None:
        """Measure a worker's memory. The first time, it is what the worker was forked with."""
        self.memory_bytes += worker.weigh()

    def place(self, worker: Worker, cpus: Sequence[int]) -> None:
        """Keep a worker to some of the processors, from about now on."""
        if self._zygote is not None:
            self._request(self._zygote.place(worker.id, cpus))

    def fork_on(self, cpus: Sequence[int]) -> None:
        """Make workers on some of the processors; once made, they may run on all."""
        if self._zygote is not None and cpus != self._forks_on:
            self._request(self._zygote.place(0, cpus))
        self._forks_on = cpus

    async def _live_zygote(self) -> Zygote:
        async with self._restart_lock:
            zygote = self._zygote
            if zygote is None or not zygote.alive:
                self._metrics.zygote_started()
                zygote = self._make_zygote(self._on_exit, self._on_zygote_death)
                await zygote.start()
                if self._zygote is not None:
                    self._log.info("zygote.restarted")
                self._zygote = zygote
                if self._forks_on:
                    await zygote.place(0, self._forks_on)
            return zygote

    def _kill_by_zygote(self, spawned: SpawnedWorker) -> None:
        if self._zygote is not None:
            self._request(self._zygote.kill(spawned))

    def _request(self, request: Coroutine[Any, Any, None]) -> None:
        if self._closed:
            request.close()
            return
        task = asyncio.get_running_loop().create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    def _check_layers(self, worker: Worker, frame: bytes) -> None:
        try:
            ready = worker_pb2.Ready.FromString(frame)
        except DecodeError:
            worker.kill(KillReason.VIOLATION)
            raise WorkerStartError("a worker's ready frame cannot be parsed") from None
        layers = tuple(map(Layer.of, ready.layers))
        active = {layer.name for layer in layers if layer.active}
        missing = [name for name in self._required_layers if name not in active]
        if missing:
            worker.kill(KillReason.START)
            why = {layer.name: layer.detail for layer in layers}
            raise WorkerStartError(
                "required layers are not active on this host: "
                + "; ".join(f"{name} ({why.get(name) or 'unknown layer'})" for name in missing)
                + ". `vestibule doctor` says what to change; `sandbox.required_layers` says what is required"
            )
        self.layers = layers

    def _died(self, worker: Worker) -> None:
        self._alive.discard(worker)
        self.memory_bytes -= worker.memory_bytes
        if worker.kill_reason is not None:
            self._metrics.worker_killed(worker.kill_reason.value)
        self._on_dead(worker)

    def _on_exit(self, worker_id: int, code: int) -> None:
        worker = self._awaiting_exit.pop(worker_id, None)
        if worker is None:
            if len(self._early_exits) >= _EARLY_EXITS_MAX:
                # Of forks that were given up before they were answered.
                self._early_exits.clear()
            self._early_exits[worker_id] = code
            return
        worker.exited(code)
        self._metrics.worker_exited(_exit_reason(worker, code))
        if worker.kill_reason is None:
            # An idle one's death touches no login, so no other line would show it.
            self._log.warning("worker.exited", worker=worker.id, tenant=worker.tenant, how=describe_exit(code))

    def _on_zygote_death(self, reason: str) -> None:
        """Note that no exit will be reported any more; every worker dies with its parent."""
        self._log.error("zygote.died", reason=reason, workers=len(self._awaiting_exit))
        for worker in list(self._awaiting_exit.values()):
            worker.exited(None)
            self._metrics.worker_exited("died" if worker.kill_reason is None else "killed")
        self._awaiting_exit.clear()
        self._early_exits.clear()


def _exit_reason(worker: Worker, code: int) -> str:
    """Return the label of `worker_exits_total` for an exit code or negated signal."""
    if worker.kill_reason is not None:
        return "killed"
    if code == -signal.SIGSYS:
        return "filtered"
    return "crashed" if -code in CRASH_SIGNALS else "died"


def describe_exit(code: int | None) -> str:
    """Say how a process ended, from its exit code or negated signal."""
    if code is None:
        return "how is unknown"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
