"""Flags that say what a command about versions works on, and the source they lead to: a store, or a daemon."""

from __future__ import annotations

import argparse
import contextlib
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from runtime.cli import store_flag
from runtime.cli.connection import add_connection, asked_for, credentials_of, target_of
from runtime.cli.flags import add_settings
from runtime.cli.store_flag import STORE_SETTINGS
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from runtime.cli.version_source import VersionSource

_REQUEST_ID_CHARS: Final = 128


def add_source(parser: argparse.ArgumentParser, *, changes: bool = False) -> None:
    """Add --json, --store and --target with its flags, and for what changes tenants --request-id."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser, only=STORE_SETTINGS)
    add_connection(parser, instead_of_store=True)
    if changes:
        parser.add_argument(
            "--request-id",
            type=_request_id,
            metavar="ID",
            help="with --target: the change is made once, however often it is sent with this id within a day [random]",
        )


@contextlib.contextmanager
def opened(args: argparse.Namespace) -> Iterator[VersionSource]:
    """Give what the flags name, for a block: the store, or with --target a daemon. Raises: ConfigError."""
    if not args.target:
        from runtime.cli.store_source import StoreSource

        _refuse_without_target(args)
        with store_flag.opened(args) as database:
            yield StoreSource(database)
        return
    from runtime.cli.remote_source import RemoteSource
    from runtime.rpc.admin_client import connected

    _refuse_with_target(args)
    target = target_of(args, urls=True)
    credentials = credentials_of(args, target)
    with connected(target, credentials) as client:
        yield RemoteSource(client, getattr(args, "request_id", "") or uuid.uuid4().hex)


def _refuse_without_target(args: argparse.Namespace) -> None:
    if asked_for(args):
        raise ConfigError([Fault("--target", "is missing, and the other flags of the connection need it; add it")])
    if getattr(args, "request_id", ""):
        raise ConfigError([Fault("--request-id", "is for a daemon; give --target, or leave it out")])


def _refuse_with_target(args: argparse.Namespace) -> None:
    given = [f"--{key.replace('.', '-').replace('_', '-')}" for key in STORE_SETTINGS if getattr(args, key, None)]
    if given:
        raise ConfigError([Fault(", ".join(given), "names a store, and --target a daemon; give one of them")])
    if getattr(args, "who", ""):
        raise ConfigError([Fault("--as", "does not go with --target: the daemon names the key that is sent")])


def _request_id(text: str) -> str:
    if not text or len(text) > _REQUEST_ID_CHARS or not text.isprintable():
        message = f"is not usable; write 1 to {_REQUEST_ID_CHARS} printable characters"
        raise argparse.ArgumentTypeError(message)
    return text
