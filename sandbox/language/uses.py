"""Finds calls of `api` that an action's binding does not let it make, before a login meets one.

Knows what the action calls its second argument. Must not know how calls are recorded: at run time each of them is
refused, by the worker and by the daemon, whatever it is called here.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any, Final

from sandbox.contract import surface
from sandbox.contract.values import camel

_ENTRIES: Final = (surface.ENTRY, surface.CONTINUE)
_GROUPS: Final = {spelling: group for group in surface.GROUPS for spelling in (group, camel(group))}


def unused_calls(tree: ast.Module, uses: Collection[str] | None) -> list[tuple[Any, str]]:
    """Return each place where a group is read that the binding does not use, with what is wrong with it."""
    if uses is None:
        return []
    names = {
        arguments[1].arg
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in _ENTRIES
        and len(arguments := [*node.args.posonlyargs, *node.args.args]) == 2
    }  # fmt: skip
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            fault = surface.not_used(_GROUPS[node.attr], uses) if node.attr in _GROUPS else ""
            if fault:
                found.append((node, f"{node.value.id}.{node.attr}: {fault}"))
    return found
