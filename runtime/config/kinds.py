"""Kinds of configuration values: each turns text (environment, flag) or a TOML value into one exact Python value.

Knows: what a value of a kind looks like and how to say so. Must not know: which settings exist.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Refused(ValueError):
    """The value is not of the kind; the message says what it is and what is wanted."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Base of the kinds. `name` is what the reference calls it."""

    @property
    def name(self) -> str:
        raise NotImplementedError

    def parse(self, value: object) -> T:
        """Return the value, exact and in range. Raises: Refused."""
        raise NotImplementedError

    def text(self, value: T) -> str:
        """Write a value the way this kind reads it."""
        return str(value)


def given(value: object) -> str:
    """Name a refused value by kind, with the value itself when it is short."""
    kind = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list", dict: "a table"}
    name = kind.get(type(value), type(value).__name__)
    if isinstance(value, list | dict):
        return name
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return f"{name} {text if len(text) <= 60 else text[:57] + '...'}"


@dataclass(frozen=True, slots=True)
class Int(Kind[int]):
    """A whole number in a range."""

    low: int
    high: int

    @property
    def name(self) -> str:
        return f"integer {self.low} to {self.high}"

    def parse(self, value: object) -> int:
        number = self._number(value)
        if number is None:
            raise Refused(f"{given(value)} is not {self._what()}; write {self._wanted()}")
        if not self.low <= number <= self.high:
            raise Refused(f"{number} is out of range; write {self._wanted()}")
        return number

    def _what(self) -> str:
        return "a whole number"

    def _wanted(self) -> str:
        return f"a number from {self.low} to {self.high}"

    def _number(self, value: object) -> int | None:
        if type(value) is int:
            return value
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
            return int(value)
        return None


_BYTE_UNITS = {"": 1, "B": 1, "K": 1 << 10, "KIB": 1 << 10, "M": 1 << 20, "MIB": 1 << 20, "G": 1 << 30, "GIB": 1 << 30}


@dataclass(frozen=True, slots=True)
class Bytes(Int):
    """A size: a number of bytes, or text such as `128MiB`."""

    @property
    def name(self) -> str:
        return f"bytes {self.text(self.low)} to {self.text(self.high)}"

    def _number(self, value: object) -> int | None:
        if isinstance(value, str):
            match = re.fullmatch(r"([0-9]{1,15})\s*([A-Za-z]{0,3})", value.strip())
            unit = _BYTE_UNITS.get(match[2].upper()) if match else None
            return int(match[1]) * unit if match and unit is not None else None
        return Int._number(self, value)

    def _what(self) -> str:
        return "a size"

    def _wanted(self) -> str:
        # Of the least size, or of 64 MiB where 0 has a meaning of its own.
        example = self.low or 1 << 26
        return f"one from {self.text(self.low)} to {self.text(self.high)}, such as {self.text(example)} or {example}"

    def text(self, value: int) -> str:
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value >= size and value % size == 0:
                return f"{value // size}{unit}"
        return str(value)


@dataclass(frozen=True, slots=True)
class Float(Kind[float]):
    """A number in a range."""

    low: float
    high: float

    @property
    def name(self) -> str:
        return f"number {self.low:g} to {self.high:g}"

    def parse(self, value: object) -> float:
        number = math.nan
        if type(value) in (int, float):
            number = float(value)  # type: ignore[arg-type]  # what `type` says narrows nothing
        elif isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                number = math.nan
        if math.isnan(number):
            raise Refused(f"{given(value)} is not a number; write a number from {self.low:g} to {self.high:g}")
        if not self.low <= number <= self.high:
            raise Refused(f"{number:g} is out of range; write a number from {self.low:g} to {self.high:g}")
        return number

    def text(self, value: float) -> str:
        return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Choice(Kind[str]):
    """One word of a fixed few."""

    choices: tuple[str, ...]

    @property
    def name(self) -> str:
        return "one of " + ", ".join(self.choices)

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value.strip() in self.choices:
            return value.strip()
        raise Refused(f"{given(value)} is not a choice; write {self.name}")


@dataclass(frozen=True, slots=True)
class Bool(Kind[bool]):
    """Yes or no, as `true` and `false`."""

    @property
    def name(self) -> str:
        return "true or false"

    def parse(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise Refused(f"{given(value)} is neither; write true or false")

    def text(self, value: bool) -> str:
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Choices(Kind[tuple[str, ...]]):
    """Any number of words of a fixed few; text separates them by commas."""

    choices: tuple[str, ...]

    @property
    def name(self) -> str:
        return "list of " + ", ".join(self.choices)

    def parse(self, value: object) -> tuple[str, ...]:
        items: Sequence[object]
        if isinstance(value, str):
            items = [item.strip() for item in value.split(",") if item.strip()]
        elif isinstance(value, list | tuple):
            items = value
        else:
            raise Refused(f"{given(value)} is not a list; write a {self.name}")
        for item in items:
            if not isinstance(item, str) or item not in self.choices:
                raise Refused(f"{given(item)} is not known; write a {self.name}")
        return tuple(dict.fromkeys(str(item) for item in items))

    def text(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


@dataclass(frozen=True, slots=True)
class Address(Kind[str]):
    """`host:port` to listen on; port 0 lets the system choose."""

    @property
    def name(self) -> str:
        return "host:port"

    def parse(self, value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        match = re.fullmatch(r"(\[[0-9a-fA-F:.%a-z]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", text)
        if not match or int(match[2]) > 65535:
            raise Refused(
                f"{given(value)} is not an address; write host:port with a port from 0 to 65535, "
                "such as 127.0.0.1:50051, [::1]:50051 or 0.0.0.0:50051"
            )
        return text if match[1] else "0.0.0.0" + text


def split_address(address: str) -> tuple[str, int]:
    """Split what Address accepted into a host without brackets and a port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class Store(Kind[str]):
    """Where flows come from: `sqlite:PATH`."""

    @property
    def name(self) -> str:
        return "sqlite:PATH"

    def parse(self, value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        scheme, _, path = text.partition(":")
        if scheme != "sqlite" or not path or "\0" in path:
            raise Refused(
                f"{given(value)} is not a store; write sqlite:PATH, such as sqlite:/var/lib/vestibule/flows.db"
            )
        return text


@dataclass(frozen=True, slots=True)
class OptionalPath(Kind[str]):
    """A path of a file, or empty for none."""

    @property
    def name(self) -> str:
        return "path, or empty for none"

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise Refused(f"{given(value)} is not a path; write the path of a file, or nothing")
        return value.strip()
