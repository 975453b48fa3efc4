"""Source text of an action in, checked and rewritten code object out, or every reason why not.

Knows limits on source text, Python's parser and compiler and how they fail. Must not run what it compiles. Called in a
worker only, for compiling hostile text is itself an attack: the same process limits hold as for running it.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from sandbox.contract.wire import MAX_SOURCE_BYTES
from sandbox.language import refusals
from sandbox.language.nodes import MAX_HINTS
from sandbox.language.rewrite import Statements
from sandbox.language.shared import NO_FILES, SharedSources, is_shared
from sandbox.language.uses import unused_calls
from sandbox.reach import hints, stacks
from sandbox.reach.registry import check_import

MAX_FAULTS = 100

# What no editor shows: control characters but tab, newline, carriage return and form feed; half surrogates; characters
# that reorder or break the line they stand in ("trojan source"), and a byte order mark that is not at the start.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff]"
)

_PARSER_ERRORS = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError, SystemError)


@dataclass(frozen=True, slots=True, order=True)
class SourceFault:
    """One finding in a source: where, what, why and what to write instead. Where it ends is 0 if that is unknown."""

    line: int
    column: int
    message: str
    filename: str = field(default="<action>", compare=False)
    code: str = field(default="unavailable", compare=False)
    end_line: int = field(default=0, compare=False)
    end_column: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}: {self.message}"


class Rejected(Exception):
    """An action cannot be compiled; `faults` has every reason, in the order of the source."""

    def __init__(self, faults: list[SourceFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def check(source: str, filename: str = "<action>") -> list[SourceFault]:
    """Answer everything that is wrong with an action, in the order of its source; nothing if it would run."""
    return _compile(source, filename)[1]


def compile_action(source: str, filename: str = "<action>") -> CodeType:
    """Compile an action to code that calls the guards.

    Args:
        source: tenant's text; hostile.
        filename: what tracebacks and faults call it; never a path a tenant chose, for a traceback printer reads it.

    Raises:
        Rejected: with every fault.
    """
    code, faults = _compile(source, filename)
    if code is None:
        raise Rejected(faults)
    return code


def compile_part(
    source: str, filename: str, shared: SharedSources, *, entry: bool, uses: Collection[str] | None = None
) -> tuple[CodeType | None, list[SourceFault]]:
    """Compile one file of a revision; return its code, or None and every fault.

    Args:
        source: tenant's text; hostile.
        filename: what tracebacks and faults call it.
        shared: the tenant's shared files, this one included if it is one.
        entry: is it an action? A shared file has no entry point.
        uses: groups of `api` that the action's binding lets it call; None: all.
    """
    return _compile(source, filename, shared, entry=entry, uses=uses)


def _compile(
    source: str,
    filename: str,
    shared: SharedSources = NO_FILES,
    *,
    entry: bool = True,
    uses: Collection[str] | None = None,
) -> tuple[CodeType | None, list[SourceFault]]:
    fault = _unreadable(source, filename)
    if fault is not None:
        return None, [fault]
    if source[:1] == "\ufeff":
        source = source[1:]
    with warnings.catch_warnings():
        # An author's `x is 1` is no business of our stderr.
        warnings.simplefilter("ignore")
        try:
            tree: Any = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        except _PARSER_ERRORS as error:
            return None, [_parser_fault(error, filename)]
        unused = unused_calls(tree, uses)  # before what it looks for is rewritten
        policy = Statements(shared, entry=entry)
        try:
            rewritten = policy.run(tree)
        except (MemoryError, RecursionError) as error:
            return None, [_parser_fault(error, filename)]
        faults = policy.faults + [(at, why, "not-in-uses") for at, why in unused] + _unknown_imports(policy, shared)
        if faults:
            return None, _in_order(source, faults, filename)
        try:
            if policy.matches:
                # What only the compiler finds in patterns: it sees none in what was made of them.
                compile(source, filename, "exec", dont_inherit=True)
            # optimize=0: with `python -O` an author's asserts would be gone, and with them what they protect.
            code = compile(rewritten, filename, "exec", dont_inherit=True, optimize=0)
        except _PARSER_ERRORS as error:
            # What only the compiler finds: `return` outside of a function, `nonlocal` without a binding.
            return None, [_parser_fault(error, filename)]
    large = _too_large(code, filename)
    return (code, []) if large is None else (None, [large])


def _too_large(code: CodeType, filename: str) -> SourceFault | None:
    """Answer the fault of a function whose frame has no sure place on the stack."""
    limit = stacks.FRAME_SLOTS_MAX
    if code.co_nlocals + len(code.co_cellvars) + len(code.co_freevars) + code.co_stacksize > limit:
        message = refusals.FRAME_MAX.format(name=code.co_name[:100], limit=limit)
        return SourceFault(max(code.co_firstlineno, 1), 1, message, filename, "too-large")
    for constant in code.co_consts:
        fault = _too_large(constant, filename) if isinstance(constant, CodeType) else None
        if fault is not None:
            return fault
    return None


def _unreadable(source: Any, filename: str) -> SourceFault | None:
    """Answer what makes a text no source at all."""
    if type(source) is not str:
        return SourceFault(1, 1, refusals.SOURCE_TYPE.format(kind=type(source).__name__), filename, "source")
    if len(source) > MAX_SOURCE_BYTES:
        return SourceFault(
            1, 1, refusals.SOURCE_SIZE.format(size=len(source), limit=MAX_SOURCE_BYTES), filename, "source"
        )
    unseen = _UNSEEN.search(source, 1 if source[:1] == "\ufeff" else 0)
    if unseen is not None:
        start = unseen.start()
        before = source[:start]
        code = ord(unseen[0])
        if 0xD800 <= code <= 0xDFFF:
            message = refusals.SURROGATE
        elif code < 0xA0:
            message = refusals.CONTROL
        else:
            message = refusals.INVISIBLE
        line_start = max(before.rfind("\n"), before.rfind("\r"))
        line = before.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        return SourceFault(line, start - line_start, message.format(code=code), filename, "source")
    size = len(source.encode())
    if size > MAX_SOURCE_BYTES:
        return SourceFault(1, 1, refusals.SOURCE_SIZE.format(size=size, limit=MAX_SOURCE_BYTES), filename, "source")
    return None


def _parser_fault(error: Exception, filename: str) -> SourceFault:
    if isinstance(error, SyntaxError):
        # Not `str(error)`, which repeats the line, nor `error.text`, which may be as long as the source.
        message = error.msg
        if error.msg.startswith("Exceeds the limit"):
            limit = sys.get_int_max_str_digits()
            message = f"an integer of more than {limit} digits is not available: compute it, or use text"
        else:
            message += hints.syntax(error.text or "", error.offset or 1)
        return SourceFault(
            max(error.lineno or 1, 1),
            max(error.offset or 1, 1),
            message,
            filename,
            "syntax",
            max(error.end_lineno or 0, 0),
            max(error.end_offset or 0, 0),
        )
    return SourceFault(1, 1, refusals.TOO_COMPLEX, filename, "too-large")


def _in_order(source: str, found: list[tuple[Any, str, str]], filename: str) -> list[SourceFault]:
    """Make faults at nodes, in the order of the source, each once, and not more than anybody reads."""
    places = sorted(
        {
            (
                node.lineno,
                node.col_offset,
                message,
                code,
                getattr(node, "end_lineno", 0),
                getattr(node, "end_col_offset", 0),
            )
            for node, message, code in found
        }
    )
    if len(places) > MAX_FAULTS:
        lineno, offset, *_ = places[MAX_FAULTS]
        more = refusals.MORE_FAULTS.format(count=len(places) - MAX_FAULTS)
        places[MAX_FAULTS:] = [(lineno, offset, more, "unavailable", 0, 0)]
    columns = Columns(source)
    return [
        SourceFault(
            lineno, columns.at(lineno, offset), message, filename, code, end_line,
            columns.at(end_line, end_offset) if end_line else 0,
        )
        for lineno, offset, message, code, end_line, end_offset in places
    ]  # fmt: skip


class Columns:
    """The columns of a source as a reader counts them, in characters from 1; the parser counts bytes from 0."""

    def __init__(self, source: str) -> None:
        # As the parser splits, not as str.splitlines does: a form feed ends no line.
        self._lines = re.split("\r\n|\r|\n", source)

    def at(self, line: int, offset: int) -> int:
        """Return the column of a byte of a line, which counts from 1."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return len(text.encode()[:offset].decode(errors="replace")) + 1


def _unknown_imports(policy: Statements, shared: SharedSources) -> list[tuple[Any, str, str]]:
    """Answer imports that cannot succeed, but those inside a `try`, where an author asks just that."""
    faults: list[tuple[Any, str, str]] = []
    for node, module, member in policy.imports:
        if len(faults) >= MAX_HINTS:
            break
        if is_shared(module):
            if fault := shared.fault(module, member):
                faults.append((node, fault, "import"))
            continue
        try:
            check_import(module, member)
        except ImportError as error:
            faults.append((node, str(error), "import"))
    return faults
