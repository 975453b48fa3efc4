"""Versions, rollbacks and holds in stores of every kind: the tests of SQLite's, with each kind under them."""

import pytest

from runtime.catalog.database import Database
from tests.unit.test_versions import TestConflicts as TestConflicts
from tests.unit.test_versions import TestEarlierReleases as TestEarlierReleases
from tests.unit.test_versions import TestHolds as TestHolds
from tests.unit.test_versions import TestRollback as TestRollback


@pytest.fixture
def database(empty_store: Database) -> Database:
    return empty_store


@pytest.fixture(params=["postgresql"])
def store_setting(request: pytest.FixtureRequest) -> str:
    """Leave out SQLite, which has had these tests already."""
    return str(request.getfixturevalue("emptied_database")())
