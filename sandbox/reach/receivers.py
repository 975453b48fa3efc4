"""Holds methods that are written in Python to receivers of their own class, as C holds its methods.

`Counter.copy(int)` is `int.__class__(int)`, which is `type` itself, and with it classes whose methods are not reviewed.
The methods of a dict take an OrderedDict, and leave the order behind that it keeps beside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def of_exactly(real: type, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Answer the method for instances of `real` and nothing else."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if not args or type(args[0]) is not real:
            given = type(args[0]).__name__ if args else "nothing"
            raise TypeError(f"{real.__name__}.{name} needs a {real.__name__} first, not {given}")
        return method(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call
