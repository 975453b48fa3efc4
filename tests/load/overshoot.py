"""How long after its budget each kind of endless action is answered: the distribution of answer time minus budget.

Knows the ways in which code does not end, and which hand must stop each. Must not know how it is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.loads import call
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row, at_most
from tests.load.stats import percentile

if TYPE_CHECKING:
    from tests.load.bench import Bench

PROMISED_MS: Final = 20
_BUDGET_MS: Final = subjects.BUDGET_US / 1000
_HEAD: Final = "def on_execute_post_login(event, api):\n"

ENDLESS: Final = {
    "python loop": _HEAD + "    while True:\n        pass\n",
    "C loop that holds the interpreter": _HEAD + "    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))\n",
    "arithmetic on huge numbers": _HEAD + "    api.access.deny('even' if 10 ** 10 ** 8 else 'odd')\n",
    "loop that swallows exceptions": _HEAD
    + "    while True:\n        try:\n            while True:\n                pass\n"
    + "        except Exception:\n            continue\n",
    "loop in `finally`": _HEAD
    + "    try:\n        while True:\n            pass\n    finally:\n        while True:\n            pass\n",
    "generator that swallows, in a generator": _HEAD
    + "    while True:\n        try:\n            all(sum(n for n in range(100)) >= 0 for _ in range(10 ** 12))\n"
    + "        except Exception:\n            continue\n",
    "memory thrash": _HEAD
    + "    while True:\n        kept = [list(range(50000)) for _ in range(8)]\n        kept.sort(key=len)\n",
}
"""Sources by what they are. Each ends at its budget and no sooner."""


def overshoot(bench: Bench) -> Iterator[Row]:
    """Answer each of them again and again, one login at a time, on a daemon with nothing else to do."""
    tenants = {f"endless-{place}": what for place, what in enumerate(ENDLESS)}
    sources = dict(zip(tenants, ENDLESS.values(), strict=True))
    subjects.store(
        bench.folder, [subjects.definition(name, [source], subjects.BUDGET_US) for name, source in sources.items()]
    )
    count = bench.scaled(200, 25)
    every: list[float] = []
    with Daemon(bench.folder) as daemon:
        for tenant, what in tenants.items():
            bench.progress(f"overshoot: {what}")
            # The first is the daemon's own first login of this kind too: it is answered, and not counted.
            answers = call(daemon.target, [subjects.request(tenant)], count=count + 1, warm_up=1)
            if answers.codes != {"OK": count} or answers.verdicts != {"timed_out": count}:
                raise BenchError(f"{what}: {count} logins were answered with {answers.codes}, {answers.verdicts}")
            over_ms = [latency / 1000 - _BUDGET_MS for latency in answers.latencies_us]
            every += over_ms
            yield from _rows(what, over_ms)
    yield from _rows("all of them", every)


def _rows(what: str, over_ms: list[float]) -> Iterator[Row]:
    note = f"of {len(over_ms)}; at the client, budget {_BUDGET_MS:.0f} ms, call and a worker's start included"
    for percent in (50, 90, 99, 100):
        target = at_most(PROMISED_MS) if percent == 99 else None
        label = "worst" if percent == 100 else f"p{percent}"
        yield Row("overshoot", f"{what}, {label}", percentile(over_ms, percent), "ms", target=target, note=note)
        note = ""
