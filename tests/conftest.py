"""What must be true before any test module is imported, and what a run says at its end."""

from __future__ import annotations

import os

import pytest

from tests import host

# Before grpc is imported: it would start its threads again in each child that test_zygote.py forks from this process,
# and a zygote refuses to be forked from beside threads.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each feature that this host lacks once, with the number of tests skipped for it and what it means."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    lines = list(host.summary(longrepr[2] for longrepr in skipped if isinstance(longrepr, tuple)))
    if lines:
        terminalreporter.section("not tried on this host")
        for line in lines:
            terminalreporter.write_line(line)
