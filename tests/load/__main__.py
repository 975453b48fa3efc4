"""`make bench`: measure this machine against what is promised, as ratios to a bare echo server."""

import argparse
import datetime
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.cli.connection import add_connection
from runtime.cli.output import Exit, complain, progress, say, say_json, say_table
from runtime.errors import CannotReach, ConfigError, Fault, FaultsError, VestibuleError
from tests.load import elsewhere, machine, picture, report, thresholds
from tests.load import run as benchmark
from tests.load.mix import Mix

DESCRIPTION = """\
Start a real daemon and a bare grpc.aio echo server on loopback, load them in turn with h2load (or with our own client
where it is not installed), and print what was measured beside what is promised. Takes about fifteen minutes, --quick
two. A slow machine misses targets; that is not an error, but with --check. A number that would not be true is not
given: a measure whose calls and decisions do not agree says so, and the command exits with 4.

With --target nothing is started: logins go to the daemon that runs there, as many and as long as you say. First let it
have the tenants, then load it:

  make bench ARGS='--write-tenants load-tenants --count 20000 --tenants 50 --hostile 0.05'
  vestibule apply load-tenants
  make bench ARGS='--target daemon.example:50051 --tls-ca ca.pem --api-key-file load.key \\
      --count 20000 --seconds 60 --rate 500 --tenants 50 --hostile 0.05 --html build/load'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="one measure; repeat for several: throughput, latency, cold, spawn, memory, timeouts, "
        "overshoot, fairness, replies, isolation, marginal, http, peers, tenants, open, many, scale, soak, against",
    )
    parser.add_argument(
        "--timeouts", action="store_true", help="the measures of time-outs: how late after its budget each answer is"
    )
    parser.add_argument(
        "--fairness", action="store_true", help="the measure of what a quiet tenant notices of three bad ones"
    )
    parser.add_argument(
        "--soak",
        action="store_true",
        help="many logins, one in twenty hostile, two suspended and continued: is each answered rightly, and what is "
        "left of them",
    )
    parser.add_argument("--logins", type=int, metavar="N", help="logins of the soak [100000; quick 10000]")
    parser.add_argument(
        "--isolation",
        choices=("tenant", "login"),
        default="tenant",
        help="of the soak's daemon: what a worker is used for, sandbox.isolation [tenant]",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="compare decisions a second with those of another checkout, such as a git worktree of the commit before",
    )
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; rougher numbers")
    parser.add_argument(
        "--tenants",
        type=int,
        metavar="N",
        help="warm tenants: of memory [2000; quick 100], of many [10000; quick 200], of open and --target [20]",
    )
    parser.add_argument("--own-client", action="store_true", help="load with our own client even if h2load is there")
    parser.add_argument(
        "--cpus", type=int, default=2, metavar="N", help="processors that everything shares; 0 for all [2]"
    )
    parser.add_argument("--no-fetch", action="store_true", help="compare only with peers that were fetched before")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="write the table to this page of Markdown too")
    parser.add_argument(
        "--html", type=Path, metavar="DIR", help="write index.html and PNGs of latency over time to this directory too"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="make the measures of the thresholds, and exit with 4 where a row misses 95 %% of one",
    )
    parser.add_argument(
        "--thresholds",
        type=Path,
        default=thresholds.FILE,
        metavar="FILE",
        help="TOML of what rows must reach [tests/load/thresholds.toml]",
    )
    group = parser.add_argument_group("logins of open, many and --target")
    group.add_argument(
        "--rate",
        type=float,
        action="append",
        metavar="N",
        help="logins a second, each due at its time; repeat for several [open: a quarter, half and three quarters of "
        "what the closed loop reaches; many: 80; --target: a closed loop]",
    )
    group.add_argument("--zipf", type=float, default=1.0, metavar="S", help="how uneven tenants are; 0: not at all [1]")
    group.add_argument("--hostile", type=float, default=0.0, metavar="SHARE", help="of hostile tenants [0]")
    group.add_argument("--cold", type=float, default=0.0, metavar="SHARE", help="the first of their tenants [0]")
    group.add_argument("--suspended", type=float, default=0.0, metavar="SHARE", help="suspended and continued [0]")
    elsewhere.arguments(parser)
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    mix = Mix(args.tenants or 20, args.zipf, args.hostile, args.cold, args.suspended)
    rates = tuple(args.rate or ())
    if args.target or args.write_tenants:
        return _elsewhere(args, mix, rates)
    promised = thresholds.read(args.thresholds)
    wanted = promised if args.check else []
    names = _names(args, wanted)
    logins = args.logins if args.logins is not None else 10_000 if args.quick else 100_000
    fault = mix.fault()
    if unknown := [name for name in names if name not in benchmark.MEASURES]:
        fault = f"--only: no measure is called {unknown[0]}"
    elif args.cpus < 0 or (args.tenants or 1) > 20_000 or not 1 <= logins <= 100_000_000:
        fault = "a number is out of range"
    elif any(not 0 < rate <= 20_000 for rate in rates):
        fault = "--rate is more than 0 and at most 20,000"
    if fault or args.tenants == 0:
        complain(f"bench: {fault or '--tenants is at least 1'}; try `make bench ARGS=--help`")
        return Exit.USAGE

    try:
        found = benchmark.run(
            names,
            quick=args.quick,
            tenants=args.tenants,
            logins=logins,
            isolation=args.isolation,
            own_client=args.own_client,
            cpus=args.cpus,
            against=args.against,
            mix=mix,
            rates=rates,
            fetch=not args.no_fetch,
            progress=progress,
        )
        found.rows[:] = thresholds.beside(found.rows, promised)
    finally:
        progress("")
    _write(args, found)
    verdict = thresholds.check(found.rows, wanted, names)
    for refusal in found.refusals:
        complain(f"bench: {refusal.measure} gives no number: {refusal.reason}")
    for line in verdict.unchecked:
        complain(f"bench: not checked: {line}")
    for line in verdict.missed:
        complain(f"bench: missed: {line}")
    if args.check:
        complain(f"bench: {verdict.kept} kept, {len(verdict.missed)} missed, {len(verdict.unchecked)} not checked")
    return Exit.TEST_FAILED if found.refusals or verdict.missed else Exit.OK


def _names(args: argparse.Namespace, wanted: list[thresholds.Threshold]) -> list[str]:
    """Return the measures that were asked for, each once."""
    names = list(args.only or ())
    if args.timeouts:
        names += ["timeouts", "overshoot"]
    names += [name for name in ("fairness", "soak") if getattr(args, name)]
    if args.against is not None:
        names.append("against")
    default = [name for name in benchmark.MEASURES if name not in benchmark.ASKED_FOR]
    return list(dict.fromkeys(names or [one.measure for one in wanted] or default))


def _elsewhere(args: argparse.Namespace, mix: Mix, rates: tuple[float, ...]) -> int:
    """Load a daemon that runs elsewhere, or write the tenants that it needs."""
    faults = elsewhere.faults(args, mix, rates)
    if fault := mix.fault():
        faults.insert(0, Fault("the mix", fault))
    if faults:
        raise ConfigError(faults)
    if args.write_tenants:
        count = elsewhere.write_tenants(args, mix)
        say(f"{args.write_tenants}: {count:,} tenants; give them to the daemon by `vestibule apply`")
        return Exit.OK
    found = machine.describe("the project's own client (grpc.aio)")
    try:
        rows, series, right = elsewhere.run(args, mix, rates)
    finally:
        progress("")
    _write(args, benchmark.Found(found, rows, [], series))
    return Exit.OK if right else Exit.TEST_FAILED


def _write(args: argparse.Namespace, found: benchmark.Found) -> None:
    """Print the table or JSON, and write the pages that are wanted."""
    head = f"{machine.sentence(found.machine)}; load after {os.getloadavg()[0]:.1f}"
    command = shlex.join(["python", "-m", "tests.load", *sys.argv[1:]])
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    if args.figures is not None:
        page = report.as_markdown(head, found.rows, found.refusals, command=command, date=date, commit=_commit())
        args.figures.write_text(page, encoding="utf-8")
    if args.html is not None:
        title = f"Vestibule under load, {date}, commit {_commit()}"
        picture.write(args.html, title, f"{command}\n{head}", found.rows, found.refusals, found.series)
    if args.json:
        say_json(report.as_json(found.machine, found.rows, found.refusals), indent=2)
    else:
        for line in machine.sentence(found.machine).split("\n"):
            say(line)
        say()
        say_table([report.cells(row) for row in found.rows], report.HEAD)


def _commit() -> str:
    """Name the commit of this tree, and say so if files differ from it."""
    named = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return named.stdout.strip() or "unknown"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="bench", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except FaultsError as error:
        for fault in error.faults:
            complain(f"bench: {fault}")
        return Exit.USAGE
    except VestibuleError as error:
        for line in f"bench: {error}".split("\n"):
            complain(line)
        return Exit.UNREACHABLE if isinstance(error, CannotReach) else Exit.USAGE


if __name__ == "__main__":
    sys.exit(main())
