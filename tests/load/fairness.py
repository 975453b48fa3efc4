"""What a quiet tenant notices of three bad neighbours at once: one loops, one eats memory, one is broken.

Knows how each of them behaves and what they must be answered with. Must not know how the daemon keeps them apart.

Alone and among them take turns in one daemon's life, so that both see the same machine. A round's p99 is that of a
thousand logins and more: ten and more are slower, so that it is no outlier. What is reported is the middle round,
since one that something else on the machine disturbed says nothing of the neighbours; lowest and highest stand beside
it. The time is what the quiet tenant's client sees: its own waiting for a processor that a loop holds is part of it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from runtime.config.effective import Config
from tests.load import subjects
from tests.load.loads import Answers, Call, call
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row, at_least, at_most
from tests.load.stats import percentile, ratios

if TYPE_CHECKING:
    from tests.load.bench import Bench

# A quiet tenant logs in now and then; its throughput is what it gets when it asks again as soon as it is answered.
_PACE_S: Final = 0.004
_BROKEN_PACE_S: Final = 0.02
_LONGEST_S: Final = 80.0
_HEAD: Final = "def on_execute_post_login(event, api):\n"
_BUDGET_US: Final = 1_000_000

LOOPS: Final = _HEAD + "    while True:\n        pass\n"
EATS: Final = _HEAD + "    kept = []\n    while True:\n        kept.append('x' * 1_000_000 + str(len(kept)))\n"
BROKEN: Final = _HEAD + "    import os\n    return (\n"
VERDICTS: Final = {"loops": {"timed_out"}, "eats": {"exhausted", "timed_out"}, "broken": {"rejected"}}


def fairness(bench: Bench) -> Iterator[Row]:
    """Compare the quiet tenant alone with itself among the three, in alternating rounds of one daemon's life."""
    definitions = [
        subjects.definition("quiet", subjects.FLOW),
        subjects.definition("loops", [LOOPS], _BUDGET_US),
        subjects.definition("eats", [EATS], _BUDGET_US),
        subjects.definition("broken", [BROKEN]),
    ]
    subjects.store(bench.folder, definitions)
    rounds, paced, asked = bench.scaled(7, 3), bench.scaled(2000, 1000), bench.scaled(3000, 1000)
    p99s: tuple[list[float], list[float]] = ([], [])
    rates: tuple[list[float], list[float]] = ([], [])
    with Daemon(bench.folder) as daemon:
        _quiet(daemon, 300)
        for number in range(1, rounds + 1):
            for among in (0, 1):
                bench.progress(f"fairness: round {number} of {rounds}, {'among the others' if among else 'alone'}")
                with _neighbours(daemon, bool(among)):
                    answers = _quiet(daemon, paced, pace_s=_PACE_S)
                    p99s[among].append(percentile(answers.latencies_us, 99))
                    answers = _quiet(daemon, asked)
                    rates[among].append(asked / answers.seconds)
    alone, among_them = (statistics.median(values) / 1000 for values in p99s)
    note = f"p99 {alone:.2f} ms alone, {among_them:.2f} ms among them, a login each {_PACE_S * 1000:.0f} ms"
    what = "quiet tenant among a looping, a memory-eating and a broken one : alone, "
    yield Row.of("fairness", what + "p99", ratios(p99s[1], p99s[0]), "x", at_most(1.5), note)
    alone, among_them = (statistics.median(values) for values in rates)
    note = f"{alone:,.0f}/s alone, {among_them:,.0f}/s among them, one login after the other"
    yield Row.of("fairness", what + "throughput", ratios(rates[1], rates[0]), "x", at_least(0.8), note)


def _quiet(daemon: Daemon, count: int, *, pace_s: float = 0.0) -> Answers:
    answers = call(daemon.target, [subjects.request("quiet")], count=count, pace_s=pace_s, longest_s=_LONGEST_S)
    if answers.codes != {"OK": count} or answers.outcomes != {"mfa_required": count}:
        raise BenchError(f"the quiet tenant's {count} logins were answered with {answers.codes}, {answers.outcomes}")
    return answers


@contextmanager
def _neighbours(daemon: Daemon, wanted: bool) -> Iterator[None]:
    """Let the three log in over and over meanwhile: as many loops at once as a tenant may have workers."""
    if not wanted:
        yield
        return
    at_once = Config().pool.workers_per_tenant
    with ExitStack() as running:
        for tenant, in_flight, pace_s in (("loops", at_once, 0.0), ("eats", 1, 0.0), ("broken", 1, _BROKEN_PACE_S)):
            # Each has run for a while before: the others' load is measured, not the start of their clients.
            _check(tenant, call(daemon.target, [subjects.request(tenant)], count=1))
            load = Call(
                daemon.target,
                [subjects.request(tenant)],
                count=1_000_000,
                in_flight=in_flight,
                pace_s=pace_s,
                longest_s=_LONGEST_S,
            )
            running.callback(load.stop)
        # They are all under way once each has had the time of one budget.
        call(daemon.target, [subjects.request("loops")], count=1)
        yield


def _check(tenant: str, answers: Answers) -> None:
    if answers.codes != {"OK": 1} or not answers.verdicts.keys() <= VERDICTS[tenant]:
        raise BenchError(f"the tenant that {tenant} was answered with {answers.codes}, {answers.verdicts}")
