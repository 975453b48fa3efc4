"""Decisions by calls and streams beside what others do: bare echo, Cerbos, workerd; alternating rounds of one run.

Knows who is compared with whom. Must not know how a peer is had or told its rules.

Not like with like: neither Cerbos nor workerd has a process with a kernel's limits for each tenant, Cerbos evaluates
expressions and no program, and workerd answers by HTTP/1.1 on one thread. A peer that cannot be had is a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.load import peers, subjects
from tests.load.loads import Burst
from tests.load.processes import BenchError, Daemon, Echo
from tests.load.report import Row
from tests.load.stats import percentile, ratios, spread

if TYPE_CHECKING:
    from tests.load.bench import Bench

_TENANT: Final = "bench"
_REQUIRED: Final = "mfa_required"
_FULL, _CALM = 32, 2
_WAYS: Final = {"unary": "gRPC", "stream, 1 a message": "stream, 1", "stream, 8 a message": "stream, 8"}
_PEERS: Final[tuple[type[peers.Cerbos] | type[peers.Workerd], ...]] = (peers.Cerbos, peers.Workerd)


@dataclass(slots=True)
class Side:
    """One of those compared."""

    name: str
    ours: bool
    send: Callable[[int, int], Burst]
    """Make so many calls with so many in flight, timed. Raises: BenchError unless each is answered rightly."""
    cpu_s: Callable[[], float]
    below_cpu_s: Callable[[], float] | None = None
    """What of it is not its first process's; None where there is no other."""
    rates: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    costs_us: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    first_us: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    times_us: dict[tuple[int, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def round(self, count: int, in_flight: int) -> None:
        """Make a burst and keep what it came to."""
        before_s, below_s = self.cpu_s(), self.below_cpu_s() if self.below_cpu_s else 0.0
        burst = self.send(count, in_flight)
        cost_us = (self.cpu_s() - before_s) / count * 1e6
        self.costs_us[in_flight].append(cost_us)
        if self.below_cpu_s:
            self.first_us[in_flight].append(cost_us - (self.below_cpu_s() - below_s) / count * 1e6)
        self.rates[in_flight].append(burst.rate)
        for percent in (50, 99):
            self.times_us[in_flight, percent].append(percentile(burst.latencies_us, percent))


def rivals(bench: Bench) -> Iterator[Row]:
    """Compare at 32 in flight, where the machine is full, and at 2, where it is not."""
    subjects.store(bench.folder, [subjects.definition(_TENANT, subjects.FLOW)])
    with ExitStack() as running:
        sides = [*_ours(bench, running), *_echo(bench, running)]
        for kind in _PEERS:
            bench.progress(f"peers: {kind.name}")
            try:
                peer = running.enter_context(kind(bench.folder, fetch=bench.fetch))
                sides.append(_peer(bench, peer))
                sides += [_in_batches(bench, peer)] if isinstance(peer, peers.Cerbos) else []
            except BenchError as error:
                yield Row.absent("peers", f"{kind.name}, {_FULL} in flight", str(error))
        for in_flight in (_FULL, _CALM):
            _rounds(bench, sides, in_flight)
    for side in sides:
        yield from _alone(side)
    for side in sides:
        for other in sides:
            if side.ours and not other.ours:
                yield from _compared(side, other)


def _ours(bench: Bench, running: ExitStack) -> Iterator[Side]:
    daemon = running.enter_context(Daemon(bench.folder))
    request = subjects.request(_TENANT)

    def send(way: str, count: int, in_flight: int) -> Burst:
        return bench.sent(daemon, way, request, count=count, in_flight=in_flight, timed=True, outcome=_REQUIRED)[0]

    for name, way in _WAYS.items():
        yield Side(name, True, partial(send, way), daemon.cpu_s, daemon.below_cpu_s)


def _echo(bench: Bench, running: ExitStack) -> Iterator[Side]:
    echo = running.enter_context(Echo())
    request = subjects.request(_TENANT)

    def send(count: int, in_flight: int) -> Burst:
        return bench.echoed(echo, request, count=count, in_flight=in_flight, timed=True)

    yield Side("echo", False, send, echo.cpu_s)


def _peer(bench: Bench, peer: peers.Peer) -> Side:
    def send(count: int, in_flight: int) -> Burst:
        return bench.answered(peer, peer.request, count=count, in_flight=in_flight)

    return Side(peer.name, False, send, peer.cpu_s)


def _in_batches(bench: Bench, cerbos: peers.Cerbos) -> Side:
    """Ask Cerbos about several resources in each call. Its times are those of calls."""

    def send(count: int, in_flight: int) -> Burst:
        calls = max(1, count // peers.BATCH)
        at_once = max(1, in_flight // peers.BATCH)
        burst = bench.answered(cerbos, cerbos.batch, count=calls, in_flight=at_once)
        return replace(burst, count=calls * peers.BATCH)

    return Side(f"{cerbos.name}, {peers.BATCH} of a user a call", False, send, cerbos.cpu_s)


def _rounds(bench: Bench, sides: list[Side], in_flight: int) -> None:
    counts = {}
    for side in sides:
        side.send(bench.scaled(1500, 200), in_flight)
        counts[side.name] = bench.count_for(side.send(bench.scaled(1500, 200), in_flight).rate, bench.scaled(4, 1))
    for number in range(bench.scaled(5, 2)):
        # Another one begins each round, so that drift meets all of them.
        first = number % len(sides)
        for side in sides[first:] + sides[:first]:
            bench.progress(f"peers: {side.name}, {in_flight} in flight, round {number + 1}")
            side.round(counts[side.name], in_flight)


def _alone(side: Side) -> Iterator[Row]:
    yield Row.of("peers", f"{side.name}, {_FULL} in flight", spread(side.rates[_FULL]), "/s")
    note = "daemon, zygote and workers" if side.ours else ""
    yield Row.of("peers", f"{side.name}, CPU of one, {_FULL} in flight", spread(side.costs_us[_FULL]), "us", note=note)
    if side.ours:
        what = f"{side.name}, CPU of one in the daemon's own process, {_FULL} in flight"
        yield Row.of("peers", what, spread(side.first_us[_FULL]), "us", note="with more processors: its limit")
    for in_flight in (_FULL, _CALM):
        for percent in (50, 99):
            what = f"{side.name}, p{percent}, {in_flight} in flight"
            yield Row.of("peers", what, spread(side.times_us[in_flight, percent]), "us")


def _compared(side: Side, other: Side) -> Iterator[Row]:
    name = f"{side.name} : {other.name}"
    yield Row.of("peers", f"{name}, {_FULL} in flight", ratios(side.rates[_FULL], other.rates[_FULL]), "x")
    for in_flight, percent in ((_FULL, 99), (_CALM, 50)):
        times = ratios(side.times_us[in_flight, percent], other.times_us[in_flight, percent])
        yield Row.of("peers", f"{name}, p{percent}, {in_flight} in flight", times, "x")
