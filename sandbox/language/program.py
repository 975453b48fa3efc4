"""Compiles the text of a revision: an action, and the shared files that it needs.

Knows in which order files are compiled, and how faults of several files stand together. Must not run anything.
"""

from __future__ import annotations

from types import CodeType
from typing import Final, NamedTuple

from sandbox.contract import bundle
from sandbox.contract.surface import ENTRY
from sandbox.language import compiler
from sandbox.language.shared import NO_FILES, SharedSources

_NOTHING: Final = f"def {ENTRY}(event, api): pass"
"""What stands for the action of files that are checked alone."""
_UNREADABLE: Final = "the revision's text is damaged: apply the tenant again"


class RevisionCode(NamedTuple):
    """The code of an action, and of each shared file that it needs, by name."""

    code: CodeType
    files: tuple[tuple[str, CodeType], ...] = ()


def compile_program(text: str, filename: str) -> RevisionCode:
    """Compile an action with the shared files that it needs.

    Args:
        text: of a revision; the tenant's, hostile.
        filename: what the action's code is called.

    Raises: Rejected: with every fault; those of a shared file have its name.
    """
    try:
        action, files, uses = bundle.unpack(text)
    except ValueError:
        raise compiler.Rejected([compiler.SourceFault(1, 1, _UNREADABLE, filename, "source")]) from None
    if action is not None and not files and uses is None:
        return RevisionCode(compiler.compile_action(action, filename))
    shared = SharedSources(files) if files else NO_FILES
    code, faults = (
        (None, []) if action is None else compiler.compile_part(action, filename, shared, entry=True, uses=uses)
    )
    needed = sorted(files) if action is None else shared.needed(action)
    compiled = []
    for name in needed:
        found, wrong = compiler.compile_part(files[name], bundle.file_of(name), shared, entry=False)
        circles = [
            compiler.SourceFault(node.lineno, node.col_offset + 1, message, bundle.file_of(name), "import")
            for node, message in shared.cycles(name)
        ]
        faults += sorted(circles + wrong)
        if found is not None:
            compiled.append((name, found))
    if faults:
        raise compiler.Rejected(faults)
    return RevisionCode(code or compile(_NOTHING, filename, "exec"), tuple(compiled))
