"""What objects handed to an action have in common: read-only, no address in repr or hash, a hint for a misspelt name.

Knows names only. Must not know calls or events.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.frozen import EventSecrets, masked, thawed

LOOKING: Final = ("items", "keys", "to_dict", "values")
"""Methods of an object with members."""


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
    """An object whose members are attributes and keys, as those of the event are. `_listed_` names each once.

    It can be looked at as a dict of the members that are there: an absent one reads as None and is not listed.
    """

    __slots__ = ()
    _listed_: ClassVar[tuple[str, ...]] = ()

    def __getitem__(self, name: str) -> Any:
        if type(name) is not str:
            raise TypeError(f"{self._path_}: a member's name must be text; got an object of type {type(name).__name__}")
        if name not in self._listed_:
            raise KeyError(f"{self._path_} has no member '{name[:64]}'{did_you_mean(name, self._listed_)}")
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        """Tell whether a member is there; one that there never is raises, for a typo must not read as absent."""
        try:
            return self[name] is not None  # type: ignore[index]  # which refuses what is no text
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __bool__(self) -> bool:
        # With a length alone, an object that is there and has no member would read as absent.
        return True

    def __len__(self) -> int:
        return len(self._present())

    def __iter__(self) -> Iterator[str]:
        return iter(self._present())

    def keys(self) -> KeysView[str]:
        """Return the names of the members that are there."""
        return self._present().keys()

    def values(self) -> ValuesView[Any]:
        """Return the members that are there."""
        return self._present().values()

    def items(self) -> ItemsView[str, Any]:
        """Return the names of the members that are there, each with its member."""
        return self._present().items()

    def to_dict(self) -> dict[str, Any]:
        """Return the members that are there as plain data, the caller's own."""
        return {name: _plain(value) for name, value in self._present().items()}

    def __repr__(self) -> str:
        return f"<{self._path_} {self.to_dict()!r}>"

    def _plain_(self) -> dict[str, Any]:
        """Be what `json.dumps` and a copy take in place of this object."""
        return self.to_dict()

    def _present(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self._listed_}
        return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Members):
        return value._plain_()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return masked(value) if isinstance(value, EventSecrets) else thawed(value)
