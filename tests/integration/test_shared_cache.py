"""A cache that all daemons of a store share: rows of every kind of store, and daemons that read what others wrote."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.catalog import applies, cache_records, sealed_store
from runtime.catalog.base import Definition
from runtime.catalog.cache_records import CachedRecord
from runtime.catalog.database import Database
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.store_keys import StoreKeys
from runtime.core.model import CacheScope, Command
from runtime.errors import CatalogUnavailable
from runtime.login.api_cache import TriggerCache
from runtime.login.shared_cache import SharedCache
from tests.fixtures.daemons import Serve
from tests.fixtures.suspensions import claims, event
from tests.fixtures.tenants import define
from tests.fixtures.waiting import until
from tests.integration.test_cached_records import COUNT

NOW_MS = 1_800_000_000_000


def shared(tenant: str, *sources: str) -> Definition:
    """Define a tenant that asks for a shared cache."""
    made = define(tenant, *sources)
    return replace(made, flow=replace(made.flow, settings=replace(made.flow.settings, cache=CacheScope.SHARED)))


@pytest.fixture
def store(empty_store: Database) -> Database:
    applies.apply(empty_store, [shared("acme", "pass"), shared("beta", "pass")])
    return empty_store


def write(store: Database, tenant: str = "acme", now_ms: int = NOW_MS, **changes: Any) -> None:
    cache_records.write(store, tenant, changes, now_ms, entries=20, size=8192)


def record(value: str, left_ms: int = 1000) -> CachedRecord:
    return CachedRecord(value, NOW_MS + left_ms)


class TestRows:
    """What lies in the store."""

    def test_records_are_of_a_tenant_and_end(self, store: Database) -> None:
        write(store, a=record("1"), b=record("2", 5000))
        write(store, a=record("3"))
        assert cache_records.read(store, "acme", NOW_MS) == {"a": record("3"), "b": record("2", 5000)}
        assert cache_records.read(store, "beta", NOW_MS) == {}
        assert cache_records.read(store, "acme", NOW_MS + 1000) == {"b": record("2", 5000)}
        write(store, b=None)
        assert cache_records.read(store, "acme", NOW_MS) == {"a": record("3")}

    def test_what_is_too_much_goes(self, store: Database) -> None:
        """What expires first, by number and by size, whichever daemon wrote it; what has expired, of every tenant."""
        for at in range(23):
            cache_records.write(store, "acme", {f"k{at:02}": record("v", 1000 + at)}, NOW_MS, entries=20, size=8192)
        assert cache_records.read(store, "acme", NOW_MS).keys() == {f"k{at:02}" for at in range(3, 23)}
        write(store, large=record("x" * 4000, 9000), larger=record("y" * 4100, 9001))
        assert "larger" in cache_records.read(store, "acme", NOW_MS)
        held = cache_records.read(store, "acme", NOW_MS)
        assert sum(len(key) + len(kept.value) for key, kept in held.items()) <= 8192
        write(store, "beta", NOW_MS + 60_000, z=CachedRecord("1", NOW_MS + 90_000))
        with store.reading() as connection:
            assert connection.execute("SELECT count(*) FROM cache_records").fetchone() == (1,)

    def test_a_tenant_that_is_removed_leaves_nothing(self, store: Database) -> None:
        write(store, a=record("1"))
        write(store, "beta", b=record("2"))
        applies.apply(store, [shared("beta", "pass")], prune=True)
        write(store, a=record("late"))
        assert cache_records.read(store, "acme", NOW_MS) == {}
        assert cache_records.read(store, "beta", NOW_MS) == {"b": record("2")}
        sealed_store.purge(store, "beta")
        assert cache_records.read(store, "beta", NOW_MS) == {}


def test_a_sealed_store_seals_them(empty_store: Database) -> None:
    """A row has no value that can be read; sealing the store anew drops what the old key sealed."""
    keys = StoreKeys([b"1" * 32])
    store = KeyedDatabase(empty_store, lambda: keys)
    applies.apply(store, [shared("acme", "pass")])
    sealed_store.seal(store, keys, 1)
    write(store, a=record("of-value"))
    assert cache_records.read(store, "acme", NOW_MS) == {"a": record("of-value")}
    with store.reading() as connection:
        assert "of-value" not in str(connection.execute("SELECT * FROM cache_records").fetchall())
    sealed_store.reseal(store, keys, 2)
    assert cache_records.read(store, "acme", NOW_MS) == {}


class Away:
    """A store that can go away."""

    def __init__(self, store: Database) -> None:
        self.store, self.away = store, False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise CatalogUnavailable(["the store is away"])
        return getattr(self.store, name)


class Daemon:
    """What one has of shared caches."""

    def __init__(self, store: Any) -> None:
        self.lines: list[str] = []
        log: Any = SimpleNamespace(
            warning=lambda event, **_: self.lines.append(event), info=lambda event, **_: self.lines.append(event)
        )
        self.now_s = 0.0
        self.kept = TriggerCache()
        self.cache = SharedCache(store, self.kept, log, lambda: self.now_s)

    def write(self, key: str, value: str) -> None:
        commands = [Command("cache.set", {"key": key, "value": value, "expires_at": NOW_MS + 60_000})]
        self.kept.apply("acme", commands, NOW_MS)
        self.cache.write("acme", commands, NOW_MS)

    async def read(self) -> bytes:
        return await self.cache.sent("acme", NOW_MS)


async def test_one_reads_what_another_wrote(store: Database) -> None:
    """Each reads its own writes at once, and those of the other with its next login."""
    first, second = Daemon(store), Daemon(store)
    assert await first.read() == await second.read() == b""
    first.write("a", "of-the-first")
    assert b"of-the-first" in await first.read()
    assert b"of-the-first" in await second.read()
    second.write("a", "of-the-second")
    assert b"of-the-second" in await second.read()
    assert b"of-the-second" in await first.read()
    assert first.lines == second.lines == []
    await asyncio.gather(first.cache.close(), second.cache.close())


async def test_without_the_store_each_has_its_own(store: Database) -> None:
    """It says so once, leaves the store alone for a second, and says when it is back."""
    away = Away(store)
    daemon = Daemon(away)
    daemon.write("a", "before")
    assert b"before" in await daemon.read()
    away.away = True
    assert b"before" in await daemon.read()
    daemon.write("b", "meanwhile")
    assert b"meanwhile" in await daemon.read()
    assert daemon.lines == ["cache.failed"]
    away.away = False
    assert b"meanwhile" in await daemon.read(), "the store is left alone"
    daemon.now_s += 5.0
    assert b"before" in await daemon.read()
    assert daemon.lines == ["cache.failed", "cache.recovered"]
    await daemon.cache.close()
    none = Daemon(None)
    none.write("a", "alone")
    assert b"alone" in await none.read()
    assert none.lines == ["cache.failed"]


@pytest.mark.long
def test_two_daemons_count_on(serve: Serve) -> None:
    """A tenant that shares its cache counts over both; one that does not counts on each."""
    first = serve()
    second = serve(store=first.path)
    revision = first.publish(shared("together", COUNT), define("apart", COUNT))
    second.wait_for("catalog.reloaded", revision=revision)
    apart = [claims(daemon.call("apart", event()))["count"] for daemon in (first, second)]
    assert apart == [1, 1]
    seen: list[int] = []

    def counted() -> bool:
        # A write is behind its answer: the other daemon may be asked before.
        seen.append(max(claims(daemon.call("together", event()))["count"] for daemon in (first, second)))
        return seen[-1] > len(seen) + 1

    until(counted, "both count on from each other")
