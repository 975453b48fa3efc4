"""What the second of two editors is shown: what the first one changed meanwhile."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runtime.cli import diff
from runtime.cli.output import Exit, complain, instant, say_json
from runtime.errors import Conflict, UnknownVersion

if TYPE_CHECKING:
    from runtime.catalog.differences import Difference
    from runtime.cli.version_source import VersionSource


def show(source: VersionSource, error: Conflict, *, as_json: bool) -> int:
    """Say that nothing was done and what changed since, and return the exit code. Raises: CatalogError."""
    found = {tenant: _changed(source, tenant, *numbers) for tenant, numbers in sorted(error.found.items())}
    if as_json:
        conflicts: list[dict[str, Any]] = [
            {"tenant": tenant, "expected": expected, "found": newest, "diff": diff.as_json(found[tenant][0])}
            for tenant, (expected, newest) in sorted(error.found.items())
        ]
        faults = [asdict(fault) for fault in error.faults]
        say_json({"ok": False, "faults": faults, "conflicts": conflicts, "warnings": []})
        return Exit.CONFLICT
    for fault, (difference, made) in zip(error.faults, found.values(), strict=True):
        complain(f"vestibule: {fault}; nothing was done")
        complain(made)
        diff.show(difference, complain)
    return Exit.CONFLICT


def _changed(source: VersionSource, tenant: str, expected: int, newest: int) -> tuple[Difference, str]:
    from runtime.catalog.differences import differences

    sides: list[Any] = []
    made = ""
    for number in (expected, newest):
        try:
            version, state, *_ = source.shown(tenant, number)
        except UnknownVersion:
            sides += [f"{tenant}@{number}", None]
            continue
        why = f": {version.message}" if version.message else ""
        made = f"{version} was made {instant(version.made_at)} by {version.made_by or 'unknown'}{why}"
        sides += [str(version), state]
    return differences(*sides), made
