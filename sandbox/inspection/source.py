"""Looks an action over that compiles: all that cannot work in a login, and all that is probably not meant.

Nothing of it is run. Must not know processes; the caller bounds the time.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from sandbox.contract import bundle
from sandbox.inspection.comments import allowed
from sandbox.inspection.evaluate import Evaluator
from sandbox.inspection.faults import Faults
from sandbox.inspection.habits import Habits
from sandbox.inspection.scopes import ModuleNames
from sandbox.inspection.values import NodeFinding
from sandbox.language.compiler import Columns, SourceFault

_MESSAGE_CHARS: Final = 500


def inspect(source: str, filename: str = "<action>", secrets: frozenset[str] | None = None) -> list[SourceFault]:
    """Return every finding of an action, in the order of its source, without the warnings that its comments allow.

    Args:
        source: of a revision; compiles, hostile all the same. Of shared files alone, each of them is looked over.
        filename: what findings call it.
        secrets: the names that its tenant gives to it; None where they are not known.
    """
    action, files, _ = bundle.unpack(source)
    if action is not None:
        return _inspect(action, filename, secrets, shared=False)
    return [
        fault
        for name, text in sorted(files.items())
        for fault in _inspect(text, bundle.file_of(name), None, shared=True)
    ]


def _inspect(source: str, filename: str, secrets: frozenset[str] | None, *, shared: bool) -> list[SourceFault]:
    source = source.removeprefix("\ufeff")
    tree = ast.parse(source)
    names = ModuleNames(tree, shared=shared)
    evaluator = Evaluator(names)
    found: list[NodeFinding] = [*Faults(names, evaluator, secrets).find(), *Habits(names, evaluator).find()]
    columns = Columns(source)
    placed = {_placed(columns, node, code, message, filename) for node, code, message in found}
    return sorted(allowed(source, list(placed), filename))


def _placed(columns: Columns, node: Any, code: str, message: str, filename: str) -> SourceFault:
    return SourceFault(
        node.lineno,
        columns.at(node.lineno, node.col_offset),
        message[:_MESSAGE_CHARS],
        filename,
        code,
        node.end_lineno,
        columns.at(node.end_lineno, node.end_col_offset),
    )
