"""Addresses, queries and the data of forms: what takes a user to a page elsewhere. Kinds of argument.

Knows single values and how to say what is wrong with them. Must not know any particular call, nor open any page.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sandbox.contract.kinds import Scalar
from sandbox.contract.values import MAX_INT, Json, Text, fault, json_bytes, shown

# Source: RFC 3986, section 2: all that a URI consists of. Whatever is not in it has to be percent-encoded.
_URL_CHARS: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_URL: Final = re.compile(
    r"https?://(?:[^/?#@\[\]]*@)?"
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-._~%!$&'()*+,;=]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_PORT_MAX: Final = 65_535


class Url:
    """An absolute http or https URL."""

    __slots__ = ("max_chars", "wants")

    def __init__(self, max_chars: int) -> None:
        self.max_chars = max_chars
        self.wants = f"an absolute http or https URL of at most {max_chars} characters"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(fault(where, self.wants, value))
        if len(value) > self.max_chars:
            raise ValueError(fault(where, self.wants, value))
        if _URL_CHARS.fullmatch(value) is None:
            raise ValueError(
                f"{fault(where, self.wants, value)}; percent-encode what is not ASCII, space and quotes too"
            )
        parts = _URL.fullmatch(value)
        if parts is None or int(parts["port"] or 0) > _PORT_MAX:
            raise ValueError(fault(where, self.wants, value))
        return value


def _shown(scalar: Any) -> str:
    if type(scalar) is bool:
        return "true" if scalar else "false"
    if type(scalar) is float and scalar.is_integer() and -MAX_INT <= scalar <= MAX_INT:
        return str(int(scalar))
    return str(scalar)


class Query:
    """Parameters of a URL: a dict of text. Numbers and truth values become the text that JavaScript makes of them."""

    __slots__ = ("_value", "max_bytes", "wants")

    MAX_ITEMS: Final = 50
    _NAME: Final = Text(256, 1)

    def __init__(self, max_bytes: int) -> None:
        self._value = Scalar(max_bytes)
        self.max_bytes = max_bytes
        self.wants = f"a dict of at most {self.MAX_ITEMS} texts or numbers, {max_bytes} bytes as JSON"

    def check(self, value: Any, where: str) -> dict[str, str]:
        """See `Kind.check`."""
        if type(value) is not dict:
            raise TypeError(fault(where, self.wants, value))
        if len(value) > self.MAX_ITEMS:
            raise ValueError(fault(where, self.wants, value))
        query: dict[str, str] = {}
        for name, member in value.items():
            if type(name) is not str:
                raise TypeError(f"{where} must have text for the names of parameters; got {shown(name)}")
            key = self._NAME.check(name, f"{where}: the name of a parameter")
            query[key] = _shown(self._value.check(member, f"{where}[{key!r}]"))
        if (size := json_bytes(query)) > self.max_bytes:
            raise ValueError(f"{where} must be at most {self.max_bytes} bytes as JSON; got {size}")
        return query


class Object:
    """A dict of JSON data. `max_bytes` bounds its compact UTF-8 text."""

    __slots__ = ("_json", "max_bytes", "wants")

    def __init__(self, max_bytes: int) -> None:
        self._json = Json(max_bytes)
        self.max_bytes = max_bytes
        self.wants = f"a dict of JSON data, at most {max_bytes} bytes"

    def check(self, value: Any, where: str) -> dict[str, Any]:
        """See `Kind.check`."""
        if type(value) is not dict:
            raise TypeError(fault(where, self.wants, value))
        copy: dict[str, Any] = self._json.check(value, where)
        return copy
