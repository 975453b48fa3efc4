"""Logins at fixed rates, beside as many as the daemon answers: a login that is due does not wait for those before it.

Knows mixes, rates and what a run of them says. Must not know where the daemon is, except for its own measure.

A closed loop asks again when it is answered: a daemon that stands still for a second is asked less, and the second is
one slow login. Here each login is due at its time, and its time counts from then, so that second is in all of them.
"""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tests.load import mix as mixes
from tests.load import subjects
from tests.load.loads import Answers, call
from tests.load.picture import Series
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row
from tests.load.stats import percentile

if TYPE_CHECKING:
    from tests.load.bench import Bench
    from tests.load.mix import Logins

AT_ONCE_MOST: Final = 2000
"""In an open loop: the calls that one client has on their way. More wait in it, and their time counts."""
_IN_FLIGHT: Final = 32
_CONNECTIONS: Final = 4
_PARTS: Final = (0.25, 0.5, 0.75)


def run(target: str, made: Logins, *, rate: float, in_flight: int, longest_s: float, **plan: Any) -> Answers:
    """Make the logins: at a rate, or with a rate of 0 as fast as they are answered with so many in flight."""
    return call(
        target,
        made.requests,
        count=len(made.order),
        order=made.order,
        wanted=made.wanted,
        continued=[base64.b64encode(rest).decode() for rest in made.continued],
        rate=rate,
        in_flight=in_flight,
        connections=min(_CONNECTIONS, in_flight),
        longest_s=longest_s,
        # A login that is sent again under its name is the same login, and its continuation is spent.
        ids=f"load-{secrets.token_hex(4)}-",
        **plan,
    )


def series(name: str, made: Logins, answers: Answers) -> Series:
    """Return what a picture is drawn of."""
    kinds = tuple(made.kinds[made.order[index]] for index in answers.indexes)
    return Series(name, answers.starts_s, answers.latencies_us, kinds)


def rows(measure: str, name: str, made: Logins, answers: Answers, rate: float) -> Iterator[Row]:
    """Say what a run came to, and each kind of login by itself where there are several."""
    count = len(answers.latencies_us)
    note = f"{count:,} logins, {rate:,.0f}/s due" if rate else f"{count:,} logins, each asked when one is answered"
    yield Row(measure, f"{name}, answered", count / answers.seconds, "/s", note=note)
    codes = ", ".join(f"{many:,} {code}" for code, many in sorted(answers.codes.items()) if code != "OK")
    yield Row(
        measure, f"{name}, without a decision", sum(answers.codes.values()) - answers.codes.get("OK", 0), note=codes
    )
    if made.wanted:
        yield Row(measure, f"{name}, another outcome than the tenant's", answers.wrong)
    if answers.unsent:
        yield Row(measure, f"{name}, due and never sent", answers.unsent, note="the time given was over")
    by_kind: dict[str, list[float]] = {}
    for index, latency_us in zip(answers.indexes, answers.latencies_us, strict=True):
        by_kind.setdefault(made.kinds[made.order[index]], []).append(latency_us / 1000)
    for percent in (50, 99, 99.9):
        value = percentile(answers.latencies_us, percent) / 1000
        note = "from when each was due" if rate else ""
        yield Row(measure, f"{name}, p{percent:g}", value, "ms", note=note)
    if len(by_kind) > 1:
        for kind, times in sorted(by_kind.items()):
            note = f"{len(times):,} logins"
            yield Row(measure, f"{name}, p99 of the {kind}", percentile(times, 99), "ms", note=note)


def open_loop(bench: Bench) -> Iterator[Row]:
    """Find what the closed loop reaches with this mix, and then ask for parts of it at fixed rates."""
    seconds = bench.scaled(20, 2)
    count = bench.scaled(20_000, 600)
    closed = mixes.logins(bench.mix, count)
    cold = closed.cold
    # What the rates will be is not known yet, unless they are given; no run is longer than these.
    most = count + sum(max(count, int(rate * seconds)) for rate in bench.rates or _PARTS)
    subjects.store(bench.folder, mixes.definitions(bench.mix, int(most * bench.mix.cold * 1.2) + 50))
    with Daemon(bench.folder) as daemon:
        _run(daemon, _warm(closed), 0.0)
        bench.progress(f"open: closed loop, {_IN_FLIGHT} in flight")
        answers = _run(daemon, closed, 0.0)
        name = f"closed loop, {_IN_FLIGHT} in flight"
        bench.series.append(series(f"{name}; {bench.mix.words()}", closed, answers))
        yield from rows("open", name, closed, answers, 0.0)
        reached = count / answers.seconds
        for rate in bench.rates or [float(round(reached * part)) for part in _PARTS]:
            name = f"{rate:,.0f}/s due"
            bench.progress(f"open: {name}")
            wanted = max(50, int(rate * seconds))
            made = mixes.logins(bench.mix, wanted if bench.rates else min(count, wanted), first_cold=cold)
            cold += made.cold
            answers = _run(daemon, made, rate)
            bench.series.append(series(f"{name}; {bench.mix.words()}", made, answers))
            yield from rows("open", name, made, answers, rate)


def _run(daemon: Daemon, made: Logins, rate: float) -> Answers:
    before = daemon.metrics().total("vestibule_decisions_total")
    in_flight = AT_ONCE_MOST if rate else _IN_FLIGHT
    answers = run(daemon.target, made, rate=rate, in_flight=in_flight, longest_s=80.0)
    counted = daemon.metrics().total("vestibule_decisions_total") - before
    # A suspended login is two decisions.
    parts = Counter(bool(made.continued[made.order[index]]) for index in answers.indexes)
    wanted = parts.total() + parts[True] - sum(answers.codes.values()) + answers.codes.get("OK", 0)
    if not answers.codes.get("OK") or counted < wanted:
        raise BenchError(f"{parts.total()} logins were sent and answered with {answers.codes}: {counted:.0f} decisions")
    return answers


def _warm(made: Logins) -> Logins:
    """Return one login of each warm tenant: its first is a cold one."""
    warm = mixes.Logins(made.requests, made.wanted, made.continued, made.kinds, made.tenants)
    warm.order = [place for place, kind in enumerate(made.kinds) if kind == mixes.WARM]
    return warm
