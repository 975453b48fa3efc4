"""What a change cost: the daemon of this checkout and that of another one, in alternating bursts of one run.

Knows how to run a daemon from a checkout. Must not know what changed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.load import subjects
from tests.load.processes import BenchError, Daemon, environment
from tests.load.report import Row, at_least
from tests.load.stats import ratios, spread

if TYPE_CHECKING:
    from tests.load.bench import Bench

_TENANT: Final = "bench"
_REQUIRED: Final = "mfa_required"
_IN_FLIGHT: Final = 8
_COMMAND_S: Final = 60.0
# Hardening may cost at most 5 % of throughput against the commit before it.
_AT_LEAST: Final = 0.95
_WHERE: Final = """
import runtime, sandbox, vestibule.v1.event_pb2
for module in (runtime, sandbox, vestibule.v1.event_pb2):
    print(module.__file__)
"""


def against(bench: Bench) -> Iterator[Row]:
    """Compare decisions per second with those of the other checkout; the two run side by side and are asked in turn."""
    if bench.against is None:
        raise BenchError("there is nothing to compare with: give a checkout by --against DIR")
    other = bench.against.resolve()
    _check(other)
    rounds, seconds = bench.scaled(12, 4), bench.scaled(4, 1)
    rates: tuple[list[float], list[float]] = ([], [])
    cpus: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as running:
        daemons = []
        for place, checkout in enumerate((None, other)):
            folder = bench.folder / f"side-{place}"
            _apply(folder, checkout)
            daemons.append(running.enter_context(Daemon(folder, checkout=checkout)))
        request = subjects.request(_TENANT)
        count = bench.count_for(min(bench.warm_up(daemon, request, _IN_FLIGHT) for daemon in daemons), seconds)
        for number in range(rounds):
            bench.progress(f"against {other.name}: round {number + 1} of {rounds}")
            # The first of a round is second in the next, so that drift meets both.
            for side in (0, 1) if number % 2 else (1, 0):
                burst, cpu_us = bench.decided(
                    daemons[side], _TENANT, count=count, in_flight=_IN_FLIGHT, outcome=_REQUIRED
                )
                rates[side].append(burst.rate)
                cpus[side].append(cpu_us)
    name = f"{_IN_FLIGHT} in flight"
    yield Row.of("against", f"decisions, this checkout, {name}", spread(rates[0]), "/s")
    yield Row.of("against", f"decisions, the other, {name}", spread(rates[1]), "/s")
    note = f"{rounds} rounds of {count} decisions each"
    yield Row.of("against", "decisions, this : the other", ratios(*rates), "x", at_least(_AT_LEAST), note)
    yield Row.of("against", "CPU of one decision, this : the other", ratios(*cpus), "x")
    # What others do on the machine only ever adds: the least of the rounds is the least disturbed.
    least = (min(cpus[0]), min(cpus[1]))
    note = f"{least[0]:.0f} us : {least[1]:.0f} us, daemon, zygote and workers"
    yield Row(
        "against", "CPU of one decision, this : the other, least of the rounds", least[0] / least[1], "x", note=note
    )


def _check(checkout: Path) -> None:
    """Make sure that a process started for the other checkout runs its code, and none of ours. Raises: BenchError."""
    found = _run(["-c", _WHERE], checkout).splitlines()
    if len(found) != 3 or not all(Path(path).is_relative_to(checkout) for path in found):
        raise BenchError(f"{checkout} is no checkout that can be run: a process for it would run {found}")


def _apply(folder: Path, checkout: Path | None) -> None:
    """Let a checkout put the tenant into a store of its own: formats may differ. Raises: BenchError."""
    actions = folder / "tenants" / _TENANT / "actions"
    actions.mkdir(parents=True)
    names = [f"action-{place}" for place in range(1, len(subjects.FLOW) + 1)]
    for name, source in zip(names, subjects.FLOW, strict=True):
        (actions / f"{name}.py").write_text(source)
    factors = ", ".join(subjects.SETTINGS.factors)
    steps = "".join(f"    - action: {name}\n" for name in names)
    (actions.parent / "tenant.yaml").write_text(
        f"tenant: {_TENANT}\nmfa: {{policy: never, factors: [{factors}]}}\nflows:\n  post_login:\n{steps}"
    )
    _run(
        ["-m", "runtime.cli", "apply", str(folder / "tenants"), "--store", f"sqlite:{folder / 'store.db'}"],
        checkout,
    )


def _run(arguments: list[str], checkout: Path | None) -> str:
    command = [sys.executable, "-P", *arguments]
    try:
        done = subprocess.run(
            command, env=environment(checkout), capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{checkout or 'this checkout'} did not answer within {_COMMAND_S:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise BenchError(f"{checkout or 'this checkout'}: {lines[-1][:300] if lines else done.returncode}")
    return done.stdout
