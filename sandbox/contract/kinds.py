"""More kinds of argument, beside those of `contract.values`: instants, scopes, keys, lists, scalars of a few types.

Knows single values and how to say what is wrong with them. Must not know any particular call.
"""

from __future__ import annotations

from typing import Any, Final

from sandbox.contract.values import MAX_INT, Kind, Text, fault, json_bytes

_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last that a protobuf timestamp holds."""
_KEY_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_SCOPE_CHARS: Final = frozenset(map(chr, (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))))


class Millis:
    """An instant in milliseconds since the epoch. A fraction of a millisecond is dropped."""

    __slots__ = ()

    wants: Final = "a positive number of milliseconds since the epoch, within the year 9999"

    def check(self, value: Any, where: str) -> int:
        """See `Kind.check`."""
        kind = type(value)
        if kind is not int and kind is not float:
            raise TypeError(fault(where, self.wants, value))
        # A NaN fails the comparison.
        if not 1 <= value <= _LAST_MS:
            raise ValueError(fault(where, self.wants, value))
        return int(value)


class Scope:
    """One scope of an access token. Source: RFC 6749, section 3.3."""

    __slots__ = ()

    wants: Final = "one scope: 1 to 256 printable ASCII characters without space, quote and backslash"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(fault(where, self.wants, value))
        if not 1 <= len(value) <= 256 or not _SCOPE_CHARS.issuperset(value):
            raise ValueError(fault(where, self.wants, value))
        return value


class Key:
    """The name of a metadata member of a session or a refresh token."""

    __slots__ = ("max_chars", "wants")

    def __init__(self, max_chars: int) -> None:
        self.max_chars = max_chars
        self.wants = f"1 to {max_chars} of the characters A-Z, a-z, 0-9, '_' and '-'"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(fault(where, self.wants, value))
        if not 1 <= len(value) <= self.max_chars or not _KEY_CHARS.issuperset(value):
            raise ValueError(fault(where, self.wants, value))
        return value


class Nullable:
    """None, or another kind."""

    __slots__ = ("kind", "wants")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.wants = f"{kind.wants}, or None"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        return None if value is None else self.kind.check(value, where)


class Bytes:
    """Text whose length is counted in bytes of UTF-8."""

    __slots__ = ("_text", "max_bytes", "wants")

    def __init__(self, max_bytes: int, min_chars: int = 0) -> None:
        self._text = Text(max_bytes, min_chars)
        self.max_bytes = max_bytes
        self.wants = f"text of {min_chars or 'at most'}{' to' if min_chars else ''} {max_bytes} bytes"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        text = self._text.check(value, where)
        if (size := len(text.encode())) > self.max_bytes:
            raise ValueError(f"{where} must be {self.wants}; got {size} bytes")
        return text


class Secret:
    """Text that no message shows any part of: messages reach reports and logs."""

    __slots__ = ("_text", "wants")

    def __init__(self, max_chars: int) -> None:
        self._text = Text(max_chars, 1)
        self.wants = self._text.wants

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(f"{where} must be {self.wants}; got an object of type {type(value).__name__}")
        if not 1 <= len(value) <= self._text.max_chars:
            raise ValueError(f"{where} must be {self.wants}; got {len(value)} characters")
        return self._text.check(value, where)


class Whole:
    """A whole number within bounds."""

    __slots__ = ("high", "low", "wants")

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high
        self.wants = f"a whole number from {low} to {high}"

    def check(self, value: Any, where: str) -> int:
        """See `Kind.check`."""
        if type(value) is not int:
            raise TypeError(fault(where, self.wants, value))
        if not self.low <= value <= self.high:
            raise ValueError(fault(where, self.wants, value))
        return value


class Scalar:
    """Text, a number or a truth value; integers within 2**53. `max_bytes` bounds the text or the JSON of a number."""

    __slots__ = ("_text", "max_bytes", "wants")

    def __init__(self, max_bytes: int) -> None:
        self._text = Bytes(max_bytes)
        self.max_bytes = max_bytes
        self.wants = f"text of at most {max_bytes} bytes, a finite number (integers within 2**53), True or False"

    def check(self, value: Any, where: str) -> str | int | float | bool:
        """See `Kind.check`."""
        kind = type(value)
        if kind is str:
            return self._text.check(value, where)
        if value is True or value is False:
            return bool(value)
        if kind is int:
            if not -MAX_INT <= value <= MAX_INT:
                raise ValueError(fault(where, self.wants, value))
            return int(value)
        if kind is float:
            if not float("-inf") < value < float("inf"):
                raise ValueError(fault(where, self.wants, value))
            return float(value)
        raise TypeError(fault(where, self.wants, value))


class Many:
    """A list or a tuple of one kind of item. Both become a list."""

    __slots__ = ("item", "max_items", "min_items", "wants")

    def __init__(self, item: Kind, max_items: int, min_items: int = 1) -> None:
        self.item = item
        self.max_items = max_items
        self.min_items = min_items
        self.wants = f"a list of {min_items} to {max_items}, each {item.wants}"

    def check(self, value: Any, where: str) -> list[Any]:
        """See `Kind.check`."""
        if type(value) is not list and type(value) is not tuple:
            raise TypeError(fault(where, self.wants, value))
        if not self.min_items <= len(value) <= self.max_items:
            raise ValueError(fault(where, self.wants, value))
        return [self.item.check(item, f"{where}[{index}]") for index, item in enumerate(value)]


class OneOrMany:
    """One item, or a list of them; together at most `max_bytes` of JSON."""

    __slots__ = ("_many", "item", "max_bytes", "wants")

    def __init__(self, item: Kind, max_items: int, max_bytes: int) -> None:
        self.item = item
        self._many = Many(item, max_items, 0)
        self.max_bytes = max_bytes
        self.wants = f"{item.wants}, or a list of at most {max_items} of them"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`."""
        if type(value) is not list and type(value) is not tuple:
            return self.item.check(value, where)
        many = self._many.check(value, where)
        if (size := json_bytes(many)) > self.max_bytes:
            raise ValueError(f"{where} must be at most {self.max_bytes} bytes as JSON; got {size}")
        return many
