"""The trigger's cache in the daemon: what logins wrote is there for later ones, within its limits and its time."""

from __future__ import annotations

import pytest
from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Command
from runtime.login import api_cache
from runtime.login.api_cache import Records, TriggerCache
from sandbox.contract.calls.cache import ENTRIES_MAX, LIFETIME_MAX_MS, TOTAL_BYTES

NOW_MS = 1_800_000_000_000


def put(key: str, value: str = "v", expires_at: int = NOW_MS + 1000) -> Command:
    return Command("cache.set", {"key": key, "value": value, "expires_at": expires_at})


def drop(key: str) -> Command:
    return Command("cache.delete", {"key": key})


def sent(records: Records, now_ms: int = NOW_MS) -> dict[str, tuple[str, int]]:
    message = worker_pb2.RunFlow.FromString(records.sent(now_ms))
    return {record.key: (record.value, record.expires_at_ms) for record in message.cache}


def test_what_was_set_is_sent_until_it_expires() -> None:
    """A record goes along with every later question, and none goes along from its expiry on."""
    records = Records()
    records.apply([put("a"), put("b", expires_at=NOW_MS + 2000)], NOW_MS)
    assert sent(records) == {"a": ("v", NOW_MS + 1000), "b": ("v", NOW_MS + 2000)}
    assert sent(records, NOW_MS + 999).keys() == {"a", "b"}
    assert sent(records, NOW_MS + 1000).keys() == {"b"}
    assert records.sent(NOW_MS + 2000) == b""


def test_the_last_write_of_a_key_counts() -> None:
    """Setting again replaces value and expiry; deleting removes; deleting what is not there is nothing."""
    records = Records()
    records.apply([put("a"), put("a", "w", NOW_MS + 5000), put("b"), drop("b"), drop("c")], NOW_MS)
    assert sent(records) == {"a": ("w", NOW_MS + 5000)}


def test_no_record_lives_longer_than_a_call_can_ask_for() -> None:
    """A worker that claims an expiry in a hundred years gets a day, and one in the past gets nothing."""
    records = Records()
    records.apply([put("a", expires_at=1 << 50), put("b", expires_at=NOW_MS)], NOW_MS)
    assert sent(records) == {"a": ("v", NOW_MS + LIFETIME_MAX_MS)}


def test_the_limits_hold_over_logins() -> None:
    """Logins that do not see each other may write too much together: what expires first goes."""
    records = Records()
    for at in range(ENTRIES_MAX + 3):
        records.apply([put(f"k{at}", expires_at=NOW_MS + 1000 + at)], NOW_MS)
    assert sent(records).keys() == {f"k{at}" for at in range(3, ENTRIES_MAX + 3)}
    records = Records()
    for at in range(3):
        records.apply([put(f"k{at}", "x" * 4000, NOW_MS + 1000 - at)], NOW_MS)
    assert sent(records).keys() == {"k0", "k1"}
    assert 2 * 4002 <= TOTAL_BYTES < 3 * 4002


def test_tenants_do_not_share() -> None:
    """Each tenant has records of its own, and one that has none is not kept."""
    all_of_them = TriggerCache()
    all_of_them.apply("acme", [put("a")], NOW_MS)
    all_of_them.apply("beta", [put("a", "other")], NOW_MS)
    assert sent(all_of_them.of["acme"]) == {"a": ("v", NOW_MS + 1000)}
    all_of_them.apply("beta", [drop("a")], NOW_MS)
    assert list(all_of_them.of) == ["acme"]


def test_the_number_of_tenants_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the tenant that has not written for longest goes."""
    monkeypatch.setattr(api_cache, "TENANTS_MAX", 2)
    all_of_them = TriggerCache()
    for tenant in ("a", "b", "a", "c"):
        all_of_them.apply(tenant, [put("k")], NOW_MS)
    assert list(all_of_them.of) == ["a", "c"]
