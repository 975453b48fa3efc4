"""`vestibule check`: is this source an action? The answer an author, an editor or a pipeline wants."""

import argparse
import os
from pathlib import Path

from runtime.commands.output import Exit, complain, fault_json, plural, read_text, say, say_json
from runtime.errors import CatalogError, Fault

NAME = "check"
HELP = "check actions, or whole tenants, without a daemon"
DESCRIPTION = """\
Compile actions in a locked-down worker and list every fault as file:line:column, what is wrong, why, and what to write
instead. A directory is checked as `vestibule apply` would, tenant.yaml included. Faults exit with 3."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="an action's source, or a directory of tenants")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check and report."""
    from runtime import local
    from runtime.catalog import directory

    faults: list[Fault] = []
    sources: list[tuple[str, str]] = []
    tenants = 0
    for name in args.files:
        if Path(name).is_dir():
            try:
                tenants += len(directory.load(name, local.run_sync_check, os.environ))
            except CatalogError as error:
                faults += error.faults
        else:
            sources.append((name, read_text(name)))
    if sources:
        faults += local.run_sync_check(sources)
    if args.json:
        say_json({"ok": not faults, "faults": [fault_json(fault) for fault in faults]}, indent=2)
    else:
        for fault in faults:
            say(str(fault))
        if faults:
            complain(f"vestibule: {plural(len(faults), 'fault')}")
        else:
            counts = [plural(count, noun) for count, noun in ((tenants, "tenant"), (len(sources), "file")) if count]
            say(f"{' and '.join(counts)} checked: no fault")
    return Exit.CHECK_FAILED if faults else Exit.OK
