"""Says what each expression of an action can be, and what no login could find there.

Nothing is run: values are those of `values`. Must not know warnings. What is not known is never wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from sandbox.contract.surface import CONTINUE, ENTRY
from sandbox.inspection import times, values
from sandbox.inspection.scopes import ModuleNames, NameBinding, NameScope
from sandbox.inspection.values import NONE, UNKNOWN, NeverThere, Value, Values, constant, union
from sandbox.reach import environment

# Names lead to expressions and these to names; what goes deeper is not followed.
_DEPTH_MAX: Final = 60
_LISTING: Final = ("list", "tuple", "sorted", "reversed", "set", "frozenset", "iter")
_TEXT_METHODS: Final = frozenset((
    "capitalize", "casefold", "center", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip", "strip",
    "title", "upper",
))  # fmt: skip
_BOOL_METHODS: Final = frozenset((
    "endswith", "isalnum", "isalpha", "isdigit", "islower", "isspace", "isupper", "startswith",
))  # fmt: skip


class Evaluator:
    """What the expressions of one action can be; each is looked at once."""

    def __init__(self, names: ModuleNames) -> None:
        self.names = names
        self._event = values.event()
        self._api = values.api_of(self._event.sample)
        self._known: dict[ast.AST, Values] = {}
        self._open: set[Any] = set()
        self._missing: list[tuple[ast.AST, NeverThere]] = []

    def missing(self) -> list[tuple[ast.AST, NeverThere]]:
        """Return what was looked for so far and is never there."""
        return self._missing

    def of(self, node: ast.AST | None) -> Values:
        """Return what an expression can be."""
        if node is None:
            return (NONE,)
        known = self._known.get(node)
        if known is not None:
            return known
        if node in self._open or len(self._open) > _DEPTH_MAX:
            return UNKNOWN
        self._open.add(node)
        try:
            method = _METHODS.get(type(node))
            found = method(self, node) if method is not None else UNKNOWN
        except NeverThere as missing:
            self._missing.append((node, missing))
            found = UNKNOWN
        finally:
            self._open.discard(node)
        if len(self._open) < _DEPTH_MAX // 2:
            # Deeper down an answer may be unknown only because it was not looked for.
            self._known[node] = found
        return found

    def _constant(self, node: ast.Constant) -> Values:
        return (constant(node.value),)

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> Values:
        sample: Any = {ast.List: [], ast.Tuple: (), ast.Set: set()}[type(node)]
        items: Values = union(*[self.of(item) for item in node.elts]) if node.elts else UNKNOWN
        return (Value("other" if node.elts else "constant", sample, item=items),)

    def _dict(self, _node: ast.Dict | ast.DictComp) -> Values:
        return (Value("other", {}),)

    def _comprehension(self, node: ast.ListComp | ast.SetComp) -> Values:
        return (Value("other", [] if isinstance(node, ast.ListComp) else set(), item=self.of(node.elt)),)

    def _text(self, _node: ast.JoinedStr) -> Values:
        return (Value("other", ""),)

    def _name(self, node: ast.Name) -> Values:
        scope = self.names.scope_of.get(node)
        bindings = scope.lookup(node.id) if scope is not None else []
        if not bindings:
            found = environment.BUILTINS.get(node.id)
            return (Value("member", found, f"builtins.{node.id}"),) if found is not None else UNKNOWN
        return union(*[self.bound(binding) for binding in bindings])

    def bound(self, binding: NameBinding) -> Values:
        """Return what a binding can give its name."""
        if binding.how == "assigned":
            return self.of(binding.node)
        if binding.how == "item":
            return self.items(binding.node)
        if binding.how == "defined":
            return (Value("function", len, binding.node.name, node=binding.node),)
        if binding.how == "module":
            facade = environment.MODULES.get(binding.node)
            return (Value("module", facade, binding.node),) if facade is not None else UNKNOWN
        if binding.how == "member":
            module, _, name = binding.node.rpartition(".")
            if module in environment.MODULES and hasattr(environment.MODULES[module], name):
                return (Value("member", getattr(environment.MODULES[module], name), binding.node),)
            return UNKNOWN
        if binding.how == "parameter":
            return self._parameter(binding.node, binding.scope)
        return UNKNOWN

    def _parameter(self, parameter: ast.arg, scope: NameScope) -> Values:
        function = scope.node
        if not isinstance(function, ast.FunctionDef):
            return UNKNOWN
        plain = [*function.args.posonlyargs, *function.args.args]
        if function.name in (ENTRY, CONTINUE) and scope.parent is self.names.module:
            if parameter in plain[:2]:
                return (self._event if plain.index(parameter) == 0 else self._api,)
            return UNKNOWN
        annotated = self._annotated(parameter)
        if annotated:
            return annotated
        calls = self.names.calls.get(function, [])
        if not calls or function in self.names.elsewhere or parameter in self._open:
            return UNKNOWN
        self._open.add(parameter)
        try:
            return union(*[self._argument(parameter, function, plain, call) for call in calls])
        finally:
            self._open.discard(parameter)

    def _annotated(self, parameter: ast.arg) -> Values:
        if isinstance(parameter.annotation, ast.Name):
            for value in self.of(parameter.annotation):
                if value.path == "vestibule_actions.Event":
                    return (self._event,)
                if value.path == "vestibule_actions.Api":
                    return (self._api,)
        return UNKNOWN

    def _argument(self, parameter: ast.arg, function: ast.FunctionDef, plain: list[ast.arg], call: ast.Call) -> Values:
        for keyword in call.keywords:
            if keyword.arg == parameter.arg:
                return self.of(keyword.value)
        if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
            return UNKNOWN
        if parameter in plain:
            position = plain.index(parameter)
            if position < len(call.args):
                return self.of(call.args[position])
            defaults = function.args.defaults
            if position >= len(plain) - len(defaults):
                return self.of(defaults[position - len(plain) + len(defaults)])
        elif parameter in function.args.kwonlyargs:
            default = function.args.kw_defaults[function.args.kwonlyargs.index(parameter)]
            return self.of(default) if default is not None else UNKNOWN
        return UNKNOWN

    def items(self, node: ast.AST) -> Values:
        """Return what iteration over an expression gives."""
        found = values.present(self.of(node))
        filled = [value.item for value in found if not _is_empty(value)]
        return union(*filled) if found else UNKNOWN

    def _attribute(self, node: ast.Attribute) -> Values:
        found = values.present(self.of(node.value))
        return each(found, lambda value: times.attribute(value, node.attr) or values.attribute(value, node.attr))

    def _subscript(self, node: ast.Subscript) -> Values:
        found = values.present(self.of(node.value))
        if isinstance(node.slice, ast.Slice):
            return union(*[times.sliced(value, node.slice) for value in found])
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(node.slice, ast.UnaryOp):
            key = 0  # the last items are as the first
        if key is None or type(key) not in (str, int):
            return UNKNOWN
        return each(found, lambda value: values.subscript(value, key))

    def _call(self, node: ast.Call) -> Values:
        return union(*[self._called(callee, node) for callee in self.of(node.func)])

    def _called(self, callee: Value, node: ast.Call) -> Values:
        if callee.kind == "call" and callee.call is not None:
            return (self._api,) if callee.call.answer is None else UNKNOWN
        if callee.kind == "function":
            return self._returned(callee.node)
        if callee.kind == "method" and callee.owner is not None:
            return self._of_method(callee, callee.owner, node)
        if callee.kind == "member":
            if callee.path.removeprefix("builtins.") in _LISTING and len(node.args) == 1:
                return (Value("other", [], item=self.items(node.args[0])),)
            if callee.path in ("builtins.getattr", "builtins.hasattr") and len(node.args) > 1:
                return self._by_name(node)
            return times.called(callee, node, self.of)
        return UNKNOWN

    def _of_method(self, callee: Value, owner: Value, node: ast.Call) -> Values:
        if owner.kind == "view" and callee.path == "get" and node.args:
            path = node.args[0]
            default = self.of(node.args[1]) if len(node.args) > 1 else (NONE,)
            for keyword in node.keywords:
                default = self.of(keyword.value) if keyword.arg == "default" else UNKNOWN
            if isinstance(path, ast.Constant) and type(path.value) is str:
                return values.path_of(owner, path.value, default)
            return UNKNOWN
        if type(owner.sample) is str and owner.kind != "view":
            if callee.path in _TEXT_METHODS:
                return (Value("other", "", path=owner.path, zoned=times.text_zone(owner, callee.path, node)),)
            if callee.path in _BOOL_METHODS:
                return (Value("other", False),)
        return times.of_method(callee, owner, node, self.of)

    def _by_name(self, node: ast.Call) -> Values:
        name = node.args[1]
        if not (isinstance(name, ast.Constant) and type(name.value) is str):
            return UNKNOWN
        text = name.value
        found = values.present(self.of(node.args[0]))
        if all(value.kind in ("view", "api", "group") for value in found):
            found = each(found, lambda value: values.attribute(value, text))
            return found if len(node.args) == 2 else union(found, self.of(node.args[2]))
        return UNKNOWN

    def _returned(self, function: ast.FunctionDef) -> Values:
        if function in self._open:
            return UNKNOWN
        self._open.add(function)
        try:
            found: list[Values] = []
            for node in ast.walk(function):
                if isinstance(node, ast.Yield | ast.YieldFrom):
                    return UNKNOWN
                if isinstance(node, ast.Return) and self.names.function_of(node) is function:
                    found.append(self.of(node.value))
            return union((NONE,), *found)
        finally:
            self._open.discard(function)

    def _either(self, node: ast.BoolOp) -> Values:
        return union(*[self.of(value) for value in node.values])

    def _if(self, node: ast.IfExp) -> Values:
        return union(self.of(node.body), self.of(node.orelse))

    def _named(self, node: ast.NamedExpr) -> Values:
        return self.of(node.value)

    def _operation(self, node: ast.BinOp) -> Values:
        return times.operation(node, self.of)

    def _truth(self, node: ast.Compare | ast.UnaryOp) -> Values:
        return (Value("other", False),) if isinstance(node, ast.Compare) or isinstance(node.op, ast.Not) else UNKNOWN


def _is_empty(value: Value) -> bool:
    return value.kind == "constant" and type(value.sample) in (tuple, list, set, dict, str) and not value.sample


def each(found: Values, step: Callable[[Value], Values]) -> Values:
    """Take a step from each possibility. Raises: NeverThere, when none of them allows it."""
    steps: list[Values] = []
    first: NeverThere | None = None
    for value in found:
        try:
            steps.append(step(value))
        except NeverThere as missing:
            first = first or missing
    if first is not None and not steps:
        raise first
    return union(*steps)


_METHODS: Final[dict[type, Callable[[Evaluator, Any], Values]]] = {
    ast.Constant: Evaluator._constant,
    ast.List: Evaluator._display,
    ast.Tuple: Evaluator._display,
    ast.Set: Evaluator._display,
    ast.Dict: Evaluator._dict,
    ast.DictComp: Evaluator._dict,
    ast.ListComp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.GeneratorExp: lambda self, node: (Value("other", iter(()), item=self.of(node.elt)),),
    ast.JoinedStr: Evaluator._text,
    ast.Name: Evaluator._name,
    ast.Attribute: Evaluator._attribute,
    ast.Subscript: Evaluator._subscript,
    ast.Call: Evaluator._call,
    ast.BoolOp: Evaluator._either,
    ast.IfExp: Evaluator._if,
    ast.NamedExpr: Evaluator._named,
    ast.BinOp: Evaluator._operation,
    ast.Compare: Evaluator._truth,
    ast.UnaryOp: Evaluator._truth,
}
