"""The fixture that starts real daemons and holds each to what must be true when it has ended."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.daemon_rig import Daemon, Serve, served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start daemons; whatever the test did, they end with it, leave no process and have logged no fault of ours."""
    with ExitStack() as daemons:

        def start(*flags: str, **options: Any) -> Daemon:
            return daemons.enter_context(served(tmp_path, *flags, **options))

        yield start
