"""The store that a command works on, by its `--store`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runtime.cli.flags import add_settings, loaded

if TYPE_CHECKING:
    from runtime.catalog.database import Database


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add --store, and --json, which every command on a store has."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, only=("store",))


@contextlib.contextmanager
def opened(args: argparse.Namespace) -> Iterator[Database]:
    """Give the store that the flags name, for a block. Raises: ConfigError."""
    from runtime.catalog.opening import open_database

    with contextlib.closing(open_database(loaded(args).config.store)) as database:
        yield database
