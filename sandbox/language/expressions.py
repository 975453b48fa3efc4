"""The rules for literals and expressions: how each is rewritten to calls of guards.

Must not know values, modules or builtins.
"""

from __future__ import annotations

import ast
from typing import Any

from RestrictedPython.transformer import INSPECT_ATTRIBUTES

from sandbox.language import refusals
from sandbox.language.nodes import (
    LEAVES,
    LOAD,
    MAX_INT_BITS,
    SET_OPERATORS,
    constant,
    guard_call,
    is_number,
    is_pattern,
    unpack_spec,
)
from sandbox.language.walk import Walk
from sandbox.reach.open_names import OPEN

_CONVERSIONS = {ord("s"): "_str_", ord("r"): "_repr_", ord("a"): "_ascii_"}


class Expressions(Walk):
    """Literals and expressions, on top of `Walk`."""

    # Literals

    def visit_Constant(self, node: ast.Constant) -> Any:
        """Refuse integers that only slow everything down."""
        if type(node.value) is int and node.value.bit_length() > MAX_INT_BITS:
            bits = node.value.bit_length()
            self.error(node, refusals.INTEGER_SIZE.format(bits=bits, limit=MAX_INT_BITS))
        return node

    def visit_Dict(self, node: ast.Dict) -> Any:
        """Guard `**x` inside a display, and every key that is not written out."""
        self.node_contents_visit(node)
        node.keys = [key if key is None else self._guard_key(key) for key in node.keys]
        node.values = [
            value if key is not None else guard_call("_mapping_", [value], value)
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return node

    def visit_DictComp(self, node: ast.DictComp) -> Any:
        """Guard the keys."""
        self.node_contents_visit(node)
        node.key = self._guard_key(node.key)
        return node

    def visit_Set(self, node: ast.Set) -> Any:
        """Guard the members. Python makes a constant of some displays, which has another order once marshalled."""
        self.node_contents_visit(node)
        if node in self._kept:
            return node
        members = ast.copy_location(ast.Tuple(elts=node.elts, ctx=LOAD), node)
        written_out = all(type(member) is ast.Constant and member.value is not ... for member in node.elts)
        return guard_call("_constants_" if written_out else "_set_", [members], node)

    def visit_SetComp(self, node: ast.SetComp) -> Any:
        """Guard the members."""
        self.node_contents_visit(node)
        members = ast.copy_location(ast.ListComp(elt=node.elt, generators=node.generators), node)
        return guard_call("_set_", [members], node)

    @staticmethod
    def _guard_key(key: Any) -> Any:
        written_out = type(key) is ast.Constant and key.value is not ...
        return key if written_out else guard_call("_key_", [key], key)

    def visit_Starred(self, node: ast.Starred) -> Any:
        """Guard `*x` in calls and displays; as a target it only names one."""
        self.node_contents_visit(node)
        if type(node.ctx) is ast.Load:
            node.value = guard_call("_getiter_", [node.value], node.value)
        elif is_pattern(node.value):
            self.error(node, refusals.STARRED_TARGET)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Any:
        """Make a field's text by the guards, which leave addresses out."""
        self.node_contents_visit(node)
        value = node.value
        conversion = _CONVERSIONS.get(node.conversion)
        if conversion is not None:
            node.value = guard_call(conversion, [value], value)
            node.conversion = -1
        elif node.format_spec is not None:
            node.value = guard_call("_format_", [value, node.format_spec], value)
            node.format_spec = None
        elif type(value) is not ast.Constant:
            node.value = guard_call("_text_", [value], value)
        return node

    # Expressions

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        """Route `%` through a guard, because on text it formats, and what makes a set of a dict's view."""
        node.left = self.visit(node.left)
        node.right = right = self.visit(node.right)
        if type(node.op) is ast.Mod and not (type(right) is ast.Constant and type(right.value) is int):
            return guard_call("_mod_", [node.left, right], node)
        guard = SET_OPERATORS.get(type(node.op))
        if guard is not None and not is_number(node.left) and not is_number(right):
            return guard_call(guard, [node.left, right], node)
        if type(node.op) not in LEAVES:
            self.error(node, refusals.NODES["MatMult"])
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        """Leave `x in {"a", "b"}` to Python, which makes a constant of the set: nothing sees its order."""
        for operator, right in zip(node.ops, node.comparators, strict=True):
            members = right.elts if isinstance(right, ast.Set) and type(operator) in (ast.In, ast.NotIn) else [right]
            if all(type(member) is ast.Constant for member in members):
                self._kept.add(right)
        return self.node_contents_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        """Check keyword names and guard `**x`; `*x` is guarded where it stands. What is called was guarded before."""
        self.node_contents_visit(node)
        for keyword in node.keywords:
            if keyword.arg is None:
                keyword.value = guard_call("_kwargs_", [keyword.value], keyword.value)
            elif keyword.arg[:1] == "_":
                self.error(keyword, refusals.KEYWORD.format(name=keyword.arg))
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """Turn reads into `_getattr_(x, 'name')` and writes into `_write_(x).name = ...`."""
        name = node.attr
        if name in OPEN and type(node.ctx) is ast.Load:
            return self._open_attribute(node)
        if name[:1] == "_":
            instead = refusals.INSTEAD_OF_ATTRIBUTE.get(name)
            if instead is not None:
                self.error(node, refusals.KNOWN_ATTRIBUTE.format(name=name, instead=instead))
            else:
                self.error(node, refusals.ATTRIBUTE.format(name=name))
        elif name in INSPECT_ATTRIBUTES:
            self.error(node, refusals.INSPECT.format(name=name))
        if type(node.ctx) is not ast.Load:
            if self._parameters:
                self._check_write(node)
        elif not self._tries and name[:1] != "_":
            self._note_member(node)
        node.value = self.visit(node.value)
        if type(node.ctx) is ast.Load:
            return guard_call("_getattr_", [node.value, constant(name, node)], node)
        if type(node.ctx) is ast.Del:
            self.error(node, refusals.DELETE_ATTRIBUTE)
        node.value = guard_call("_write_attribute_", [node.value, constant(name, node)], node.value)
        return node

    def _open_attribute(self, node: ast.Attribute) -> Any:
        """Read one of the few names with an underscore that an object shows; `x.__class__.__name__` at once."""
        of = node.value
        if node.attr == "__name__" and type(of) is ast.Attribute and of.attr == "__class__":
            return guard_call("_class_name_", [self.visit(of.value)], node)
        return guard_call("_getattr_", [self.visit(of), constant(node.attr, node)], node)

    def _note_member(self, node: ast.Attribute) -> None:
        path = [node.attr]
        root: ast.AST = node.value
        while isinstance(root, ast.Attribute):
            path.append(root.attr)
            root = root.value
        if isinstance(root, ast.Name):
            path.append(root.id)
            self._members.append((node, path[::-1]))

    def _check_write(self, node: ast.Attribute) -> None:
        """Refuse `event.a.b = x` and `api.a += x` early; what a check cannot see fails when it runs."""
        root: ast.AST = node.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in self._parameters:
            message = refusals.EVENT_WRITE if root.id == self._parameters[0] else refusals.API_WRITE
            self._writes.append((node, root.id, message))

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        """Turn reads into `_getitem_(x, key)` and writes into `_write_(x)[key] = ...`."""
        node.value = self.visit(node.value)
        node.slice = self.visit(node.slice)
        is_slice = type(node.slice) is ast.Slice
        if type(node.slice) is ast.Tuple and any(type(item) is ast.Slice for item in node.slice.elts):
            self.error(node, refusals.SLICE_IN_KEY)
        if type(node.ctx) is ast.Load:
            return guard_call("_getslice_" if is_slice else "_getitem_", [node.value, node.slice], node)
        if type(node.ctx) is ast.Store and not is_slice:
            node.slice = self._guard_key(node.slice)
        written = guard_call("_write_slice_" if is_slice else "_write_", [node.value], node.value)
        if not is_slice:
            self._item_writes.append(written)
        node.value = written
        return node

    def guard_iter(self, node: Any) -> Any:
        """Guard what a `for` loop or comprehension iterates."""
        self.node_contents_visit(node)
        return self._guard_source(node)

    def _guard_source(self, node: Any) -> Any:
        if is_pattern(node.target):
            spec = constant(unpack_spec(node.target), node.iter)
            node.iter = guard_call("_iter_unpack_sequence_", [node.iter, spec], node.iter)
        else:
            node.iter = guard_call("_getiter_", [node.iter], node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        """Guard the source of one `for` of a comprehension."""
        if node.is_async:
            self.error(node.target, refusals.ASYNC_COMPREHENSION)
        return self.guard_iter(node)

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        """Allow it; a `finally` block around it does not reach inside."""
        outer, self._final_loops = self._final_loops, None
        no_yield, self._no_yield = self._no_yield, refusals.YIELD_LAMBDA
        self.node_contents_visit(node)
        self._final_loops, self._no_yield = outer, no_yield
        return node

    def visit_Yield(self, node: ast.Yield) -> Any:
        """Allow it where nothing of the action runs when the generator is given up."""
        if self._no_yield:
            self.error(node, refusals.YIELD.format(why=self._no_yield))
        return self.node_contents_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> Any:
        """Allow it likewise, and guard what is walked."""
        if self._no_yield:
            self.error(node, refusals.YIELD.format(why=self._no_yield))
        node.value = guard_call("_getiter_", [self.visit(node.value)], node.value)
        return node
