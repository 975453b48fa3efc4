"""Writers of one store at the same time."""

from __future__ import annotations

import threading
from pathlib import Path

from runtime.catalog import applies, images
from runtime.catalog.sqlite import SqliteDatabase
from tests.fixtures.tenants import GATE, define


def test_two_applies_at_once_follow_each_other(tmp_path: Path) -> None:
    """Writers wait for each other: both are applied, each under its own revision."""
    path = tmp_path / "store.db"
    database = SqliteDatabase(path)
    database = SqliteDatabase(path)
    results: list[int] = []
    threads = [
        threading.Thread(
            target=lambda at=at: results.append(applies.apply(database, [define(f"t{at}", GATE)]).revision)
        )
        for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [1, 2, 3, 4]
    with SqliteDatabase(path, timeout_s=10.0).reading() as connection:
        image = images.read(connection, None, str(path))
    assert image is not None
    assert set(image.snapshot.tenants) == {"t0", "t1", "t2", "t3"}
