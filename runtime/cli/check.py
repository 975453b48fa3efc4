"""`vestibule check`: is this source an action? The answer an author, an editor or a pipeline wants."""

import argparse
from pathlib import Path

from runtime.cli.output import Exit, complain, faults_json, plural, read_text, say, say_json, warn
from runtime.errors import CatalogError, Fault

DESCRIPTION = """\
Compile actions in a locked-down worker and list every fault as file:line:column, what is wrong, why, and what to write
instead. A directory is checked as `vestibule apply` would, tenant.yaml included; secrets that come from outside need no
value here. Faults exit with 3; an action that no flow binds is a warning."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="an action's source, or a directory of tenants")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check and report."""
    from runtime.catalog import directory, tenant_texts
    from runtime.catalog.secret_values import Secrets
    from runtime.offline import check

    faults: list[Fault] = []
    warnings: list[Fault] = []
    sources: list[tuple[str, str]] = []
    tenants = 0
    for name in args.files:
        try:
            if Path(name).is_dir():
                found = directory.load(name, check.faults, Secrets(placeholders=True))
                tenants += len(found.definitions)
                warnings += found.warnings
            else:
                source = tenant_texts.action_source(name)
                sources.append((name, read_text(name) if source is None else source))
        except CatalogError as error:
            faults += error.faults
    if sources:
        faults += check.faults(sources)
    if args.json:
        say_json(faults_json(faults, warnings), indent=2)
    else:
        for fault in faults:
            say(str(fault))
        warn(warnings)
        if faults:
            complain(f"vestibule: {plural(len(faults), 'fault')}")
        else:
            counts = [plural(count, noun) for count, noun in ((tenants, "tenant"), (len(sources), "file")) if count]
            say(f"{' and '.join(counts)} checked: no fault")
    return Exit.CHECK_FAILED if faults else Exit.OK
