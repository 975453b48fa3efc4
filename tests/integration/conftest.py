"""The fixture that starts real daemons and holds each to what must be true when it has ended."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

# Before grpc is imported: it would start its threads again in each child that test_zygote.py forks from this process,
# and a zygote refuses to be forked from beside threads.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

from tests.daemon_rig import Daemon, Serve, served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start daemons; whatever the test did, they end with it, leave no process and have logged no fault of ours."""
    with ExitStack() as daemons:

        def start(*flags: str, **options: Any) -> Daemon:
            return daemons.enter_context(served(tmp_path, *flags, **options))

        yield start
