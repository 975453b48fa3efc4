"""What several processes get of the limits, how their metrics become one, and when one is started again. No process."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

import pytest

from runtime.config.settings import SETTINGS, Config, load
from runtime.errors import ConfigError
from runtime.ops.metrics import Metrics
from runtime.supervisor import messages, shares
from runtime.supervisor.merging import Ended, merged
from runtime.supervisor.messages import Family
from runtime.supervisor.supervisor import again_in_s

ACROSS = Metrics("0").across()


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_limits_are_for_all_together(processes: int) -> None:
    """What is divided adds up to the whole, to the last one; each process has one at least, and 0 stays 0."""
    config = replace(Config(), pool=replace(Config().pool, blank_workers=0, memory_bytes=7 << 30))
    each = shares.shares(config, processes)
    for key in shares.DIVIDED:
        whole, parts = attrgetter(key)(config), [attrgetter(key)(one) for one in each]
        assert max(parts) - min(parts) <= 1, key
        assert sum(parts) == whole or (whole < processes and set(parts) == {1}), key
    assert sum(one.pool.memory_bytes for one in each) <= 7 << 30
    # What is not divided is the same in each.
    assert {one.sandbox for one in each} == {config.sandbox}
    assert {one.limits.event_bytes for one in each} == {config.limits.event_bytes}


def test_a_process_gets_the_password_of_its_store() -> None:
    """What is shown of a store has none; what a process is given leads there."""
    url = "postgresql://vestibule:of-the-store@db.example/vestibule"
    config = load(env={"VESTIBULE_STORE": url}).config
    assert {text["store"] for text in shares.texts(config, 2)} == {url}
    assert load(env={"VESTIBULE_STORE": shares.texts(config, 2)[0]["store"]}).config.store == config.store
    (shown,) = [setting.text(url) for setting in SETTINGS if setting.key == "store"]
    assert "of-the-store" not in shown


def test_a_share_that_is_too_small_is_refused() -> None:
    """A process whose workers have less memory than one action may take does not start; the remedy is named."""
    config = replace(Config(), pool=replace(Config().pool, memory_bytes=256 << 20))
    with pytest.raises(ConfigError, match=r"processes: 3 processes have .* lower processes or sandbox\.memory_bytes"):
        shares.shares(config, 3)


def test_settings_survive_the_way_to_a_process() -> None:
    """A process reads the very settings that were divided for it."""
    for text, share in zip(shares.texts(Config(), 3), shares.shares(Config(), 3), strict=True):
        found = load(env={setting.env: text[setting.key] for setting in SETTINGS if setting.key in text}).config
        assert replace(found, pool=replace(found.pool, long_run_share=0.0)) == replace(
            share, pool=replace(share.pool, long_run_share=0.0)
        )
        assert found.pool.long_run_share == pytest.approx(share.pool.long_run_share, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "processes"), [("1", 1), ("256", 256), (" auto ", 0), ("0", None), ("257", None), ("many", None)]
)
def test_a_number_of_processes_is_read(text: str, processes: int | None) -> None:
    """One to 256, or auto; anything else is refused with what to write."""
    env = {"VESTIBULE_PROCESSES": text}
    if processes is None:
        with pytest.raises(ConfigError, match=r"is not a number of processes; write a number from 1 to 256, or auto"):
            load(env=env)
    else:
        assert load(env=env).config.processes == processes
        assert shares.count(load(env=env).config) == (processes or shares.processors())


def snapshot(metrics: Metrics) -> list[Family]:
    """Return what a process would send, without what is of the interpreter."""
    return messages.families(metrics.collect())


def numbers(*snapshots: list[Family]) -> dict[tuple[str, ...], float]:
    """Return the merged samples by name and values of labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in merged(snapshots, ACROSS)
        for sample in metric.samples
    }


def test_metrics_of_two_become_one() -> None:
    """Counters and histograms are sums; each gauge is put together as its declaration says."""
    one, two = Metrics("1"), Metrics("1")
    for metrics, count in ((one, 3), (two, 4)):
        for _ in range(count):
            metrics.login_finished("deny", 0.003, False, 0.001, [], [])
        metrics.logins_in_flight = count
    one.catalog_seen(7, True, 1000.0, tenants=5, writable=True)
    two.catalog_seen(6, False, 900.0, tenants=4, writable=True)
    one.certificates_expire(0.0, 50.0)
    two.certificates_expire(0.0, 70.0)
    found = numbers(snapshot(one), snapshot(two))
    assert found["vestibule_decisions_total", "deny"] == 7
    assert found["vestibule_flow_duration_seconds_bucket", "deny", "+Inf"] == 7
    assert found["vestibule_flow_duration_seconds_sum", "deny"] == pytest.approx(0.021)
    assert found["vestibule_logins_in_flight",] == 7
    assert (found["vestibule_catalog_revision",], found["vestibule_catalog_healthy",]) == (6, 0)
    assert found["vestibule_catalog_last_success_timestamp_seconds",] == 900
    assert found["vestibule_certificate_expiry_timestamp_seconds", "client_ca"] == 50
    assert found["vestibule_certificate_expiry_timestamp_seconds", "server"] == 0
    assert found["vestibule_build_info", "1"] == 1


def test_what_a_process_counted_stays_when_it_ends() -> None:
    """No counter falls when a process is replaced, and its gauges go with it."""
    gone, other, ended = Metrics("1"), Metrics("1"), Ended()
    for metrics in (gone, other):
        metrics.login_finished("deny", 0.003, False, 0.001, [], [])
        metrics.logins_in_flight = 1
    before = numbers(ended.snapshot(), snapshot(gone), snapshot(other))
    for _ in range(3):  # one after the other, each with a count of its own
        ended.add(snapshot(gone))
    after = numbers(ended.snapshot(), snapshot(other))
    assert before["vestibule_decisions_total", "deny"] == 2
    assert after["vestibule_decisions_total", "deny"] == 4
    assert (before["vestibule_logins_in_flight",], after["vestibule_logins_in_flight",]) == (2, 1)


def test_a_process_that_keeps_ending_is_started_later_each_time() -> None:
    """At once first, then half a second, twice as long each time, and no longer than half a minute."""
    assert [again_in_s(failures) for failures in range(5)] == [0, 0.5, 1, 2, 4]
    assert again_in_s(100) == 30
