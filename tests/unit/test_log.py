"""Logs: one line each, valid JSON, foreign text made harmless, sampling that never loses what matters."""

import io
import json
import logging
import threading
import warnings
from typing import Any, Literal

import pytest

from runtime.config.sections import LogConfig
from runtime.ops.log import LoginLog, build, clip, forward_libraries, where


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_in_a_readers_order() -> None:
    """Time, level and event come first, then the values as given."""
    stream = io.StringIO()
    build(LogConfig(), stream).bind(pid=7).info("daemon.started", b=1, a=2)
    (line,) = written(stream)
    assert list(line) == ["time", "level", "event", "pid", "b", "a"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["event"]) == ("info", "daemon.started")


def test_levels_filter() -> None:
    """A line below the level is not written."""
    stream = io.StringIO()
    log = build(LogConfig(level="warning"), stream)
    log.info("worker.spawned")
    log.warning("worker.killed")
    assert [line["event"] for line in written(stream)] == ["worker.killed"]


def test_console_is_for_people() -> None:
    """The console format is text, without colours when it is no terminal."""
    stream = io.StringIO()
    build(LogConfig(format="console"), stream).info("daemon.started", port=1)
    assert "daemon.started" in stream.getvalue()
    assert "port=1" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\u202eevil", "\ud800", "a\0b", "x\u2028y", "tab\there"])
@pytest.mark.parametrize("form", ["json", "console"])
def test_foreign_text_cannot_break_a_line(text: str, form: Literal["json", "console"]) -> None:
    """Text, clipped or not, holds nothing that ends a line, moves a cursor or turns the reading direction."""
    stream = io.StringIO()
    build(LogConfig(format=form), stream).warning("action.rejected", error=clip(text), reason=text)
    output = stream.getvalue()
    assert output.count("\n") == 1
    assert all(character.isprintable() for character in output.rstrip("\n"))


def test_clip_caps() -> None:
    """A field has at most its limit of characters before escaping, and printable text stays as it is."""
    assert clip("x" * 1000, 10) == "x" * 9 + "…"
    assert clip("Zoë 東京") == "Zoë 東京"


@pytest.mark.parametrize(
    ("sample", "draw", "notable", "wanted"),
    [
        (0.0, 0.0, False, False),
        (0.0, 0.0, True, True),
        (1.0, 0.99, False, True),
        (0.1, 0.05, False, True),
        (0.1, 0.1, False, False),
        (0.1, 0.99, True, True),
    ],
)
def test_sampling_keeps_what_is_notable(sample: float, draw: float, notable: bool, wanted: bool) -> None:
    """An ordinary login is written with the sample's probability, a notable one always."""
    log = LoginLog(build(LogConfig(), io.StringIO()), sample, lambda: draw)
    assert log.wants(notable) is wanted


def test_a_degraded_login_is_a_warning() -> None:
    """The line of a degraded login stands out."""
    stream = io.StringIO()
    log = LoginLog(build(LogConfig(), stream), 1.0)
    log.write(degraded=False, tenant="a")
    log.write(degraded=True, tenant="b")
    assert [(line["event"], line["level"]) for line in written(stream)] == [
        ("login.decided", "info"),
        ("login.decided", "warning"),
    ]


def test_a_level_can_change_while_the_log_is_used() -> None:
    """Another level is in effect at once, in what was bound before as well."""
    stream = io.StringIO()
    log = build(LogConfig(level="error"), stream)
    bound = log.bind(pid=7)
    bound.info("worker.spawned")
    log.set_level("debug")
    bound.debug("worker.ready")
    log.set_level("warning")
    bound.info("worker.exited")
    assert [(line["event"], line["pid"]) for line in written(stream)] == [("worker.ready", 7)]


def test_equal_errors_are_counted_beyond_some_a_minute() -> None:
    """A thousand errors of one cause are twenty lines and a count; another cause has its own lines."""
    stream = io.StringIO()
    log = build(LogConfig(), stream)
    for at in range(1000):
        log.error("login.failed", reason="WORKER_UNAVAILABLE", error=f"worker {at} is gone")
    log.error("login.failed", error="KeyError")
    log.report_suppressed()
    lines = written(stream)
    assert [line.get("reason") for line in lines] == ["WORKER_UNAVAILABLE"] * 20 + [None]
    log.report_suppressed(everything=True)
    last = written(stream)[21:]
    assert [(line["event"], line["of"], line["error"], line["lines"]) for line in last] == [
        ("log.suppressed", "login.failed", "WORKER_UNAVAILABLE", 980)
    ]


def test_decided_logins_are_never_suppressed() -> None:
    """The limit is for errors: each degraded login has its warning."""
    stream = io.StringIO()
    log = LoginLog(build(LogConfig(), stream), 1.0)
    for _ in range(100):
        log.write(degraded=True, tenant="b")
    assert len(written(stream)) == 100


def test_where_quotes_no_value() -> None:
    """The place of an error names files, lines and functions, and none of the values."""

    def fail(secret: str) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="hunter2") as caught:
        fail("hunter2")
    place = where(caught.value)
    assert any("test_log.py" in line and "fail" in line for line in place)
    assert "hunter2" not in "".join(place)


def test_what_any_client_can_make_a_library_say_is_no_error() -> None:
    """A client that leaves or sends a header that is no text fills no log: gRPC's complaint is for developers only."""
    quiet, talkative = io.StringIO(), io.StringIO()
    level: Literal["info", "debug"]
    for level, stream in (("info", quiet), ("debug", talkative)):
        undo = forward_libraries(build(LogConfig(level=level), stream))
        try:
            b"\xff".decode()
        except UnicodeDecodeError:
            logging.getLogger("grpc._cython.cygrpc").exception("Invalid encoding on %s", b"\xff")
        finally:
            undo()
    assert quiet.getvalue() == ""
    assert [line["event"] for line in written(talkative)] == ["library.complained"]


def test_no_client_makes_a_library_fill_the_log() -> None:
    """Whatever else a client finds that a library complains about, it is some lines a minute."""
    stream = io.StringIO()
    undo = forward_libraries(build(LogConfig(), stream))
    try:
        for _ in range(100):
            logging.getLogger("grpc._cython.cygrpc").warning("a client did this")
            logging.getLogger("asyncio").error("a client did that")
    finally:
        undo()
    assert len(written(stream)) == 40


def test_libraries_are_heard() -> None:
    """A warning of a library's own logger becomes a line of ours, without the text of its exception."""
    stream = io.StringIO()
    undo = forward_libraries(build(LogConfig(), stream))
    try:
        logging.getLogger("asyncio").info("not this")
        try:
            raise ValueError("hunter2")
        except ValueError:
            logging.getLogger("grpc").exception("a call failed")
    finally:
        undo()
    (line,) = written(stream)
    assert (line["event"], line["logger"], line["error"]) == ("library.complained", "grpc", "ValueError")
    assert "hunter2" not in stream.getvalue()


@pytest.mark.filterwarnings("default")
def test_what_the_interpreter_would_print_is_a_line() -> None:
    """Errors of destructors and threads, and warnings, are in the log without their text, not on standard error."""

    class Failing:
        def __del__(self) -> None:
            raise ValueError("hunter2")

    def fail() -> None:
        raise KeyError("hunter2")

    stream = io.StringIO()
    undo = forward_libraries(build(LogConfig(), stream))
    try:
        Failing()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        warnings.warn("an old way", DeprecationWarning, stacklevel=1)
    finally:
        undo()
    lines = written(stream)
    assert [(line["event"], line["level"], line["error"]) for line in lines] == [
        ("library.complained", "error", "ValueError"),
        ("library.complained", "error", "KeyError"),
        ("library.complained", "warning", "DeprecationWarning"),
    ]
    assert "hunter2" not in stream.getvalue()
