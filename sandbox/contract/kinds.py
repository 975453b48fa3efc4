"""Kinds of argument: what an `api` call accepts, checked by exact type, copied, in bounded time.

Knows single values and how to say what is wrong with them. Must not know any particular call, nor ever call a method
of, or compare with, an object whose exact type it has not seen to be a builtin one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.frozen import DICTS, LISTS
from sandbox.contract.values import MAX_INT, NAME_CHARS, camel, check_text, fault, shown, within

_INFINITY: Final = float("inf")
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last that a protobuf timestamp holds."""
_KEY_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_SCOPE_CHARS: Final = frozenset(map(chr, (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))))
# Source: RFC 3986, section 2: all that a URI consists of. What is not in it has to be percent-encoded.
_URL_CHARS: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_URL: Final = re.compile(
    r"https?://(?:[^/?#@\[\]]*@)?"
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-._~%!$&'()*+,;=]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_PORT_MAX: Final = 65_535


class Kind(Protocol):
    """What one parameter accepts."""

    @property
    def wants(self) -> str:
        """What is wanted, for an error message and for the reference: `text of at most 256 characters`."""

    @property
    def annotation(self) -> str:
        """Its type for a checker. Of a dict with known members, one to be named by its parameter, it is empty."""

    def check(self, value: Any, where: str) -> Any:
        """Return an exact-type private copy of the value.

        Args:
            value: hostile: any object at all.
            where: the call and the argument, for the message: `api.access.deny: reason`.

        Raises:
            TypeError: the value has the wrong type.
            ValueError: the type is right and the value is not.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """Values of a few exact types for which `holds` is true.

    `copied` returns what they become, or raises; `hint` says more about a value that does not hold.
    """

    wants: str
    annotation: str
    types: tuple[type, ...]
    holds: Callable[[Any], bool] = lambda _value: True
    copied: Callable[[Any, str], Any] = lambda value, _where: value
    hint: Callable[[Any], str] = lambda _value: ""

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        for kind in self.types:
            if type(value) is kind:
                break
        else:
            raise TypeError(fault(where, self.wants, value))
        if not self.holds(value):
            raise ValueError(fault(where, self.wants, value) + self.hint(value))
        return self.copied(value, where)


BOOL: Final = Exact("True or False", "bool", (bool,))
"""And nothing that merely is truthy: `"false"` must not switch anything on."""

MILLIS: Final = Exact(
    "a positive number of milliseconds since the epoch, within the year 9999",
    "float",
    (int, float),
    lambda value: 1 <= value <= _LAST_MS,  # a NaN fails the comparison
    lambda value, _where: int(value),
)
"""An instant. A fraction of a millisecond is dropped."""

SCOPE: Final = Exact(
    "one scope: 1 to 256 printable ASCII characters without space, quote and backslash",
    "str",
    (str,),
    lambda value: 1 <= len(value) <= 256 and _SCOPE_CHARS.issuperset(value),
)
"""One scope of an access token. Source: RFC 6749, section 3.3."""


def _bounds(least: int, most: int) -> str:
    return f"{least} to {most}" if least else f"at most {most}"


def whole(low: int, high: int) -> Exact:
    """Return the kind of a whole number within bounds."""
    return Exact(f"a whole number from {low} to {high}", "int", (int,), lambda value: low <= value <= high)


def text(max_chars: int, min_chars: int = 0) -> Exact:
    """Return the kind of a text with a length in characters."""
    wants = f"text of {_bounds(min_chars, max_chars)} characters"
    return Exact(wants, "str", (str,), lambda value: min_chars <= len(value) <= max_chars, check_text)


def utf8(max_bytes: int, min_chars: int = 0) -> Exact:
    """Return the kind of a text with a length in bytes of UTF-8."""
    wants = f"text of {_bounds(min_chars, max_bytes)} bytes"

    def copied(value: Any, where: str) -> Any:
        if (size := len(check_text(value, where).encode())) > max_bytes:
            raise ValueError(f"{where} must be {wants}; got {size} bytes")
        return value

    return Exact(wants, "str", (str,), lambda value: min_chars <= len(value) <= max_bytes, copied)


def key(max_chars: int) -> Exact:
    """Return the kind of the name of a metadata member of a session or a refresh token."""
    wants = f"1 to {max_chars} of the characters A-Z, a-z, 0-9, '_' and '-'"
    return Exact(wants, "str", (str,), lambda value: 1 <= len(value) <= max_chars and _KEY_CHARS.issuperset(value))


def choice(choices: tuple[str, ...]) -> Exact:
    """Return the kind of one of a few words; the copy is the table's own."""
    words = {word: word for word in choices}
    return Exact(
        f"one of {', '.join(choices)}",
        f"Literal[{', '.join(repr(word) for word in choices)}]".replace("'", '"'),
        (str,),
        words.__contains__,
        lambda value, _where: words[value],
        lambda value: did_you_mean(value, choices),
    )


def url(max_chars: int) -> Exact:
    """Return the kind of an absolute http or https URL."""

    def holds(value: Any) -> bool:
        if len(value) > max_chars or _URL_CHARS.fullmatch(value) is None:
            return False
        parts = _URL.fullmatch(value)
        return parts is not None and int(parts["port"] or 0) <= _PORT_MAX

    def hint(value: Any) -> str:
        unencoded = len(value) <= max_chars and _URL_CHARS.fullmatch(value) is None
        return "; percent-encode what is not ASCII, space and quotes too" if unencoded else ""

    wants = f"an absolute http or https URL of at most {max_chars} characters"
    return Exact(wants, "str", (str,), holds, hint=hint)


class Secret:
    """Text that no message shows any part of: messages reach reports and logs."""

    __slots__ = ("_max_chars", "wants")
    annotation: Final = "str"

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self.wants = f"text of 1 to {max_chars} characters"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(f"{where} must be {self.wants}; got an object of type {type(value).__name__}")
        if not 1 <= len(value) <= self._max_chars:
            raise ValueError(f"{where} must be {self.wants}; got {len(value)} characters")
        return check_text(value, where)


class Scalar:
    """Text, a number or a truth value; integers within 2**53. `max_bytes` bounds the text or the JSON of a number."""

    __slots__ = ("_text", "wants")
    annotation: Final = "str | float | bool"

    def __init__(self, max_bytes: int) -> None:
        self._text = utf8(max_bytes)
        self.wants = f"text of at most {max_bytes} bytes, a finite number (integers within 2**53), True or False"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        kind = type(value)
        if kind is str:
            return self._text.check(value, where)
        if kind is not bool and kind is not int and kind is not float:
            raise TypeError(fault(where, self.wants, value))
        # A NaN fails the comparison.
        if not (-MAX_INT <= value <= MAX_INT if kind is int else -_INFINITY < value < _INFINITY):
            raise ValueError(fault(where, self.wants, value))
        return value


class Nullable:
    """None, or another kind."""

    __slots__ = ("annotation", "kind", "wants")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.wants = f"{kind.wants}, or None"
        self.annotation = f"{kind.annotation} | None"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        return None if value is None else self.kind.check(value, where)


class Many:
    """A list or a tuple of one kind of item. Both become a list."""

    __slots__ = ("annotation", "item", "max_items", "min_items", "wants")

    def __init__(self, item: Kind, max_items: int, min_items: int = 1) -> None:
        self.item = item
        self.max_items = max_items
        self.min_items = min_items
        self.wants = f"a list of {min_items} to {max_items}, each {item.wants}"
        self.annotation = f"list[{item.annotation}] | tuple[{item.annotation}, ...]"

    def check(self, value: Any, where: str) -> list[Any]:
        """See `Kind.check`."""
        if type(value) not in LISTS:
            raise TypeError(fault(where, self.wants, value))
        if not self.min_items <= len(value) <= self.max_items:
            raise ValueError(fault(where, self.wants, value))
        return [self.item.check(item, f"{where}[{index}]") for index, item in enumerate(value)]


class OneOrMany:
    """One item, or a list of them; together at most `max_bytes` of JSON."""

    __slots__ = ("_many", "annotation", "item", "max_bytes", "wants")

    def __init__(self, item: Kind, max_items: int, max_bytes: int) -> None:
        self.item = item
        self.max_bytes = max_bytes
        self._many = Many(item, max_items, 0)
        self.wants = f"{item.wants}, or a list of at most {max_items} of them"
        # Lists are invariant to a checker, and a list of text is a list of these.
        self.annotation = f"{item.annotation} | list[Any] | tuple[{item.annotation}, ...]"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        if type(value) in LISTS:
            return within(self._many.check(value, where), self.max_bytes, where)
        return self.item.check(value, where)


class Options:
    """A dict with a few known members, each of a kind of its own. Members named in `nullable` may be None: left out.

    Python's and JavaScript's spelling of a name are both accepted, and become Python's.
    """

    __slots__ = ("_names", "members", "nullable", "wants")
    annotation: Final = ""

    def __init__(self, members: dict[str, Kind], nullable: frozenset[str] = frozenset()) -> None:
        self.members = members
        self.nullable = nullable
        self._names = {spelling: name for name in members for spelling in (name, camel(name))}
        self.wants = f"a dict with members out of {', '.join(members)}"

    def check(self, value: Any, where: str) -> dict[str, Any]:
        """See `Kind.check`."""
        if type(value) not in DICTS:
            raise TypeError(fault(where, self.wants, value))
        if len(value) > len(self._names):
            raise ValueError(f"{where} must be {self.wants}; got {len(value)} members")
        copy: dict[str, Any] = {}
        for spelling, member in value.items():
            if type(spelling) is not str:
                raise TypeError(f"{where} must be {self.wants}; a member's name is {shown(spelling)}")
            name = self._names.get(spelling)
            if name is None:
                hint = did_you_mean(spelling, self.members) or f"; there is {', '.join(self.members)}"
                raise ValueError(f"{where} has no member {shown(spelling)}{hint}")
            if name in copy:
                raise ValueError(f"{where}[{name!r}] is given twice")
            if member is not None or name not in self.nullable:
                copy[name] = self.members[name].check(member, f"{where}[{name!r}]")
        return copy


class Query:
    """Parameters of a URL: a dict of text. Numbers and truth values become the text that JavaScript makes of them."""

    __slots__ = ("_value", "max_bytes", "wants")
    annotation: Final = "Mapping[str, str | float | bool]"

    MAX_ITEMS: Final = 50
    _NAME: Final = text(NAME_CHARS, 1)

    def __init__(self, max_bytes: int) -> None:
        self._value = Scalar(max_bytes)
        self.max_bytes = max_bytes
        self.wants = f"a dict of at most {self.MAX_ITEMS} texts or numbers, {max_bytes} bytes as JSON"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        if type(value) not in DICTS:
            raise TypeError(fault(where, self.wants, value))
        if len(value) > self.MAX_ITEMS:
            raise ValueError(fault(where, self.wants, value))
        query: dict[str, str] = {}
        for name, member in value.items():
            if type(name) is not str:
                raise TypeError(f"{where} must have text for the names of parameters; got {shown(name)}")
            key = self._NAME.check(name, f"{where}: the name of a parameter")
            query[key] = _as_javascript(self._value.check(member, f"{where}[{key!r}]"))
        return within(query, self.max_bytes, where)


def _as_javascript(scalar: Any) -> str:
    if type(scalar) is bool:
        return "true" if scalar else "false"
    if type(scalar) is float and scalar.is_integer() and -MAX_INT <= scalar <= MAX_INT:
        return str(int(scalar))
    return str(scalar)
