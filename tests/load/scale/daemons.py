"""Measures what a daemon takes: for warm logins, for cold ones, for streams, and in memory.

Knows how to load a daemon and its counters. Must not know models.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.load import subjects, usage
from tests.load.loads import call, stream_burst
from tests.load.processes import BenchError, Daemon
from tests.load.scale.running import Steady, below, middle, steady, tenants

IN_FLIGHT: Final = 32
"""Logins at a time: as many as fill the processors."""
CALM: Final = 4
"""Logins at a time: few enough that queues are short."""
_ROUNDS: Final = 3
_STEADY_S: Final = 3.0
_COLD: Final = 150
_COLD_PACE_S: Final = 0.03
_IDLE_S: Final = 1.0
_STREAMED: Final = 6000
_TENANTS: Final = 10_000
_LOOKS: Final = 60


@dataclass(frozen=True, slots=True)
class Cold:
    """What cold logins took, each, in microseconds of processor time."""

    loop_us: float
    below_us: float
    zygote_us: float


def folder_with(root: Path, name: str, tenants: list[str]) -> Path:
    """Make a folder with a store of tenants that have actions of their own."""
    folder = root / name
    folder.mkdir()
    own = {one: [f"{source}\n# {one}\n" for source in subjects.FLOW] for one in tenants}
    subjects.store(folder, [subjects.definition(one, sources) for one, sources in own.items()])
    return folder


@dataclass(frozen=True, slots=True)
class Warm:
    """Loads of warm logins, as much as a daemon bears: of one process and of two, in turn; and less than they bear."""

    one: Steady
    two: Steady
    two_calm: Steady
    lone: Steady


def warm(root: Path, progress: Callable[[str], None]) -> Warm:
    """Load one daemon process and two in turn, so that both share what else happens on the machine."""
    found: dict[int, list[Steady]] = {1: [], 2: []}
    calm: dict[int, list[Steady]] = {1: [], 2: []}
    for number in range(_ROUNDS):
        for processes in found:
            progress(f"scale: {processes} process{'es' if processes > 1 else ''}, round {number + 1} of {_ROUNDS}")
            folder = folder_with(root, f"warm-{processes}-{number}", tenants())
            with Daemon(folder, "--processes", str(processes)) if processes > 1 else Daemon(folder) as daemon:
                for in_flight, into in ((IN_FLIGHT, found), (1 if processes == 1 else CALM, calm)):
                    each = steady(daemon, processes=processes, in_flight=in_flight, seconds=_STEADY_S)
                    into[processes].append(each)
    return Warm(middle(found[1]), middle(found[2]), middle(calm[2]), middle(calm[1]))


def streamed(root: Path) -> tuple[float, float]:
    """Return the processor time of a daemon process, and of its workers, for a login of a stream."""
    folder = folder_with(root, "streamed", tenants()[:1])
    request = subjects.request(tenants()[0])
    with Daemon(folder) as daemon:

        def burst(count: int) -> None:
            stream_burst(daemon.target, request, count=count, in_flight=32, a_message=8)

        burst(_STREAMED // 10)
        whole_s, below_s = daemon.cpu_s(), below(daemon, 1)
        burst(_STREAMED)
        below_s = below(daemon, 1) - below_s
        return (daemon.cpu_s() - whole_s - below_s) / _STREAMED * 1e6, below_s / _STREAMED * 1e6


def cold(root: Path, lone: Steady) -> tuple[Cold, Cold, float]:
    """Let tenants log in for the first time, and again when their workers were let go; return memory of a worker too.

    `lone` is what a warm login takes that has the daemon for itself: what is more is of cold ones.
    """
    names = [f"cold-{number}" for number in range(_COLD)]
    folder = folder_with(root, "cold", names)
    with Daemon(folder, "--pool-idle-s", str(_IDLE_S)) as daemon:
        call(daemon.target, [subjects.request(names[0])], count=5)
        _settled(daemon)
        first, worker_bytes = _pass(daemon, names[1:], lone)
        _settled(daemon)
        again, _ = _pass(daemon, names[1:], lone)
    return first, again, worker_bytes


def _pass(daemon: Daemon, names: list[str], lone: Steady) -> tuple[Cold, float]:
    whole_s, below_s, zygote_s = daemon.cpu_s(), below(daemon, 1), _zygote_s(daemon)
    requests = [subjects.request(name) for name in names]
    answers = call(daemon.target, requests, count=len(names), pace_s=_COLD_PACE_S)
    if answers.codes != {"OK": len(names)}:
        raise BenchError(f"cold logins were answered with {answers.codes}")
    found = daemon.metrics()
    workers = found.total("vestibule_workers") or 1.0
    worker_bytes = found.total("vestibule_workers_memory_bytes") / workers
    _settled(daemon)
    # Until they are let go: that is a part of what a cold login takes.
    below_s, zygote_s = below(daemon, 1) - below_s, _zygote_s(daemon) - zygote_s
    loop_s, count = daemon.cpu_s() - whole_s - below_s, len(names)
    return Cold(
        max(0.0, loop_s / count * 1e6 - lone.loop_us),
        max(0.0, below_s / count * 1e6 - lone.below_us),
        zygote_s / count * 1e6,
    ), worker_bytes


def _settled(daemon: Daemon) -> None:
    """Wait until no tenant has a worker, and blank ones are there again."""
    # Not at once: each look at its metrics is time of its loop.
    time.sleep(2 * _IDLE_S)
    for _ in range(_LOOKS):
        if not daemon.metrics().total("vestibule_workers", state="idle"):
            return
        time.sleep(_IDLE_S / 2)
    raise BenchError("workers were not let go")


def _zygote_s(daemon: Daemon) -> float:
    """Return the zygote's own processor time so far."""
    found = usage.family(daemon.pid)
    parents = [stat.parent for stat in found.values()]
    forks = [stat for stat in found.values() if stat.pid != daemon.pid and stat.pid in parents]
    return max((stat.own_s for stat in forks), default=0.0)


def memory(root: Path, progress: Callable[[str], None]) -> tuple[float, float]:
    """Return the resident memory of a daemon process with its zygote, and what a tenant of its catalog adds."""
    held = []
    for count in (1, _TENANTS):
        progress(f"scale: a daemon with {count:,} tenants")
        folder = root / f"memory-{count}"
        folder.mkdir()
        subjects.store(folder, [subjects.definition(f"load-{n}", subjects.FLOW) for n in range(count)])
        with Daemon(folder, "--pool-blank-workers", "0") as daemon:
            held.append(sum(usage.resident_bytes(pid) for pid in usage.family(daemon.pid)))
    return held[0], max(0.0, held[1] - held[0]) / (_TENANTS - 1)
