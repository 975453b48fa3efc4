"""The fixture that starts real daemons and holds each to what must be true when it has ended."""

import re
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


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for a whole module, whose tests have tenants of their own and leave it as it was."""
    with served(tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Name a tenant for one test."""
    return re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
