"""`# vestibule: allow CODE reason`: warnings that an author has seen and means.

A comment counts for its own line, and one that stands alone for the next line of code. Must not know how warnings come
about.
"""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass
from typing import Final

from sandbox.contract.codes import CODES, WARNINGS
from sandbox.contract.did_you_mean import did_you_mean
from sandbox.language.compiler import SourceFault

_MARK: Final = re.compile(r"#\s*vestibule:\s*allow\b\s*(\S*)\s*(.*)")
_ASIDE: Final = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


@dataclass(frozen=True, slots=True)
class _Allowance:
    line: int
    """That it counts for."""
    at: tuple[int, int]
    end: tuple[int, int]
    code: str
    reason: str


def allowed(source: str, found: list[SourceFault], filename: str) -> list[SourceFault]:
    """Leave out the warnings that comments allow, and add what is wrong with the comments."""
    if not _MARK.search(source):
        return found
    allowances = _read(source)
    kept = [fault for fault in found if not any(_counts(one, fault) for one in allowances)]
    for one in allowances:
        code, message = _wrong(one, found)
        if code:
            line, column = one.at
            kept.append(SourceFault(line, column + 1, message, filename, code, one.end[0], one.end[1] + 1))
    return kept


def _read(source: str) -> list[_Allowance]:
    tokens: list[tokenize.TokenInfo] = []
    try:
        tokens += tokenize.generate_tokens(io.StringIO(source).readline)
    except (tokenize.TokenError, SyntaxError):
        return []  # the parser understood it; a comment that is not found allows nothing
    allowances = []
    for at, token in enumerate(tokens):
        mark = _MARK.match(token.string) if token.type == tokenize.COMMENT else None
        if mark is None:
            continue
        line = token.start[0]
        if not token.line[: token.start[1]].strip():
            line = next((later.start[0] for later in tokens[at:] if later.type not in _ASIDE), line)
        allowances.append(_Allowance(line, token.start, token.end, mark[1], mark[2].strip()))
    return allowances


def _matches(one: _Allowance, fault: SourceFault) -> bool:
    last = max(fault.end_line, fault.line)
    return fault.code == one.code and fault.code in WARNINGS and fault.line <= one.line <= last


def _counts(one: _Allowance, fault: SourceFault) -> bool:
    return bool(one.reason) and _matches(one, fault)


def _wrong(one: _Allowance, found: list[SourceFault]) -> tuple[str, str]:
    """Return code and message of what is wrong with a comment, or nothing."""
    if one.code not in CODES:
        hint = did_you_mean(one.code, WARNINGS) or "; write # vestibule: allow CODE reason"
        return "unknown-code", f"there is no code {one.code[:64]!r}{hint}"
    if one.code not in WARNINGS:
        return "allow-comment", f"{one.code} is a fault, and only a warning can be allowed: mend it"
    if not one.reason:
        return "allow-comment", f"the comment gives no reason: write # vestibule: allow {one.code} why it is meant"
    if not any(_matches(one, fault) for fault in found):
        return "allow-comment", f"there is no {one.code} in this line: remove the comment"
    return "", ""
