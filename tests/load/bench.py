"""What every measure is given, and the one way to make a burst whose answers are known to be decisions.

Knows generators, servers and the daemon's counters. Must not know what is concluded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.loads import stream_burst
from tests.load.mix import Mix
from tests.load.processes import BenchError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.load.loads import Burst, Generator
    from tests.load.peers import Peer
    from tests.load.picture import Series
    from tests.load.processes import Daemon, Echo, Metrics

_CALIBRATION: Final = 1500
_COUNT_MAX: Final = 300_000


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmark."""

    folder: Path
    generator: Generator
    quick: bool
    tenants: int | None
    """As the user asked; None: each measure has a number of its own."""
    progress: Callable[[str], None]
    logins: int = 100_000
    """Of the soak."""
    isolation: str = "tenant"
    """Of the soak: what a worker is used for, `sandbox.isolation`."""
    against: Path | None = None
    """Another checkout, to be compared with."""
    mix: Mix = field(default_factory=Mix)
    """Of the open loop: who logs in."""
    rates: tuple[float, ...] = ()
    """Of the open loop, logins a second; empty: parts of what the closed loop reaches."""
    fetch: bool = True
    """Whether peers that are not there may be fetched."""
    series: list[Series] = field(default_factory=list)
    """What pictures are drawn of."""

    def scaled(self, full: int, quick: int) -> int:
        """Choose a number by how much time the user has."""
        return quick if self.quick else full

    def count_for(self, rate: float, seconds: float) -> int:
        """Return how many calls take about so long."""
        return min(_COUNT_MAX, max(200, int(rate * seconds)))

    def warm_up(self, server: Daemon | Echo, request: bytes, in_flight: int) -> float:
        """Send a first burst, which is not reported, and return its rate."""
        count = self.scaled(_CALIBRATION, 300)
        self.generator.burst(server.target, request, count=count, in_flight=in_flight)
        return self.generator.burst(server.target, request, count=count, in_flight=in_flight).rate

    def answered(self, peer: Peer, request: bytes, *, count: int, in_flight: int) -> Burst:
        """Make a timed burst at a peer: by gRPC where it has a path, otherwise by HTTP."""
        if not peer.path:
            json = "application/json"
            return self.generator.post(peer.target, json, request, count=count, in_flight=in_flight, timed=True)
        return self.generator.burst(peer.target, request, count=count, in_flight=in_flight, timed=True, path=peer.path)

    def echoed(self, echo: Echo, request: bytes, *, count: int, in_flight: int, timed: bool = False) -> Burst:
        """Make a burst at the echo server. Raises: BenchError when not every byte came back."""
        burst = self.generator.burst(echo.target, request, count=count, in_flight=in_flight, timed=timed)
        wanted = count * (len(request) + 5)
        if burst.answered_bytes is not None and burst.answered_bytes != wanted:
            raise BenchError(f"the echo server sent {burst.answered_bytes} bytes, {wanted} were asked of it")
        return burst

    def decided(
        self, daemon: Daemon, tenant: str, *, count: int, in_flight: int, timed: bool = False, outcome: str = ""
    ) -> tuple[Burst, float]:
        """Make a burst at the daemon; return it and the processor time of one decision in microseconds.

        Raises: BenchError when the daemon's own counters do not say that each call was answered with a decision, of
        this outcome where one is named, and that none was degraded.
        """
        return self.sent(
            daemon, "gRPC", subjects.request(tenant), count=count, in_flight=in_flight, timed=timed, outcome=outcome
        )

    def sent(
        self,
        daemon: Daemon,
        way: str,
        request: bytes,
        *,
        count: int,
        in_flight: int,
        timed: bool = False,
        outcome: str = "",
    ) -> tuple[Burst, float]:
        """As `decided`, with this request in one way: gRPC; stream, N (logins a message); HTTP, JSON or protobuf."""
        before, cpu_before_s = daemon.metrics(), daemon.cpu_s()
        if way == "gRPC":
            burst = self.generator.burst(daemon.target, request, count=count, in_flight=in_flight, timed=timed)
        elif way.startswith("stream, "):
            burst = stream_burst(
                daemon.target, request, count=count, in_flight=in_flight, a_message=int(way.rpartition(" ")[2])
            )
        else:
            kind = "application/json" if way == "HTTP, JSON" else "application/proto"
            burst = self.generator.post(daemon.http, kind, request, count=count, in_flight=in_flight, timed=timed)
        cpu_s, after = daemon.cpu_s() - cpu_before_s, daemon.metrics()

        def grown(name: str, **labels: str) -> float:
            return after.total(name, **labels) - before.total(name, **labels)

        answered = grown("grpc_server_handled_total", grpc_code="OK")
        decisions = grown("vestibule_decisions_total", **({"outcome": outcome} if outcome else {}))
        degraded = grown("vestibule_decisions_degraded_total")
        if not answered == decisions == count or degraded:
            raise BenchError(
                f"{count} calls were sent; the daemon counts {answered:.0f} answered with OK, {decisions:.0f} decisions"
                f"{f' {outcome}' if outcome else ''}, {degraded:.0f} degraded{_others(before, after)}"
            )
        return burst, cpu_s / count * 1e6


def _others(before: Metrics, after: Metrics) -> str:
    """Name what else was counted meanwhile: statuses other than OK, and why logins were refused."""
    told = ""
    for name, label in (("grpc_server_handled_total", "grpc_code"), ("vestibule_sheds_total", "reason")):
        for value in after.values(name, label):
            grown = after.total(name, **{label: value}) - before.total(name, **{label: value})
            if grown and value != "OK":
                told += f", {grown:.0f} {value}"
    return told
