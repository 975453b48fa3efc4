"""Makes workers that are held by every required layer, and learns how each of them ended.

Knows the zygote and the required layers. Must not know tenants or queues.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.config.effective import Config
from runtime.errors import WorkerError, WorkerStartError
from runtime.ops.labels import ExitReason, KillReason, RenewalReason
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.workers.children import pid_inside
from runtime.workers.generation import Generation, MakeZygote
from runtime.workers.renewal import Renewal
from runtime.workers.spawned import CRASH_SIGNALS, SpawnedWorker
from runtime.workers.worker import State, Worker
from sandbox.contract import exit_codes
from sandbox.contract.layers import Layer

_START_BUDGET_S: Final = 5.0
# Exits that may be a wrong guess of an address.
_CRASHES: Final = (ExitReason.CRASHED, ExitReason.FILTERED)


class Spawner:
    """Makes workers. The first one starts the zygote."""

    def __init__(
        self,
        config: Config,
        make_zygote: MakeZygote,
        metrics: Metrics,
        log: Log,
        on_dead: Callable[[Worker], None],
        on_crash: Callable[[Worker], None] = lambda _: None,
        on_renewed: Callable[[Worker], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            config: what is required of workers, and how often the zygote is renewed.
            make_zygote: makes one that is not started.
            metrics: where workers are counted.
            log: for their ends.
            on_dead: called once for each worker that can serve no more.
            on_crash: called for each that crashed by itself, when its exit is known.
            on_renewed: called each time a template can serve the next login.
        """
        self._on_renewed = on_renewed
        self._reply_bytes = config.sandbox.reply_bytes
        self._required_layers = config.sandbox.required_layers
        self._make_zygote = make_zygote
        self._metrics = metrics
        self._log = log
        self._on_dead = on_dead
        self._on_crash = on_crash
        sandbox = config.sandbox
        self.renewal = Renewal(
            sandbox.zygote_renew_s, sandbox.zygote_renew_crashes, lambda: asyncio.get_running_loop().time()
        )
        self._current: Generation | None = None
        # Those that fork no more, and whose workers have yet to end.
        self._earlier: list[Generation] = []
        self._restart_lock = asyncio.Lock()
        self._alive: dict[Worker, Generation] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._forks_on: Sequence[int] = ()
        self._closed = False
        self.trying = 0
        """Workers that are made of a zygote which may yet replace the one that is there."""
        self.memory_bytes = 0
        """Private memory of all that live."""
        self.layers: tuple[Layer, ...] = ()

    def workers(self) -> list[Worker]:
        """Return those that live."""
        return list(self._alive)

    @property
    def zygote_alive(self) -> bool:
        """Can a worker be forked now?"""
        return self._current is not None and self._current.zygote.alive

    @property
    def renewing(self) -> bool:
        """Is there a worker of an earlier zygote?"""
        return bool(self._earlier)

    def is_old(self, worker: Worker) -> bool:
        """Was a living worker forked by an earlier zygote?"""
        return self._alive.get(worker, self._current) is not self._current

    async def close(self) -> None:
        """Kill every worker and stop the zygote."""
        self._closed = True
        for worker in self.workers():
            worker.kill(KillReason.SHUTDOWN)
        for generation in (self._current, *self._earlier):
            if generation is not None:
                await generation.zygote.close()

    async def spawn(self) -> Worker:
        """Make one worker. Raises: WorkerStartError, naming each required layer that is not active."""
        return await self._spawn(await self._living())

    async def renew(self, reason: RenewalReason) -> Worker | None:
        """Fork from a new zygote from now on; return its first worker, or None where there is no new zygote.

        A new one whose workers lack a required layer does not replace the one that is there.
        """
        started_s = time.monotonic()
        crashes = self.renewal.crashes
        try:
            # Without the lock: the one that is there forks on meanwhile.
            generation = await self._new_generation()
            first = await self._try(generation)
        except WorkerStartError as error:
            self.renewal.failed()
            self._log.error("zygote.renewal_failed", reason=reason.value, error=str(error))
            return None
        before, self._current = self._current, generation
        self.renewal.began()
        if self._forks_on:
            self._request(generation.zygote.place(0, self._forks_on))
        if before is not None and before.zygote.alive:
            self._earlier.append(before)
            self._end_unused(before)
        self._metrics.zygote_renewed(reason.value)
        workers = len(self._alive) - 1
        duration_s = round(time.monotonic() - started_s, 3)
        self._log.info("zygote.renewed", reason=reason.value, crashes=crashes, workers=workers, duration_s=duration_s)
        return first

    async def _try(self, generation: Generation) -> Worker:
        """Make the first worker of a new zygote, which ends where that cannot be done. Raises: WorkerStartError."""
        self.trying = 1
        try:
            return await self._spawn(generation)
        except BaseException:
            await generation.zygote.close()
            raise
        finally:
            self.trying = 0

    async def _spawn(self, generation: Generation) -> Worker:
        started_s = time.monotonic()
        spawned = await generation.fork()
        if not generation.zygote.alive:
            # Its last report: the worker dies with it, and no exit of it will ever be reported.
            spawned.undo()
            raise WorkerStartError("the zygote died as soon as it had forked")
        kill = partial(self._kill_by_zygote, generation)
        loop = asyncio.get_running_loop()
        worker = Worker(loop, spawned, self._reply_bytes, self._died, kill, self._on_renewed)
        self._alive[worker] = generation
        ready = worker.ready()
        generation.add(worker)
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
        generation = self._alive.get(worker)
        if generation is not None:
            self._request(generation.zygote.place(worker.id, cpus, pid_inside(worker.child_pid)))

    def fork_on(self, cpus: Sequence[int]) -> None:
        """Make workers on some of the processors; once made, they may run on all."""
        if self._current is not None and cpus != self._forks_on:
            self._request(self._current.zygote.place(0, cpus))
        self._forks_on = cpus

    async def _living(self) -> Generation:
        """Return a generation that forks; make one where the zygote is dead, or there is none yet."""
        async with self._restart_lock:
            generation = self._current
            if generation is None or not generation.zygote.alive:
                self._metrics.zygote_started()
                generation = await self._new_generation()
                if self._current is not None:
                    self._log.info("zygote.restarted")
                self._current = generation
                self.renewal.began()
            return generation

    async def _new_generation(self) -> Generation:
        generation = Generation(self._make_zygote, self._on_exit, self._on_zygote_death)
        await generation.zygote.start()
        if self._forks_on:
            await generation.zygote.place(0, self._forks_on)
        return generation

    def _kill_by_zygote(self, generation: Generation, spawned: SpawnedWorker) -> None:
        self._request(generation.zygote.kill(spawned))

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
        self._alive.pop(worker, None)
        self.memory_bytes -= worker.memory.bytes
        if worker.kill_reason is not None:
            self._metrics.worker_killed(worker.kill_reason.value)
        self._on_dead(worker)

    def _on_exit(self, worker: Worker, code: int) -> None:
        if worker.is_template and code > exit_codes.BY_SIGNAL:
            code = exit_codes.BY_SIGNAL - code
        worker.exited(code)
        reason = _exit_reason(worker, code)
        self._metrics.worker_exited(reason.value)
        if worker.kill_reason is None:
            # An idle one's death touches no login, so no other line would show it.
            self._log.warning("worker.exited", worker=worker.id, tenant=worker.tenant, how=describe_exit(code))
        if reason in _CRASHES:
            self.renewal.crashed()
            self._on_crash(worker)
        for earlier in list(self._earlier):
            self._end_unused(earlier)

    def _end_unused(self, generation: Generation) -> None:
        """Stop an earlier zygote once it has no worker."""
        if not len(generation) and generation in self._earlier:
            self._earlier.remove(generation)
            self._request(generation.zygote.close())

    def _on_zygote_death(self, generation: Generation, reason: str) -> None:
        """Note that no exit will be reported any more; every worker dies with its parent."""
        orphans = generation.orphans()
        self._log.error("zygote.died", reason=reason, workers=len(orphans))
        if generation in self._earlier:
            self._earlier.remove(generation)
        for worker in orphans:
            worker.exited(None)
            killed = worker.kill_reason is not None
            self._metrics.worker_exited((ExitReason.KILLED if killed else ExitReason.DIED).value)


def _exit_reason(worker: Worker, code: int) -> ExitReason:
    """Return the label of `worker_exits_total` for an exit code or negated signal."""
    if worker.kill_reason is not None:
        return ExitReason.KILLED
    if code == -signal.SIGSYS:
        return ExitReason.FILTERED
    return ExitReason.CRASHED if -code in CRASH_SIGNALS else ExitReason.DIED


def describe_exit(code: int | None) -> str:
    """Say how a process ended, from its exit code or negated signal."""
    if code is None:
        return "how is unknown"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
