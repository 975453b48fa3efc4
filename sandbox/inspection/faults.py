"""What of an action cannot work: names, paths, calls, patterns and secrets that no login could use.

Looks at each expression once. Must not know warnings of habit; what the evaluator does not know is accepted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Final

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.surface import CONTINUE, ENTRY
from sandbox.inspection import arguments, comparisons
from sandbox.inspection.evaluate import Evaluator
from sandbox.inspection.scopes import ModuleNames
from sandbox.inspection.values import NodeFinding, Value
from sandbox.reach import environment
from sandbox.reach.facades.pattern_syntax import PatternError

_PATTERNS: Final = frozenset(
    f"re.{name}" for name in ("compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn")
)


class Faults:
    """Finds the faults of one action."""

    def __init__(self, names: ModuleNames, evaluator: Evaluator, secrets: frozenset[str] | None) -> None:
        """Prepare; `secrets` are the names that the tenant gives to this action, None where they are not known."""
        self._names = names
        self._of = evaluator
        self._secrets = secrets
        self._continues = any(handler.name == CONTINUE for handler in names.handlers())
        self._begun = names.reached_from(ENTRY) - names.reached_from(CONTINUE)

    def find(self) -> Iterator[NodeFinding]:
        """Yield every fault, and the warnings about secrets, in no order."""
        for node in self._names.scope_of:
            if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
                self._of.of(node)
            if isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Subscript):
                yield from self._secret_item(node)
            elif isinstance(node, ast.Compare):
                yield from comparisons.no_member(node, self._of.of)
            elif isinstance(node, ast.Name):
                yield from self._outside(node)
        for node, missing in self._of.missing():
            yield _name_of(node), missing.code, missing.message

    def _outside(self, node: ast.Name) -> Iterator[NodeFinding]:
        """A handler's parameter that is used where there is no event yet."""
        scope = self._names.scope_of[node]
        if scope is not self._names.module or scope.lookup(node.id) or not isinstance(node.ctx, ast.Load):
            return
        for handler in self._names.handlers():
            if node.id in [argument.arg for argument in handler.args.args[:2]]:
                message = (
                    f"{node.id!r} is a parameter of {handler.name}, and this code runs before it is called: move it "
                    "into the function"
                )
                yield node, "module-body", message
                return

    def _call(self, node: ast.Call) -> Iterator[NodeFinding]:
        for callee in self._of.of(node.func):
            if callee.call is not None:
                yield from self._of_api(callee, node)
            elif callee.kind == "member" and callee.path in _PATTERNS and node.args:
                yield from self._pattern(node)
            elif callee.kind == "method" and callee.path == "get" and callee.owner is not None:
                yield from self._secret_get(callee.owner, node)

    def _of_api(self, callee: Value, node: ast.Call) -> Iterator[NodeFinding]:
        call: Any = callee.call
        if message := arguments.fault(call, node, self._of.of):
            yield node, "call-arguments", message
        if not self._continues and (message := arguments.needs_continuation(call)):
            yield node, "no-continue", message
        if self._names.function_of(node) in self._begun and (message := arguments.not_continuing(call)):
            yield node, "not-continuing", message

    def _pattern(self, node: ast.Call) -> Iterator[NodeFinding]:
        pattern = arguments.literal(node.args[0], self._of.of)
        if type(pattern) not in (str, bytes):
            return
        given = [word.value for word in node.keywords if word.arg == "flags"]
        position = {"compile": 1, "match": 2, "search": 2, "fullmatch": 2, "findall": 2, "finditer": 2, "split": 3}
        name = next((callee.path.partition(".")[2] for callee in self._of.of(node.func)), "")
        at = position.get(name, 4)
        given += node.args[at : at + 1]
        flags = arguments.literal(given[0], self._of.of) if given else 0
        if not isinstance(flags, int):
            return
        try:
            environment.MODULES["re"].compile(pattern, flags)
        except (PatternError, TypeError, ValueError) as error:
            yield node.args[0], "pattern", f"the pattern cannot be compiled: {error}"

    def _secret_item(self, node: ast.Subscript) -> Iterator[NodeFinding]:
        if not isinstance(node.ctx, ast.Load) or not isinstance(node.slice, ast.Constant):
            return
        if any(value.kind == "secrets" for value in self._of.of(node.value)):
            yield from self._secret(node.slice, node.slice.value, "unknown-secret")

    def _secret_get(self, owner: Value, node: ast.Call) -> Iterator[NodeFinding]:
        path = node.args[0] if node.args else None
        if not isinstance(path, ast.Constant) or type(path.value) is not str:
            return
        if owner.kind == "secrets":
            yield from self._secret(path, path.value, "missing-secret")
        elif owner.kind == "view" and owner.path == "event" and path.value.startswith("secrets."):
            yield from self._secret(path, path.value.removeprefix("secrets."), "missing-secret")

    def _secret(self, node: ast.AST, name: Any, code: str) -> Iterator[NodeFinding]:
        if self._secrets is None or type(name) is not str or name in self._secrets:
            return
        there = f"; there is {', '.join(sorted(self._secrets))}" if self._secrets else "; it gives none"
        hint = did_you_mean(name, self._secrets) or there
        yield node, code, f"tenant.yaml gives this action no secret {name[:64]!r}{hint}"


def _name_of(node: ast.AST) -> ast.AST:
    """Return what to point at: of `a.b.c`, where `c` is missing, the name alone."""
    if isinstance(node, ast.Attribute) and node.end_lineno is not None and node.end_col_offset is not None:
        return ast.Name(
            id=node.attr,
            lineno=node.end_lineno,
            col_offset=node.end_col_offset - len(node.attr.encode()),
            end_lineno=node.end_lineno,
            end_col_offset=node.end_col_offset,
        )
    return node
