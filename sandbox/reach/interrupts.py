"""How a run is ended from outside so that nothing in tenant code can keep it going.

Knows the exceptions that end a run and whether one is under way. Must not know signals, clocks or budgets.

Three facts hold together. Both exceptions derive from `BaseException`, which tenant code can neither name nor catch.
Every `except` and `finally` block of tenant code starts with `caught()`, so no tenant statement runs once an
interrupt is noted, even where a block replaced the exception by one of its own. And the alarm rings again until the
code is out, for the interrupt that a C function swallowed.
"""

from __future__ import annotations

import sys
from typing import Final


class Interrupted(BaseException):
    """The time budget of the running action is used up."""

    # Set in __new__'s C code path only: an alarm handler near the recursion limit has no frame to spare for __init__.
    @property
    def line(self) -> int:
        """Line of the tenant's source at which it stood, 0 if unknown."""
        return int(self.args[0]) if self.args else 0

    @property
    def file(self) -> str:
        """File that the line is in; empty if unknown."""
        return str(self.args[1]) if self.args else ""


class LimitExceeded(BaseException):
    """A capped resource of the running action is used up; interrupts the run from the moment it is made."""

    def __init__(self, limit: str, message: str) -> None:
        """Note the interrupt.

        Args:
            limit: which resource, one word in lower case, such as `output`.
            message: what to tell the author.
        """
        super().__init__(limit, message)
        self.limit = limit
        self.message = message
        self.error_type = f"{limit.capitalize()}LimitExceeded"
        interrupt(self)


class InterruptState:
    """Whether the run is being ended; one per process, since a worker runs one action at a time."""

    __slots__ = ("interrupted",)

    interrupted: BaseException | None

    def __init__(self) -> None:
        self.interrupted = None


STATE = InterruptState()


def interrupt(reason: BaseException) -> None:
    """Note why the run ends; the first reason stands. The caller raises it."""
    if STATE.interrupted is None:
        STATE.interrupted = reason


def reset() -> None:
    """Forget an interrupt, before and after a run."""
    STATE.interrupted = None


def caught() -> None:
    """Continue an interrupt that is under way: the first statement of every `except` and `finally` block.

    Where the memory ends is not the action's to see, for it depends on what earlier logins did with it: an execution
    that has run out of memory ends.
    """
    if STATE.interrupted is not None:
        raise STATE.interrupted
    error = sys.exception()
    # A SystemError is what is left of a MemoryError that C code of the interpreter lost. The library may have raised
    # another one while it handled it.
    if isinstance(error, _OUT_OF_MEMORY) or isinstance(getattr(error, "__context__", None), _OUT_OF_MEMORY):
        raise LimitExceeded("memory", "the action used up its memory limit")
    if isinstance(error, ValueError) and _of_openssl(error):
        raise LimitExceeded("memory", "the action used up its memory limit")


_OUT_OF_MEMORY: Final = (MemoryError, SystemError)


def _of_openssl(error: ValueError) -> bool:
    """Tell whether OpenSSL failed: it finds no memory, for it is never asked for a digest that it does not know."""
    text = error.args[0] if error.args else None
    return type(text) is str and (text.startswith("[digital envelope routines") or text in _NO_REASON)


_NO_REASON: Final = frozenset({"no reason supplied", "unknown reasons"})
