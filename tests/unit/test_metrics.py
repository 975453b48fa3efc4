"""Metrics: names follow the rules, every series is there from the start, recorders count right."""

import re
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from runtime import errors
from runtime.core.model import Verdict
from runtime.ops import labels
from runtime.ops import metrics as m
from runtime.ops.recorders import Histogram


def families(metrics: m.Metrics) -> dict[str, Metric]:
    return {
        family.name: family for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
    }


def samples(metrics: m.Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(metrics).values()
        for sample in family.samples
    }


def ours(metrics: m.Metrics) -> list[Metric]:
    return [f for name, f in families(metrics).items() if name.startswith(("vestibule_", "grpc_server_"))]


def test_names_follow_the_rules() -> None:
    """What promtool would lint holds: snake case, help text, base units, no type or unit twice, no colon."""
    found = ours(m.Metrics("1"))
    assert len(found) >= 20
    for family in found:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name), family.name
        assert family.documentation.endswith(".")
        assert not re.search(
            r"_(milliseconds|ms|minutes|kilobytes|count|sum|bucket|gauge|histogram|counter)$", family.name
        )
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total")
            # The one family that names tenants keeps their number down: see test_tenant_cpu.py.
            tenant = set() if family.name == "vestibule_tenant_cpu_seconds" else {"tenant"}
            assert not (tenant | {"user", "action", "request_id", "le_"}) & sample.labels.keys()


def test_every_series_is_there_from_the_start() -> None:
    """A rate over a series that appears with its first event misses that event: all begin at 0."""
    found = samples(m.Metrics("1.2.3"))
    for verdict in Verdict:
        assert found[("vestibule_executions_total", (("verdict", verdict.name.lower()),))] == 0
    for outcome in ("allow", "mfa_required", "deny", "suspend"):
        assert found[("vestibule_decisions_total", (("outcome", outcome),))] == 0
        assert found[("vestibule_flow_duration_seconds_count", (("outcome", outcome),))] == 0
    for reason in labels.ShedReason:
        assert found[("vestibule_sheds_total", (("reason", reason.value),))] == 0
    for state in labels.WorkerState:
        assert found[("vestibule_workers", (("state", state.value),))] == 0
    for name in ("queue_wait_seconds_count", "worker_spawn_duration_seconds_count", "logins_in_flight"):
        assert found[(f"vestibule_{name}", ())] == 0
    assert found[("vestibule_build_info", (("version", "1.2.3"),))] == 1
    assert found[("vestibule_log_lines_dropped_total", ())] == 0
    assert {
        code for (name, labels) in found if name == "grpc_server_handled_total" for code in dict(labels).values()
    } >= {
        "OK",
        "INVALID_ARGUMENT",
        "RESOURCE_EXHAUSTED",
    }


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.0005, 0), (0.00051, 1), (1.0, 10), (5.0, 12), (5.1, 13), (1e9, 13)]
)
def test_a_bound_belongs_to_its_bucket(seconds: float, bucket: int) -> None:
    """Buckets are `le`: an observation equal to the bound is inside."""
    histogram = Histogram()
    histogram.observe(seconds)
    assert histogram.counts[bucket] == 1
    assert histogram.buckets()[-1] == ("+Inf", 1.0)


def test_recorders_reach_their_series() -> None:
    """Each recorder counts in the series that its name says."""
    metrics = m.Metrics("1")
    metrics.rpc[labels.GRPC_METHOD].started += 1
    metrics.rpc[labels.GRPC_METHOD].handled("NOT_FOUND", 0.002)
    metrics.http[labels.GRPC_METHOD].started += 2
    metrics.http_answered("connect", "404")
    metrics.http_connections(3)
    metrics.login_finished("deny", 0.2, True, 0.01, (Verdict.TIMED_OUT,), (1_000_000,))
    metrics.worker_spawned(0.002)
    metrics.worker_killed("deadline")
    metrics.worker_exited("killed")
    metrics.worker_exited("died")
    metrics.shed("queue")
    metrics.flow_retried()
    metrics.suspended("redirect")
    metrics.continuation("used")
    metrics.zygote_started()
    metrics.watch_workers(lambda: {"idle": 7})
    metrics.layers_active({"seccomp": True, "uid": False})
    metrics.catalog_seen(3, True, 1700.5, tenants=4, writable=True)
    found = samples(metrics)
    named = (("grpc_method", "ExecutePostLogin"), ("grpc_service", labels.GRPC_SERVICE), ("grpc_type", "unary"))
    grpc, http = ("transport", "grpc"), ("transport", "http")
    rpc = (*named, grpc)
    assert found[("grpc_server_started_total", (*named, http))] == 2
    assert found[("vestibule_http_connections", ())] == 3
    assert found[("vestibule_http_requests_total", (("door", "connect"), ("status", "404")))] == 1
    assert found[("grpc_server_started_total", rpc)] == 1
    assert found[("grpc_server_handled_total", (("grpc_code", "NOT_FOUND"), *rpc))] == 1
    assert found[("grpc_server_handling_seconds_bucket", (*named, ("le", "0.0025"), grpc))] == 1
    assert found[("grpc_server_handling_seconds_sum", rpc)] == 0.002
    assert found[("vestibule_decisions_total", (("outcome", "deny"),))] == 1
    assert found[("vestibule_decisions_degraded_total", ())] == 1
    assert found[("vestibule_executions_total", (("verdict", "timed_out"),))] == 1
    assert found[("vestibule_execution_duration_seconds_bucket", (("le", "1.0"), ("verdict", "timed_out")))] == 1
    assert found[("vestibule_queue_wait_seconds_count", ())] == 1
    assert found[("vestibule_worker_spawn_duration_seconds_sum", ())] == 0.002
    assert found[("vestibule_worker_kills_total", (("reason", "deadline"),))] == 1
    assert found[("vestibule_worker_exits_total", (("reason", "killed"),))] == 1
    assert found[("vestibule_worker_exits_total", (("reason", "died"),))] == 1
    assert found[("vestibule_sheds_total", (("reason", "queue"),))] == 1
    assert found[("vestibule_flow_retries_total", ())] == 1
    assert found[("vestibule_suspensions_total", (("kind", "redirect"),))] == 1
    assert found[("vestibule_suspensions_total", (("kind", "mfa"),))] == 0
    assert found[("vestibule_continuations_total", (("result", "used"),))] == 1
    assert found[("vestibule_zygote_starts_total", ())] == 1
    assert found[("vestibule_workers", (("state", "idle"),))] == 7
    assert found[("vestibule_sandbox_layer_active", (("layer", "uid"),))] == 0
    assert found[("vestibule_catalog_revision", ())] == 3
    assert found[("vestibule_catalog_last_success_timestamp_seconds", ())] == 1700.5
    assert found[("vestibule_catalog_healthy", ())] == 1
    assert found[("vestibule_catalog_tenants", ())] == 4
    assert found[("vestibule_catalog_writable", ())] == 1


def test_an_unknown_label_counts_as_other() -> None:
    """Whatever is passed as a reason, the number of series stays what it was."""
    metrics = m.Metrics("1")
    before = len(samples(metrics))
    metrics.worker_killed("tenant-chosen")
    metrics.shed("")
    metrics.worker_exited("x" * 1000)
    metrics.rpc[labels.GRPC_METHOD].handled("TEAPOT", 0.1)
    found = samples(metrics)
    assert len(found) == before
    assert found[("vestibule_worker_kills_total", (("reason", "other"),))] == 1


def test_every_refusal_of_a_continuation_has_a_series() -> None:
    """Each error of a continuation counts under a result of its own."""
    refusals: list[Any] = [errors.InvalidContinuation, *errors.ContinuationError.__subclasses__()]
    results = {cls.result for cls in refusals}
    assert results | {"continued", "repeated", "other"} == set(labels.CONTINUATIONS)
    assert len(results) == 7


def test_openmetrics_is_spoken_too() -> None:
    """The same registry is valid as OpenMetrics."""
    assert generate_openmetrics(m.Metrics("1").registry).decode().endswith("# EOF\n")  # type: ignore[no-untyped-call]  # the library's
