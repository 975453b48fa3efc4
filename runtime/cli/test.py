"""`vestibule test`: run the suites beside a tenant, in the same sandbox without a daemon."""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.cli import finding_formats
from runtime.cli.output import Exit, complain, flush, progress, say
from runtime.cli.secret_flags import add_secret_flags, secrets_of
from runtime.errors import CatalogError, ConfigError, Fault
from runtime.workers.launch import Launched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.catalog.base import Definition
    from runtime.suites.coverage_report import Measured
    from runtime.suites.reading import Case
    from runtime.suites.running import CaseResult

DESCRIPTION = """\
Run the suites of a tenant, TENANT/tests/*.yaml, in the sandbox of the daemon and without one. Each case is a login: it
says who logs in, and what decision that is to lead to. DIR is a tenant's folder, or a folder of tenants; a suite's file
runs that one alone. The tenant is checked first, as `vestibule check` does.

A tenant's {env: NAME} and {file: NAME} secrets read as `placeholder-of-NAME`, unless a flag or a case gives them a
value. Exits with 0 when every decision is the wanted one, with 4 when one is not or less is covered than --threshold
says, and with 3 when the tenant or a suite is faulty."""

_LOOK_S: Final = 0.3
# A traced line takes many times as long; what a case expects of an action's time still holds roughly.
_MEASURED_TIMES: Final = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", nargs="*", default=["."], metavar="DIR|SUITE.yaml", help="what to test [.]")
    parser.add_argument("--filter", metavar="TEXT", help="only cases with this text in their suite or name")
    parser.add_argument(
        "-o", "--output", choices=("text", "json", "junit"), default="text", help="how to report [text]"
    )
    parser.add_argument("--coverage", action="store_true", help="report which lines and branches of actions ran")
    parser.add_argument(
        "--threshold", type=_percent, metavar="N", help="with less than N percent of them, fail; asks for --coverage"
    )
    parser.add_argument("--watch", action="store_true", help="run again whenever a file changes, until Ctrl-C")
    add_secret_flags(parser)


def _percent(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", text) and float(text) <= 100:
        return float(text)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is no share; write a number from 0 to 100")


def run(args: argparse.Namespace) -> int:
    """Run every case, once or for as long as files change."""
    while True:
        seen = _state(args.what)
        try:
            code = once(args)
        except CatalogError as error:
            if not args.watch:
                raise
            for fault in error.faults:
                complain(f"vestibule: {fault}")
            code = Exit.CHECK_FAILED
        if not args.watch:
            return code
        say("watching for changes; Ctrl-C ends")
        flush()
        while _state(args.what) == seen:
            time.sleep(_LOOK_S)


def _state(what: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return when each file was written last, and its size."""
    found = {}
    for name in what:
        root = Path(name) if Path(name).is_dir() else Path(name).parent.parent
        for path in root.rglob("*"):
            if path.suffix in (".py", ".yaml", ".yml"):
                try:
                    status = path.stat()
                except OSError:
                    continue
                found[str(path)] = status.st_mtime_ns, status.st_size
    return found


def once(args: argparse.Namespace) -> int:
    with closing(Launched()) as ahead:
        from runtime.cli import test_report
        from sandbox.contract import bundle

        began_s = time.perf_counter()
        measured = _measured(args)
        cases, files = _found(args)
        results = asyncio.run(_results(cases, ahead, measured=measured is not None))
        report = None
        if measured is not None:
            measured.expect(files.values())
            for shared in {folder for folder, _ in files}:
                measured.expect(sorted(shared.glob(f"{bundle.PACKAGE}/*.py")))
            for result in results:
                folder = Path(result.case.suite).parent.parent
                for execution in result.executions:
                    if execution.covered and (file := files.get((folder, execution.revision))) is not None:
                        measured.add(folder, file, execution)
            report = measured.report()
        test_report.FORMS[args.output](results, report, time.perf_counter() - began_s)
        below = report is not None and args.threshold is not None and report.total < args.threshold
        if below and report is not None:
            complain(f"vestibule: {report.total:.2f} % of the actions ran; --threshold wants {args.threshold:g} %")
        failed = any(result.misses for result in results)
        return Exit.TEST_FAILED if failed or below else Exit.OK


def _measured(args: argparse.Namespace) -> Measured | None:
    if not args.coverage and args.threshold is None:
        return None
    from runtime.suites.coverage_report import Measured

    return Measured()


async def _results(cases: Sequence[Case], ahead: Launched, *, measured: bool) -> list[CaseResult]:
    from runtime.config.effective import Config
    from runtime.offline import run as offline
    from runtime.suites.running import CaseRunner

    config = Config()
    times = _MEASURED_TIMES if measured else 1
    sandbox = replace(
        config.sandbox,
        action_timeout_ms=times * config.sandbox.action_timeout_ms,
        flow_timeout_ms=times * config.sandbox.flow_timeout_ms,
    )
    results = []
    async with offline.open_engine(replace(config, sandbox=sandbox), ahead) as (engine, _):
        async for result in CaseRunner(engine, sandbox.action_timeout_ms, measured=measured).all(cases):
            results.append(result)
            if len(results) % 50 == 0:
                progress(f"{len(results)} of {len(cases)} cases")
    progress("")
    return results


def _found(args: argparse.Namespace) -> tuple[list[Case], dict[tuple[Path, str], Path]]:
    """Return the cases that are to run, and the files of actions by tenant and revision.

    Raises: CatalogError, with every fault of tenants and suites.
    """
    from runtime.suites import suites

    cases: list[Case] = []
    files: dict[tuple[Path, str], Path] = {}
    faults: list[Fault] = []
    for name in args.what:
        path = Path(name)
        only = None if path.is_dir() else path
        try:
            for folder, definition in _tenants(path if only is None else _tenant_of(path), args):
                for binding in definition.flow.bindings:
                    files[folder, binding.revision] = folder / "actions" / f"{binding.action}.py"
                whole = only is None
                cases += suites.of_tenant(folder, definition) if whole else suites.one(folder, definition, path.name)
        except CatalogError as error:
            faults += error.faults
    if faults:
        raise CatalogError(faults)
    if not cases:
        remedy = f"{suites.FOLDER}/NAME.yaml beside tenant.yaml; `vestibule init DIR` makes a tenant that has one"
        raise ConfigError([Fault(", ".join(args.what), f"there is no case to run; write {remedy}")])
    if args.filter:
        wanted = args.filter.lower()
        cases = [case for case in cases if wanted in f"{case.suite}: {case.name}".lower()]
        if not cases:
            raise ConfigError([Fault("--filter", f"no case has {args.filter[:60]!r} in its suite or name")])
    return cases, files


def _tenant_of(suite: Path) -> Path:
    """Return the tenant's folder of a suite. Raises: ConfigError."""
    folder = suite.absolute().parent
    if not suite.is_file() or folder.name != "tests" or not (folder.parent / "tenant.yaml").is_file():
        remedy = "name a tenant's folder, a folder of tenants, or TENANT/tests/NAME.yaml"
        raise ConfigError([Fault(str(suite), f"is no folder, and no suite beside a tenant.yaml; {remedy}")])
    return suite.parent.parent if suite.parent.name == "tests" else folder.parent


def _tenants(folder: Path, args: argparse.Namespace) -> list[tuple[Path, Definition]]:
    from runtime.catalog import directory
    from runtime.offline import check

    found = directory.load(folder, check.findings, secrets_of(args, placeholders=True))
    finding_formats.warn(found.warnings)
    return [(folder if found.single else folder / each.flow.tenant, each) for each in found.definitions]
