"""`logging`, `traceback` and `print`: what an action says goes to the execution's output.

Knows the output of the running execution. Knows no handler, file or stream.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final

from sandbox.reach import guards, tracebacks
from sandbox.reach.facades.base import Module, module, names
from sandbox.reach.facades.context import CURRENT
from sandbox.reach.text import safe_repr, safe_str

_LEVELS: Final = {
    "NOTSET": 0,
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "FATAL": 50,
    "CRITICAL": 50,
}
_LEVEL_NAMES: Final = {0: "NOTSET", 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}

# A width or precision of five digits in a log template is an attempt to fill the memory.
_WIDE: Final = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\d{5}|\d*\.\d{5}|\*|\d*\.\*)")


def show(*values: Any, sep: str | None = " ", end: str | None = "\n", file: None = None, flush: bool = False) -> None:
    """Be the `print` of an action."""
    if file is not None:
        raise TypeError("print() writes to the execution's output only; leave `file` out")
    for word in (sep, end):
        if word is not None and type(word) is not str:
            raise TypeError(f"sep and end must be None or a string, not {type(word).__name__}")
    between = " " if sep is None else sep
    output = CURRENT.output
    last = len(values) - 1
    for index, value in enumerate(values):
        output.write(safe_str(value) + between if index < last else safe_str(value))
    output.write("\n" if end is None else end)


def _level(level: Any) -> int:
    if type(level) is str and level in _LEVELS:
        return _LEVELS[level]
    if type(level) is int:
        return level
    raise ValueError(f"unknown level; there are {', '.join(_LEVELS)}")


def _message(template: Any, args: tuple[Any, ...]) -> str:
    text = safe_str(template)
    if not args:
        return text
    try:
        if _WIDE.search(text):
            raise ValueError("too wide")
        values: Any = args[0] if len(args) == 1 and isinstance(args[0], dict) and args[0] else args
        return str(guards.GUARDS["_mod_"](text, values))
    except (TypeError, ValueError, KeyError, OverflowError):
        # As in Python, a wrong log call is no reason to fail; unlike Python's, it is still readable.
        return " ".join([text, *(safe_repr(arg) for arg in args)])


def _emit(level: int, template: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    unknown = options.keys() - {"exc_info", "stack_info", "stacklevel", "extra"}
    if unknown:
        raise TypeError(f"logging: unexpected keyword argument {ascii(min(unknown))[:40]}")
    if level < CURRENT.log_level:
        return
    line = f"{_LEVEL_NAMES.get(level, f'Level {level}')} {_message(template, args)}"
    shown = options.get("exc_info")
    handled = shown if isinstance(shown, Exception) else sys.exception() if shown else None
    output = CURRENT.output
    output.write(line + "\n")
    if handled is not None:
        output.write(tracebacks.written(handled, output.secrets.values()))


def _at(name: str, level: int, **always: Any) -> Callable[..., None]:
    """Answer what logs at one level; `always` are options that hold unless the call says otherwise."""

    def write(msg: Any, *args: Any, **options: Any) -> None:
        _emit(level, msg, args, {**always, **options})

    write.__name__ = write.__qualname__ = name
    return write


debug: Final = _at("debug", 10)
info: Final = _at("info", 20)
warning: Final = _at("warning", 30)
error: Final = _at("error", 40)
exception: Final = _at("exception", 40, exc_info=True)
critical: Final = _at("critical", 50)


def log(level: Any, msg: Any, *args: Any, **options: Any) -> None:
    """Log at a level."""
    _emit(_level(level), msg, args, options)


def basic_config(**options: Any) -> None:
    """Set the level below which nothing is written, for this execution; other options mean nothing here."""
    if options.get("level") is not None:
        CURRENT.log_level = _level(options["level"])


def level_name(level: Any) -> Any:
    """Return the name of a level, or the level of a name."""
    return _LEVELS.get(level, f"Level {level}") if type(level) is str else _LEVEL_NAMES.get(level, f"Level {level}")


class Logger:
    """What `logging.getLogger` returns. All loggers write to the execution's output."""

    __slots__ = ("_name",)
    _exposed_: ClassVar[frozenset[str]] = names(
        "critical debug error exception fatal getChild getEffectiveLevel info isEnabledFor log name setLevel warn"
        " warning"
    )

    debug = staticmethod(debug)
    info = staticmethod(info)
    warning = warn = staticmethod(warning)
    error = staticmethod(error)
    exception = staticmethod(exception)
    critical = fatal = staticmethod(critical)
    log = staticmethod(log)

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The name it was asked for by."""
        return self._name

    def getChild(self, suffix: str) -> Logger:
        """Return the logger below this one."""
        return get_logger(f"{self._name}.{suffix}" if type(suffix) is str else None)

    def setLevel(self, level: Any) -> None:
        """Set the level below which nothing is written, for this execution."""
        CURRENT.log_level = _level(level)

    def getEffectiveLevel(self) -> int:
        """Return the level below which nothing is written."""
        return CURRENT.log_level

    def isEnabledFor(self, level: Any) -> bool:
        """Say whether a level is written."""
        return _level(level) >= CURRENT.log_level

    def __repr__(self) -> str:
        return f"<Logger {self._name}>"


def get_logger(name: Any = None) -> Logger:
    """Return a logger."""
    return Logger(name if type(name) is str and name else "root")


def format_exc(limit: Any = None, chain: Any = True) -> str:
    """Return the error that is being handled, with the way to it."""
    handled = sys.exception()
    return "NoneType: None\n" if handled is None else tracebacks.written(handled, CURRENT.output.secrets.values())


def print_exc(limit: Any = None, file: None = None, chain: Any = True) -> None:
    """Print the error that is being handled, with the way to it."""
    show(format_exc(), end="", file=file)


def format_exception(exc: Any, /) -> list[str]:
    """Return an error with the way to it."""
    return tracebacks.written(_error(exc), CURRENT.output.secrets.values()).splitlines(keepends=True)


def format_exception_only(exc: Any, /) -> list[str]:
    """Return the name of an error and its message."""
    return [tracebacks.last_lines(_error(exc), CURRENT.output.secrets.values()) + "\n"]


def _error(value: Any) -> Exception:
    if not isinstance(value, Exception):
        raise TypeError(f"an exception is needed, not {type(value).__name__}")
    return value


def modules() -> dict[str, Module]:
    """Build the facades of this file."""
    ways = (format_exc, format_exception, format_exception_only, print_exc)
    members: dict[str, Any] = {
        **_LEVELS, "basicConfig": basic_config, "critical": critical, "debug": debug, "error": error,
        "exception": exception, "fatal": critical, "getLevelName": level_name, "getLogger": get_logger, "info": info,
        "log": log, "warn": warning, "warning": warning,
    }  # fmt: skip
    return {
        "logging": module("logging", members),
        "traceback": module("traceback", {function.__name__: function for function in ways}),
    }
