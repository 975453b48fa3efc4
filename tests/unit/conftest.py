"""Hold unit tests to what they are: no process, no network, no sleep.

A pair of connected sockets is let through. It is how a fake worker is reached: both ends are in this process, and what
reads and writes them is the product's own code.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any, SupportsIndex

import pytest

REFUSED = frozenset(
    {
        "subprocess.Popen",
        "os.fork",
        "os.forkpty",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
    }
)
"""Audit events that end a unit test. Source: https://docs.python.org/3/library/audit_events.html."""

_HERE = Path(__file__).parent
_guarded = False
_sleep, _sleep_in_loop = time.sleep, asyncio.sleep
_TESTS = str(_HERE.parent)


def _refuse(event: str, _args: tuple[Any, ...]) -> None:
    if _guarded and event in REFUSED:
        raise AssertionError(f"a unit test does {event}: move it to tests/integration")


def _no_sleep(seconds: float | SupportsIndex) -> None:
    """Let other threads run, which `sleep(0)` is for; refuse to wait."""
    assert not seconds, f"a unit test sleeps {seconds} s: inject the clock, or move it to tests/integration"
    _sleep(0)


def _no_sleep_in_loop(delay: float, result: Any = None) -> Coroutine[Any, Any, Any]:
    """Refuse to wait for a test. The product may: what it waits for is the test's to bring about."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame else None
    if delay > 0 and caller and caller.f_code.co_filename.startswith(_TESTS):
        raise AssertionError(f"a unit test sleeps {delay} s in its loop: wait for a state, or inject the clock")
    return _sleep_in_loop(delay, result)


# It cannot be taken away again, and a pytest process runs other folders' tests too.
sys.addaudithook(_refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Guard each test of this folder, its fixtures included. pytest asks for every folder's tests."""
    if not item.path.is_relative_to(_HERE):
        return (yield)
    _guard(True)
    try:
        return (yield)
    finally:
        _guard(False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Let the last test of all take down what other folders' tests have in common, such as a server."""
    if nextitem is None:
        _guard(False)
    return (yield)


def _guard(on: bool) -> None:
    global _guarded
    _guarded = on
    time.sleep, asyncio.sleep = (_no_sleep, _no_sleep_in_loop) if on else (_sleep, _sleep_in_loop)
