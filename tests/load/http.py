"""A login by HTTP beside the same login by gRPC: decisions a second, and processor time of each.

Knows how to put the two ports of one daemon side by side. Must not know how a load is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from google.protobuf import json_format
from vestibule.v1 import runtime_service_pb2

from tests.load import subjects
from tests.load.processes import Daemon
from tests.load.report import Row
from tests.load.stats import percentile, ratios, spread

if TYPE_CHECKING:
    from tests.load.bench import Bench

_TENANT: Final = "bench"
_IN_FLIGHT: Final = 8
_CALM: Final = 2
_WAYS: Final = ("gRPC", "HTTP, JSON", "HTTP, protobuf")


def http(bench: Bench) -> Iterator[Row]:
    """Compare the ways in, in rounds that alternate, at one daemon."""
    subjects.store(bench.folder, [subjects.definition(_TENANT, subjects.FLOW)])
    asked = runtime_service_pb2.ExecutePostLoginRequest.FromString(subjects.request(_TENANT))
    asked.view = runtime_service_pb2.VIEW_BASIC
    data, text = asked.SerializeToString(), json_format.MessageToJson(asked, indent=None).encode()
    rates: dict[str, list[float]] = {way: [] for way in _WAYS}
    cpu: dict[str, list[float]] = {way: [] for way in _WAYS}
    calm: dict[str, list[float]] = {way: [] for way in _WAYS}
    with Daemon(bench.folder, "--http-listen", "127.0.0.1:0") as daemon:
        sent = {"gRPC": data, "HTTP, JSON": text, "HTTP, protobuf": data}
        counts = {}
        for way in _WAYS:
            for _ in range(2):
                rate = bench.sent(daemon, way, sent[way], count=bench.scaled(1500, 300), in_flight=_IN_FLIGHT)[0].rate
            counts[way] = bench.count_for(rate, bench.scaled(5, 1))
        for number in range(bench.scaled(5, 2)):
            for way in _WAYS:
                bench.progress(f"http: {way}, round {number + 1}")
                burst, cpu_us = bench.sent(daemon, way, sent[way], count=counts[way], in_flight=_IN_FLIGHT)
                rates[way].append(burst.rate)
                cpu[way].append(cpu_us)
                burst, _ = bench.sent(
                    daemon, way, sent[way], count=max(200, counts[way] // 4), in_flight=_CALM, timed=True
                )
                calm[way].append(percentile(burst.latencies_us, 50))
    note = f"basic view; event of {len(subjects.event())} bytes, {len(text)} as a request in JSON"
    for way in _WAYS:
        yield Row.of("http", f"decisions by {way}, {_IN_FLIGHT} in flight", spread(rates[way]), "/s")
        yield Row.of("http", f"CPU of one decision by {way}", spread(cpu[way]), "us", note="daemon, zygote and workers")
        yield Row.of("http", f"p50 by {way}, {_CALM} in flight", spread(calm[way]), "us")
    for way in _WAYS[1:]:
        yield Row.of("http", f"decisions, {way} : gRPC", ratios(rates[way], rates["gRPC"]), "x", None, note)
        yield Row.of("http", f"CPU, {way} : gRPC", ratios(cpu[way], cpu["gRPC"]), "x", None, note)
