"""`class` statements that declare data: exceptions, Enum, NamedTuple, TypedDict and dataclasses.

Knows what may stand in such a class. Must not know how one is made: a guard makes it of names and values, so no body
of a class and no method ever runs.
"""

from __future__ import annotations

import ast
from typing import Any

from sandbox.language import refusals
from sandbox.language.matching import Matching
from sandbox.language.nodes import LOAD, constant, guard_call


class Declarations(Matching):
    """Rules for `class`, on top of those for `match`."""

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        """Turn it into `Name = decorator(_class_('Name', base, fields, values, options, doc))`."""
        name = node.name
        self._bind(node, name)
        for parameter in getattr(node, "type_params", ()):
            self.error(parameter, refusals.TYPE_PARAMETERS)
        starred = any(type(base) is ast.Starred for base in node.bases)
        if len(node.bases) > 1 or starred or not (node.bases or node.decorator_list):
            self.error(node, refusals.CLASS_BASE)
        decorators = self._visit_all(node.decorator_list)
        base = self.visit(node.bases[0]) if node.bases else constant(None, node)
        fields: list[Any] = []
        values: list[Any] = []
        doc: Any = None
        for place, statement in enumerate(node.body):
            kind = type(statement)
            if kind is ast.Pass or (kind is ast.Expr and _is_constant(statement.value)):  # type: ignore[attr-defined]  # by its type
                if place == 0 and kind is ast.Expr and type(statement.value.value) is str:  # type: ignore[attr-defined]  # as above
                    doc = statement.value.value  # type: ignore[attr-defined]  # as above
                continue
            field, value, annotated = self._field(statement)
            if field is None:
                continue
            fields.append((field, annotated, value is not None))
            if value is not None:
                values.append(value)
        options = []
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg[:1] == "_" or keyword.arg == "metaclass":
                self.error(keyword, refusals.CLASS_BASE)
            else:
                options.append(
                    ast.copy_location(ast.keyword(arg=keyword.arg, value=self.visit(keyword.value)), keyword)
                )
        held = ast.copy_location(ast.Tuple(elts=values, ctx=LOAD), node)
        made = guard_call("_class_", [constant(name, node), base, constant(tuple(fields), node), held], node)
        made.args.append(constant(doc, node))
        made.keywords = options
        for decorator in reversed(decorators):
            made = ast.copy_location(ast.Call(func=decorator, args=[made], keywords=[]), node)
        return self._binding(name, made, node)

    def _field(self, node: ast.stmt) -> tuple[str | None, Any, bool]:
        """Answer the name, the value and whether there is an annotation, of a field or a constant."""
        target: Any = None
        value: Any = None
        if type(node) is ast.AnnAssign:
            target, value = node.target, node.value
        elif type(node) is ast.Assign and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        if type(target) is not ast.Name:
            self.error(node, refusals.CLASS_MEMBER)
            return None, None, False
        self.check_name(target, target.id)
        if target.id[:1] == "_":
            self.error(target, refusals.CLASS_MEMBER)
        return target.id, None if value is None else self.visit(value), type(node) is ast.AnnAssign


def _is_constant(node: ast.expr) -> bool:
    return type(node) is ast.Constant and (node.value is ... or type(node.value) is str)
