"""`contextlib`: what may stand after `with`, besides `decimal.localcontext`.

Knows how a block is left, and that an interrupt must get out of it. Runs nothing of the action as it is left.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sandbox.reach import guards, interrupts
from sandbox.reach.facades.base import Module, module


class Manager:
    """The base of all that may stand after `with`."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset()
    _manager_: ClassVar[bool] = True

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool | None:
        return None


class Suppress(Manager):
    """`contextlib.suppress`: the errors that it names end the block, and go no further."""

    __slots__ = ("_kinds",)

    def __init__(self, *exceptions: Any) -> None:
        self._kinds = tuple([guards.guarded_exception_type(None, kind) for kind in exceptions])

    def __enter__(self) -> None:
        """Answer nothing, as Python's does."""

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        if kind is None:
            return False
        interrupts.caught()
        return issubclass(kind, self._kinds)

    def __repr__(self) -> str:
        return "<contextlib.suppress object>"


class NullContext(Manager):
    """`contextlib.nullcontext`: a block like any other."""

    __slots__ = ("_value",)

    def __init__(self, enter_result: Any = None) -> None:
        self._value = enter_result

    def __enter__(self) -> Any:
        return self._value

    def __repr__(self) -> str:
        return "<contextlib.nullcontext object>"


Suppress.__name__ = Suppress.__qualname__ = "suppress"
NullContext.__name__ = NullContext.__qualname__ = "nullcontext"


def modules() -> dict[str, Module]:
    """Build the facade of this file."""
    return {"contextlib": module("contextlib", {"nullcontext": NullContext, "suppress": Suppress})}
