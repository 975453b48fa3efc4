"""What must be true before any test module is imported, and what a run says at its end."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator
from types import FrameType

import pytest

from sandbox.process import kernel
from sandbox.reach import interrupts
from tests import effort, host

# Before grpc is imported: it would start its threads again in each child that test_zygote.py forks from this process,
# and a zygote refuses to be forked from beside threads.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"


effort.register_profiles()


@pytest.fixture(autouse=True)
def _no_interrupt() -> None:
    """Forget an interrupt that an earlier test left under way, as a worker does before each execution."""
    interrupts.reset()


def _interrupted(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def pytest_configure(config: pytest.Config) -> None:
    """End a run that gets SIGTERM, or whose terminal or controller has gone, as Ctrl-C does: fixtures clean up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    if hasattr(config, "workerinput"):
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector eleven thousand tests that stay, while they are found and whenever it runs after that."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each feature that this host lacks once, with the number of tests skipped for it and what it means."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    lines = list(host.summary(longrepr[2] for longrepr in skipped if isinstance(longrepr, tuple)))
    if lines:
        terminalreporter.section("not tried on this host")
        for line in lines:
            terminalreporter.write_line(line)
