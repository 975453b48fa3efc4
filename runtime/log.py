"""All logging: how a line is rendered, which lines are sampled, how foreign text is made harmless.

Knows: structlog, the log configuration. Must not know: what the events mean. Called by: the daemon builds one log and
passes it on; nobody configures logging globally. An event is a literal `noun.past_verb`, its values are keys; never
event content, source or secrets, and text of a tenant only through `clip`.
"""

import logging
import random
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final, Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from runtime.config import LogConfig
from runtime.printable import printable

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log(Protocol):
    """What is passed around. Levels: info = wanted daily, warning = a caller's or tenant's fault, error = ours."""

    def debug(self, event: str, **values: Any) -> Any:
        """Log what only a developer wants."""

    def info(self, event: str, **values: Any) -> Any:
        """Log what an operator wants daily."""

    def warning(self, event: str, **values: Any) -> Any:
        """Log a tenant's or a caller's fault worth seeing."""

    def error(self, event: str, **values: Any) -> Any:
        """Log a fault of ours on which someone should act."""

    def bind(self, **values: Any) -> "Log":
        """Return a log that adds these values to every line."""


def clip(text: str, limit: int = 200) -> str:
    """Return tenant or caller text fit for one log field: one line, capped, nothing a terminal would obey."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return printable(text)


def build(config: LogConfig, stream: TextIO | None = None) -> Log:
    """Return a log on `stream` (standard error). No global state is touched."""
    out = stream if stream is not None else sys.stderr
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
    return cast(
        "Log",
        structlog.wrap_logger(
            _Writer(out),
            processors=processors,
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[config.level]),
            context_class=dict,
            cache_logger_on_first_use=True,
        ),
    )


def _harmless(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """Escape what a terminal would obey; JSON escapes it by itself."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in values.items()}


def _event_first(_logger: WrappedLogger, _method: str, values: EventDict) -> EventDict:
    """Order a line for a reader: time, level, event, then the values as they were given."""
    return {"time": values.pop("time"), "level": values.pop("level"), "event": values.pop("event"), **values}


class _Writer:
    """Writes whole lines. A stream that is gone or full takes no login with it: the line is lost, and counted."""

    __slots__ = ("_stream", "lost")

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def msg(self, message: str) -> None:
        try:
            self._stream.write(message + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += 1

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


def where(error: BaseException, limit: int = 8) -> list[str]:
    """Return `file:line function` of the innermost frames of an error: no values, no source lines, no message."""
    frames = traceback.extract_tb(error.__traceback__)[-limit:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


# What gRPC calls an error of its own and any client can cause, as often as it likes: it is gone when its answer is to
# be written, or a header of its call is no text.
_OF_CALLERS: Final = frozenset(
    {("grpc._cython.cygrpc", "ExecuteBatchError"), ("grpc._cython.cygrpc", "UnicodeDecodeError")}
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
        say("library.complained", **values)


def forward_libraries(log: Log) -> Callable[[], None]:
    """Send warnings of libraries' own loggers into this log. Returns the undo, for whoever outlives the daemon."""
    handler = _Forwarder(log)
    root = logging.getLogger()
    root.addHandler(handler)
    return lambda: root.removeHandler(handler)
