"""The names of an action: where each is bound, in which function a node stands, and who calls whom.

Knows Python's rules of scope. Must not know what anything is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.contract.surface import CONTINUE, ENTRY

HANDLERS: Final = (ENTRY, CONTINUE)
COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_WITH_SCOPE: Final = (ast.FunctionDef, ast.Lambda, *COMPREHENSIONS)
_UNREAD: Final = "unread"


@dataclass(slots=True, eq=False)
class NameBinding:
    """One way in which a name gets a value: `how` is assigned, item, parameter, defined, module, member or unread.

    `node` is what the value comes from: an expression, a parameter, a function or the dotted name of an import.
    """

    how: str
    node: Any
    scope: NameScope


@dataclass(slots=True, eq=False)
class NameScope:
    """A module, a function or a comprehension."""

    node: Any
    parent: NameScope | None
    names: dict[str, list[NameBinding]] = field(default_factory=dict)
    outer: set[str] = field(default_factory=set)
    """ModuleNames that `global` or `nonlocal` give to a scope outside."""

    def lookup(self, name: str) -> list[NameBinding]:
        """Return the bindings of a name as it is read here; none for a builtin."""
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.names and name not in scope.outer:
                return scope.names[name]
            scope = scope.parent
        return []


class ModuleNames:
    """Every scope of a module, and where each node stands."""

    def __init__(self, tree: ast.Module, *, shared: bool = False) -> None:
        """Read a module; one that is shared may be called from others."""
        self.module = NameScope(tree, None)
        self.scope_of: dict[ast.AST, NameScope] = {}
        self.scopes: dict[ast.AST, NameScope] = {tree: self.module}
        self.parent: dict[ast.AST, ast.AST] = {}
        self.calls: dict[ast.AST, list[ast.Call]] = {}
        """Of a function: the calls of it by name."""
        self.elsewhere: set[ast.AST] = set()
        """Functions that are used otherwise than by calling them: their arguments are not known."""
        self._walk(tree)
        self._uses()
        if shared:
            self.elsewhere.update(node for node in tree.body if isinstance(node, ast.FunctionDef))

    def _walk(self, tree: ast.Module) -> None:
        # No recursion: how deep a tree may be is not this module's to know.
        stack: list[tuple[ast.AST, NameScope]] = [(child, self.module) for child in ast.iter_child_nodes(tree)]
        for child in ast.iter_child_nodes(tree):
            self.parent[child] = tree
        while stack:
            node, scope = stack.pop()
            self.scope_of[node] = scope
            self._bind(node, scope)
            inner = scope
            if isinstance(node, _WITH_SCOPE):
                inner = self.scopes[node] = NameScope(node, scope)
            for child in ast.iter_child_nodes(node):
                self.parent[child] = node
                stack.append((child, scope.parent or scope if _is_outside(node, child) else inner))

    def _bind(self, node: ast.AST, scope: NameScope) -> None:
        def bound(name: str, how: str, source: Any, where: NameScope = scope) -> None:
            where.names.setdefault(name, []).append(NameBinding(how, source, scope))

        if isinstance(node, ast.FunctionDef):
            bound(node.name, _UNREAD if node.decorator_list else "defined", node)
        elif isinstance(node, ast.arg):
            bound(node.arg, "parameter", node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bound(target.id, "assigned", node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name):
            where = scope
            while isinstance(node, ast.NamedExpr) and isinstance(where.node, COMPREHENSIONS) and where.parent:
                where = where.parent
            if node.value is not None:
                bound(node.target.id, "assigned", node.value, where)
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            bound(node.target.id, "item", node.iter)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                self._imported(node, alias, bound)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            scope.outer.update(node.names)
            for name in node.names:
                self.module.names.setdefault(name, []).append(NameBinding(_UNREAD, node, scope))
                if scope.parent is not None:
                    scope.parent.names.setdefault(name, []).append(NameBinding(_UNREAD, node, scope))
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            self._other_target(node, bound)
        elif not isinstance(node, ast.alias):
            # What a newer or wider language binds by a text: `except ... as e`, captures of a pattern, classes.
            for text in (getattr(node, "name", None), getattr(node, "rest", None)):
                if isinstance(text, str):
                    bound(text, _UNREAD, node)

    @staticmethod
    def _imported(node: ast.Import | ast.ImportFrom, alias: ast.alias, bound: Any) -> None:
        if isinstance(node, ast.Import):
            name = alias.asname or alias.name.partition(".")[0]
            bound(name, "module", alias.name if alias.asname else name)
        else:
            bound(alias.asname or alias.name, "member", f"{node.module}.{alias.name}")

    def _other_target(self, node: ast.Name, bound: Any) -> None:
        """Note a name that is bound otherwise than by itself: unpacked, deleted, added to."""
        above = self.parent.get(node)
        plain = (
            (isinstance(above, ast.Assign) and node in above.targets)
            or (isinstance(above, ast.AnnAssign | ast.NamedExpr) and above.target is node)
            or (isinstance(above, ast.For | ast.comprehension) and above.target is node)
        )
        if not plain:
            bound(node.id, _UNREAD, node)

    def _uses(self) -> None:
        for node, scope in self.scope_of.items():
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            for binding in scope.lookup(node.id):
                if binding.how == "defined":
                    above = self.parent.get(node)
                    if isinstance(above, ast.Call) and above.func is node:
                        self.calls.setdefault(binding.node, []).append(above)
                    else:
                        self.elsewhere.add(binding.node)

    def function_of(self, node: ast.AST) -> ast.FunctionDef | None:
        """Return the innermost named function around a node."""
        above = self.parent.get(node)
        while above is not None and not isinstance(above, ast.FunctionDef):
            above = self.parent.get(above)
        return above

    def handlers(self) -> Iterator[ast.FunctionDef]:
        """Yield the functions that a login calls."""
        for binding in (found for name in HANDLERS for found in self.module.names.get(name, ())):
            if isinstance(binding.node, ast.FunctionDef):
                yield binding.node

    def reached_from(self, handler: str) -> set[ast.AST]:
        """Return the functions that a handler may call, itself included."""
        found: set[ast.AST] = set()
        waiting: list[ast.AST] = [node for node in self.handlers() if node.name == handler]
        while waiting:
            function = waiting.pop()
            if function in found:
                continue
            found.add(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and node in self.scope_of:
                    waiting += [b.node for b in self.scope_of[node].lookup(node.id) if b.how == "defined"]
                elif isinstance(node, ast.FunctionDef) and node is not function:
                    waiting.append(node)
        return found

    def inside_try(self, node: ast.AST, function: ast.AST | None) -> bool:
        """Tell whether a node stands in the body of a `try` of its function that catches something."""
        at, above = node, self.parent.get(node)
        while above is not None and at is not function:
            if isinstance(above, ast.Try) and above.handlers and at in above.body:
                return True
            at, above = above, self.parent.get(above)
        return False


def _is_outside(node: ast.AST, child: ast.AST) -> bool:
    """Tell whether a child of a function, or of its parameters, is evaluated where the function is defined."""
    if isinstance(node, ast.arguments):
        return child in node.defaults or child in node.kw_defaults
    return False
