"""Turning values into text without telling where they live in memory.

Knows how `str`, `repr`, `format`, `%` and `str.format` build text and what an object address looks like in it. Must
not know events, api or modules.
"""

from __future__ import annotations

import re

# What `string.Formatter` itself is built on; it has no public name that does not read attributes by itself.
from _string import formatter_field_name_split, formatter_parser  # type: ignore[import-not-found]  # typeshed has no stub of it
from collections.abc import Callable, Mapping
from typing import Any

# The default repr of functions, methods, generators and iterators ends in the address of the object: enough to undo
# address space randomisation, of no use to an author. OpenSSL's hashes write `@`.
_ADDRESS = re.compile(r" (?:at|@) 0x[0-9A-Fa-f]+")
_ADDRESS_BYTES = re.compile(_ADDRESS.pattern.encode())

# Exact types whose text never holds an address: the fast path of every f-string.
PLAIN = frozenset({str, int, float, bool, type(None)})

_MAX_FORMAT_DEPTH = 2  # as in `str.format`: a format spec may hold fields, these may not


def scrub(text: str) -> str:
    """Drop object addresses from a text."""
    return _ADDRESS.sub("", text) if " 0x" in text else text


def safe_str(value: object) -> str:
    """Answer `str(value)` without addresses."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # what `is` says narrows nothing
    return str(value) if kind in PLAIN else scrub(str(value))


def safe_repr(value: object) -> str:
    """Answer `repr(value)` without addresses."""
    return repr(value) if type(value) in PLAIN else scrub(repr(value))


def safe_ascii(value: object) -> str:
    """Answer `ascii(value)` without addresses."""
    return ascii(value) if type(value) in PLAIN else scrub(ascii(value))


def safe_format(value: object, spec: str = "") -> str:
    """Answer `format(value, spec)` without addresses."""
    return format(value, spec) if type(value) in PLAIN else scrub(format(value, spec))


def field_text(value: object) -> object:
    """Answer what an f-string field without conversion and spec may interpolate for `value`."""
    return value if type(value) in PLAIN else scrub(format(value, ""))


def guarded_mod(left: Any, right: Any) -> Any:
    """Answer `left % right`; for text formatting, without addresses."""
    result = left % right
    kind = type(left)
    if kind is int or kind is float or type(right) in PLAIN:
        return result
    if issubclass(kind, str):  # a member of a StrEnum is a template too
        if type(right) is tuple and all(type(item) in PLAIN for item in right):
            return result
        return scrub(result)
    if kind is bytes:
        return _ADDRESS_BYTES.sub(b"", result)
    return result


def guarded_vformat(
    template: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    read_attribute: Callable[[Any, str], Any],
    read_item: Callable[[Any, Any], Any],
) -> str:
    """Answer `template.format(*args, **kwargs)`, every `.name` and `[key]` of a field read through the guards.

    The C implementation walks attributes with no guard at all, which is the oldest way out of a Python sandbox.
    """
    text, _ = _vformat(template, args, kwargs, read_attribute, read_item, 0, _MAX_FORMAT_DEPTH)
    return text


def _vformat(
    template: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    read_attribute: Callable[[Any, str], Any],
    read_item: Callable[[Any, Any], Any],
    auto: int,
    depth: int,
) -> tuple[str, int]:
    """Format one level; `auto` is the next automatic field number, -1 once a field was numbered by hand."""
    if depth == 0:
        raise ValueError("Max string recursion exceeded")
    parts: list[str] = []
    for literal, field, spec, conversion in formatter_parser(template):
        parts.append(literal)
        if field is None:
            continue
        first, rest = formatter_field_name_split(field)
        if first == "":
            if auto < 0:
                raise ValueError("cannot switch from manual field specification to automatic field numbering")
            first, auto = auto, auto + 1
        elif type(first) is int:
            if auto > 0:
                raise ValueError("cannot switch from automatic field numbering to manual field specification")
            auto = -1
        if type(first) is int:
            if first >= len(args):
                raise IndexError(f"Replacement index {first} out of range for positional args tuple")
            value = args[first]
        else:
            value = kwargs[first]
        for is_attribute, key in rest:
            value = read_attribute(value, key) if is_attribute else read_item(value, key)
        if conversion == "r":
            value = safe_repr(value)
        elif conversion == "s":
            value = safe_str(value)
        elif conversion == "a":
            value = safe_ascii(value)
        elif conversion is not None:
            raise ValueError(f"Unknown conversion specifier {conversion!r}")
        if spec:
            spec, auto = _vformat(spec, args, kwargs, read_attribute, read_item, auto, depth - 1)
        parts.append(safe_format(value, spec or ""))
    return "".join(parts), auto
