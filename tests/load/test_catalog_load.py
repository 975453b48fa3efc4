"""What ten thousand tenants cost the catalog. Prints a table; what it asserts is not time."""

import contextlib
import hashlib
import time
from pathlib import Path

import pytest

from runtime.catalog import applies, images
from runtime.catalog.base import Binding, Definition, Flow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import Settings

TENANTS = 10_000
SOURCE = "def on_execute_post_login(event, api):\n    pass  # {}\n" + "# about a kilobyte\n" * 55


def define(at: int, version: int = 0) -> Definition:
    """Three actions of about a kilobyte, one of them shared by every tenant, and one secret."""
    sources = [SOURCE.format(text) for text in (f"{at} {version}", f"{at} second", "shared")]
    by_sha = {hashlib.sha256(source.encode()).hexdigest(): source for source in sources}
    bindings = tuple(Binding(f"a{position}", sha) for position, sha in enumerate(by_sha))
    return Definition(Flow(f"t{at}", Settings(), bindings, {"a0": {"KEY": "value"}}), by_sha)


@pytest.mark.load
def test_ten_thousand_tenants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten thousand tenants are applied, loaded and followed; one change replaces one tenant's object."""
    path = tmp_path / "store.db"
    table: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def timed(what: str, times: int = 1):  # type: ignore[no-untyped-def]  # what it answers is whatever it is given
        started = time.perf_counter()
        yield
        table.append((what, (time.perf_counter() - started) / times * 1000))

    def read(image: images.Image | None) -> images.Image | None:
        with SqliteDatabase(path, timeout_s=1).reading() as connection:
            return images.read(connection, image, str(path))

    definitions = [define(at) for at in range(TENANTS)]
    with timed("apply all"):
        applies.apply(SqliteDatabase(path), definitions)
    with timed("apply all again, unchanged"):
        assert len(applies.apply(SqliteDatabase(path), definitions).unchanged) == TENANTS
    with timed("first load"):
        first = read(None)
    assert first is not None
    assert len(first.snapshot.tenants) == TENANTS
    with timed("poll, nothing new", 100):
        for _ in range(100):
            assert read(first) is None
    applies.apply(SqliteDatabase(path), [define(7, 1)])
    with timed("poll, one tenant changed"):
        second = read(first)
    assert second is not None
    kept = sum(second.snapshot.tenants[name] is flow for name, flow in first.snapshot.tenants.items())
    assert kept == TENANTS - 1
    with capsys.disabled():
        print(f"\n{TENANTS} tenants, three actions each")
        for what, milliseconds in table:
            print(f"  {what:<28}{milliseconds:>10.2f} ms")
