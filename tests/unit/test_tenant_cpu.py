"""Processor time by tenant: a bounded number of series, none of which ever steps back."""

import random
import re

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runtime.catalog.base import TENANT_NAME
from runtime.ops.metrics import Metrics
from runtime.ops.tenant_cpu import OTHER, SERIES_MAX, TenantCpu


def series(cpu: TenantCpu) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(cpu)
    (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert family.name == "vestibule_tenant_cpu_seconds"
    return {sample.labels["tenant"]: sample.value for sample in family.samples}


def test_each_tenant_has_its_own_series_while_there_are_few() -> None:
    """Seconds add up under the tenant's name; what others use is there, at 0, from the start."""
    cpu = TenantCpu()
    assert series(cpu) == {OTHER: 0}
    for tenant, seconds in (("acme", 0.25), ("globex", 1.0), ("acme", 0.5)):
        cpu.spent(tenant, seconds)
    assert series(cpu) == {"acme": 0.75, "globex": 1.0, OTHER: 0}


def test_the_daemon_exports_it() -> None:
    """The registry of the daemon's metrics holds the family."""
    metrics = Metrics("1")
    metrics.tenant_cpu.spent("acme", 2.0)
    assert metrics.registry.get_sample_value("vestibule_tenant_cpu_seconds_total", {"tenant": "acme"}) == 2.0


def test_the_number_of_series_has_a_bound() -> None:
    """However many tenants spend time, only so many are named, and what all of them spent is still the sum."""
    cpu = TenantCpu()
    for number in range(20 * SERIES_MAX):
        cpu.spent(f"t{number}", 0.001)
    found = series(cpu)
    assert len(found) == SERIES_MAX + 1
    assert abs(sum(found.values()) - 20 * SERIES_MAX * 0.001) < 1e-6
    assert len(cpu.used) <= 8 * SERIES_MAX


def test_who_uses_much_is_named_even_when_it_comes_last() -> None:
    """A late, greedy tenant takes the place of the one that used the least."""
    cpu = TenantCpu(3)
    for tenant, seconds in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        cpu.spent(tenant, seconds)
    cpu.spent("late", 1.5)
    assert "late" not in series(cpu)
    cpu.spent("late", 1.0)
    cpu.spent("late", 4.0)
    assert series(cpu) == {"b": 2.0, "c": 3.0, "late": 4.0, OTHER: 2.5}


def test_a_series_that_comes_back_continues_where_it_ended() -> None:
    """Prometheus reads a lower value as a restart and a higher one as use: neither happens by losing a place."""
    cpu = TenantCpu(1)
    cpu.spent("a", 10.0)
    cpu.spent("b", 21.0)
    assert series(cpu) == {"b": 0.0, OTHER: 21.0}
    cpu.spent("a", 33.0)
    assert series(cpu) == {"a": 10.0, OTHER: 54.0}
    cpu.spent("a", 0.5)
    assert series(cpu) == {"a": 10.5, OTHER: 54.0}


def test_no_label_is_empty_and_none_can_be_taken_for_a_tenant() -> None:
    """A label without text is no label to Prometheus; a tenant whose id were the label would be added to the rest."""
    assert all(series(TenantCpu()))
    assert not re.fullmatch(TENANT_NAME, OTHER)
    assert re.fullmatch(TENANT_NAME, "other")


def test_no_series_steps_back_or_jumps() -> None:
    """Over random spending, a series grows by what was spent and by nothing else, also while it is not exported."""
    chance = random.Random(4)
    cpu = TenantCpu(4)
    last: dict[str, float] = {}
    gone: set[str] = set()
    back, whole = 0, 0.0
    for _ in range(3000):
        tenant, seconds = f"t{int(chance.paretovariate(0.6)) % 40}", chance.expovariate(1.0)
        cpu.spent(tenant, seconds)
        whole += seconds
        (family,) = cpu.collect()
        now = {sample.labels["tenant"]: sample.value for sample in family.samples}
        for name, value in now.items():
            assert -1e-9 <= value - last.get(name, 0.0) <= (seconds if name in (tenant, OTHER) else 0) + 1e-9
        back += len(gone & now.keys())
        gone = (gone | last.keys()) - now.keys()
        last |= now
        assert abs(sum(last.values()) - whole) < 1e-6
    assert back > 0
