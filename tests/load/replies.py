"""What a quiet tenant notices of neighbours whose replies are the largest there may be, or the worst there can be.

Knows both sorts of reply and what they must be answered with. Must not know how the daemon reads them.

Four logins of the neighbour are in flight throughout. Three loads take turns with the quiet tenant alone, in one
daemon's life: an ordinary flow, the largest legal replies, and the worst illegal ones, whose workers are killed each
time. The first says what four logins in flight take of the machine by themselves.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from sandbox.contract.spending import ITEMS_MAX
from tests.load import subjects
from tests.load.loads import Call, call
from tests.load.lying_worker import KINDS, MARK
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row, at_most
from tests.load.stats import percentile, ratios

if TYPE_CHECKING:
    from tests.load.bench import Bench

_PACE_S: Final = 0.004
_IN_FLIGHT: Final = 4
_LONGEST_S: Final = 80.0
_HEAD: Final = "def on_execute_post_login(event, api):\n"

# Claims and both sorts of metadata, each a third of the items that one login may have; then many small calls.
LARGEST: Final = _HEAD + (
    f"    value = [{{'k': n}} for n in range({ITEMS_MAX // 6})]\n"
    "    api.id_token.set_custom_claim('https://example.com/n', value)\n"
    "    api.user.set_user_metadata('n', value)\n"
    "    api.user.set_app_metadata('n', value)\n"
    "    for n in range(90):\n"
    "        api.access_token.add_scope(f'scope-{n}')\n"
)
LIES: Final = {f"lies-{kind}": f'KIND = """\n{MARK}{kind}\n"""\n{_HEAD}    pass\n' for kind in KINDS}
LOADS: Final[dict[str, tuple[str, ...]]] = {
    "an ordinary flow": ("busy",),
    "the largest legal replies": ("largest",),
    "the worst illegal replies": tuple(LIES),
}
_VERDICTS: Final = {"busy": "completed", "largest": "completed"}


def replies(bench: Bench) -> Iterator[Row]:
    """Compare the quiet tenant alone with itself beside each load, in alternating rounds of one daemon's life."""
    definitions = [subjects.definition("quiet", subjects.FLOW), subjects.definition("busy", subjects.FLOW)]
    definitions += [subjects.definition(name, [source]) for name, source in {"largest": LARGEST, **LIES}.items()]
    subjects.store(bench.folder, definitions)
    rounds, paced = bench.scaled(7, 3), bench.scaled(2000, 600)
    p99s: dict[str, list[float]] = {name: [] for name in ("", *LOADS)}
    with Daemon(bench.folder, module="tests.load.lying_daemon") as daemon:
        _quiet(daemon, 300)
        for number in range(1, rounds + 1):
            for name, found in p99s.items():
                bench.progress(f"replies: round {number} of {rounds}, {name or 'alone'}")
                with _neighbour(daemon, LOADS.get(name, ())):
                    found.append(percentile(_quiet(daemon, paced, pace_s=_PACE_S), 99))
    alone = p99s.pop("")
    ordinary = p99s["an ordinary flow"]
    for name, found in p99s.items():
        note = f"p99 {statistics.median(alone) / 1000:.2f} ms alone, {statistics.median(found) / 1000:.2f} ms beside it"
        what = f"quiet tenant beside {_IN_FLIGHT} logins in flight with {name}"
        yield Row.of("replies", f"{what} : alone, p99", ratios(found, alone), "x", note=note)
        if found is not ordinary:
            yield Row.of("replies", f"{what} : with an ordinary flow, p99", ratios(found, ordinary), "x", at_most(1.5))


def _quiet(daemon: Daemon, count: int, *, pace_s: float = 0.0) -> tuple[float, ...]:
    answers = call(daemon.target, [subjects.request("quiet")], count=count, pace_s=pace_s, longest_s=_LONGEST_S)
    if answers.codes != {"OK": count} or answers.outcomes != {"mfa_required": count}:
        raise BenchError(f"the quiet tenant's {count} logins were answered with {answers.codes}, {answers.outcomes}")
    return answers.latencies_us


@contextmanager
def _neighbour(daemon: Daemon, tenants: tuple[str, ...]) -> Iterator[None]:
    """Keep the neighbour's logins in flight meanwhile."""
    with ExitStack() as running:
        if tenants:
            for tenant in tenants:
                answers = call(daemon.target, [subjects.request(tenant)], count=1)
                if answers.codes != {"OK": 1} or answers.verdicts.keys() != {_VERDICTS.get(tenant, "violated")}:
                    raise BenchError(f"{tenant} was answered with {answers.codes}, {answers.verdicts}")
            requests = [subjects.request(tenant) for tenant in tenants]
            load = Call(daemon.target, requests, count=1_000_000, in_flight=_IN_FLIGHT, longest_s=_LONGEST_S)
            running.callback(load.stop)
            # It is under way once it has been answered a few times.
            call(daemon.target, requests, count=2 * len(requests))
        yield
