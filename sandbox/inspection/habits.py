"""What of an action is probably not meant, though it can run: a value that is dropped, a function that is not called.

Looks at statements. Must not know how a finding is shown, or that it was allowed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Final

from sandbox.contract.call import signature
from sandbox.contract.surface import CONTINUE
from sandbox.contract.vocabulary import PROVIDERS
from sandbox.inspection import comparisons
from sandbox.inspection.evaluate import Evaluator
from sandbox.inspection.scopes import ModuleNames
from sandbox.inspection.values import NodeFinding, Value, Values, present

_FUNCTIONS: Final = ("call", "method", "function")
_EVENT_DATA: Final = ("data", "items", "secrets", "view")
_WRITING: Final = frozenset((
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
))  # fmt: skip
_ENDS: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)
# What a login keeps of an action that denied is its metadata and its session; it has no tokens and asks for nothing.
_LOST_BY_DENIAL: Final = (
    "multifactor", "authentication", "redirect", "prompt", "id_token", "access_token", "saml_response",
)  # fmt: skip
# Who reads one of these has thought of exchanges.
_EXCHANGES: Final = frozenset((
    "protocol", "refresh_token", "refreshToken", "purpose", "grant_type", "can_redirect", "canRedirect",
))  # fmt: skip
_EXCHANGE: Final = "oauth2-refresh-token"


class Habits:
    """Finds the warnings of one action."""

    def __init__(self, names: ModuleNames, evaluator: Evaluator) -> None:
        self._names = names
        self._of = evaluator
        self._handlers = list(names.handlers())

    def find(self) -> Iterator[NodeFinding]:
        """Yield every warning, in no order."""
        for node in self._names.scope_of:
            if isinstance(node, ast.Expr):
                yield from self._unused(node)
            elif isinstance(node, ast.Return):
                yield from self._returned(node)
            elif isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
                yield from self._condition(node.test)
            elif isinstance(node, ast.comprehension):
                for test in node.ifs:
                    yield from self._condition(test)
            elif isinstance(node, ast.Compare):
                yield from self._compared(node)
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
                yield from self._written(node)
            elif isinstance(node, ast.Call):
                yield from self._changed(node)
                yield from comparisons.never_true(node, self._of.of)
            elif isinstance(node, ast.BinOp):
                yield from comparisons.zones(node, [node.left, node.right], self._of.of)
            elif isinstance(node, ast.Global):
                names = ", ".join(node.names)
                yield node, "global", f"`global {names}`: the module is fresh in each login, so nothing is kept in it"
            elif isinstance(node, ast.Raise):
                yield from self._raised(node)
        yield from self._blocks()
        yield from self._exchanges()
        yield from self._never_continued()

    def _unused(self, statement: ast.Expr) -> Iterator[NodeFinding]:
        node = statement.value
        if not _idle(node) or self._names.inside_try(statement, self._names.function_of(statement)):
            return
        for value in self._of.of(node):
            if value.call is not None:
                yield node, "no-effect", f"{value.path} is named and not called: write {signature(value.call)}"
                return
            if value.kind in _FUNCTIONS:
                yield node, "no-effect", "the function is named and not called: write parentheses behind it"
                return
        instead = "write = to assign" if isinstance(node, ast.Compare) else "use it, or leave it out"
        yield node, "no-effect", f"the value of this expression is dropped: {instead}"

    def _returned(self, node: ast.Return) -> Iterator[NodeFinding]:
        function = self._names.function_of(node)
        if function not in self._handlers or node.value is None:
            return
        if isinstance(node.value, ast.Constant) and node.value.value is None:
            return
        if isinstance(node.value, ast.Call):
            # What a call gives may be the api itself, or nothing: `return api.access.deny("no")` is a short way out.
            called = self._of.of(node.value.func)
            if not called or any(value.kind in _FUNCTIONS or value.path == "builtins.print" for value in called):
                return
        yield node, "returned-value", "the value is dropped: an action decides by calls of api alone"

    def _condition(self, test: ast.expr) -> Iterator[NodeFinding]:
        if isinstance(test, ast.BoolOp):
            for value in test.values:
                yield from self._condition(value)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield from self._condition(test.operand)
        elif _functions(self._of.of(test)):
            yield test, "function-as-condition", "a function is always true: write parentheses behind it to call it"

    def _compared(self, node: ast.Compare) -> Iterator[NodeFinding]:
        sides = [node.left, *node.comparators]
        if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            functions = [side for side in sides if _functions(self._of.of(side))]
            if len(functions) == 1:
                message = "a function is compared with a value: write parentheses behind it to call it"
                yield functions[0], "function-as-condition", message
                return
        yield from comparisons.never_equal(node, self._of.of)
        if not any(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn | ast.Eq | ast.NotEq) for op in node.ops):
            yield from comparisons.zones(node, sides, self._of.of)

    def _written(self, node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete) -> Iterator[NodeFinding]:
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript) and (value := self._of_event(target.value)):
                yield target, "event-write", _read_only(value)

    def _of_event(self, node: ast.AST) -> Value | None:
        """Return the data of the event that an expression is inside of."""
        while True:
            found = present(self._of.of(node))
            if found and all(value.kind in _EVENT_DATA for value in found):
                return found[0]
            if not isinstance(node, ast.Subscript):
                return None
            node = node.value

    def _changed(self, node: ast.Call) -> Iterator[NodeFinding]:
        """A method that changes what is nested in the event; of the event itself it does not exist."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _WRITING:
            return
        inner = node.func.value
        if isinstance(inner, ast.Subscript) and (value := self._of_event(inner.value)):
            yield node, "event-write", _read_only(value)

    def _raised(self, node: ast.Raise) -> Iterator[NodeFinding]:
        function = self._names.function_of(node)
        if node.exc is None or function is None or not self._escapes(node, function, set()):
            return
        message = (
            "nothing catches this exception, which is no denial: the binding's on_error decides the login; to refuse "
            "it, call api.access.deny(reason) and return"
        )
        yield node, "raise-to-deny", message

    def _escapes(self, node: ast.AST, function: ast.FunctionDef, seen: set[ast.AST]) -> bool:
        """Does what is raised at a node come out of a handler? Only what is called by name is followed."""
        if self._names.inside_try(node, function):
            return False
        if function in self._handlers:
            return True
        seen.add(function)
        callers = [(call, self._names.function_of(call)) for call in self._names.calls.get(function, ())]
        return any(
            caller is not None and caller not in seen and self._escapes(call, caller, seen) for call, caller in callers
        )

    def _blocks(self) -> Iterator[NodeFinding]:
        for node in (*self._names.scope_of, self._names.module.node):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list):
                    yield from self._block(block)

    def _block(self, block: list[Any]) -> Iterator[NodeFinding]:
        denied = enabled = ""
        for at, statement in enumerate(block):
            if at and isinstance(block[at - 1], _ENDS):
                word = type(block[at - 1]).__name__.lower()
                yield statement, "unreachable", f"no login reaches this line: the statement before it is `{word}`"
                return
            if denied:
                yield from self._after_denial(statement, denied)
            if enabled:
                yield from self._after_enable(statement, enabled)
            for value in self._of.of(statement.value.func) if _is_call(statement) else ():
                if value.call is not None and value.call.ends == "deny":
                    denied = value.path
                elif value.call is not None and value.call.op == "multifactor.enable":
                    enabled = value.path

    def _after_denial(self, statement: ast.stmt, denied: str) -> Iterator[NodeFinding]:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                for value in self._of.of(node.func):
                    if value.call is not None and not value.call.answer and value.call.group in _LOST_BY_DENIAL:
                        message = f"the login is refused by then: {denied} is final, so this call changes nothing"
                        yield node, "unreachable", message

    def _after_enable(self, statement: ast.stmt, enabled: str) -> Iterator[NodeFinding]:
        for node in ast.walk(statement):
            read = isinstance(node, ast.Attribute | ast.Call)
            if read and any(value.path == "event.authentication.methods" for value in self._of.of(node)):
                message = (
                    f"{enabled} asks when all actions have run, so the methods do not have its result here: use "
                    "api.authentication.challenge_with, and read them in a later action"
                )
                yield node, "not-resumed", message
                return

    def _exchanges(self) -> Iterator[NodeFinding]:
        if not self._handlers:
            return
        for node in self._names.scope_of:
            name = node.attr if isinstance(node, ast.Attribute) else None
            text = node.value if isinstance(node, ast.Constant) and type(node.value) is str else ""
            if name in _EXCHANGES or _EXCHANGES.intersection(text.split(".")) or text == _EXCHANGE:
                return
        for node in self._names.scope_of:
            if isinstance(node, ast.Call) and self._asks(node):
                message = (
                    "a second factor is asked for in refresh token exchanges too, where no user can answer: return "
                    f"first when event.get('transaction.protocol') is {_EXCHANGE!r}"
                )
                yield node, "mfa-on-refresh", message
                return

    def _asks(self, node: ast.Call) -> bool:
        if "multifactor.enable" not in [value.call.op for value in self._of.of(node.func) if value.call is not None]:
            return False
        given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "provider")]
        if given and isinstance(given[0], ast.Constant):
            return given[0].value in PROVIDERS and given[0].value != "none"
        return True

    def _never_continued(self) -> Iterator[NodeFinding]:
        again = [handler for handler in self._handlers if handler.name == CONTINUE]
        if not again:
            return
        for node in self._names.scope_of:
            if isinstance(node, ast.Attribute) and any(
                value.call is not None and value.call.page for value in self._of.of(node)
            ):
                return
        message = (
            f"{CONTINUE} never runs: it is called when the user is back from api.redirect.send_user_to or "
            "api.prompt.render, and this action has neither; after api.multifactor.enable nothing is called again"
        )
        yield again[0], "not-resumed", message


def _functions(found: Values) -> bool:
    return bool(found) and all(value.kind in _FUNCTIONS for value in found)


def _read_only(value: Value) -> str:
    """Say what a login would say."""
    said = getattr(value.sample, "_read_only_", "")
    return said if said.startswith(value.path) else f"{value.path} is read-only: record the change by a call of api"


def _is_call(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def _idle(node: ast.expr) -> bool:
    """Tell whether to evaluate an expression does nothing."""
    if isinstance(node, ast.Constant):
        return type(node.value) is not str and node.value is not ...
    acts = ast.Call | ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr
    return not any(isinstance(part, acts) for part in ast.walk(node))
