"""The store that a command works on, by its `--store`."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from runtime.cli.flags import add_settings, loaded

if TYPE_CHECKING:
    from runtime.catalog.keyed import KeyedDatabase
    from runtime.config.settings import Config

STORE_SETTINGS: Final = ("store", "catalog.keys_file", "catalog.keys_env")
"""What leads to a store, and opens it."""


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add --store, and --json, which every command on a store has."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, only=STORE_SETTINGS)


@contextlib.contextmanager
def opened(args: argparse.Namespace) -> Iterator[KeyedDatabase]:
    """Give the store that the flags name, for a block. Raises: ConfigError."""
    with contextlib.closing(store_of(loaded(args).config)) as database:
        yield database


def store_of(config: Config) -> KeyedDatabase:
    """Return the store of a configuration, with its keys; the caller closes it. Raises: ConfigError."""
    from runtime.catalog import store_keys
    from runtime.catalog.opening import open_database

    keys = store_keys.given(config.catalog, os.environ)
    return open_database(config.store, keys=lambda: keys)
