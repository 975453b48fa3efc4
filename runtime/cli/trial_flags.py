"""Flags of `vestibule apply` that put what is different on trial, and what the command says of it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from runtime.cli.output import Exit, complain, say, say_json
from runtime.cli.version_flags import author_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runtime.cli.version_source import ReadTenants, VersionSource


def add_trial_flags(parser: argparse.ArgumentParser) -> None:
    """Add --gradual, --report-only and the bands."""
    group = parser.add_argument_group("trial: what is different beside the tenant's own version")
    what = group.add_mutually_exclusive_group()
    what.add_argument(
        "--gradual", type=_percent, default=0, metavar="N", help="let it decide the logins of N %% of users, 1 to 99"
    )
    what.add_argument("--report-only", action="store_true", help="let it decide none, and count what it would change")
    for name, of in (("denied", "denied"), ("degraded", "degraded")):
        group.add_argument(
            f"--{name}-points",
            type=_percent,
            default=5,
            metavar="P",
            help=f"give it up when its share of {of} logins exceeds that of the others by P percentage points [5]",
        )


def wanted(args: argparse.Namespace) -> bool:
    """Tell whether a trial was asked for."""
    return bool(args.gradual or args.report_only)


def begin(args: argparse.Namespace, source: VersionSource, tenants: ReadTenants, expected: Mapping[str, int]) -> int:
    """Begin the trials, and say which. Raises: Conflict, CatalogError."""
    from runtime.catalog.base import Band

    band = Band(args.denied_points, args.degraded_points)
    begun = source.begin_trial(tenants, args.gradual, band, author_of(args), expected)
    mark(source, tenants.folders, {trial.tenant: trial.number for trial in begun})
    if args.json:
        say_json({"ok": True, "trials": [asdict(trial) for trial in begun]})
        return Exit.OK
    for trial in begun:
        how = f"decides the logins of {trial.percent} % of users" if trial.percent else "is reported only"
        say(f"{trial.tenant}@{trial.number} {how}: `vestibule promote {trial.tenant}` or `abandon` ends that")
    if not begun:
        say("nothing is different, so nothing is on trial")
    return Exit.OK


def mark(source: VersionSource, folders: Mapping[str, Path], versions: Mapping[str, int]) -> None:
    """Note in exported folders which version they are now; warn of those that cannot be written."""
    from runtime.catalog import markers

    for file in markers.applied(source.store_id, folders, versions):
        complain(f"vestibule: warning: {file}: cannot be written, so the next apply of it expects an older version")


def _percent(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:4]) < 100):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no percentage; write a whole number from 1 to 99")
    return int(text)
