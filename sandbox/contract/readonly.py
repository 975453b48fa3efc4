"""What objects handed to an action have in common: read-only, no address in repr or hash, a hint for a misspelt name.

Knows names only. Must not know calls or events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sandbox.contract.did_you_mean import did_you_mean


class ReadOnly:
    """An object whose attributes are those that `_exposed_` lists."""

    __slots__ = ()
    _exposed_: ClassVar[frozenset[str]] = frozenset()
    _path_: ClassVar[str] = ""
    _read_only_: ClassVar[str] = "it is read-only"

    # The default hash is the address, which differs between two runs of the same execution.
    __hash__: ClassVar[None]  # type: ignore[assignment]  # object's is a method

    def __repr__(self) -> str:
        return f"<{self._path_}>"

    if TYPE_CHECKING:
        # Subclasses are given their members from tables, which a checker does not see.
        def __getattr__(self, name: str) -> Any: ...

    def _absent_(self, name: str) -> NoReturn:
        """Say that there is no such attribute. Not `__getattr__`, which makes each one that there is slow to read."""
        raise AttributeError(f"{self._path_} has no attribute '{name[:64]}'{did_you_mean(name, self._exposed_)}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(self._read_only_)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(self._read_only_)


ReadOnly.__hash__ = None


class Members(ReadOnly):
    """An object whose members are attributes and keys, as those of the event are."""

    __slots__ = ()

    # Without these, `in` and `for` would try indexes and fail with a riddle.
    __iter__: ClassVar[None] = None
    __contains__: ClassVar[None] = None

    def __getitem__(self, name: str) -> Any:
        if type(name) is not str:
            raise TypeError(f"{self._path_}: a member's name must be text; got an object of type {type(name).__name__}")
        if name not in self._exposed_:
            raise KeyError(f"{self._path_} has no member '{name[:64]}'{did_you_mean(name, self._exposed_)}")
        return getattr(self, name)
