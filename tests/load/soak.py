"""Many logins, some hostile, some suspended and continued: is each answered rightly, and what is left in the end?

Knows what an action can do to its process, what it must be answered with, and what a daemon holds by /proc. Must not
know how the daemon cleans up.
"""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.core.model import OnError
from tests.load import subjects, usage
from tests.load.loads import call
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row, at_most
from tests.load.stats import slope

if TYPE_CHECKING:
    from tests.load.bench import Bench

_MIB: Final = 1 << 20
_QUIET: Final = tuple(f"quiet-{number}" for number in range(20))
SUSPENDED: Final = tuple(f"suspended-{number}" for number in range(5))
# Of so many logins one is hostile, and two are suspended and continued.
_HOSTILE_EACH: Final = 20
_SUSPENDED_PLACES: Final = frozenset({6, 13})
_BUDGET_US: Final = 20_000
# A quiet login is right on a busy machine too; only the hostile ones are to meet their limits.
_QUIET_BUDGET_US: Final = 10_000_000
_IN_FLIGHT: Final = 16
_ROUND: Final = 5_000
# What a first thousand of logins leaves for good: compiled flows, arenas, buffers, gRPC's threads.
WARM_UP: Final = 2_000
_PER: Final = 10_000
_GROWTH_MIB: Final = 0.25
_FILES_PER_WORKER: Final = 4
_FILES_PER_CHILD: Final = 2
_STATES: Final = ("blank", "idle", "busy", "starting")
_LONGEST_S: Final = 80.0
_SETTLE_S: Final = 30.0
_POLL_S: Final = 0.05
_HEAD: Final = "def on_execute_post_login(event, api):\n"

HOSTILE: Final = {
    **subjects.HOSTILE,
    "swallow": _HEAD + "    while True:\n        try:\n            [n for n in range(10 ** 9)]\n        except: pass\n",
    "hoard": _HEAD + "    kept = []\n    while True:\n        kept.append('x' * 1_000_000 + str(len(kept)))\n",
    "huge": _HEAD + "    kept = ['x'] * 10 ** 9\n",
    "shout": _HEAD + "    while True:\n        print('x' * 1000)\n",
    "deep": _HEAD + "    def deep(n):\n        return [deep(n + 1)]\n    deep(0)\n",
    "ask": _HEAD + "    for n in range(1000):\n        api.id_token.set_custom_claim('https://x.io/' + str(n), n)\n",
    "raise": _HEAD + "    raise ValueError(event.user.email * 10_000)\n",
    "broken": _HEAD + "    import os\n    return (\n",
}
"""What the hostile tenants do, by name: time, memory, output, stack, commands, errors, sources that are none."""


_FAILURES: Final = frozenset({"timed_out", "exhausted", "raised", "rejected", "crashed"})


@dataclass(frozen=True, slots=True)
class Held:
    """What a daemon holds when nothing is on its way, workers and their descriptors apart."""

    processes: int
    descriptors: int
    zygote_descriptors: int
    """-1 where the kernel does not tell: the zygote is not dumpable."""
    threads: int
    bytes: int
    zygote_bytes: int


def soak(bench: Bench) -> Iterator[Row]:
    """Make the logins in rounds, hold every answer to what it must be, and compare what is held before and after."""
    definitions = [subjects.definition(name, subjects.FLOW, _QUIET_BUDGET_US) for name in _QUIET]
    definitions += [subjects.definition(name, subjects.SUSPENDED, _QUIET_BUDGET_US) for name in SUSPENDED]
    definitions += [subjects.definition(name, [source], _BUDGET_US, OnError.DENY) for name, source in HOSTILE.items()]
    subjects.store(bench.folder, definitions)
    flags = (
        "--sandbox-isolation", bench.isolation, "--pool-queue-wait-ms", "30000", "--sandbox-flow-timeout-ms", "60000",
        "--sandbox-memory-bytes", "32MiB",
    )  # fmt: skip
    done, seconds = 0, 0.0
    with Daemon(bench.folder, *flags) as daemon:
        make(daemon, WARM_UP)
        points = [(0, settled(daemon))]
        while done < bench.logins:
            bench.progress(f"soak: {done:,} of {bench.logins:,} logins")
            count = min(_ROUND, bench.logins - done)
            seconds += make(daemon, count)
            done += count
            points.append((done, settled(daemon)))
        counts = daemon.metrics()
        family = usage.family(daemon.pid)
    left = _left(family)
    kills = counts.total("vestibule_worker_kills_total")
    note = (
        f"isolation {bench.isolation}; of {_HOSTILE_EACH}, one hostile, of {len(HOSTILE)} kinds, and "
        f"{len(_SUSPENDED_PLACES)} suspended and continued; {kills:,.0f} workers were killed"
    )
    yield Row("soak", "logins, each answered rightly", done, note=note)
    yield Row("soak", "logins a second", done / seconds, "/s", note=f"own client, {_IN_FLIGHT} in flight")
    yield Row("soak", "zygotes lost", counts.total("vestibule_zygote_starts_total") - 1, target=at_most(0))
    yield Row("soak", "processes left after the daemon's end", left, target=at_most(0))
    yield from compared(points)


def compared(points: list[tuple[int, Held]]) -> Iterator[Row]:
    before, after = points[0][1], points[-1][1]
    for what, more in {
        "processes, workers apart": after.processes - before.processes,
        "descriptors of the daemon, workers' apart": after.descriptors - before.descriptors,
        "descriptors of the zygote": after.zygote_descriptors - before.zygote_descriptors,
        "threads of the daemon": after.threads - before.threads,
    }.items():
        yield Row("soak", f"{what}, more than before", more, target=at_most(0))
    # The first half may still fill caches that are bounded; growth in the second half would never end.
    half = [(done, held) for done, held in points if done >= points[-1][0] / 2]
    for what, sizes in {
        "daemon": [(done / _PER, held.bytes / _MIB) for done, held in points],
        "zygote": [(done / _PER, held.zygote_bytes / _MIB) for done, held in points],
    }.items():
        note = f"{sizes[0][1]:.1f} MiB after {WARM_UP:,} logins, {sizes[-1][1]:.1f} MiB in the end"
        yield Row("soak", f"resident memory of the {what}, growth", sizes[-1][1] - sizes[0][1], "MiB", note=note)
        if len(half) > 2:
            growth = slope(sizes[-len(half) :])
            what = f"resident memory of the {what}, growth for {_PER:,} logins"
            yield Row("soak", what, growth, "MiB", target=at_most(_GROWTH_MIB), note="slope of the second half")


def make(daemon: Daemon, count: int) -> float:
    """Make so many logins; return the seconds. Raises: BenchError unless each was answered as it must be."""
    requests, wanted, continued = cycle()
    before = daemon.metrics().total("vestibule_decisions_degraded_total")
    answers = call(
        daemon.target,
        requests,
        count=count,
        wanted=wanted,
        continued=[base64.b64encode(rest).decode() for rest in continued],
        in_flight=_IN_FLIGHT,
        connections=4,
        longest_s=_LONGEST_S,
    )
    degraded = daemon.metrics().total("vestibule_decisions_degraded_total") - before
    hostile = sum(wanted[at % len(wanted)] == "deny" for at in range(count))
    suspended = sum(bool(continued[at % len(wanted)]) for at in range(count))
    verdicts = Counter(answers.verdicts)
    completed = verdicts.pop("completed", 0)
    if (
        answers.codes != {"OK": count}
        or answers.wrong
        or degraded != hostile
        # The action that suspends a login runs once more to continue it.
        or completed != len(subjects.FLOW) * (count - hostile) + suspended
        or verdicts.total() != hostile
        or not verdicts.keys() <= _FAILURES
    ):
        raise BenchError(
            f"of {count} logins, {hostile} hostile, {suspended} suspended, {answers.wrong} were answered wrongly, "
            f"{degraded:.0f} degraded: {answers.codes}, {answers.outcomes}, {answers.verdicts}"
        )
    return answers.seconds


def cycle() -> tuple[list[bytes], list[str], list[bytes]]:
    """Return the requests that are sent in turn, what each must end in, and what continues it if it is suspended."""
    requests, wanted, continued = [], [], []
    for turn, name in enumerate(HOSTILE):
        for place in range(_HOSTILE_EACH - 1):
            required = (turn + place) % 2 == 0
            suspended = place in _SUSPENDED_PLACES
            tenants = SUSPENDED if suspended else _QUIET
            tenant = tenants[(turn * (_HOSTILE_EACH - 1) + place) % len(tenants)]
            request = subjects.request(tenant, sensitive=required)
            requests.append(request)
            wanted.append("mfa_required" if required else "allow")
            continued.append(subjects.continuing(request) if suspended else b"")
        requests.append(subjects.request(name))
        wanted.append("deny")
        continued.append(b"")
    return requests, wanted, continued


def settled(daemon: Daemon) -> Held:
    """Wait until nothing is on its way, and count. Raises: BenchError when something stays on its way."""
    latest_s = time.monotonic() + _SETTLE_S
    while True:
        counts = daemon.metrics()
        known = {state: int(counts.total("vestibule_workers", state=state)) for state in _STATES}
        on_its_way = int(counts.total("vestibule_logins_in_flight")) + known["busy"] + known["starting"]
        workers = usage.forked(daemon.pid)
        count = known["blank"] + known["idle"]
        if not on_its_way and len(workers) == count and known["blank"]:
            break
        if time.monotonic() > latest_s:
            raise BenchError(f"after {_SETTLE_S:.0f} s the daemon had {known}, and {len(workers)} processes of workers")
        time.sleep(_POLL_S)
    zygote, family = usage.parent(workers[0]), usage.family(daemon.pid)
    # With a process for each login a worker has one ready for the next, which the daemon holds by a descriptor or two.
    children = sum(usage.parent(pid) in workers for pid in family)
    return Held(
        processes=len(family) - count - children,
        descriptors=usage.descriptors(daemon.pid) - _FILES_PER_WORKER * count - _FILES_PER_CHILD * children,
        zygote_descriptors=usage.descriptors(zygote),
        threads=usage.threads(daemon.pid),
        bytes=usage.resident_bytes(daemon.pid),
        zygote_bytes=usage.resident_bytes(zygote),
    )


def _left(family: Iterable[int]) -> int:
    """Count the processes of a daemon that has ended, once they have had the time to die."""
    latest_s = time.monotonic() + _SETTLE_S
    while left := sum(usage.name(pid).startswith("vst-") for pid in family):
        if time.monotonic() > latest_s:
            break
        time.sleep(_POLL_S)
    return left
