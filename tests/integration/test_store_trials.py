"""Versions on trial in PostgreSQL: the tests of SQLite's."""

import pytest

from runtime.catalog.database import Database
from tests.integration.test_store_versions import store_setting as store_setting
from tests.unit.test_trials import TestCounts as TestCounts
from tests.unit.test_trials import TestEnds as TestEnds
from tests.unit.test_trials import TestTrial as TestTrial
from tests.unit.test_trials import database as database


@pytest.fixture
def empty(empty_store: Database) -> Database:
    return empty_store
