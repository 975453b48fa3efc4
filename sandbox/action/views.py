"""The views of the event: read-only objects whose members are made from a protobuf message as they are read.

Knows how members are found, by name and by path, and what a misspelt one says. Must not know which members there are:
subclasses are made from the descriptors.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NoReturn, cast

from sandbox.contract.did_you_mean import did_you_mean, nearest
from sandbox.contract.event_fields import METHODS
from sandbox.contract.frozen import EventDict, EventList, EventSecrets
from sandbox.contract.readonly import Members

ROOT: Final = "event"
ITEM: Final = "[]"
ABSENT: Final = object()
_PATH_CHARS: Final = 512


class View(Members):
    """A read-only view of one message. Subclasses, one for each path of the event, are made from the descriptors.

    What is converted once stays with the view, so that within one execution `event.user.user_metadata` is always the
    same dict. A view refers to messages and to views below it, never up: it is freed without the cycle collector.
    """

    __slots__ = ("_cache", "_message")

    _exposed_ = frozenset(METHODS)
    _read_only_ = "event is read-only: put what you want to change into a variable, or call `api`"
    _open_: ClassVar[bool] = False
    # What is below each member: a view, data of free shape (True), or nothing (False).
    _below_: ClassVar[dict[str, type[View] | bool]] = {}

    _message: Any
    _cache: dict[str, Any]

    def __init__(self, message: Any) -> None:
        set_message(self, message)
        set_cache(self, {})

    def get(self, path: str, default: Any = None) -> Any:
        """Follow a dotted path and answer `default` where something on the way, or at its end, is absent.

        A path goes through views, dicts and indexes of lists: `authentication.methods.0.name`. A name that the event
        cannot have raises, as it would in `event.name`: a typo must not read as "absent".

        Raises:
            TypeError: the path is not text.
            AttributeError: the path names a member that does not exist.
        """
        if type(path) is not str:
            raise TypeError(f"{self._path_}.get: path must be text; got an object of type {type(path).__name__}")
        if len(path) > _PATH_CHARS:
            raise ValueError(f"{self._path_}.get: path must be at most {_PATH_CHARS} characters")
        names = path.split(".")
        _check_path(type(self), names)
        value: Any = self
        for name in names:
            value = _step(value, name)
            if value is None or value is ABSENT:
                return default
        return value

    def __getitem__(self, name: str) -> Any:
        if type(name) is not str:
            raise TypeError(f"{self._path_}: a member's name must be text; got an object of type {type(name).__name__}")
        if name in self._below_:
            return getattr(self, name)
        value = _sent(self, name)
        if value is ABSENT:
            raise KeyError(_unknown(type(self), name))
        return value

    def __contains__(self, name: object) -> bool:
        """Tell whether a member is there, or something that an upstream provider sent; a typo raises, as in `get`."""
        if type(name) is not str:
            raise TypeError(f"{self._path_}: a member's name must be text; got an object of type {type(name).__name__}")
        _check_path(type(self), [name])
        value = _step(self, name)
        return value is not None and value is not ABSENT

    def _absent_(self, name: str) -> NoReturn:
        if _sent(self, name) is not ABSENT:
            raise AttributeError(f"{_unknown(type(self), name)}; read {self._path_}.attributes['{name[:64]}']")
        raise AttributeError(_unknown(type(self), name))


# The slots' own setters: `__setattr__` refuses, for trusted code too.
set_message = cast("Any", View.__dict__["_message"]).__set__
set_cache = cast("Any", View.__dict__["_cache"]).__set__


def _unknown(view: type[View], name: str) -> str:
    return f"{view._path_} has no attribute '{name[:64]}'{did_you_mean(name, view._exposed_)}"


def _is_typo(name: str, view: type[View]) -> bool:
    """Is it a member misspelt, and not another name that happens to be alike, such as one member and a word more?"""
    return nearest(name, [known for known in view._below_ if abs(len(known) - len(name)) < 3]) != ""


def _sent(view: View, name: str) -> Any:
    """Answer a member that an upstream provider added to an open object; ABSENT where there is none."""
    if not view._open_ or name.startswith("_"):
        return ABSENT
    attributes: dict[str, Any] = getattr(view, "attributes")  # noqa: B009 - the descriptors give it to open views
    return attributes.get(name, ABSENT)


def _step(value: Any, name: str) -> Any:
    """Go one name down; ABSENT where there is nothing."""
    kind = type(value)
    if kind is EventDict or kind is EventSecrets:
        return value.get(name, ABSENT)
    if kind is EventList:
        # isdecimal alone accepts other scripts' digits, which int would accept too.
        if name.isascii() and name.isdecimal() and len(name) < 10 and int(name) < len(value):
            return value[int(name)]
        return ABSENT
    if issubclass(kind, View):
        return getattr(value, name) if name in kind._below_ else _sent(value, name)
    return ABSENT


def _check_path(view: type[View], names: list[str]) -> None:
    """Refuse a path that no event could have, whatever is absent from this one. Dicts are free, so it stops there."""
    indexed = True
    for position, name in enumerate(names):
        if not indexed:
            if not (name.isascii() and name.isdecimal()):
                listed = view._path_.removesuffix(ITEM)
                raise AttributeError(f"{listed} is a list: give an index before '{name[:64]}', such as 0")
            indexed = True
            continue
        below = view._below_.get(name)
        if below is None:
            if view._open_ and not name.startswith("_") and not _is_typo(name, view):
                return
            raise AttributeError(_unknown(view, name))
        if below is True:
            return
        if below is False:
            if position + 1 < len(names):
                raise AttributeError(f"{view._path_}.{name} has nothing below it; the path is '{'.'.join(names)[:64]}'")
            return
        view, indexed = below, not below._path_.endswith(ITEM)
