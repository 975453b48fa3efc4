"""All logging: how a line is rendered, which lines are sampled, how foreign text is made harmless.

Nothing is configured globally. An event is a literal `noun.past_verb`, its values are keys; never event content, source
or secrets, and text of a tenant only through `clip`.
"""

import asyncio
import logging
import random
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from runtime.config.sections import LogConfig
from runtime.ops.printable import printable
from runtime.ops.throttle import Throttle

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Errors of one event and cause that are written in a minute; the others are counted. A client that found a way to cause
# an error fills no disk with it, and hides no other error either.
_ERRORS_A_MINUTE: Final = 20
_CAUSES: Final = 200
_NAME: Final = re.compile(r"[A-Za-z_][\w.]{0,60}")
_COMPLAINT: Final = "library.complained"


class Log(Protocol):
    """What is passed around.

    debug is for developers, info is wanted daily, warning is a caller's or tenant's fault, error is a fault of ours on
    which someone should act. `bind` returns a log that adds values to every line.
    """

    def debug(self, event: str, **values: Any) -> Any: ...
    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...
    def bind(self, **values: Any) -> "Log": ...


def clip(text: str, limit: int = 200) -> str:
    """Return tenant or caller text fit for one log field: one line, capped, nothing a terminal would obey."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return printable(text)


class LineSink(Protocol):
    """Where whole lines go. Neither call waits or raises."""

    def write(self, text: str, /) -> Any: ...
    def isatty(self) -> bool: ...


class _Gate:
    """What decides whether a line is written at all: one for a logger and all that it binds."""

    __slots__ = ("errors", "level")

    def __init__(self, level: str) -> None:
        self.level = _LEVELS[level]
        self.errors: Throttle[tuple[str, str]] = Throttle(_ERRORS_A_MINUTE, _CAUSES)


class ProcessLog:
    """The log of a process. Its level can change at any time; equal errors beyond some a minute are only counted."""

    __slots__ = ("_bound", "_gate")

    def __init__(self, bound: Any, gate: _Gate) -> None:
        self._bound = bound
        self._gate = gate

    def debug(self, event: str, **values: Any) -> None:
        if self._gate.level <= 10:
            self._bound.debug(event, **values)

    def info(self, event: str, **values: Any) -> None:
        if self._gate.level <= 20:
            self._bound.info(event, **values)

    def warning(self, event: str, **values: Any) -> None:
        if self._gate.level <= 30 and (event != _COMPLAINT or self._passes(event, values)):
            self._bound.warning(event, **values)

    def error(self, event: str, **values: Any) -> None:
        if self._passes(event, values):
            self._bound.error(event, **values)

    def bind(self, **values: Any) -> "ProcessLog":
        return ProcessLog(self._bound.bind(**values), self._gate)

    def set_level(self, level: str) -> None:
        """Write lines of this level and above from now on, here and in every log that was bound from this one."""
        self._gate.level = _LEVELS[level]

    def report_suppressed(self, *, everything: bool = False) -> None:
        """Write what was counted instead of written, a line for each cause and minute. Call it about every second."""
        for cause, count in self._gate.errors.due(everything=everything):
            event, error = cause or ("others", "")
            self._bound.error("log.suppressed", of=event, error=error, lines=count)

    def _passes(self, event: str, values: dict[str, Any]) -> bool:
        # A name only: a text may be another one each time.
        names = (values.get("reason"), values.get("error"), values.get("logger"))
        cause = next((name for name in names if isinstance(name, str) and _NAME.fullmatch(name)), "")
        return self._gate.errors.passes((event, cause))


def build(config: LogConfig, out: LineSink) -> ProcessLog:
    """Return a log whose lines go to `out`. No global state is touched."""
    console = config.format == "console" or (config.format == "auto" and out.isatty())
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if console:
        processors.append(_harmless)
        processors.append(structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="time", pad_event_to=20))
    else:
        processors += [_event_first, structlog.processors.JSONRenderer(ensure_ascii=True)]
    bound = structlog.wrap_logger(
        _Lines(out),
        processors=processors,
        # The gate is ours, for it can be moved.
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS["debug"]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return ProcessLog(bound, _Gate(config.level))


def _harmless(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """Escape what a terminal would obey; JSON escapes it by itself."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in values.items()}


def _event_first(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """Order a line for a reader: time, level, event, then the values as they were given."""
    return {"time": values.pop("time"), "level": values.pop("level"), "event": values.pop("event"), **values}


class _Lines:
    """Ends each message, and hands it on."""

    __slots__ = ("_out",)

    def __init__(self, out: LineSink) -> None:
        self._out = out

    def msg(self, message: str) -> None:
        self._out.write(message + "\n")

    debug = info = warning = error = critical = exception = fatal = msg


class LoginLog:
    """The `login.decided` line: one per login, sampled; what is notable is always written.

    Ask `wants` first: a line that is not written should cost nothing to prepare.
    """

    __slots__ = ("_log", "_random", "_sample")

    def __init__(self, log: Log, sample: float, rand: Callable[[], float] = random.random) -> None:
        self._log = log
        self._sample = sample
        self._random = rand

    def wants(self, notable: bool) -> bool:
        """Tell whether this login's line is to be written; `notable` = degraded, or denied because of an error."""
        return notable or self._sample >= 1.0 or (self._sample > 0.0 and self._random() < self._sample)

    def write(self, *, degraded: bool, **values: Any) -> None:
        """Write the line: everything needed to explain the answer, nothing of the event's content."""
        if degraded:
            self._log.warning("login.decided", degraded=True, **values)
        else:
            self._log.info("login.decided", degraded=False, **values)


def task_failed(log: Log, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error that no code awaited: its place, and not its message, which might quote anything."""
    error = context.get("exception")
    values: dict[str, Any] = {"message": clip(str(context.get("message", "")), 120)}
    if isinstance(error, BaseException):
        values |= {"error": type(error).__name__, "where": where(error)}
    log.error("task.failed", **values)


def where(error: BaseException, limit: int = 8) -> list[str]:
    """Return `file:line function` of the innermost frames of an error: no values, no source lines, no message."""
    frames = traceback.extract_tb(error.__traceback__)[-limit:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


# What gRPC calls an error of its own and any client can cause, as often as it likes: it is gone when its answer is to
# be written, a header of its call is no text, or what it sends to health or reflection is no message.
_OF_CALLERS: Final = frozenset(
    ("grpc._cython.cygrpc", error) for error in ("ExecuteBatchError", "UnicodeDecodeError", "DecodeError")
)


class _Forwarder(logging.Handler):
    """Passes records of standard-library loggers (asyncio, grpc) on, without their exception text."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        values: dict[str, Any] = {"logger": record.name, "message": clip(str(record.msg), 300)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            values |= {"error": type(error).__name__, "where": where(error)}
        if (record.name, type(error).__name__) in _OF_CALLERS:
            say = self._log.debug
        else:
            say = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        say(_COMPLAINT, **values)


def forward_libraries(log: Log) -> Callable[[], None]:
    """Send what libraries and the interpreter would write to standard error into this log.

    That would wait for its reader, and be no line of ours. Returns the undo, for a process that outlives the daemon.
    """
    handler = _Forwarder(log)
    root = logging.getLogger()
    root.addHandler(handler)
    before = sys.unraisablehook, threading.excepthook, warnings.showwarning

    def unraisable(failed: "sys.UnraisableHookArgs", /) -> None:
        tell("an error was raised where it cannot be handled", failed.exc_value)

    def thread_ended(failed: threading.ExceptHookArgs, /) -> None:
        tell("a thread ended with an error", failed.exc_value)

    def warned(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        log.warning(_COMPLAINT, logger="warnings", message=clip(str(message), 300), error=category.__name__)

    def tell(message: str, error: BaseException | None) -> None:
        values = {"error": type(error).__name__, "where": where(error)} if error is not None else {}
        log.error(_COMPLAINT, logger="python", message=message, **values)

    def undo() -> None:
        root.removeHandler(handler)
        sys.unraisablehook, threading.excepthook, warnings.showwarning = before

    sys.unraisablehook, threading.excepthook, warnings.showwarning = unraisable, thread_ended, warned
    return undo
