"""What a check of tenants finds, in one shape: its code, its place and the line that it is about.

Commands, the daemon and the store's checks share it. Must not know how anything is found, formats or terminals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from runtime.errors import Fault
from sandbox.contract.codes import CODES

_PLACE: Final = re.compile(r"(?P<file>.*?)(?::(?P<line>[0-9]+))?(?::(?P<column>[0-9]+))?", re.DOTALL)
_EXCERPT_CHARS: Final = 160
_TENANT_FILE: Final = "tenant.yaml"


class Source(NamedTuple):
    """An action's source to be checked: what its author knows the file by, and whose it is.

    `secrets` are the names that the tenant gives to the action; None where they are not known.
    """

    label: str
    text: str
    tenant: str = ""
    secrets: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SourceFinding(Fault):
    """A fault or a warning with a code. Where it ends is 0 if that is unknown; `text` is the line it begins in."""

    code: str = ""
    end_line: int = 0
    end_column: int = 0
    text: str = field(default="", repr=False)


class FindingPlace(NamedTuple):
    """Where a finding is: line and column count from 1, and are 0 where it is of the whole file."""

    file: str
    line: int
    column: int


def place_of(fault: Fault) -> FindingPlace:
    """Take the place of a finding apart."""
    found = _PLACE.fullmatch(fault.where)
    if found is None:
        return FindingPlace(fault.where, 0, 0)
    return FindingPlace(found["file"], int(found["line"] or 0), int(found["column"] or 0))


def code_of(fault: Fault) -> str:
    """Return the code of a finding; of one that no check of a source made, by its file."""
    if isinstance(fault, SourceFinding):
        return fault.code
    file = place_of(fault).file
    return "tenant-file" if file.rpartition("/")[2] == _TENANT_FILE else "file"


def is_warning(fault: Fault) -> bool:
    """Tell whether a finding stops nothing by itself."""
    return CODES[code_of(fault)].warning


def split(found: Iterable[Fault]) -> tuple[list[Fault], list[Fault]]:
    """Return the faults and the warnings of what was found."""
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for fault in found:
        (warnings if is_warning(fault) else faults).append(fault)
    return faults, warnings


def excerpt(fault: Fault) -> Sequence[str]:
    """Return the line that a finding is about, and a line that points at it; nothing where it has none."""
    if not isinstance(fault, SourceFinding) or not fault.text.strip():
        return ()
    _, line, column = place_of(fault)
    text = fault.text.rstrip().replace("\t", " ")
    start = max(column - 1, 0)
    end = fault.end_column - 1 if fault.end_line == line and fault.end_column > column else len(text)
    if fault.end_line == 0:
        end = start + 1
    # What is far to the right is shown with what is around it.
    cut = max(start - _EXCERPT_CHARS // 2, 0) if len(text) > _EXCERPT_CHARS else 0
    number = str(line)
    marks = "^" * max(min(end, len(text), cut + _EXCERPT_CHARS) - start, 1)
    return (
        f"    {number} | {text[cut : cut + _EXCERPT_CHARS]}",
        f"    {' ' * len(number)} | {' ' * (start - cut)}{marks}",
    )


def described(fault: Fault) -> dict[str, Any]:
    """Return a finding as plain data, for a program."""
    file, line, column = place_of(fault)
    end = (fault.end_line, fault.end_column) if isinstance(fault, SourceFinding) else (0, 0)
    return {
        "where": fault.where,
        "message": fault.message,
        "code": code_of(fault),
        "severity": "warning" if is_warning(fault) else "error",
        "file": file,
        "line": line,
        "column": column,
        "end_line": end[0],
        "end_column": end[1],
        "excerpt": list(excerpt(fault)),
    }


def moved(fault: Fault, where: str, message: str) -> Fault:
    """Return a finding with another place and message."""
    if isinstance(fault, SourceFinding):
        return SourceFinding(where, message, fault.code, fault.end_line, fault.end_column, fault.text)
    return Fault(where, message)
