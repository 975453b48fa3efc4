"""Hostile actions: how soon after its budget each is answered, and what its neighbours notice.

Knows which verdicts to expect. Must not know how a worker is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.loads import Answers, Call, call
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row, at_most
from tests.load.stats import percentile

if TYPE_CHECKING:
    from tests.load.bench import Bench

_BUDGET_MS: Final = subjects.BUDGET_US / 1000
# Far from what the machine can do, so that what a neighbour notices is not a full machine.
_NEIGHBOUR_PACE_S: Final = 0.004
_WHAT: Final = {
    "loop": "`while True`",
    "power": "`10 ** 10 ** 8`",
    "c-loop": "`max(map(max, *[[0] * 10 ** 6] * 10 ** 4))`",
}


def timeouts(bench: Bench) -> Iterator[Row]:
    """Answer actions that never end, while another tenant logs in."""
    definitions = [subjects.definition(name, [source], subjects.BUDGET_US) for name, source in subjects.HOSTILE.items()]
    definitions += [subjects.definition("neighbour", subjects.FLOW), subjects.definition("regex", [subjects.REGEX])]
    subjects.store(bench.folder, definitions)
    count = bench.scaled(100, 12)
    with Daemon(bench.folder) as daemon:
        bench.progress("timeouts: the neighbour alone")
        seconds = count * (_BUDGET_MS + 20) / 1000
        alone = _neighbour(daemon, seconds).report()
        for name, what in _WHAT.items():
            bench.progress(f"timeouts: {name}")
            neighbour = _neighbour(daemon, seconds)
            try:
                answers = call(daemon.target, [subjects.request(name)], count=count)
                during = neighbour.report()
            finally:
                neighbour.stop()
            if answers.codes != {"OK": count} or answers.verdicts != {"timed_out": count}:
                raise BenchError(f"{name}: {count} logins were answered with {answers.codes}, {answers.verdicts}")
            yield from _rows(what, answers, alone, during)
        bench.progress("timeouts: regex")
        regex = call(daemon.target, [subjects.request("regex")], count=count, warm_up=2)
        if regex.verdicts != {"completed": count - 2}:
            raise BenchError(f"the regular expression was answered with {regex.codes}, {regex.verdicts}")
    value = percentile(regex.latencies_us, 99) / 1000
    note = "linear-time matching: it completes"
    yield Row("timeouts", "`(a+)+$` on 41 characters, p99", value, "ms", target=at_most(150), note=note)


def _rows(what: str, answers: Answers, alone: Answers, during: Answers) -> Iterator[Row]:
    note = f"budget {_BUDGET_MS:.0f} ms; own client, the worker's start and compiling included"
    for percent in (50, 99):
        value = percentile(answers.latencies_us, percent) / 1000
        target = at_most(150) if percent == 99 else None
        yield Row("timeouts", f"{what} answered, p{percent}", value, "ms", target=target, note=note)
        note = ""
    for percent in (50, 99):
        before = percentile(alone.latencies_us, percent)
        meanwhile = percentile(during.latencies_us, percent)
        note = f"p{percent} {before / 1000:.2f} ms alone, {meanwhile / 1000:.2f} ms meanwhile"
        yield Row("timeouts", f"neighbour during {what} : alone, p{percent}", meanwhile / before, "x", note=note)


def _neighbour(daemon: Daemon, seconds: float) -> Call:
    count = int(seconds / _NEIGHBOUR_PACE_S)
    return Call(
        daemon.target,
        [subjects.request("neighbour")],
        count=count,
        warm_up=count // 20,
        pace_s=_NEIGHBOUR_PACE_S,
        longest_s=seconds,
    )
