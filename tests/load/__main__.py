"""`make bench`: measure this machine against what is promised, as ratios to a bare echo server."""

import argparse
import datetime
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.cli.output import Exit, complain, progress, say, say_json, say_table
from runtime.errors import VestibuleError
from tests.load import machine, report
from tests.load import run as benchmark

DESCRIPTION = """\
Start a real daemon and a bare grpc.aio echo server on loopback, load them in turn with h2load (or with our own client
where it is not installed), and print what was measured beside what is promised. Takes about eight minutes, --quick
about one. A slow machine misses targets; that is not an error. A number that would not be true is not given: a measure
whose calls and decisions do not agree says so, and the command exits with 4."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="one measure; repeat for several: throughput, latency, streaming, cold, spawn, memory, timeouts, "
        "overshoot, fairness, replies, isolation, marginal, http, soak, against",
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
    parser.add_argument("--tenants", type=int, metavar="N", help="warm tenants of the memory measure [2000; quick 100]")
    parser.add_argument("--own-client", action="store_true", help="load with our own client even if h2load is there")
    parser.add_argument(
        "--cpus", type=int, default=2, metavar="N", help="processors that everything shares; 0 for all [2]"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="write the table to this page of Markdown too")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    names = list(args.only or ())
    if args.timeouts:
        names += [name for name in ("timeouts", "overshoot") if name not in names]
    if args.fairness and "fairness" not in names:
        names.append("fairness")
    if args.soak and "soak" not in names:
        names.append("soak")
    if args.against is not None and "against" not in names:
        names.append("against")
    names = names or [name for name in benchmark.MEASURES if name not in benchmark.ASKED_FOR]
    unknown = [name for name in names if name not in benchmark.MEASURES]
    tenants = args.tenants if args.tenants is not None else 100 if args.quick else 2000
    logins = args.logins if args.logins is not None else 10_000 if args.quick else 100_000
    if unknown or args.cpus < 0 or not 1 <= tenants <= 20_000 or not 1 <= logins <= 100_000_000:
        what = f"--only: no measure is called {unknown[0]}" if unknown else "a number is out of range"
        complain(f"bench: {what}; try `make bench ARGS=--help`")
        return Exit.USAGE

    try:
        found, rows, refusals = benchmark.run(
            names,
            quick=args.quick,
            tenants=tenants,
            logins=logins,
            isolation=args.isolation,
            own_client=args.own_client,
            cpus=args.cpus,
            against=args.against,
            progress=progress,
        )
    finally:
        progress("")
    if args.figures is not None:
        args.figures.write_text(
            report.as_markdown(
                f"{machine.sentence(found)}; load after {os.getloadavg()[0]:.1f}",
                rows,
                refusals,
                command=shlex.join(["python", "-m", "tests.load", *sys.argv[1:]]),
                date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
                commit=_commit(),
            ),
            encoding="utf-8",
        )
    if args.json:
        say_json(report.as_json(found, rows, refusals), indent=2)
    else:
        for line in machine.sentence(found).split("\n"):
            say(line)
        say()
        say_table([report.cells(row) for row in rows], report.HEAD)
        for refusal in refusals:
            complain(f"bench: {refusal.measure} gives no number: {refusal.reason}")
    return Exit.TEST_FAILED if refusals else Exit.OK


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
    except VestibuleError as error:
        complain(f"bench: {error}")
        return Exit.USAGE


if __name__ == "__main__":
    sys.exit(main())
