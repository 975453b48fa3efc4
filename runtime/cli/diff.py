"""`vestibule diff`: what tells two versions of a tenant apart, or a version from a directory."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime.cli.output import Colour, Exit, say, say_json
from runtime.cli.source_flags import add_source, opened
from runtime.cli.version_flags import reference
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from runtime.catalog.base import Definition
    from runtime.catalog.differences import Difference
    from runtime.cli.version_source import VersionSource

DESCRIPTION = """\
Show what is different between A and B: settings, actions, names of secrets, doors, and sources as a unified diff. Each
is TENANT for what the store has now, TENANT@N for a version, or a directory of tenants or of one. A directory is
written with a slash: ./acme. Values of secrets are neither compared nor shown. Exits with 0, also for a difference.

  vestibule diff acme@3 acme
  vestibule diff acme ./tenants/acme
  vestibule diff ./before ./after"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    for name in ("a", "b"):
        parser.add_argument(name, metavar=name.upper(), help="TENANT, TENANT@N, or a directory with a slash")
    add_source(parser)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two: states by tenant, each with its name. `tenant` is set when it is about one alone."""

    states: Mapping[str, tuple[str, Definition | None]]
    tenant: str | None


def run(args: argparse.Namespace) -> int:
    """Read both sides and print what is different."""
    with contextlib.ExitStack() as parts:
        source: VersionSource | None = None
        if not all(_is_directory(given) for given in (args.a, args.b)):
            source = parts.enter_context(opened(args))
        one, other = (_side(given, f"argument {name}", source) for name, given in (("A", args.a), ("B", args.b)))
    found = _compared(one, other)
    if args.json:
        say_json([as_json(difference) for difference in found], indent=2)
        return Exit.OK
    different = [difference for difference in found if difference]
    for difference in different:
        show(difference)
    if not different:
        say("no difference")
    return Exit.OK


def _is_directory(given: str) -> bool:
    return os.sep in given or given in (".", "..")


def _side(given: str, where: str, source: VersionSource | None) -> _Side:
    if source is None or _is_directory(given):
        return _directory(given)
    try:
        tenant, number = reference(given)
    except argparse.ArgumentTypeError as error:
        hint = f"; for the directory write ./{given}" if os.path.isdir(given) else ""
        raise ConfigError([Fault(where, f"{error}{hint}")]) from None
    found = source.shown(tenant, number)
    return _Side({tenant: (str(found.version), found.state)}, tenant)


def _directory(given: str) -> _Side:
    from runtime.catalog import directory
    from runtime.catalog.secret_values import Secrets

    found = directory.load(given, None, Secrets(placeholders=True))
    shown = Path(given)
    states: dict[str, tuple[str, Definition | None]] = {
        definition.flow.tenant: (str(shown if found.single else shown / definition.flow.tenant), definition)
        for definition in found.definitions
    }
    return _Side(states, next(iter(states)) if found.single else None)


def _compared(one: _Side, other: _Side) -> list[Difference]:
    from runtime.catalog.differences import differences

    if one.tenant is not None and other.tenant is not None:
        pairs = [(one.states[one.tenant], other.states[other.tenant])]
    else:
        wanted = one.tenant or other.tenant
        names = sorted(one.states.keys() | other.states.keys()) if wanted is None else [wanted]
        pairs = [(_state(one, name), _state(other, name)) for name in names]
    return [differences(*before, *after) for before, after in pairs]


def _state(side: _Side, name: str) -> tuple[str, Definition | None]:
    return side.states.get(name, (f"no {name}", None))


_COLOURS: Final = {"-": Colour.RED, "+": Colour.GREEN, "@": Colour.CYAN}


def show(difference: Difference, write: Callable[[str, Colour | None], None] = say) -> None:
    """Print a difference. What a line begins with chooses its colour; its text is foreign and never raw."""
    write(f"{difference.before} -> {difference.after}", Colour.BOLD)
    for change in difference.changes:
        write(f"  {change}", None)
    for source in difference.sources:
        for at, line in enumerate(source.lines):
            write(line, Colour.BOLD if at < 2 else _COLOURS.get(line[:1]))


def as_json(difference: Difference) -> dict[str, Any]:
    """Return a difference as plain data."""
    return {
        "before": difference.before,
        "after": difference.after,
        "equal": not difference,
        "changes": [asdict(change) for change in difference.changes],
        "sources": [{"action": source.action, "diff": "\n".join(source.lines)} for source in difference.sources],
    }
