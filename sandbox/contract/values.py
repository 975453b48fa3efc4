"""JSON data as both sides take it: its limits, its text, an exact copy of it, and what is wrong with it.

Must never call a method of, or compare with, an object whose exact type it has not seen to be a builtin one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NoReturn

from sandbox.contract.frozen import DICTS, LISTS

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 1000
MAX_INT: Final = 2**53
"""Beyond it a JSON number no longer carries an integer exactly. Source: RFC 8259, section 6."""

_SHOWN_CHARS: Final = 40
NAME_CHARS: Final = 256
_JSON: Final = "JSON data: str, int, float, bool, None, list, tuple or dict"
_INFINITY: Final = float("inf")
_CONTAINERS: Final = frozenset((*DICTS, *LISTS - {tuple}))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def strict_decoder(
    parse_int: Callable[[str], int] | None = None, parse_float: Callable[[str], float] | None = None
) -> Callable[[str], Any]:
    """Return what reads strict JSON: no NaN, no member twice. Both arguments are those of `json.JSONDecoder`."""
    return json.JSONDecoder(
        parse_constant=_refuse_constant, object_pairs_hook=_unique, parse_int=parse_int, parse_float=parse_float
    ).decode


decode = strict_decoder()
"""Reads strict JSON: no NaN, no member twice."""
json_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""Writes compact JSON."""


def shown(value: Any) -> str:
    """Describe a value for an error message without running any of its code."""
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if kind is str:
        return repr(value) if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]!r}... ({len(value)} characters)"
    if kind is int:
        return str(value) if -MAX_INT <= value <= MAX_INT else "an integer beyond 2**53"
    if kind is float:
        return repr(value)
    if kind in _CONTAINERS or kind is tuple:
        return f"a {'tuple' if kind is tuple else 'dict' if kind in DICTS else 'list'} of {len(value)}"
    return f"an object of type {kind.__name__}"


def camel(name: str) -> str:
    """Return Auth0's JavaScript spelling of one of our names: `set_custom_claim` -> `setCustomClaim`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def fault(where: str, wants: str, value: Any) -> str:
    return f"{where} must be {wants}; got {shown(value)}"


def check_text(value: str, where: str) -> str:
    """Return text that can travel, without a NUL or half of a surrogate pair. The caller has bounded the length."""
    if "\0" in value:
        raise ValueError(f"{where} must not contain a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{where} must be valid text; it contains half of a surrogate pair") from None
    return value


def plain(value: str) -> bool:
    """Is it a text that JSON writes as it is, between quotes, in as many bytes as characters?"""
    return value.isascii() and value.isprintable() and '"' not in value and "\\" not in value


def json_items(value: dict[str, Any]) -> int:
    """Count the members of every dict and list in checked data."""
    total = len(value)
    todo: list[Any] = [member for member in value.values() if type(member) in _CONTAINERS]
    while todo:
        value = todo.pop()
        total += len(value)
        members = value.values() if type(value) in DICTS else value
        todo += [member for member in members if type(member) in _CONTAINERS]
    return total


def json_bytes(value: Any) -> int:
    """Count the bytes of checked data as compact JSON in UTF-8: that is what limits in bytes mean here."""
    return len(value) + 2 if type(value) is str and plain(value) else len(json_text(value).encode())


def within(value: Any, max_bytes: int, where: str) -> Any:
    """Return checked data that is at most so long as JSON."""
    if (size := json_bytes(value)) > max_bytes:
        raise ValueError(f"{where} must be at most {max_bytes} bytes as JSON; got {size}")
    return value


class Json:
    """Any JSON data. `max_bytes` bounds its compact UTF-8 text."""

    __slots__ = ("annotation", "max_bytes", "wants")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.wants = _JSON
        self.annotation = "Any"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`. A tuple becomes a list."""
        if type(value) is str and len(value) + 2 <= self.max_bytes and plain(value):
            return value
        return within(self._copy(value, where, MAX_DEPTH, [MAX_ITEMS, self.max_bytes]), self.max_bytes, where)

    def _copy(self, value: Any, where: str, depth: int, left: list[int]) -> Any:
        """Copy by exact type. `left` holds the items and characters still allowed, for the whole value."""
        kind = type(value)
        if kind is str:
            return self._spend_text(value, where, left)
        if value is None or kind is bool:
            return value
        if kind is int:
            if not -MAX_INT <= value <= MAX_INT:
                raise ValueError(f"{where} must hold integers within 2**53 only; write larger ones as text")
            return value
        if kind is float:
            # Both comparisons are false for a NaN, so this refuses it together with the infinities.
            if not -_INFINITY < value < _INFINITY:
                raise ValueError(f"{where} must hold finite numbers only; got {shown(value)}")
            return value
        if kind not in DICTS and kind not in LISTS:
            raise TypeError(fault(where, _JSON, value))
        if depth == 0:
            raise ValueError(f"{where} must be nested at most {MAX_DEPTH} deep")
        left[0] -= len(value)
        if left[0] < 0:
            raise ValueError(f"{where} must hold at most {MAX_ITEMS} items in all")
        if kind not in DICTS:
            return [self._copy(item, where, depth - 1, left) for item in value]
        copy: dict[str, Any] = {}
        for name, item in value.items():
            if type(name) is not str:
                raise TypeError(f"{where} must have text for the keys of a dict; got {shown(name)}")
            if len(name) > NAME_CHARS:
                raise ValueError(f"{where} must have keys of at most {NAME_CHARS} characters; got {shown(name)}")
            copy[self._spend_text(name, where, left)] = self._copy(item, where, depth - 1, left)
        return copy

    def _spend_text(self, value: str, where: str, left: list[int]) -> str:
        left[1] -= len(value)
        if left[1] < 0:
            raise ValueError(f"{where} must be at most {self.max_bytes} bytes as JSON")
        return check_text(value, where)


class Object(Json):
    """A dict of JSON data. `max_bytes` bounds its compact UTF-8 text."""

    __slots__ = ()

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.wants = f"a dict of JSON data, at most {max_bytes} bytes"
        self.annotation = "dict[str, Any]"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        if type(value) not in DICTS:
            raise TypeError(fault(where, self.wants, value))
        return super().check(value, where)
