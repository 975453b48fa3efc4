"""The language of actions: refuses what is unsafe, rewrites the rest so that every access goes through a guard.

Knows Python's statements, the entry point and how a run is interrupted. Must not know values, modules or builtins.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from sandbox.language import refusals
from sandbox.language.declarations import Declarations
from sandbox.language.nodes import (
    ALLOWED,
    INPLACE,
    LEAVES,
    LOAD,
    STORE,
    caught_statement,
    constant,
    guard_call,
    is_number,
    is_pattern,
    passing_handler,
    unpack_spec,
    unreviewed,
)
from sandbox.language.refusals import ENTRIES

Visitor = Callable[[Any, Any], Any]


class Statements(Declarations):
    """Rules for statements; with the rules of `Declarations`, the language of actions."""

    # Assignments

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Guard unpacking; the value is evaluated once however many targets there are."""
        self.node_contents_visit(node)
        patterns = [target for target in node.targets if is_pattern(target)]
        if not patterns:
            return node
        specs = [unpack_spec(target) for target in patterns]
        if not any(specs):
            node.value = guard_call("_getiter_", [node.value], node.value)
            return node
        if len(node.targets) == 1:
            node.value = guard_call("_unpack_sequence_", [node.value, constant(specs[0], node)], node.value)
            return node
        return self._assign_one_by_one(node)

    def _assign_one_by_one(self, node: ast.Assign) -> list[ast.stmt]:
        """Split `a = (b, (c, d)) = value`, left to right as Python does."""
        name = self.gen_tmp_name()
        keep = ast.Assign(targets=[ast.copy_location(ast.Name(id=name, ctx=STORE), node)], value=node.value)
        statements: list[ast.stmt] = [ast.copy_location(keep, node)]
        for target in node.targets:
            value: ast.expr = ast.copy_location(ast.Name(id=name, ctx=LOAD), node)
            if is_pattern(target):
                spec = unpack_spec(target) or (0, True, ())
                value = guard_call("_unpack_sequence_", [value, constant(spec, node)], node)
            statements.append(ast.copy_location(ast.Assign(targets=[target], value=value), node))
        return statements

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """Drop the annotation without evaluating it."""
        if node.value is None:
            if type(node.target) is ast.Name:
                self._bind(node.target, node.target.id)
                # Kept, for inside a function it makes the name a local one. None in place of the annotation: at
                # module level it would be evaluated.
                node.annotation = constant(None, node)
                return node
            self.visit(node.target)
            return ast.copy_location(ast.Pass(), node)
        plain = ast.Assign(targets=[node.target], value=node.value)
        return self.visit_Assign(ast.copy_location(plain, node))

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """Guard the object that is written to, and the operators that format a text or make a set."""
        node.target = self.visit(node.target)
        node.value = self.visit(node.value)
        operator = INPLACE.get(type(node.op))
        if operator is None or (type(node.op) is not ast.Mod and is_number(node.value)):
            if type(node.op) not in LEAVES:
                self.error(node, refusals.NODES["MatMult"])
            return node
        target: Any = node.target
        if type(target) is ast.Name:
            old = ast.copy_location(ast.Name(id=target.id, ctx=LOAD), target)
            return self._augmented(target, old, operator, node)
        # As in Python: object and key once, the old value, then the right side. `target.value` is `_write_(x)` by now.
        owner, key = self.gen_tmp_name(), self.gen_tmp_name()
        first = [self._binding(owner, target.value, node)]
        read: ast.expr = ast.copy_location(ast.Name(id=owner, ctx=LOAD), node)
        target.value = guard_call("_write_", [read], node)
        if type(target) is ast.Attribute:
            read = guard_call("_getattr_", [read, constant(target.attr, node)], node)
        else:
            if type(target.slice) is ast.Slice:
                parts = (target.slice.lower, target.slice.upper, target.slice.step)
                target.slice = guard_call("_slice_", [part or constant(None, node) for part in parts], node)
            first.append(self._binding(key, target.slice, node))
            target.slice = ast.copy_location(ast.Name(id=key, ctx=LOAD), node)
            read = guard_call("_getitem_", [read, target.slice], node)
        return [*first, self._augmented(target, read, operator, node)]

    @staticmethod
    def _augmented(target: ast.expr, old: ast.expr, operator: str, node: ast.AugAssign) -> ast.stmt:
        value = guard_call("_inplace_", [constant(operator, node), old, node.value], node)
        return ast.copy_location(ast.Assign(targets=[target], value=value), node)

    # Control flow

    def visit_For(self, node: ast.For) -> Any:
        """Guard the source of a loop."""
        node.target = self.visit(node.target)
        node.iter = self.visit(node.iter)
        node.type_comment = None
        self._visit_loop(node)
        return self._guard_source(node)

    def visit_While(self, node: ast.While) -> Any:
        """Allow it; the alarm ends it."""
        node.test = self.visit(node.test)
        self._visit_loop(node)
        return node

    def _visit_loop(self, node: Any) -> None:
        if self._final_loops is not None:
            self._final_loops += 1
        node.body = self._visit_all(node.body)
        if self._final_loops is not None:
            self._final_loops -= 1
        node.orelse = self._visit_all(node.orelse)

    def visit_Return(self, node: ast.Return) -> Any:
        """Refuse it where it would swallow an exception."""
        if self._final_loops is not None:
            self.error(node, refusals.FINALLY_EXIT.format(statement="return"))
        return self.node_contents_visit(node)

    def visit_Break(self, node: ast.Break) -> Any:
        """Refuse it where it would swallow an exception."""
        if self._final_loops == 0:
            self.error(node, refusals.FINALLY_EXIT.format(statement="break"))
        return node

    def visit_Continue(self, node: ast.Continue) -> Any:
        """Refuse it where it would swallow an exception."""
        if self._final_loops == 0:
            self.error(node, refusals.FINALLY_EXIT.format(statement="continue"))
        return node

    def visit_Try(self, node: ast.Try) -> Any:
        """Let an interrupt through every handler and every `finally` block."""
        no_yield = self._no_yield
        if node.finalbody:
            self._no_yield = no_yield or refusals.YIELD_FINALLY
        for handler in node.handlers[:-1]:
            if handler.type is None:
                self.error(handler, refusals.BARE_EXCEPT)
        passing = [passing_handler(node.handlers[0])] if any(handler.type for handler in node.handlers) else []
        self._tries += 1
        node.body = self._visit_all(node.body)
        self._tries -= 1
        node.handlers = [*passing, *self._visit_all(node.handlers)]
        node.orelse = self._visit_all(node.orelse)
        if node.finalbody:
            first = node.finalbody[0]
            outer, self._final_loops = self._final_loops, 0
            node.finalbody = [caught_statement(first), *self._visit_all(node.finalbody)]
            self._final_loops = outer
        self._no_yield = no_yield
        return node

    def visit_With(self, node: ast.With) -> Any:
        """Allow it with what the environment made for it: nothing of the action runs as the block is left."""
        no_yield = self._no_yield
        for item in node.items:
            item.context_expr = guard_call("_with_", [self.visit(item.context_expr)], item.context_expr)
            if item.optional_vars is not None:
                if type(item.optional_vars) is not ast.Name:
                    self.error(item.optional_vars, refusals.WITH_TARGET)
                item.optional_vars = self.visit(item.optional_vars)
            self._no_yield = no_yield or refusals.YIELD_WITH  # the next item stands inside of this one
        node.type_comment = None
        node.body = self._visit_all(node.body)
        self._no_yield = no_yield
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        """Guard the type, and raise an interrupt again before anything else."""
        if node.type is None:
            node.type = guard_call("_any_exception_", [], node)
        else:
            members = node.type.elts if type(node.type) is ast.Tuple else [node.type]
            for member in members:
                self._check_exception_name(member)
            # First what ends a run: reading the names can fail, which handlers further out would hold.
            first = guard_call("_caught_", [], node.type)
            node.type = guard_call("_exception_type_", [first, self.visit(node.type)], node.type)
        if node.name is not None:
            self._bind(node, node.name)
        node.body = [caught_statement(node), *self._visit_all(node.body)]
        return node

    def _check_exception_name(self, node: ast.AST) -> None:
        while isinstance(node, ast.Attribute):
            node = node.value
        if not isinstance(node, ast.Name):
            self.error(node, refusals.EXCEPT_TYPE)

    def visit_Raise(self, node: ast.Raise) -> Any:
        """Guard what is raised."""
        self.node_contents_visit(node)
        if node.exc is not None:
            node.exc = guard_call("_raise_", [node.exc], node.exc)
        if node.cause is not None:
            node.cause = guard_call("_cause_", [node.cause], node.cause)
        return node

    # Functions

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Allow plain functions and decorators of helpers; annotations are dropped."""
        node.decorator_list = self._visit_all(node.decorator_list)
        if node.name in ENTRIES:
            self._check_entry(node)
            for decorator in node.decorator_list:
                self.error(decorator, refusals.DECORATOR.format(name=node.name))
        else:
            self._bind(node, node.name)
            python = refusals.JAVASCRIPT_ENTRIES.get(node.name)
            if python is not None and node in self._top:
                self.error(node, refusals.ENTRY_JAVASCRIPT.format(name=node.name, python=python), "entry-point")
                self._entries.setdefault(python, node)  # not reported as missing on top of it
        for parameter in getattr(node, "type_params", ()):
            self.error(parameter, refusals.TYPE_PARAMETERS)
        self.visit_arguments(node.args)
        node.returns = None
        node.type_comment = None
        outer, self._final_loops = self._final_loops, None
        tries, self._tries = self._tries, 0
        no_yield, self._no_yield = self._no_yield, ""
        parameters = self._parameters
        if node.name in ENTRIES:
            self._parameters = [argument.arg for argument in node.args.posonlyargs + node.args.args]
            self._no_yield = refusals.YIELD_ENTRY.format(name=node.name)
        node.body = self._visit_all(node.body)
        self._final_loops, self._tries, self._parameters, self._no_yield = outer, tries, parameters, no_yield
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        """Check a parameter's name and drop its annotation."""
        self._bind(node, node.arg)
        node.annotation = None
        node.type_comment = None
        return node

    def _check_entry(self, node: ast.FunctionDef) -> None:
        name = node.name
        args = node.args
        if node not in self._top:
            self.error(node, refusals.ENTRY_NESTED.format(name=name), "entry-point")
        elif name in self._entries and self._entries[name].name == name:
            self.error(node, refusals.ENTRY_TWICE.format(name=name), "entry-point")
        self._entries[name] = node
        self._bound.add(name)
        extra = args.vararg or args.kwarg or args.kwonlyargs or args.defaults
        if len(args.posonlyargs) + len(args.args) != 2 or extra:
            self.error(node, refusals.ENTRY_PARAMETERS.format(name=name), "entry-point")

    # Imports

    def visit_Import(self, node: ast.Import) -> Any:
        """Bind facades by the import guard, never by the interpreter's own import."""
        statements: list[ast.stmt] = []
        for alias in node.names:
            self._check_import(node, alias.name, None)
            top, _, rest = alias.name.partition(".")
            if rest and alias.asname is None:
                check = guard_call("_import_", [constant(alias.name, node)], node)
                statements.append(ast.copy_location(ast.Expr(value=check), node))
            self._bind(alias, alias.asname or top, alias.name if alias.asname else top)
            source = constant(alias.name if alias.asname else top, node)
            statements.append(self._binding(alias.asname or top, guard_call("_import_", [source], node), node))
        return statements

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """Read the members through the guards: the interpreter would look for missing ones in sys.modules."""
        if node.module == "__future__":
            for alias in node.names:
                if alias.name != "annotations":
                    self.error(alias, refusals.FUTURE_IMPORT.format(name=alias.name))
            return ast.copy_location(ast.Pass(), node)
        if node.level or node.module is None:
            self.error(node, refusals.RELATIVE_IMPORT)
            return node
        statements: list[ast.stmt] = []
        for alias in node.names:
            if alias.name == "*":
                self.error(node, refusals.STAR_IMPORT)
                continue
            self._check_import(alias, node.module, alias.name)
            inner = f"{node.module}.{alias.name}"
            self._bind(alias, alias.asname or alias.name, inner if inner in self.importable else None)
            args: list[Any] = [constant(node.module, node), constant(alias.name, node)]
            statements.append(self._binding(alias.asname or alias.name, guard_call("_import_from_", args, node), node))
        return statements

    def _check_import(self, node: Any, module: str, member: str | None) -> None:
        private = [part for part in [*module.split("."), member or ""] if part[:1] == "_"]
        if private:
            self.error(node, refusals.PRIVATE_IMPORT.format(name=private[0]))
        elif not self._tries:
            self.imports.append((node, module, member))


def refuse_fields(visitor: Visitor, fields: tuple[str, ...]) -> Visitor:
    """Make a visitor that refuses nodes in which one of these fields says anything."""

    def visit(policy: Any, node: Any) -> Any:
        for field in fields:
            if getattr(node, field, None):
                policy.error(node, refusals.UNKNOWN_NODE.format(name=f"{type(node).__name__} {field}"))
        return visitor(policy, node)

    return visit


Statements.visitors = {kind: getattr(Statements, f"visit_{kind.__name__}") for kind in ALLOWED}
# RestrictedPython lets these through by visiting their contents, one frame of the stack and one lookup dearer.
for _kind in (
    ast.Expr, ast.BoolOp, ast.UnaryOp, ast.IfExp, ast.keyword, ast.List, ast.Tuple, ast.ListComp,
    ast.GeneratorExp, ast.JoinedStr, ast.Slice, ast.If, ast.Assert,
    ast.Delete, ast.NamedExpr, ast.arguments, ast.Module,
):  # fmt: skip
    Statements.visitors[_kind] = Statements.node_contents_visit
for _node in ALLOWED:
    if unreviewed(_node):
        Statements.visitors[_node] = refuse_fields(Statements.visitors[_node], unreviewed(_node))
