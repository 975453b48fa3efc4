"""A daemon under a steady load: logins a second, their times, and the processor time of each kind of process.

Knows processes and their counters. Must not know models. Start and end of daemon and clients are left out: they are
looked at in the middle.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from tests.load import subjects, usage
from tests.load.loads import Call
from tests.load.processes import BenchError, Daemon
from tests.load.stats import percentile

CLIENTS: Final = 2
_CONNECTIONS: Final = 16
"""Of each client: the kernel divides them among processes, and few are seldom divided evenly."""
_STEADY_S: Final = 1.5
_TENANTS: Final = 20


@dataclass(frozen=True, slots=True)
class Steady:
    """What was seen of a load in its middle; times in microseconds, for a login."""

    rate: float
    p50_us: float
    mean_us: float
    client_us: float
    loop_us: float
    below_us: float
    """Of workers and zygotes."""
    others: float
    """Share of the processors that other programs took."""


def tenants() -> list[str]:
    """Return the tenants that log in, each with actions of its own."""
    return [f"scale-{number}" for number in range(_TENANTS)]


def middle(rounds: Sequence[Steady]) -> Steady:
    """Return the median of each figure of some rounds; of what others took, the most."""
    figures = {item.name: statistics.median(getattr(one, item.name) for one in rounds) for item in fields(Steady)}
    return Steady(**figures | {"others": max(one.others for one in rounds)})


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    decided: float
    client_s: float
    loop_s: float
    below_s: float
    all_s: float


def steady(daemon: Daemon, *, processes: int, in_flight: int, seconds: float, rate: float = 0.0) -> Steady:
    """Load a daemon with tenants that are warm: a closed loop, or logins that are due at a rate. Raises: BenchError."""
    requests = [subjects.request(tenant) for tenant in tenants()]
    whole_s = seconds + 3 * _STEADY_S
    plan: dict[str, Any] = {
        "decisions": False,
        "longest_s": whole_s,
        "count": int(rate / CLIENTS * whole_s) or 10_000_000,
    }
    each = max(1, in_flight // CLIENTS) if not rate else 500
    calls = [
        Call(daemon.target, requests, in_flight=each, connections=min(_CONNECTIONS, each), rate=rate / CLIENTS, **plan)
        for _ in range(CLIENTS if in_flight > 1 else 1)
    ]
    try:
        _begun(daemon)
        time.sleep(_STEADY_S)
        first = _look(daemon, processes, calls)
        time.sleep(seconds)
        last = _look(daemon, processes, calls)
        answers = [one.report() for one in calls]
    finally:
        for one in calls:
            one.stop()
    codes = {code for one in answers for code in one.codes}
    if codes != {"OK"}:
        raise BenchError(f"logins were answered with {', '.join(sorted(codes))}")
    count, took_s = last.decided - first.decided, last.at_s - first.at_s
    ours_s = sum(getattr(last, name) - getattr(first, name) for name in ("client_s", "loop_s", "below_s"))
    times = [time_us for one in answers for time_us in _middle(one.starts_s, one.latencies_us, seconds)]
    return Steady(
        count / took_s,
        percentile(times, 50),
        statistics.fmean(times),
        (last.client_s - first.client_s) / count * 1e6,
        (last.loop_s - first.loop_s) / count * 1e6,
        (last.below_s - first.below_s) / count * 1e6,
        max(0.0, last.all_s - first.all_s - ours_s) / took_s / len(os.sched_getaffinity(0)),
    )


def _begun(daemon: Daemon) -> None:
    """Wait until logins are decided: a client takes a while to start."""
    before = daemon.metrics().total("vestibule_decisions_total")
    for _ in range(400):
        time.sleep(0.05)
        if daemon.metrics().total("vestibule_decisions_total") > before + _TENANTS:
            return
    raise BenchError("no login was decided within 20 s")


def _look(daemon: Daemon, processes: int, calls: Sequence[Call]) -> _Look:
    decided = daemon.metrics().total("vestibule_decisions_total")
    at_s = time.monotonic()
    whole_s, below_s = daemon.cpu_s(), below(daemon, processes)
    return _Look(at_s, decided, sum(usage.cpu_s(one.pid) for one in calls), whole_s - below_s, below_s, usage.all_s())


def below(daemon: Daemon, processes: int) -> float:
    """Return the processor time of the zygotes and workers of a daemon, in seconds."""
    found = usage.family(daemon.pid)
    children = [pid for pid, stat in found.items() if stat.parent == daemon.pid]
    # With a supervisor the daemon's processes are one level lower.
    loops = {daemon.pid} if processes == 1 else {daemon.pid, *children}
    return sum(stat.cpu_s for pid, stat in found.items() if pid not in loops)


def _middle(starts_s: Sequence[float], times_us: Sequence[float], seconds: float) -> list[float]:
    return [t for at_s, t in zip(starts_s, times_us, strict=True) if _STEADY_S <= at_s <= _STEADY_S + seconds]
