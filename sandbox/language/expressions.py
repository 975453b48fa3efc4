"""The walk over an action's syntax tree, and its rules for names and expressions.

Knows which nodes are let through and how expressions are rewritten to guard calls. Must not know values, modules or
builtins.

A RestrictedPython policy, narrower in what it lets through (an allow-list of node types, so that the syntax of a new
Python is refused until somebody has read it) and wider where a test shows it is safe. RestrictedPython's own visitors
copy locations into the whole subtree at every rewrite, which is quadratic: those on the common path are replaced.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from RestrictedPython.transformer import INSPECT_ATTRIBUTES, RestrictingNodeTransformer

from sandbox.contract.surface import ENTRY
from sandbox.language import refusals
from sandbox.language.nodes import (
    LEAVES,
    LOAD,
    LOOKED_INTO,
    MAX_DEPTH,
    MAX_HINTS,
    MAX_INT_BITS,
    MAX_NODES,
    MODULE_NAME,
    SET_OPERATORS,
    START,
    bound_names,
    constant,
    guard_call,
    is_number,
    is_pattern,
    unpack_spec,
)
from sandbox.language.refusals import ENTRIES
from sandbox.reach import reachable
from sandbox.reach.hints import define

_CONVERSIONS = {ord("s"): "_str_", ord("r"): "_repr_", ord("a"): "_ascii_"}


def _is_reserved(name: str) -> bool:
    """Tell whether a name is Python's (`__x`, `__x__`) or a guard's or a temporary's (`_x_`)."""
    return name[:1] == "_" and (name[:2] == "__" or name[-1:] == "_") and name != "_"


class Expressions(RestrictingNodeTransformer):
    """One walk over one tree; `faults` holds `(node with a position, message)` afterwards."""

    visitors: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {}
    """Exact node type -> visitor; what is not in here is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[Any, str]] = []
        self.imports: list[tuple[Any, str, str | None]] = []
        """Imports outside of any `try`: node, module, member."""
        self._bound: set[str] = set()
        self._modules: dict[str, str | None] = {}
        """Names that only imports of one module bind; None once anything else binds them."""
        self._members: list[tuple[Any, list[str]]] = []
        self._missing: list[ast.Name] = []
        self._entries: dict[str, Any] = {}
        self._stored: set[str] = set()
        self._parameters: list[str] = []
        """Of the entry point around this node: what the author calls the event and the api."""
        self._writes: list[tuple[Any, str, str]] = []
        self._item_writes: list[ast.Call] = []
        """Guards of `x[key] = ...`, where a key may be a slice if the action makes slices."""
        self._makes_slices = False
        self._top: frozenset[Any] = frozenset()
        self._kept: set[ast.AST] = set()
        """Displays of constants that are only asked for a member."""
        self._nodes = 0
        self._depth = 0
        self._tries = 0
        # Loops open inside the innermost `finally` block of this function; None outside of any.
        self._final_loops: int | None = None
        self._full = False

    def run(self, tree: ast.Module) -> ast.Module:
        """Check and rewrite a module in place."""
        # By identity: whether a definition of the entry point stands at the top level is a question about this list.
        self._top = frozenset(tree.body)
        self.node_contents_visit(tree)
        if self._makes_slices:
            for call in self._item_writes:
                call.func = ast.copy_location(ast.Name(id="_write_any_", ctx=LOAD), call)
        if not self._full:
            self._check_missing()
            self._check_members()
        for at, name, message in self._writes:
            if name not in self._stored:
                self.error(at, message.format(name=name))
        if not self._full and ENTRY not in self._entries:
            self.error(START, refusals.ENTRY_MISSING)
        return tree

    def _check_missing(self) -> None:
        """Refuse names that nothing binds, here or anywhere: a typo must not wait for the login that meets it."""
        hints: dict[str, str] = {}
        known = self._bound | reachable.BUILTINS
        for node in self._missing:
            name = node.id
            if name in self._bound:
                continue
            why = refusals.NAMES.get(name)
            if why is not None:
                self.error(node, refusals.NAME.format(name=name, why=why))
                continue
            if name not in hints:
                hints[name] = (
                    define(name, known, reachable.MODULES) if len(hints) < MAX_HINTS else "define or import it"
                )
            self.error(node, refusals.UNDEFINED.format(name=name[:100], instead=hints[name]))

    def _check_members(self) -> None:
        """Refuse `math.sqr` where `math` can only be the module: it has no such member, at any login."""
        hints = 0
        for node, (name, *path) in self._members:
            module = self._modules.get(name)
            while module in reachable.MODULES and path:
                member = path.pop(0)
                inner = f"{module}.{member}"
                if inner not in reachable.MODULES and member not in reachable.MODULES[module]:
                    if not path and hints < MAX_HINTS:  # of `re.x.y` only `re.x` is at fault
                        hints += 1
                        self.error(node, reachable.explain_member(module, member))
                    break
                module = inner

    def error(self, node: Any, info: str) -> None:
        """Note a fault at a node."""
        self.faults.append((node, info))

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a node type."""
        name = type(node).__name__
        at = node if hasattr(node, "lineno") else START
        if name == "AsyncFunctionDef" and node.name in ENTRIES:  # type: ignore[attr-defined]  # it is one, by its name
            self._entries[node.name] = node  # type: ignore[attr-defined]  # it is one, by its name
            self.error(at, refusals.ENTRY_ASYNC.format(name=node.name))  # type: ignore[attr-defined]  # it is one, by its name
        else:
            self.error(at, refusals.NODES.get(name) or refusals.UNKNOWN_NODE.format(name=name))
        # What it would have bound is not reported as undefined on top of it.
        self._bound.update(bound_names(node))
        if name in LOOKED_INTO:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt | ast.expr | ast.ExceptHandler | ast.arguments):
                    self.visit(child)

    # Walking

    def visit(self, node: ast.AST) -> Any:
        """Dispatch on the exact node type; only types of the allow-list have an entry."""
        method = self.visitors.get(type(node))
        if method is None:
            self.not_allowed(node)
            return node
        self._nodes += 1
        if self._depth >= MAX_DEPTH or self._nodes > MAX_NODES:
            self._too_large(node)
            return node
        self._depth += 1
        result = method(self, node)
        self._depth -= 1
        return result

    def _too_large(self, node: ast.AST) -> None:
        if not self._full:
            self._full = True
            at = node if hasattr(node, "lineno") else START
            if self._nodes > MAX_NODES:
                self.error(at, refusals.NODES_MAX.format(limit=MAX_NODES))
            else:
                self.error(at, refusals.DEPTH_MAX.format(limit=MAX_DEPTH))

    def node_contents_visit(self, node: Any) -> Any:
        """Visit the fields of a node and put the results in their place."""
        for field in node._fields:
            value = getattr(node, field, None)
            if type(value) is list:
                setattr(node, field, self._visit_all(value))
            elif isinstance(value, ast.AST) and type(value) not in LEAVES:
                setattr(node, field, self.visit(value))
        return node

    def _visit_all(self, nodes: Iterable[Any]) -> list[Any]:
        results: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.AST) and type(node) not in LEAVES:
                result = self.visit(node)
                if type(result) is list:
                    results += result
                else:
                    results.append(result)
            else:
                results.append(node)
        return results

    # Names

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        """Refuse names of Python's and of the guards; a single leading underscore is an author's own business."""
        if name is None:
            return
        if name == "__file__":
            self.error(node, refusals.FILE)
        elif _is_reserved(name):
            self.error(node, refusals.DUNDER.format(name=name))

    def _bind(self, node: Any, name: str, module: str | None = None) -> None:
        """Note that a name is bound, by an import of `module` or by anything else."""
        self.check_name(node, name)
        self._bound.add(name)
        known = self._modules.setdefault(name, module)
        if known != module:
            self._modules[name] = None
        if name in ENTRIES:
            self.error(node, refusals.ENTRY_REBOUND.format(name=name))

    def visit_Name(self, node: ast.Name) -> Any:
        """Check a name; which builtins exist is known once all bindings are."""
        if type(node.ctx) is ast.Load:
            if node.id == "__name__":
                # For `logging.getLogger(__name__)`; and `if __name__ == "__main__":` is false, as in any module.
                return constant(MODULE_NAME, node)
            if _is_reserved(node.id):
                self.check_name(node, node.id)
            elif node.id not in reachable.BUILTINS:
                self._missing.append(node)
            elif node.id == "slice":
                self._makes_slices = True
        else:
            self._stored.add(node.id)
            self._bind(node, node.id)
        return node

    def visit_Global(self, node: ast.Global) -> Any:
        """Allow it: globals are made afresh for every execution. So does RestrictedPython."""
        for name in node.names:
            self.check_name(node, name)
            self._bound.add(name)
            if name in ENTRIES:
                self.error(node, refusals.ENTRY_REBOUND.format(name=name))
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> Any:
        """Allow it: the names belong to an enclosing function of the same action, and are checked like any other."""
        for name in node.names:
            self.check_name(node, name)
        return node

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
        self.node_contents_visit(node)
        self._final_loops = outer
        return node
