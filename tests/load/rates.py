"""Throughput, latency, what isolation per login costs, what one more action costs.

Knows how to put echo and daemon side by side. Must not know how a load is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.processes import Daemon, Echo
from tests.load.report import Row, at_least, at_most
from tests.load.stats import percentile, ratios, slope, spread

if TYPE_CHECKING:
    from tests.load.bench import Bench

_TENANT: Final = "bench"
_REQUIRED: Final = "mfa_required"
# Where the target is measured, and a point on either side.
_STANDARD_IN_FLIGHT: Final = 8
_SWEEP: Final = (4, _STANDARD_IN_FLIGHT, 32)
_LATENCY_IN_FLIGHT: Final = 2
_ACTIONS: Final = (1, 3, 10, 20)


def throughput(bench: Bench) -> Iterator[Row]:
    """Compare decisions per second with echoes per second, in rounds that alternate."""
    subjects.store(bench.folder, [subjects.definition(_TENANT, subjects.FLOW)])
    request = subjects.request(_TENANT)
    rounds = bench.scaled(5, 2)
    with Echo() as echo, Daemon(bench.folder) as daemon:
        for in_flight in _SWEEP:
            standard = in_flight == _STANDARD_IN_FLIGHT
            seconds = bench.scaled(8, 1) if standard else bench.scaled(4, 1)
            echo_count = bench.count_for(bench.warm_up(echo, request, in_flight), seconds)
            count = bench.count_for(bench.warm_up(daemon, request, in_flight), seconds)
            echoes, echo_cpu, decisions, cpu = [], [], [], []
            for number in range(rounds):
                bench.progress(f"throughput: {in_flight} in flight, round {number + 1} of {rounds}")
                before_s = echo.cpu_s()
                echoes.append(bench.echoed(echo, request, count=echo_count, in_flight=in_flight).rate)
                echo_cpu.append((echo.cpu_s() - before_s) / echo_count * 1e6)
                burst, cpu_us = bench.decided(daemon, _TENANT, count=count, in_flight=in_flight, outcome=_REQUIRED)
                decisions.append(burst.rate)
                cpu.append(cpu_us)
            name = f"{in_flight} in flight"
            yield Row.of("throughput", f"echo, {name}", spread(echoes), "/s")
            yield Row.of("throughput", f"decisions, {name}", spread(decisions), "/s")
            yield Row.of(
                "throughput", f"decisions : echoes, {name}", ratios(decisions, echoes), "x",
                at_least(0.60) if standard else None, f"three actions, event of {len(subjects.event())} bytes",
            )  # fmt: skip
            yield Row.of("throughput", f"CPU of one echo, {name}", spread(echo_cpu), "us")
            note = "daemon, zygote and workers"
            yield Row.of("throughput", f"CPU of one decision, {name}", spread(cpu), "us", note=note)
            yield Row.of("throughput", f"CPU, decision : echo, {name}", ratios(cpu, echo_cpu), "x")


def latency(bench: Bench) -> Iterator[Row]:
    """Compare the time to a decision with the time to an echo when the machine is not full."""
    subjects.store(bench.folder, [subjects.definition(_TENANT, subjects.FLOW)])
    request = subjects.request(_TENANT)
    rounds = bench.scaled(5, 2)
    seconds = bench.scaled(4, 1)
    times: dict[str, dict[int, list[float]]] = {name: {50: [], 99: []} for name in ("echo", "decision")}
    with Echo() as echo, Daemon(bench.folder) as daemon:
        echo_count = bench.count_for(bench.warm_up(echo, request, _LATENCY_IN_FLIGHT), seconds)
        count = bench.count_for(bench.warm_up(daemon, request, _LATENCY_IN_FLIGHT), seconds)
        for number in range(rounds):
            bench.progress(f"latency: round {number + 1} of {rounds}")
            echoed = bench.echoed(echo, request, count=echo_count, in_flight=_LATENCY_IN_FLIGHT, timed=True)
            decided, _ = bench.decided(
                daemon, _TENANT, count=count, in_flight=_LATENCY_IN_FLIGHT, timed=True, outcome=_REQUIRED
            )
            for percent in (50, 99):
                times["echo"][percent].append(percentile(echoed.latencies_us, percent))
                times["decision"][percent].append(percentile(decided.latencies_us, percent))
    for name, found in times.items():
        for percent, values in found.items():
            yield Row.of("latency", f"{name} p{percent}, {_LATENCY_IN_FLIGHT} in flight", spread(values), "us")
    yield Row.of("latency", "decision : echo, p50", ratios(times["decision"][50], times["echo"][50]), "x", at_most(2.2))
    yield Row.of("latency", "decision : echo, p99", ratios(times["decision"][99], times["echo"][99]), "x")


def isolation(bench: Bench) -> Iterator[Row]:
    """Compare a worker for each tenant with a worker for each login."""
    subjects.store(bench.folder, [subjects.definition(_TENANT, subjects.FLOW)])
    request = subjects.request(_TENANT)
    seconds = bench.scaled(4, 1)
    rates: dict[str, float] = {}
    for kind in ("tenant", "login"):
        bench.progress(f"isolation: {kind}")
        with Daemon(bench.folder, "--sandbox-isolation", kind) as daemon:
            rate = bench.warm_up(daemon, request, _STANDARD_IN_FLIGHT)
            count = bench.count_for(rate, seconds)
            full, cpu_us = bench.decided(daemon, _TENANT, count=count, in_flight=_STANDARD_IN_FLIGHT, outcome=_REQUIRED)
            calm, _ = bench.decided(
                daemon, _TENANT, count=max(200, count // 2), in_flight=_LATENCY_IN_FLIGHT, timed=True, outcome=_REQUIRED
            )
        rates[kind] = full.rate
        name = f"a worker for each {kind}"
        yield Row("isolation", f"{name}: decisions, {_STANDARD_IN_FLIGHT} in flight", full.rate, "/s")
        yield Row("isolation", f"{name}: CPU of one decision", cpu_us, "us")
        for percent in (50, 99):
            what = f"{name}: p{percent}, {_LATENCY_IN_FLIGHT} in flight"
            yield Row("isolation", what, percentile(calm.latencies_us, percent) / 1000, "ms")
    yield Row("isolation", "decisions, login : tenant", rates["login"] / rates["tenant"], "x")


def marginal(bench: Bench) -> Iterator[Row]:
    """Measure what one more action in a flow costs."""
    flows = {n: [subjects.FLOW[i % len(subjects.FLOW)] for i in range(n)] for n in _ACTIONS}
    subjects.store(bench.folder, [subjects.definition(f"flow-{n}", sources) for n, sources in flows.items()])
    rounds = bench.scaled(3, 1)
    costs: dict[int, list[float]] = {n: [] for n in flows}
    below: dict[int, list[float]] = {n: [] for n in flows}
    with Daemon(bench.folder) as daemon:
        counts = {}
        for n in flows:
            rate = bench.warm_up(daemon, subjects.request(f"flow-{n}"), _STANDARD_IN_FLIGHT)
            counts[n] = bench.count_for(rate, bench.scaled(3, 1))
        for number in range(rounds):
            bench.progress(f"marginal: round {number + 1} of {rounds}")
            for n, count in counts.items():
                before_s = daemon.below_cpu_s()
                _, cpu_us = bench.decided(daemon, f"flow-{n}", count=count, in_flight=_STANDARD_IN_FLIGHT)
                costs[n].append(cpu_us)
                below[n].append((daemon.below_cpu_s() - before_s) / count * 1e6)
    for n, values in costs.items():
        what = f"CPU of a decision, {n} action{'s' if n > 1 else ''}"
        yield Row.of("marginal", what, spread(values), "us")

    def slopes(of: dict[int, list[float]], some: Sequence[int] = _ACTIONS) -> list[float]:
        return [slope([(float(n), of[n][number]) for n in some]) for number in range(rounds)]

    note = "slope through the flows above"
    yield Row.of("marginal", "CPU of one more action", spread(slopes(costs)), "us", note=note)
    yield Row.of(
        "marginal", "CPU of one more action, its worker's alone", spread(slopes(below)), "us", at_most(25), note
    )
    bent = ratios(slopes(costs, _ACTIONS[2:]), slopes(costs, _ACTIONS[:3]))
    note = f"slope of {_ACTIONS[2]} to {_ACTIONS[3]} actions, and of {_ACTIONS[0]} to {_ACTIONS[2]}"
    yield Row.of("marginal", "one more of many : one more of few", bent, "x", note=note)
