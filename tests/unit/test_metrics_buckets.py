"""The histograms that operators alarm on: their names, their bounds, and that no other unit is used."""

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runtime.ops import metrics as m

BOUNDS = [
    "0.0005",
    "0.001",
    "0.0025",
    "0.005",
    "0.01",
    "0.025",
    "0.05",
    "0.1",
    "0.25",
    "0.5",
    "1.0",
    "2.5",
    "5.0",
    "+Inf",
]


def test_every_histogram_has_the_promised_bounds() -> None:
    """Half a millisecond to five seconds, for calls, flows, executions, waits and spawns alike."""
    found = {
        family.name: [sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")]
        for family in text_string_to_metric_families(generate_latest(m.Metrics("1").registry).decode())
        if family.type == "histogram"
    }
    assert found.keys() == {
        "grpc_server_handling_seconds",
        "vestibule_flow_duration_seconds",
        "vestibule_execution_duration_seconds",
        "vestibule_queue_wait_seconds",
        "vestibule_worker_spawn_duration_seconds",
    }
    for name, bounds in found.items():
        assert len(bounds) % len(BOUNDS) == 0, name
        assert bounds == BOUNDS * (len(bounds) // len(BOUNDS)), name
