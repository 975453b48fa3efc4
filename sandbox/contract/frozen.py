"""Lists and dicts of event data. To an author they are lists and dicts, except that what would change one raises.

Knows where in the event the data stands, and what an author does instead of changing it. Must not know a view. Each
execution has its own, so C code that goes past these methods changes no other execution's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NoReturn

from sandbox.contract.did_you_mean import did_you_mean

_SET_BY: Final = {
    "event.user.user_metadata": "api.user.set_user_metadata(key, value)",
    "event.user.app_metadata": "api.user.set_app_metadata(key, value)",
    "event.transaction.metadata": "api.transaction.set_metadata(key, value)",
    "event.session.metadata": "api.session.set_metadata(key, value)",
    "event.refresh_token.metadata": "api.refresh_token.set_metadata(key, value)",
}
"""What changes the data of a path for good."""
_MASK: Final = "***"


def remedy(path: str, copy: str) -> str:
    """Say that the data at a path is read-only, and what to write instead; `copy` is the name of what copies it."""
    change = _SET_BY.get(path)
    stored = f"call {change} to change what is stored; " if change else ""
    return f"{path} is read-only: {stored}copy it with {copy}(...) or copy.deepcopy(...) to change the copy"


class EventList(list[Any]):
    """A list of the event. `_path_` says where it stands; its items are plain data, data like this, or views."""

    __slots__ = ("_path_",)
    _exposed_: ClassVar[frozenset[str]] = frozenset({"copy", "count", "index"})
    _changing_: ClassVar[frozenset[str]] = frozenset(
        {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"}
    )

    _path_: str

    @property
    def _read_only_(self) -> str:
        return remedy(self._path_, "list")

    def _absent_(self, name: str) -> NoReturn:
        """Say why there is no such attribute."""
        if name in self._changing_:
            raise AttributeError(self._read_only_)
        raise AttributeError(f"a list has no attribute '{name[:64]}'{did_you_mean(name, self._exposed_)}")

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(self._read_only_)

    __setitem__ = __delitem__ = append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __iadd__(self, other: Any) -> list[Any]:  # type: ignore[override,misc]  # a list of its own, as of a tuple
        return [*self, *other]

    def __imul__(self, count: Any) -> list[Any]:  # type: ignore[override,misc]  # as above
        made: list[Any] = list(self) * count
        return made


class EventDict(dict[str, Any]):
    """A dict of the event. `_path_` says where it stands; what is nested in it stands there too."""

    __slots__ = ("_path_",)
    _exposed_: ClassVar[frozenset[str]] = frozenset({"copy", "get", "items", "keys", "values"})
    _changing_: ClassVar[frozenset[str]] = frozenset({"clear", "pop", "popitem", "setdefault", "update"})

    _path_: str

    @property
    def _read_only_(self) -> str:
        return remedy(self._path_, "dict")

    def _absent_(self, name: str) -> NoReturn:
        """Say why there is no such attribute."""
        if name in self._changing_:
            raise AttributeError(self._read_only_)
        entry = repr(name[:100])
        near = did_you_mean(name, self._exposed_)
        raise AttributeError(
            f"{self._path_} has no attribute {entry}{near} (an entry is read as `x[{entry}]` or `x.get({entry})`)"
        )

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(self._read_only_)

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse

    def __ior__(self, other: Any) -> dict[str, Any]:  # type: ignore[override,misc]  # the event keeps its own
        return {**self, **dict(other)}


class EventSecrets(EventDict):
    """`event.secrets`: as the others, but printed without its values."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(masked(self))


DICTS: Final[frozenset[type]] = frozenset((*(dict, EventDict, EventSecrets),))
"""Exact types of what an api call takes for a dict."""
LISTS: Final[frozenset[type]] = frozenset({list, tuple, EventList})
"""Exact types of what an api call takes for a list."""


def masked(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the names of secrets, with nothing of their values."""
    return dict.fromkeys(secrets, _MASK)


def frozen_list(items: list[Any], path: str) -> EventList:
    """Return a list of the event at a path."""
    made = EventList(items)
    made._path_ = path
    return made


def frozen_dict(members: dict[str, Any], path: str) -> EventDict:
    """Return a dict of the event at a path."""
    made = EventDict(members)
    made._path_ = path
    return made


def frozen(value: Any, path: str) -> Any:
    """Return plain data, which is as deep as an api call takes, as data of the event."""
    if type(value) is dict:
        return frozen_dict({name: frozen(member, path) for name, member in value.items()}, path)
    if type(value) is list:
        return frozen_list([frozen(item, path) for item in value], path)
    return value


def thawed(value: Any) -> Any:
    """Return data of the event as plain dicts and lists that its owner may change."""
    if isinstance(value, EventDict):
        return {name: thawed(member) for name, member in value.items()}
    if isinstance(value, EventList):
        return [thawed(item) for item in value]
    return value
