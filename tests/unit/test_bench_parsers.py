"""What the benchmark reads: h2load's answers, /proc, the daemon's metrics; and what it sends."""

import hashlib
import os
from pathlib import Path

import pytest
from vestibule.v1 import event_pb2, runtime_service_pb2

from tests.load import bench, machine, subjects, usage
from tests.load.loads import Burst, parse_log, parse_summary, streams
from tests.load.processes import BenchError, Metrics

SUMMARY = """\
starting benchmark...
finished in 1.62s, 1234.50 req/s, 493.80KB/s
requests: 2000 total, 2000 started, 2000 done, 1990 succeeded, 10 failed, 10 errored, 0 timeout
status codes: 1990 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 781.25KB (800000) total, 31.41KB (32163) headers (space savings 95.12%), 624.87KB (639867) data
"""


def test_h2load_summary_is_read() -> None:
    """Count, rate and bytes come from h2load's last lines; its duration has too few digits and is not used."""
    burst = parse_summary(SUMMARY)
    assert (burst.count, burst.answered_bytes) == (1990, 639867)
    assert burst.rate == pytest.approx(1234.5)


@pytest.mark.parametrize("text", ["", "Unable to connect\n", SUMMARY.replace("1234.50 req/s", "0.00 req/s")])
def test_h2load_that_measured_nothing_is_an_error(text: str) -> None:
    """A load that did not run is never a number."""
    with pytest.raises(BenchError, match="no measurement"):
        parse_summary(text)


def test_h2load_log_is_read() -> None:
    """Each line gives the microseconds of one call."""
    assert parse_log("1763964000000000\t200\t812\n1763964000000100\t200\t90\n") == (812.0, 90.0)
    with pytest.raises(BenchError, match="-1"):
        parse_log("1763964000000000\t-1\t812\n")


@pytest.mark.parametrize(("in_flight", "wanted"), [(1, (1, 1)), (2, (1, 2)), (8, (2, 4)), (32, (4, 8)), (256, (4, 64))])
def test_streams_are_spread_over_a_few_connections(in_flight: int, wanted: tuple[int, int]) -> None:
    """Connections times streams is what is in flight."""
    assert streams(in_flight) == wanted


def test_stat_of_a_process_with_a_hostile_name_is_read() -> None:
    """A command with spaces and brackets does not shift the fields."""
    line = "4242 (a ) S 1 b) S 17 4242 4242 0 -1 4194560 1 2 3 4 250 50 20 30 20 0 1 0 999"
    found = usage.parse_stat(line)
    assert (found.pid, found.parent) == (4242, 17)
    assert found.cpu_s == pytest.approx(350 / os.sysconf("SC_CLK_TCK"))


def test_private_memory_is_clean_and_dirty() -> None:
    """Shared pages are not a worker's own."""
    rollup = (
        "Rss: 9000 kB\nShared_Clean: 5000 kB\nPrivate_Clean: 100 kB\nPrivate_Dirty: 924 kB\nPrivate_Hugetlb: 0 kB\n"
    )
    assert usage.parse_private_bytes(rollup) == 1024 * 1024


def test_cpu_model_has_a_fallback() -> None:
    """A kernel that names no model still gives something to print."""
    assert machine.cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n") == "Some CPU @ 3 GHz"
    assert machine.cpu_model("processor\t: 0\n")


METRICS = """\
# TYPE grpc_server_handled_total counter
grpc_server_handled_total{{grpc_method="M",grpc_code="OK"}} {ok}
grpc_server_handled_total{{grpc_method="M",grpc_code="INTERNAL"}} {failed}
# TYPE vestibule_decisions_total counter
vestibule_decisions_total{{outcome="allow"}} {allow}
vestibule_decisions_total{{outcome="mfa_required"}} {mfa}
# TYPE vestibule_decisions_degraded_total counter
vestibule_decisions_degraded_total {degraded}
"""


def scrape(ok: int = 0, failed: int = 0, allow: int = 0, mfa: int = 0, degraded: int = 0) -> Metrics:
    """Return metrics as the daemon would write them."""
    return Metrics(METRICS.format(ok=ok, failed=failed, allow=allow, mfa=mfa, degraded=degraded))


def test_metrics_are_added_up_by_label() -> None:
    """A total takes every series that has the labels."""
    found = scrape(ok=7, allow=3, mfa=4)
    assert found.total("grpc_server_handled_total", grpc_code="OK") == 7
    assert found.total("vestibule_decisions_total") == 7
    assert found.total("vestibule_decisions_total", outcome="deny") == 0


class FakeServer:
    """A daemon whose counters are given."""

    target = "127.0.0.1:1"

    def __init__(self, *scrapes: Metrics) -> None:
        self._scrapes = list(scrapes)
        self._cpu_s = 0.0

    def metrics(self) -> Metrics:
        """Return the next scrape."""
        return self._scrapes.pop(0)

    def cpu_s(self) -> float:
        """Grow by a second with each question."""
        self._cpu_s += 1.0
        return self._cpu_s


class FakeGenerator:
    """Has every call answered, as far as HTTP is concerned."""

    name = "fake"

    def __init__(self, answered_bytes: int | None = None) -> None:
        self._answered_bytes = answered_bytes

    def burst(
        self, target: str, request: bytes, *, count: int, in_flight: int, timed: bool = False, path: str = ""
    ) -> Burst:
        """Claim success."""
        return Burst(count, 1.0, (), self._answered_bytes)

    def post(self, target: str, kind: str, request: bytes, *, count: int, in_flight: int, timed: bool = False) -> Burst:
        """Claim it by HTTP too."""
        return self.burst(target, request, count=count, in_flight=in_flight, timed=timed)


def run_of(generator: FakeGenerator) -> bench.Bench:
    """Make a run without processes."""
    return bench.Bench(Path("."), generator, True, 1, lambda _: None)


def test_counted_decisions_are_a_number() -> None:
    """Where calls and decisions agree there is a rate, and a cost of each."""
    daemon = FakeServer(scrape(ok=5, mfa=5), scrape(ok=15, mfa=15))
    burst, cpu_us = run_of(FakeGenerator()).decided(daemon, "t", count=10, in_flight=1, outcome="mfa_required")  # type: ignore[arg-type]  # stand-ins for processes
    assert burst.rate == 10
    assert cpu_us == pytest.approx(100_000)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (scrape(ok=14, failed=1, mfa=14), "9 answered with OK, .* 1 INTERNAL"),
        (scrape(ok=15, mfa=14, allow=1), "9 decisions mfa_required"),
        (scrape(ok=15, mfa=15, degraded=1), "1 degraded"),
    ],
    ids=["refused", "another outcome", "degraded"],
)
def test_calls_that_are_no_decisions_are_refused(after: Metrics, told: str) -> None:
    """HTTP 200 is not a decision: a call that the daemon refused, or decided otherwise, makes the number untrue."""
    daemon = FakeServer(scrape(ok=5, mfa=5), after)
    with pytest.raises(BenchError, match=told):
        run_of(FakeGenerator()).decided(daemon, "t", count=10, in_flight=1, outcome="mfa_required")  # type: ignore[arg-type]  # stand-ins for processes


def test_an_echo_that_lost_bytes_is_refused() -> None:
    """The echo server's answers are as long as the requests and their framing."""
    echo = FakeServer()
    assert run_of(FakeGenerator(2 * 105)).echoed(echo, bytes(100), count=2, in_flight=1)  # type: ignore[arg-type]  # stand-ins for processes
    with pytest.raises(BenchError, match="209 bytes"):
        run_of(FakeGenerator(209)).echoed(echo, bytes(100), count=2, in_flight=1)  # type: ignore[arg-type]  # stand-ins for processes


def test_the_event_is_as_large_as_promised() -> None:
    """The event that is measured with has about 300 bytes and is a whole login."""
    data = subjects.event()
    assert 280 <= len(data) <= 320
    message = runtime_service_pb2.ExecutePostLoginRequest.FromString(subjects.request("bench"))
    assert message.tenant_id == "bench"
    assert message.event == event_pb2.PostLoginEvent.FromString(data)


def test_definitions_bind_sources_by_their_hash() -> None:
    """A source that stands in a flow twice is one revision with two bindings."""
    found = subjects.definition("t", [subjects.MFA, subjects.CLAIMS, subjects.MFA], 5)
    assert [binding.action for binding in found.flow.bindings] == ["action-1", "action-2", "action-3"]
    assert found.sources[hashlib.sha256(subjects.MFA.encode()).hexdigest()] == subjects.MFA
    assert len(found.sources) == 2
    assert {binding.timeout_us for binding in found.flow.bindings} == {5}
