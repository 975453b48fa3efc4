"""Many tenants on a small host: by Zipf, with a ceiling on what their workers hold together.

Knows which logins are cold and what a daemon holds. Must not know how it chooses whom to evict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.load import mix as mixes
from tests.load import open_loop, subjects, usage
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row
from tests.load.stats import percentile

if TYPE_CHECKING:
    from tests.load.bench import Bench

_MIB: Final = 1 << 20
_CEILING: Final = "2GiB"
_RATE: Final = 80.0
_PARTS: Final = 3
"""The first part fills the ceiling; what is held is compared after the others."""
_LONGEST_S: Final = 80.0


def many(bench: Bench) -> Iterator[Row]:
    """Let tenants log in at a rate that a small host bears, and see that each is answered and memory stays flat."""
    mix = mixes.Mix(tenants=bench.tenants or bench.scaled(10_000, 200), zipf=bench.mix.zipf)
    rate = bench.rates[0] if bench.rates else _RATE
    seconds = bench.scaled(60, 2)
    each = int(rate * seconds)
    made = mixes.logins(mix, _PARTS * each)
    subjects.store(bench.folder, [subjects.definition(f"load-{n}", subjects.FLOW) for n in range(mix.tenants)])
    firsts = made.firsts()
    cold_us: list[float] = []
    again_us: list[float] = []
    held: list[tuple[float, float]] = []
    refused = 0
    with Daemon(bench.folder, "--pool-memory-bytes", _CEILING, "--pool-idle-s", "3600") as daemon:
        for part in range(_PARTS):
            bench.progress(f"many: {mix.tenants:,} tenants, part {part + 1} of {_PARTS}")
            some = mixes.Logins(made.requests, made.wanted, made.continued, made.kinds, made.tenants)
            some.order = made.order[part * each : (part + 1) * each]
            answers = open_loop.run(
                daemon.target, some, rate=rate, in_flight=open_loop.AT_ONCE_MOST, longest_s=_LONGEST_S
            )
            if answers.wrong or answers.unsent:
                raise BenchError(f"{answers.wrong} logins were decided wrongly, {answers.unsent} were never sent")
            refused += each - answers.codes.get("OK", 0)
            for index, latency_us in zip(answers.indexes, answers.latencies_us, strict=True):
                (cold_us if part * each + index in firsts else again_us).append(latency_us)
            name = f"{mix.words()}, part {part + 1} of {_PARTS}, {rate:g}/s due"
            bench.series.append(open_loop.series(name, some, answers))
            counts = daemon.metrics()
            workers = counts.total("vestibule_workers_memory_bytes") / _MIB
            held.append((workers, usage.resident_bytes(daemon.pid) / _MIB))
        ceiling = counts.total("vestibule_workers_memory_ceiling_bytes") / _MIB
        spawned = counts.total("vestibule_worker_spawn_duration_seconds_count")
        running = counts.total("vestibule_workers")
    note = f"{_PARTS * each:,} logins, {rate:g}/s due, {len(firsts):,} tenants came; ceiling {_CEILING}"
    yield Row("many", "tenants", mix.tenants, note=note)
    yield Row("many", "logins that were refused", refused)
    yield Row("many", "first login of a tenant, p50", percentile(cold_us, 50) / 1000, "ms", note="from when it was due")
    yield Row("many", "first login of a tenant, p99", percentile(cold_us, 99) / 1000, "ms", note="from when it was due")
    if again_us:
        note = "some of their workers were evicted meanwhile"
        yield Row("many", "a later one, p50", percentile(again_us, 50) / 1000, "ms", note=note)
        yield Row("many", "a later one, p99", percentile(again_us, 99) / 1000, "ms", note=note)
    yield Row(
        "many", "memory of the workers", held[-1][0], "MiB", note=f"{running:,.0f} of {spawned:,.0f} workers left"
    )
    yield Row("many", "memory of the workers : ceiling", held[-1][0] / ceiling, "x")
    yield Row("many", "memory of the daemon", held[-1][1], "MiB")
    new = sum(1 for at in firsts if at >= (_PARTS - 1) * each)
    note = f"after part {_PARTS} and after part {_PARTS - 1}; {new:,} tenants more had come"
    yield Row("many", "memory of the daemon, end : before", held[-1][1] / held[-2][1], "x", note=note)
