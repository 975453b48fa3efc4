"""Measures what a PostgreSQL server takes: for claims, and for changes that every daemon process reads.

Knows the store's interfaces and a real server. Must not know daemons or models.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from runtime.catalog import applies, images, lineage
from runtime.catalog.base import Definition
from runtime.catalog.database import Connection
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.opening import open_database
from runtime.catalog.suspended import StoredSuspendedFlows
from runtime.core.model import Policy
from tests.fixtures import postgresql
from tests.load import subjects, usage
from tests.load.processes import BenchError

# What a server loses at a crash is what is measured here: with a disk's real time.
_SETTINGS: Final = "fsync = on\nfull_page_writes = on\nautovacuum = on\nshared_buffers = 128MB"
_ALONE: Final = 200
_TOGETHER: Final = 1600
_REPLICAS: Final = 4
_AT_ONCE: Final = 16
_TENANTS: Final = 10_000
_CHANGES: Final = 40
_LISTENERS: Final = 20


@dataclass(frozen=True, slots=True)
class Claims:
    """Microseconds; see Costs."""

    work_us: float
    transaction_us: float
    loop_us: float
    flush_us: float


@dataclass(frozen=True, slots=True)
class Changes:
    """Microseconds; see Costs."""

    apply_us: float
    apply_server_us: float
    read_server_us: float
    read_loop_us: float
    notify_us: float


class Server:
    """A server on this machine, with a disk that is waited for."""

    def __init__(self, cluster: postgresql.Cluster) -> None:
        self._cluster = cluster
        self._name = cluster.database()

    def open(self) -> KeyedDatabase:
        """Open the store once more, as another daemon process does."""
        return open_database(self._cluster.url(self._name))

    def cpu_s(self) -> float:
        """Return the server's processor time so far."""
        return usage.cpu_s(int((self._cluster.data / "postmaster.pid").read_text().split("\n")[0]))


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Run one for a block. Raises: BenchError where there is no PostgreSQL."""
    try:
        with postgresql.running(settings=_SETTINGS) as cluster:
            yield Server(cluster)
    except pytest.skip.Exception as error:
        raise BenchError(str(error)) from None


class _Counted:
    """A store that counts its transactions of claims."""

    def __init__(self, database: KeyedDatabase) -> None:
        self.database = database
        self.name = database.name
        self.count = 0

    def claiming(self) -> AbstractContextManager[Connection]:
        self.count += 1
        return self.database.claiming()


def claims(server: Server, progress: Callable[[str], None]) -> Claims:
    """Claim and spend continuations: one after the other, and then many at a time from several replicas."""
    with ExitStack() as opened:
        stores = [opened.enter_context(contextlib.closing(server.open())) for _ in range(_REPLICAS)]
        stores[0].prepare()
        with stores[0].reading() as connection:
            epoch = lineage.epoch(connection)
        counted: list[Any] = [_Counted(store) for store in stores]
        progress("scale: claims, one after the other")
        # Connections are opened by what is not measured.
        asyncio.run(_claim(counted, epoch, _AT_ONCE * _REPLICAS, _AT_ONCE))
        alone = _timed(server, counted[:1], epoch, _ALONE, 1)
        progress("scale: claims of several replicas")
        together = _timed(server, counted, epoch, _TOGETHER, _AT_ONCE)
    # Both are works and transactions: two equations, two unknowns.
    per_work, per_transaction = 2 * _ALONE / alone.transactions, 2 * _TOGETHER / together.transactions
    both_us, more_us = alone.server_s / alone.transactions * 1e6, together.server_s / together.transactions * 1e6
    work_us = (
        max(0.0, (more_us - both_us) / (per_transaction - per_work)) if per_transaction > per_work else both_us / 2
    )
    waited_s = alone.took_s - alone.server_s - alone.client_s
    return Claims(
        work_us,
        max(0.0, both_us - work_us * per_work),
        together.client_s / _TOGETHER * 1e6,
        max(0.0, waited_s / alone.transactions * 1e6),
    )


@dataclass(frozen=True, slots=True)
class _Timed:
    took_s: float
    server_s: float
    client_s: float
    transactions: int


def _timed(server: Server, stores: list[Any], epoch: bytes, count: int, at_once: int) -> _Timed:
    made = sum(store.count for store in stores)
    began_s, server_s, client_s = time.monotonic(), server.cpu_s(), time.process_time()
    asyncio.run(_claim(stores, epoch, count, at_once))
    return _Timed(
        time.monotonic() - began_s,
        server.cpu_s() - server_s,
        time.process_time() - client_s,
        sum(store.count for store in stores) - made,
    )


async def _claim(stores: list[Any], epoch: bytes, count: int, at_once: int) -> None:
    replicas = [StoredSuspendedFlows(store) for store in stores]
    left = iter(range(count))

    async def one_after_the_other(replica: StoredSuspendedFlows) -> None:
        for _ in left:
            name, now_ms = os.urandom(16), int(time.time() * 1000)
            until_ms = now_ms + 60_000
            found = await replica.claim(name, now_ms + 600_000, now_ms, until_ms, os.urandom(32), epoch)
            if not found.granted or not await replica.spend(name, until_ms, os.urandom(400)):
                raise BenchError(f"a claim was refused: {found}")

    await asyncio.gather(*(one_after_the_other(replica) for replica in replicas for _ in range(at_once)))
    for replica in replicas:
        await replica.close()


def changes(server: Server, progress: Callable[[str], None]) -> Changes:
    """Change one tenant of many again and again, and read each change as a daemon process does."""
    progress(f"scale: a store with {_TENANTS:,} tenants")
    with contextlib.closing(server.open()) as store:
        applies.apply(store, [subjects.definition(f"load-{n}", subjects.FLOW) for n in range(_TENANTS)])
        with store.reading() as connection:
            image = images.read(connection, None, store.name, time.time())
        assert image is not None
        took_s, apply_s = _changed(server, store, 0)
        progress("scale: changes, with listeners and without")
        with ExitStack() as opened:
            for _ in range(_LISTENERS):
                opened.enter_context(contextlib.closing(server.open())).watch(lambda: None)
            time.sleep(1.0)
            _, heard_s = _changed(server, store, 1)
        server_s, client_s = server.cpu_s(), time.process_time()
        for number in range(_CHANGES):
            applies.apply(store, [_other(number, 2)])
            with store.reading() as connection:
                image = images.read(connection, image, store.name, time.time()) or image
        both_s, ours_s = server.cpu_s() - server_s, time.process_time() - client_s
        client_s = time.process_time()
        _changed(server, store, 3)
        ours_s -= time.process_time() - client_s
    each = 1e6 / _CHANGES
    return Changes(
        took_s * each,
        apply_s * each,
        max(0.0, both_s - apply_s) * each,
        max(0.0, ours_s) * each,
        max(0.0, heard_s - apply_s) * each / _LISTENERS,
    )


def _changed(server: Server, store: KeyedDatabase, turn: int) -> tuple[float, float]:
    """Return the time, and the server's processor time, of all changes, in seconds."""
    began_s, server_s = time.monotonic(), server.cpu_s()
    for number in range(_CHANGES):
        applies.apply(store, [_other(number, turn)])
    return time.monotonic() - began_s, server.cpu_s() - server_s


def _other(number: int, turn: int) -> Definition:
    found = subjects.definition(f"load-{number}", subjects.FLOW)
    settings = replace(found.flow.settings, policy=(Policy.ALWAYS, Policy.NEVER)[turn % 2])
    return replace(found, flow=replace(found.flow, settings=settings))
