"""Cold tenants, spawns, and the memory of many warm tenants.

Knows the pool's metrics and /proc. Must not know the worker's protocol.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime.config.effective import Config
from runtime.ops.metrics import Metrics
from runtime.ops.recorders import Durations
from tests.load import subjects, usage
from tests.load.loads import Answers, call
from tests.load.machine import meminfo_bytes
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row, at_most
from tests.load.stats import percentile

if TYPE_CHECKING:
    from tests.load.bench import Bench

_REQUIRED: Final = "mfa_required"
_MIB: Final = 1 << 20
# Slow enough that the blank workers that a tenant took are there again before the next tenant comes.
_COLD_PACE_S: Final = 0.025
_SAMPLED_WORKERS: Final = 200
_SETTLE_S: Final = 0.1
_SETTLE_LOOKS: Final = 50
# A warm worker is promised to stay below 2 MiB; with this much for each, no host is filled by a benchmark.
_RESERVED_BYTES: Final = 4 * _MIB


def cold(bench: Bench) -> Iterator[Row]:
    """Time the first login of tenants that never logged in, each bound to a blank worker."""
    tenants = [f"cold-{n}" for n in range(bench.scaled(400, 60))]
    definitions = [subjects.definition(tenant, subjects.FLOW) for tenant in ("bench", *tenants)]
    subjects.store(bench.folder, definitions)
    bench.progress(f"cold: {len(tenants)} tenants")
    with Daemon(bench.folder) as daemon:
        # The daemon's own first login is not a tenant's: it finds grpc and the connection cold.
        _decided(call(daemon.target, [subjects.request("bench")], count=20), 20)
        requests = [subjects.request(tenant) for tenant in tenants]
        first = _decided(call(daemon.target, requests, count=len(tenants), pace_s=_COLD_PACE_S), len(tenants))
        again = _decided(call(daemon.target, requests, count=len(tenants), pace_s=_COLD_PACE_S / 5), len(tenants))
    note = f"one tenant each {_COLD_PACE_S * 1000:.0f} ms, own client, three sources compiled"
    for percent in (50, 99):
        value = percentile(first.latencies_us, percent) / 1000
        target = at_most(15) if percent == 99 else None
        yield Row("cold", f"first login of a tenant, p{percent}", value, "ms", target=target, note=note)
    yield Row("cold", "its second login, p50", percentile(again.latencies_us, 50) / 1000, "ms", note="own client")


class _SpawnTimes(Durations):
    """Keeps what the daemon's histogram would round."""

    def __init__(self) -> None:
        super().__init__("seconds", "Seconds from asking the zygote to the worker's report that it is locked down.")
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Keep one time."""
        self.seconds.append(seconds)


class _Metrics(Metrics):
    def __init__(self) -> None:
        super().__init__("")
        self.worker_spawned = self.times = _SpawnTimes()


def spawn(bench: Bench) -> Iterator[Row]:
    """Time the fork of a worker up to its report that every layer holds."""
    count = bench.scaled(400, 60)
    bench.progress(f"spawn: {count} workers")
    seconds, layers = asyncio.run(_spawn(count))
    for percent in (50, 99):
        value = percentile(seconds, percent) * 1000
        target = at_most(4) if percent == 50 else None
        yield Row("spawn", f"a locked-down worker, p{percent}", value, "ms", target=target, note=f"{layers} layers")


async def _spawn(count: int) -> tuple[list[float], int]:
    from runtime.offline import run as offline

    metrics = _Metrics()
    # No blank ones: each lease forks the one worker it needs, and nothing else runs meanwhile.
    config = replace(Config(), pool=replace(Config().pool, blank_workers=0))
    async with offline.open_pool(config, metrics) as pool:
        for n in range(count):
            worker = await pool.lease(f"spawn-{n}", 10.0)
            pool.release(worker)
        layers = sum(layer.active for layer in pool.layers)
    # The first few waited for the zygote itself.
    return metrics.times.seconds[2:], layers


def memory(bench: Bench) -> Iterator[Row]:
    """Keep many tenants warm at once and weigh their workers."""
    room = (meminfo_bytes("MemAvailable") - 512 * _MIB) // _RESERVED_BYTES
    asked = bench.tenants or bench.scaled(2000, 100)
    count = max(1, min(asked, room))
    tenants = [f"warm-{n}" for n in range(count)]
    subjects.store(bench.folder, [subjects.definition(tenant, subjects.FLOW) for tenant in tenants])
    requests = [subjects.request(tenant) for tenant in tenants]
    # The default of 4096 workers, more where more tenants are asked for.
    flags = ("--pool-max-workers", str(max(4096, count + 64)), "--pool-idle-s", "3600")
    with Daemon(bench.folder, *flags) as daemon:
        _decided(call(daemon.target, requests[:1], count=1), 1)
        before_bytes = meminfo_bytes("MemAvailable")
        bench.progress(f"memory: {count} tenants log in")
        _decided(call(daemon.target, requests, count=count, in_flight=4, longest_s=80), count)
        idle = _idle(daemon, count)
        spawned = daemon.metrics().total("vestibule_worker_spawn_duration_seconds_count")
        bench.progress(f"memory: {count} tenants log in again")
        again = _decided(call(daemon.target, requests, count=count, in_flight=2, longest_s=80), count)
        respawned = daemon.metrics().total("vestibule_worker_spawn_duration_seconds_count") - spawned
        grown_bytes = before_bytes - meminfo_bytes("MemAvailable")
        if idle < count or respawned:
            raise BenchError(f"of {count} tenants {idle:.0f} were warm, and {respawned:.0f} workers were forked anew")
        private = _private(daemon)
        resident, descriptors = usage.resident_bytes(daemon.pid), usage.descriptors(daemon.pid)
    reduced = f"of {asked} asked for: memory for more is not free" if count < asked else ""
    yield Row("memory", "warm tenants at once", count, note=reduced or "each with a worker of its own, decided twice")
    if private:
        value = percentile(private, 50) / _MIB
        note = f"smaps_rollup, {len(private)} workers"
        yield Row("memory", "private memory of a warm worker, p50", value, "MiB", target=at_most(2), note=note)
        yield Row("memory", "private memory of a warm worker, p99", percentile(private, 99) / _MIB, "MiB")
    whole = grown_bytes / max(1, count - 1) / _MIB
    target = None if private else at_most(2)
    note = "MemAvailable; page tables, kernel and daemon included"
    yield Row("memory", "the machine's memory for a warm tenant", whole, "MiB", target=target, note=note)
    yield Row("memory", "resident memory of the daemon", resident / _MIB, "MiB")
    yield Row("memory", "descriptors of the daemon", descriptors)
    yield Row("memory", "warm login among them, p50", percentile(again.latencies_us, 50) / 1000, "ms")
    yield Row("memory", "warm login among them, p99", percentile(again.latencies_us, 99) / 1000, "ms")


def _idle(daemon: Daemon, count: int) -> float:
    """Wait until the workers that compiled have been replaced by those that stay; return how many there are."""
    for _ in range(_SETTLE_LOOKS):
        idle = daemon.metrics().total("vestibule_workers", state="idle")
        # And then the blank workers that they took are made again.
        time.sleep(_SETTLE_S)
        if idle >= count:
            break
    return idle


def _private(daemon: Daemon) -> list[int]:
    workers = usage.forked(daemon.pid)
    step = max(1, len(workers) // _SAMPLED_WORKERS)
    found = (usage.private_bytes(pid) for pid in workers[::step])
    return [value for value in found if value]


def _decided(answers: Answers, count: int) -> Answers:
    """Check that every login was decided as its flow says. Raises: BenchError."""
    if answers.codes != {"OK": count} or answers.outcomes != {_REQUIRED: count}:
        raise BenchError(f"of {count} logins, these were answered: {answers.codes}, {answers.outcomes}")
    return answers
