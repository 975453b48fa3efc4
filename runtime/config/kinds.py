"""Kinds of configuration values: pydantic types that read text (environment, flag) as exactly as TOML values.

pydantic checks types, ranges and choices. Reading text stays ours, because pydantic also takes `1_000`, `yes` and
decimal units; so do the messages, because pydantic's name neither what was given nor a remedy.
"""

import contextlib
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from runtime.config import store_url
from runtime.config.addresses import unix_path
from sandbox.contract.layers import LAYERS

T = TypeVar("T")


class Wording(NamedTuple):
    """How the reference and messages describe values. Texts may name {low}, {high}, {example} and {choices}."""

    name: str
    fault: str
    remedy: str
    text: Callable[[Any], str] = str
    """Writes a value the way its kind reads it, without a password."""
    hidden: bool = False
    """Whether a refused value may hold a password."""

    def filled(self, template: str, field: FieldInfo) -> str:
        """Fill a text with the bounds or choices of a setting."""
        words = {"choices": ", ".join(map(str, get_args(field.annotation)))}
        for part in field.metadata:
            if (low := getattr(part, "ge", None)) is not None:
                example = low or 1 << 26  # where 0 has a meaning of its own it is no example
                words |= {"low": self.text(low), "example": f"{self.text(example)} or {example}"}
            if (high := getattr(part, "le", None)) is not None:
                words["high"] = self.text(high)
        return template.format(**words)

    def explain(self, error: ErrorDetails, field: FieldInfo) -> str:
        """Say what pydantic found wrong with a value, and what to write instead."""
        value = error["input"]
        if error["type"] in ("greater_than_equal", "less_than_equal"):
            fault = f"{value:g} is out of range" if isinstance(value, float) else f"{value} is out of range"
        elif isinstance(error["loc"][-1], int):  # an item of a list
            fault = f"{given(value)} is not known"
        else:
            fault = f"{'the value' if self.hidden else given(value)} {self.fault}"
        return f"{fault}; write {self.filled(self.remedy, field)}"


def wording_of(field: FieldInfo) -> Wording:
    """Return how values of a setting are described."""
    return next(part for part in field.metadata if isinstance(part, Wording))


def given(value: object) -> str:
    """Name a refused value by kind, with the value itself when it is short."""
    kind = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list", dict: "a table"}
    name = kind.get(type(value), type(value).__name__)
    if isinstance(value, list | dict):
        return name
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return f"{name} {text if len(text) <= 60 else text[:57] + '...'}"


# Each reads what text says exactly; it hands on everything else, which pydantic then checks.


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _whole(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return int(value)
    return value


def _number(value: object) -> object:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def _switch(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value


_BYTE_UNITS: Final = dict.fromkeys(("", "B"), 1) | {
    unit: 1 << shift for letter, shift in (("K", 10), ("M", 20), ("G", 30)) for unit in (letter, f"{letter}IB")
}


def _size(value: object) -> object:
    match = re.fullmatch(r"([0-9]{1,15})\s*([A-Za-z]{0,3})", value.strip()) if isinstance(value, str) else None
    unit = _BYTE_UNITS.get(match[2].upper()) if match else None
    return int(match[1]) * unit if match and unit is not None else value


def _size_text(value: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def _list(value: object) -> object:
    if isinstance(value, str):
        value = [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(value, list):
        return tuple(dict.fromkeys(value)) if all(isinstance(item, str) for item in value) else tuple(value)
    return value


def _address(value: str) -> str:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.%a-z]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", value)
    if not match or int(match[2]) > 65535:
        raise ValueError
    return value if match[1] else "0.0.0.0" + value


# The kernel takes 107 bytes, and a socket is made under its name and some letters more.
_SOCKET_BYTES: Final = 100


def _listen(value: str) -> str:
    path = unix_path(value)
    if path is None:
        return _address(value)
    if not path.startswith("/") or path.endswith("/") or len(path.encode()) > _SOCKET_BYTES:
        raise ValueError
    return value


Whole = Annotated[
    int,
    Strict(),
    BeforeValidator(_whole),
    Wording("integer {low} to {high}", "is not a whole number", "a number from {low} to {high}"),
]
PROCESSES_MAX: Final = 256
AUTO: Final = 0
"""How many processes, where it says `auto`."""


def _processes(value: object) -> object:
    if isinstance(value, str) and value.strip() == "auto":
        return AUTO
    number = _whole(value)
    if isinstance(number, int) and not isinstance(number, bool) and not 1 <= number <= PROCESSES_MAX:
        raise ValueError
    return number


Processes = Annotated[
    int,
    Strict(),
    BeforeValidator(_processes),
    Wording(
        f"integer 1 to {PROCESSES_MAX}, or auto",
        "is not a number of processes",
        f"a number from 1 to {PROCESSES_MAX}, or auto for as many as there are processors",
        lambda value: "auto" if value == AUTO else str(value),
    ),
]
Size = Annotated[
    int,
    Strict(),
    BeforeValidator(_size),
    Wording("bytes {low} to {high}", "is not a size", "one from {low} to {high}, such as {example}", _size_text),
]
Number = Annotated[
    float,
    Strict(),
    BeforeValidator(_number),
    Wording("number {low} to {high}", "is not a number", "a number from {low} to {high}", "{:g}".format),
]
SWITCH: Final = "true or false"
Switch = Annotated[
    bool,
    Strict(),
    BeforeValidator(_switch),
    Wording(SWITCH, "is neither", "true or false", lambda value: str(value).lower()),
]
OneOf = Annotated[T, BeforeValidator(_stripped), Wording("one of {choices}", "is not a choice", "one of {choices}")]
"""Of a Literal."""
_Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Address = Annotated[
    _Text,
    AfterValidator(_address),
    Wording(
        "host:port",
        "is not an address",
        "host:port with a port from 0 to 65535, such as 127.0.0.1:50051, [::1]:50051 or 0.0.0.0:50051",
    ),
]
"""Where to listen; port 0 lets the system choose."""
Listen = Annotated[
    _Text,
    AfterValidator(_listen),
    Wording(
        "host:port or unix:PATH",
        "is not an address",
        "host:port with a port from 0 to 65535, such as 127.0.0.1:50051 or [::1]:50051, or unix: and the absolute path "
        "of a socket of at most 100 bytes, such as unix:/run/vestibule.sock",
    ),
]
"""Where to listen for logins."""


def _optional_listen(value: str) -> str:
    return _listen(value) if value else value


OptionalListen = Annotated[
    _Text,
    AfterValidator(_optional_listen),
    Wording(
        "host:port or unix:PATH, or empty for none",
        "is not an address",
        "host:port with a port from 0 to 65535, such as 127.0.0.1:8080, or unix: and the absolute path of a socket of "
        "at most 100 bytes, or nothing",
    ),
]
"""Where to listen for logins, if at all."""
Mode = Annotated[
    _Text,
    Field(pattern=r"^0?[0-7]{3}$"),
    Wording("mode such as 0660", "is not a mode", 'octal digits in quotes, such as "0660"'),
]
"""Who may use a file: three octal digits."""
Store = Annotated[
    _Text,
    Field(pattern=r"^((sqlite|directory):[^\x00]+|postgres(ql)?://[^\x00]+)$"),
    Wording(
        "sqlite:PATH, postgresql://USER@HOST:PORT/DATABASE or directory:PATH",
        "is not a store",
        "sqlite:PATH, such as sqlite:/var/lib/vestibule/flows.db, or directory:PATH, or "
        "postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full",
        store_url.shown,
        hidden=True,
    ),
]
StateStore = Annotated[
    _Text,
    Field(pattern=r"^((sqlite:[^\x00]+|postgres(ql)?://[^\x00]+)|)$"),
    Wording(
        "sqlite:PATH, postgresql://USER@HOST:PORT/DATABASE, or empty for none",
        "is not a store that can be written",
        "sqlite:PATH or postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full, or nothing",
        store_url.shown,
        hidden=True,
    ),
]
OptionalUrl = Annotated[
    _Text,
    Field(pattern=r"^(https?://[A-Za-z0-9._:\-\[\]]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?)?$"),
    Wording(
        "URL, or empty for none", "is not a URL", "one without query and last slash, such as https://pdp.example.com"
    ),
]
OptionalName = Annotated[
    _Text,
    Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$"),
    Wording("name, or empty for none", "is not a name", "the name of an environment variable, or nothing"),
]
OptionalPath = Annotated[_Text, Wording("path, or empty for none", "is not a path", "the path of a file, or nothing")]


def _tenant(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}|\*", name):
        raise ValueError
    return name


Names = Annotated[
    tuple[Annotated[str, AfterValidator(_tenant)], ...],
    BeforeValidator(_list),
    Wording("list of tenants, or *", "is not a list", "names of tenants with commas between them, or *", ",".join),
]


def _layer(name: str) -> str:
    if name not in LAYERS:
        raise ValueError
    return name


_LAYERS: Final = "list of " + ", ".join(LAYERS)
LayerNames = Annotated[
    tuple[Annotated[str, AfterValidator(_layer)], ...],
    BeforeValidator(_list),
    Wording(_LAYERS, "is not a list", f"a {_LAYERS}", ",".join),
]
