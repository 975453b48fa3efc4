"""The operators' answers for several processes: one set of metrics, one liveness, one readiness, with what each says.

Asked from the threads of the operators' port; the supervisor's loop asks the processes. Must not start or end any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final, Protocol, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from runtime.ops.http import Probed
from runtime.ops.metrics import Metrics
from runtime.ops.recorders import Counter, Gauge, Recorder
from runtime.supervisor.merging import Ended, merged
from runtime.supervisor.messages import Family
from runtime.supervisor.process import Process

T = TypeVar("T")

# Above what a process has for its answer.
_PATIENCE_S: Final = 5.0
STATES: Final = ("starting", "serving", "draining")
EXITS: Final = ("drained", "crashed", "hung", "start_failed")


class Living(Protocol):
    """Who knows the processes."""

    def processes(self) -> list[Process]:
        """Return those that live."""

    @property
    def reason(self) -> str:
        """Why none should be sent here now; empty when some may."""


class ProcessMetrics(Collector):
    """What a supervisor counts itself."""

    def __init__(self) -> None:
        self.now = Gauge(
            "vestibule_processes",
            "Processes now, where there are several: starting, serving, draining (replaced, or at the end).",
            state=STATES,
        )
        self.exited = Counter(
            "vestibule_process_exits",
            "Processes gone, of several: drained (replaced by a restart, or at the end), crashed, hung (killed by the "
            "supervisor), or ended before they served.",
            reason=EXITS,
        )
        self.restarted = Counter(
            "vestibule_restarts",
            "Restarts of all processes, one at a time, by how they ended.",
            result=("done", "failed"),
        )

    def collect(self) -> Iterable[Metric]:
        """Make every family."""
        return [recorder.collect() for recorder in vars(self).values() if isinstance(recorder, Recorder)]


class Overview(Collector):
    """What the operators' port shows. `ended` is what processes counted that are gone."""

    def __init__(self, living: Living, version: str) -> None:
        """Construct it on the supervisor's loop."""
        self._living = living
        self._across = Metrics(version).across()
        self._loop = asyncio.get_running_loop()
        self.metrics = ProcessMetrics()
        self.metrics.now.watch(self._census)
        self.ended = Ended()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Ask every process, and yield one set of metrics; called by a thread of the operators' port."""
        snapshots = self._on_loop(self.snapshots()) or []
        return [*self.metrics.collect(), *merged(snapshots, self._across)]

    async def snapshots(self) -> list[list[Family]]:
        """Return what each process counted, and what those counted that are gone."""
        await asyncio.gather(*(process.count() for process in self._serving()))
        # Nothing is awaited in between: what a process counted that ends meanwhile is in one of the two.
        return [self.ended.snapshot(), *(process.counted for process in self._living.processes())]

    def live(self) -> Probed:
        """Say why the whole is not live: every process hangs. One that does is replaced by the supervisor."""
        return self._on_loop(self._probe("live")) or Probed(["the supervisor's loop does not turn"])

    def ready(self) -> Probed:
        """Say why the whole is not ready: it ends, or no process is ready."""
        found = self._on_loop(self._probe("ready")) or Probed(["the supervisor's loop does not turn"])
        if self._living.reason or not self._living.processes():
            return Probed([self._living.reason or "no process runs", *found.reasons, *found.notes])
        return found

    async def _probe(self, which: str) -> Probed:
        """Return what each process says: why it is not "live", or not "ready"."""
        serving = self._serving()
        found = await asyncio.gather(*(process.probe(which) for process in serving))
        said = zip(serving, found, strict=True)
        lines = [f"{_name(process)}: {line}" for process, one in said for line in (*one.reasons, *one.notes)]
        if which == "ready":
            lines += [f"{_name(one)}: starting" for one in self._living.processes() if not one.serving.is_set()]
            if not serving:
                return Probed(lines or ["no process serves"])
        failed = bool(serving) and all(one.reasons for one in found)
        return Probed(lines) if failed else Probed([], lines)

    def _serving(self) -> list[Process]:
        return [one for one in self._living.processes() if one.serving.is_set() and not one.draining]

    def _census(self) -> dict[tuple[str, ...], float]:
        numbers = dict.fromkeys(STATES, 0)
        for process in self._living.processes():
            numbers["draining" if process.draining else "serving" if process.serving.is_set() else "starting"] += 1
        return {(state,): number for state, number in numbers.items()}

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Run work on the loop, from another thread; None when the loop does not do it in time."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)
        except TimeoutError:
            return None


def _name(process: Process) -> str:
    return f"process {process.number} (pid {process.pid})"
