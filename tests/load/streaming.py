"""Logins on a stream, one and several a message, beside calls of their own and a bare echo, in rounds that alternate.

Knows which ways to compare. Must not know how a load is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.processes import Daemon, Echo
from tests.load.report import Row, at_least, at_most
from tests.load.stats import percentile, ratios, spread

if TYPE_CHECKING:
    from tests.load.bench import Bench

_TENANT: Final = "bench"
_IN_FLIGHT: Final = 32
_WAYS: Final = {"a call each": "gRPC", "stream, 1 a message": "stream, 1", "stream, 8 a message": "stream, 8"}


def streaming(bench: Bench) -> Iterator[Row]:
    """Compare decisions a second, their processor time and their latency."""
    subjects.store(bench.folder, [subjects.definition(_TENANT, subjects.FLOW)])
    request, rounds, seconds = subjects.request(_TENANT), bench.scaled(5, 2), bench.scaled(4, 1)
    echoes: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in _WAYS}
    cpu: dict[str, list[float]] = {name: [] for name in _WAYS}
    late: dict[str, list[float]] = {name: [] for name in _WAYS}
    with Echo() as echo, Daemon(bench.folder) as daemon:
        echo_count = bench.count_for(bench.warm_up(echo, request, _IN_FLIGHT), seconds)
        count = bench.count_for(bench.warm_up(daemon, request, _IN_FLIGHT), seconds)
        for number in range(rounds):
            bench.progress(f"streaming: round {number + 1} of {rounds}")
            echoes.append(bench.echoed(echo, request, count=echo_count, in_flight=_IN_FLIGHT).rate)
            for name, way in _WAYS.items():
                burst, cpu_us = bench.sent(
                    daemon, way, request, count=count, in_flight=_IN_FLIGHT, timed=True, outcome="mfa_required"
                )
                rates[name].append(burst.rate)
                cpu[name].append(cpu_us)
                late[name].append(percentile(burst.latencies_us, 99))
    targets = {"stream, 8 a message": (at_least(1.5), at_most(240)), "stream, 1 a message": (None, at_most(280))}
    yield Row.of("streaming", "echo, a call each", spread(echoes), "/s", note=f"{_IN_FLIGHT} in flight")
    for name in _WAYS:
        rate, cost = targets.get(name, (None, None))
        yield Row.of("streaming", f"decisions, {name}", spread(rates[name]), "/s")
        yield Row.of("streaming", f"decisions : echoes, {name}", ratios(rates[name], echoes), "x", rate)
        yield Row.of("streaming", f"CPU of one decision, {name}", spread(cpu[name]), "us", cost, "without the load's")
        yield Row.of("streaming", f"p99, {name}", spread(late[name]), "us")
