"""The fixtures that start real daemons, define tenants and decide logins."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runtime.catalog.database import Database
from runtime.catalog.opening import open_database
from tests.fixtures.daemons import Daemon, Login, Serve, Tenant, served
from tests.fixtures.postgresql import Cluster
from tests.fixtures.postgresql import running as running_cluster
from tests.fixtures.stores import KINDS, Again
from tests.fixtures.tenants import define


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


@pytest.fixture
def tenant(daemon: Daemon, name: str) -> Tenant:
    """Publish a tenant of the test's own."""

    def publish(*sources: str, **options: Any) -> int:
        return daemon.publish(define(name, *sources, **options))

    return publish


@pytest.fixture
def login(daemon: Daemon, name: str) -> Login:
    """Decide logins of that tenant."""
    return partial(daemon.call, name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """Run one PostgreSQL server for all tests of this process. A test that stops or kills one makes its own."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def database(postgresql: Cluster) -> Iterator[str]:
    """Give a test an empty PostgreSQL database of its own: the URL of it."""
    name = postgresql.database()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture(scope="session")
def emptied_database(postgresql: Cluster) -> Iterator[Callable[[], str]]:
    """Empty one database for each test that asks for it, and return its URL: to make one takes ten times as long."""
    url = postgresql.url(postgresql.database())
    with psycopg.Connection.connect(url, autocommit=True) as connection:

        def empty() -> str:
            connection.execute("DROP SCHEMA IF EXISTS vestibule CASCADE")
            return url

        yield empty


@pytest.fixture(params=KINDS)
def store_setting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a store that is not there yet: of each kind, one after the other."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("emptied_database")())


@pytest.fixture
def empty_store(store_setting: str) -> Iterator[Database]:
    """Open that store."""
    with closing(open_database(store_setting, timeout_s=2.0)) as store:
        yield store


@pytest.fixture
def again(store_setting: str) -> Iterator[Again]:
    """Open that store once more."""
    with ExitStack() as opened:
        yield lambda _store: opened.enter_context(closing(open_database(store_setting, timeout_s=2.0)))
