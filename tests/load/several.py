"""Several tenants at once beside one, and two daemons or processes beside one; each tenant has actions of its own.

Knows how to share logins out. Must not know how they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.loads import Call
from tests.load.processes import BenchError, Daemon
from tests.load.report import Row
from tests.load.stats import ratios, spread

if TYPE_CHECKING:
    from tests.load.bench import Bench

_TENANTS: Final = 20
_IN_FLIGHT: Final = 32
_LONGEST_S: Final = 80.0
_FLAGS: Final = ("--limits-max-in-flight", str(_TENANTS * _IN_FLIGHT), "--pool-queue-wait-ms", "30000")


def several(bench: Bench) -> Iterator[Row]:
    """Take turns: one tenant, twenty with as many in flight in all, twenty with as many each, two daemons."""
    names = [f"tenant-{n}" for n in range(_TENANTS)]
    # Their own actions: no two have a source in common.
    definitions = [subjects.definition(name, [f"{source}\n# {name}\n" for source in subjects.FLOW]) for name in names]
    rates: dict[str, list[float]] = {}
    with ExitStack() as running:
        daemons = []
        for side, more in (("one", ()), ("other", ()), ("two-processes", ("--processes", "2"))):
            folder = bench.folder / f"several-{side}"
            folder.mkdir()
            subjects.store(folder, definitions)
            daemons.append(running.enter_context(Daemon(folder, *_FLAGS, *more)))
        one, both, two = daemons[:1], daemons[:2], daemons[2:]
        # Clients are as many in each: they take processors as well.
        ways: dict[str, tuple[list[Daemon], Sequence[str], int]] = {
            "one tenant": (one, names[:1], _IN_FLIGHT),
            f"{_TENANTS} tenants at once, {_IN_FLIGHT} in flight in all": (one, names, _IN_FLIGHT),
            f"{_TENANTS} tenants at once, {_IN_FLIGHT} in flight each": (one, names, _TENANTS * _IN_FLIGHT),
            f"two daemons, {_IN_FLIGHT} in flight in all": (both, names[:1], _IN_FLIGHT),
            f"two processes, {_IN_FLIGHT} in flight in all": (two, names[:1], _IN_FLIGHT),
        }
        count = bench.scaled(10_000, 800)
        for name, (some, tenants, in_flight) in ways.items():
            bench.progress(f"tenants: {name}, first")
            _rate(some, tenants, max(200, 20 * len(tenants)), in_flight)
        for number in range(bench.scaled(5, 2)):
            for name, (some, tenants, in_flight) in ways.items():
                bench.progress(f"tenants: {name}, round {number + 1}")
                rates.setdefault(name, []).append(_rate(some, tenants, count, in_flight))
    first, *others = rates
    for name, values in rates.items():
        yield Row.of("tenants", name, spread(values), "/s", note="own client, two processes")
    for name in others:
        against = "one daemon" if name.startswith("two") else first
        yield Row.of("tenants", f"{name} : {against}", ratios(rates[name], rates[first]), "x")


def _rate(daemons: list[Daemon], tenants: Sequence[str], count: int, in_flight: int) -> float:
    """Let two clients make half of the logins each; return logins a second. Raises: BenchError."""
    requests = [subjects.request(tenant) for tenant in tenants]
    calls = [
        Call(
            daemon.target, requests, count=count // 2, in_flight=max(1, in_flight // 2), connections=4,
            decisions=False, longest_s=_LONGEST_S,
        )
        for daemon in (daemons[0], daemons[-1])
    ]  # fmt: skip
    try:
        answers = [one.report() for one in calls]
    finally:
        for one in calls:
            one.stop()
    codes = [one.codes for one in answers]
    if codes != [{"OK": count // 2}] * 2:
        raise BenchError(f"of {count} logins, these were answered: {codes}")
    return sum(len(one.latencies_us) / one.seconds for one in answers)
