"""`vestibule check`: can these actions work? The answer an author, an editor or a pipeline wants."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from runtime.cli import finding_formats
from runtime.cli.output import Exit, complain, plural, read_text, say
from runtime.errors import CatalogError, ConfigError, Fault
from runtime.findings import Source, split
from sandbox.contract import checks_page
from sandbox.contract.codes import CODES
from sandbox.contract.did_you_mean import did_you_mean

DESCRIPTION = """\
Look actions over in locked-down workers and list every finding as file:line:column, what is wrong, why, and what to
write instead: what does not compile, members and calls that do not exist, arguments that are not accepted, patterns,
and what the code outside of all functions raises, which is run once. A directory is checked as `vestibule apply` would,
tenant.yaml included; secrets that come from outside need no value here.

Faults exit with 3. Warnings are what is probably not meant, such as a value that is returned; they are shown and stop
nothing, unless --strict makes them faults. A comment `# vestibule: allow CODE reason` in the line, or in the line
before, says that one is meant. --explain CODE says what a code is about, with an example."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="an action's source, or a directory of tenants")
    parser.add_argument("--explain", metavar="CODE", help="print what a code of findings is about, and check nothing")
    parser.add_argument("--strict", action="store_true", help="make every warning a fault (exit 3)")
    parser.add_argument(
        "--format", choices=finding_formats.FORMATS, default="text", help="how findings are printed; text by default"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")


def run(args: argparse.Namespace) -> int:
    """Check and report."""
    if args.explain is not None:
        return _explain(args.explain)
    if not args.files:
        raise ConfigError([Fault("FILE", "name what to check: an action's source, or a directory of tenants")])
    from runtime.catalog import directory
    from runtime.catalog.secret_values import Secrets
    from runtime.config.sections import SandboxConfig
    from runtime.offline import check

    faults: list[Fault] = []
    unusable: list[Fault] = []
    warnings: list[Fault] = []
    sources: list[Source] = []
    checked: list[str] = []
    tenants = 0

    def later(found: Sequence[Source]) -> Sequence[Fault]:
        sources.extend(found)
        return []

    for name in args.files:
        try:
            if Path(name).is_dir():
                found = directory.load(name, later, Secrets(placeholders=True), SandboxConfig().flow_timeout_ms)
                tenants += len(found.definitions)
                warnings += found.warnings
            else:
                sources.append(_source(name))
                checked.append(name)
        except CatalogError as error:
            faults += error.faults
            warnings += error.warnings
        except ConfigError as error:
            unusable += error.faults
    if sources:
        wrong, doubtful = split(check.findings(sources))
        faults += wrong
        warnings += doubtful
    if args.strict:
        faults, warnings = [*faults, *warnings], []
    if args.format == "text":
        for fault in unusable:
            complain(f"vestibule: {fault}")
        finding_formats.FORMATS["text"](faults, warnings, ())
        _conclude([*faults, *unusable], warnings, tenants, len(checked))
    else:
        finding_formats.FORMATS[args.format]([*faults, *unusable], warnings, [source.label for source in sources])
    # A name that leads to no file is a mistake in the command; the others were checked all the same.
    return Exit.CHECK_FAILED if faults else Exit.USAGE if unusable else Exit.OK


def _explain(code: str) -> int:
    if code not in CODES:
        near = did_you_mean(code, CODES) or f"; there is {', '.join(CODES)}"
        raise ConfigError([Fault("--explain", f"there is no code {code!r}{near}")])
    for line in checks_page.section(code).split("\n"):
        say(line)
    return Exit.OK


def _source(name: str) -> Source:
    """Read one file; of a tenant's folder, with what is known of its secrets. Raises: CatalogError, ConfigError."""
    from runtime.catalog import directory, tenant_texts

    text = tenant_texts.action_source(name)
    if text is None:
        return Source(name, read_text(name))
    path = Path(name)
    folder = path.absolute().parent.parent
    return Source(name, text, folder.name, directory.secret_names(folder, path.stem))


def _conclude(faults: list[Fault], warnings: list[Fault], tenants: int, files: int) -> None:
    more = f", {plural(len(warnings), 'warning')}" if warnings else ""
    if faults:
        complain(f"vestibule: {plural(len(faults), 'fault')}{more}")
    else:
        counts = [plural(count, noun) for count, noun in ((tenants, "tenant"), (files, "file")) if count]
        say(f"{' and '.join(counts)} checked: no fault{more}")
