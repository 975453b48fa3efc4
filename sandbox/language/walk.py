"""The walk over an action's syntax tree: which nodes it visits, the faults it notes, and the names an action binds.

Knows which nodes are let through. Must not know how statements and expressions are rewritten.

A RestrictedPython policy, narrower in what it lets through (an allow-list of node types, so that the syntax of a new
Python is refused until it is reviewed) and wider where a test shows it is safe. RestrictedPython's own visitors copy
locations into the whole subtree at every rewrite, which is quadratic: those on the common path are replaced.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from RestrictedPython.transformer import RestrictingNodeTransformer

from sandbox.contract.surface import ENTRY
from sandbox.language import refusals
from sandbox.language.nodes import (
    LEAVES,
    LOAD,
    LOOKED_INTO,
    MAX_DEPTH,
    MAX_HINTS,
    MAX_NODES,
    MODULE_NAME,
    OPEN_NAMES,
    START,
    STORE,
    bound_names,
    constant,
)
from sandbox.language.refusals import ENTRIES
from sandbox.language.shared import NO_FILES, SharedSources, is_shared
from sandbox.reach import reachable
from sandbox.reach.hints import define


def _is_reserved(name: str) -> bool:
    """Tell whether a name is Python's (`__x`, `__x__`) or a guard's or a temporary's (`_x_`)."""
    return name[:1] == "_" and (name[:2] == "__" or name[-1:] == "_") and name != "_" and name not in OPEN_NAMES


class Walk(RestrictingNodeTransformer):
    """One walk over one tree; `faults` holds `(node with a position, message, code)` afterwards."""

    visitors: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {}
    """Exact node type -> visitor; what is not in here is refused."""

    def __init__(self, shared: SharedSources = NO_FILES, *, entry: bool = True) -> None:
        """Begin a walk; `entry` says whether an entry point is wanted, which a shared file has none of."""
        super().__init__()
        self._entry_wanted = entry
        self.importable = reachable.MODULES | shared.modules if shared.files else reachable.MODULES
        self._shared = shared
        self.faults: list[tuple[Any, str, str]] = []
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
        # What a `yield` here would be inside of; empty where it may stand.
        self._no_yield = refusals.YIELD_OUTSIDE
        self.matches = False
        """Is there a `match`, of which Python's compiler sees only what was made of it?"""
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
        if self._entry_wanted and not self._full and ENTRY not in self._entries:
            self.error(START, refusals.ENTRY_MISSING, "entry-point")
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
                hints[name] = define(name, known, self.importable) if len(hints) < MAX_HINTS else "define or import it"
            self.error(node, refusals.UNDEFINED.format(name=name[:100], instead=hints[name]), "undefined-name")

    def _check_members(self) -> None:
        """Refuse `math.sqr` where `math` can only be the module: it has no such member, at any login."""
        hints = 0
        for node, (name, *path) in self._members:
            module = self._modules.get(name)
            while module in self.importable and path:
                member = path.pop(0)
                inner = f"{module}.{member}"
                if inner not in self.importable and member not in self.importable[module]:
                    if not path and hints < MAX_HINTS:  # of `re.x.y` only `re.x` is at fault
                        hints += 1
                        explain = self._shared.fault if is_shared(module) else reachable.explain_member
                        self.error(node, explain(module, member), "import")
                    break
                module = inner

    def gen_tmp_name(self) -> str:
        """Answer a name no author can write."""
        self._tmp_idx += 1
        return f"_{self._tmp_idx}_"

    @staticmethod
    def _binding(name: str, value: ast.expr, at: Any) -> ast.stmt:
        target = ast.copy_location(ast.Name(id=name, ctx=STORE), at)
        return ast.copy_location(ast.Assign(targets=[target], value=value), at)

    def error(self, node: Any, info: str, code: str = "unavailable") -> None:
        """Note a fault at a node; its code is one of `sandbox.contract.codes`."""
        self.faults.append((node, info, code))

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a node type."""
        name = type(node).__name__
        at = node if hasattr(node, "lineno") else START
        if name == "AsyncFunctionDef" and node.name in ENTRIES:  # type: ignore[attr-defined]  # it is one, by its name
            self._entries[node.name] = node  # type: ignore[attr-defined]  # it is one, by its name
            self.error(at, refusals.ENTRY_ASYNC.format(name=node.name), "entry-point")  # type: ignore[attr-defined]  # it is one, by its name
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
                self.error(at, refusals.NODES_MAX.format(limit=MAX_NODES), "too-large")
            else:
                self.error(at, refusals.DEPTH_MAX.format(limit=MAX_DEPTH), "too-large")

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
            self.error(node, refusals.ENTRY_REBOUND.format(name=name), "entry-point")

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
                self.error(node, refusals.ENTRY_REBOUND.format(name=name), "entry-point")
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> Any:
        """Allow it: the names belong to an enclosing function of the same action, and are checked like any other."""
        for name in node.names:
            self.check_name(node, name)
        return node
