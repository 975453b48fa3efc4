"""The command `vestibule-gateway-test`: runs the cases against a gateway, or serves one script.

Must not know what a case means."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from vestibule_client.conformance.cases import Case, ScriptError, load
from vestibule_client.conformance.daemon import ScriptedDaemon
from vestibule_client.conformance.gateway import Gateway
from vestibule_client.conformance.run import TENANT, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run it. Exit code 0: every case passed; 1: some failed; 2: the command line or a script is wrong."""
    parser = argparse.ArgumentParser(
        prog="vestibule-gateway-test",
        description="Test what a gateway does with each answer of Vestibule. COMMAND starts the gateway's adapter, "
        "which reads what the user does and writes what the gateway did, one JSON object a line.",
    )
    parser.add_argument("--cases", type=Path, action="append", default=[], metavar="FILE", help="cases of your own")
    parser.add_argument("--only", default="", metavar="WORD", help="the cases whose name has this word")
    parser.add_argument("--list", action="store_true", help="list the cases and what each asks for")
    parser.add_argument("--deadline-s", type=float, default=2.0, help="VESTIBULE_DEADLINE_S of the gateway (2)")
    parser.add_argument(
        "--serve", metavar="HOST:PORT", help="answer as the cases say, without a gateway; Ctrl-C ends it"
    )
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    args = parser.parse_args(argv)
    try:
        cases = [case for case in load(args.cases) if args.only in case.name]
    except ScriptError as error:
        print(f"vestibule-gateway-test: {error}", file=sys.stderr)
        return 2
    if not cases:
        parser.error(f"no case has {args.only!r} in its name; --list shows them")
    if args.list:
        for case in cases:
            print(f"{case.name}: {case.description}")
        return 0
    if args.serve:
        return _serve(args.serve, cases)
    if not args.command:
        parser.error("give the command that starts the gateway, such as: python gateway.py")
    return _test(args.command, cases, args.deadline_s)


def _test(command: list[str], cases: list[Case], deadline_s: float) -> int:
    daemon = ScriptedDaemon()
    failed = 0
    try:
        with Gateway(command, daemon.target, deadline_s) as gateway:
            for result in run(cases, gateway, daemon):
                print(f"{'FAILED' if result.faults else 'passed'}  {result.case.name}: {result.case.description}")
                for fault in result.faults:
                    print(f"        {fault}")
                failed += bool(result.faults)
    except OSError as error:
        print(f"vestibule-gateway-test: cannot start {command[0]}: {error.strerror}", file=sys.stderr)
        return 2
    finally:
        daemon.stop()
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _serve(listen: str, cases: list[Case]) -> int:
    """Answer the calls of the first case that has them; for trying a gateway by hand."""
    daemon = ScriptedDaemon(listen)
    script = [answer for case in cases for answer in case.daemon]
    whole = Case(name="served", description="", event={}, daemon=tuple(script), turns=())
    daemon.begin(whole, TENANT)
    print(f"serving {len(script)} answers for the tenant {TENANT} at {daemon.target}; Ctrl-C ends it", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        for fault in daemon.faults:
            print(fault)
    finally:
        daemon.stop()
    return 1 if daemon.faults else 0
