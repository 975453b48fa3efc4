"""Classes of Python's that an action calls through a check, and otherwise uses as the class: `isinstance`, its methods.

Knows what of a class is open and what is checked. Must not know what a check is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sandbox.reach import builtin_types, registry
from sandbox.reach.receivers import of_exactly


class StandIn(type):
    """A builtin class that must not be called as it is: called through a check, the class itself for `isinstance`."""

    _real_: type
    _kinds_: tuple[type, ...]
    _make_: Callable[..., Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._make_(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls._kinds_)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or issubclass(subclass, cls._kinds_)

    def __repr__(cls) -> str:
        return repr(cls._real_)


STAND_INS: Final[dict[type, type]] = {}
"""Class -> what an action has in its place."""


def stand_in(real: type, make: Callable[..., Any], *others: type, **more: Callable[..., Any]) -> type:
    """Make what stands in for `real`.

    Args:
        real: a class whose names are registered.
        make: what is called in its place.
        others: what else it makes.
        more: methods of the class that are checked.
    """
    checked = builtin_types.CHECKED_METHODS.get(real, {})
    plain = builtin_types.INSTANCE_NAMES.get(real, registry.NOTHING) | registry.CLASS_ATTRS.get(real, registry.NOTHING)
    body: dict[str, Any] = {"_real_": real, "_kinds_": (real, *others), "_make_": staticmethod(make), "__slots__": ()}
    methods = {name: getattr(real, name) for name in plain} | checked
    if issubclass(real, dict):
        methods = {name: of_exactly(real, name, method) for name, method in methods.items()}
    methods |= more
    body |= {name: staticmethod(method) if callable(method) else method for name, method in methods.items()}
    cls = StandIn(real.__name__, (), body)
    registry.expose_class(cls, frozenset(methods))
    for kind in (real, *others):
        STAND_INS[kind] = cls
    return cls
