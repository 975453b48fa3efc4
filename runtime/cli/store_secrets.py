"""`vestibule store seal`, `rotate-key`, `purge` and `status`: the secrets of a store at rest."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from runtime.cli.output import Exit, agrees, at_terminal, complain, plural, progress, say, say_json
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from runtime.catalog.keyed import KeyedDatabase
    from runtime.catalog.sealed_store import StoreSeal

ACTIONS = {
    "status": "say whether its secrets are sealed, and by which keys",
    "seal": "seal the secrets of a store that has them as plain text",
    "rotate-key": "seal it by the first key of the file; with --values each secret anew",
    "purge": "drop what was replaced for good, secrets included",
}


def arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """Add the arguments of one action."""
    if action == "rotate-key":
        parser.add_argument(
            "--values", action="store_true", help="seal every secret anew too, with a new data key of the store"
        )
        parser.add_argument(
            "--force", action="store_true", help="although a daemon that serves the store lacks the key"
        )
    if action == "purge":
        parser.add_argument("--tenant", metavar="T", help="only what is of this tenant")
        parser.add_argument("--yes", action="store_true", help="without a question")


def run(args: argparse.Namespace, database: KeyedDatabase) -> int:
    """Do what was asked."""
    return {"status": _status, "seal": _seal, "rotate-key": _rotate, "purge": _purge}[args.action](args, database)


def _status(args: argparse.Namespace, database: KeyedDatabase) -> int:
    from runtime.catalog import sealed_store

    _show(args, database, sealed_store.state(database))
    return Exit.OK


def _show(args: argparse.Namespace, database: KeyedDatabase, found: StoreSeal) -> None:
    if args.json:
        say_json({"store": database.setting, "sealed": bool(found.keys), **asdict(found)}, indent=2)
    elif not found.keys:
        say(f"{database.setting} is not sealed: {plural(found.secrets, 'text')} with secrets, as plain text")
    else:
        say(f"{database.setting} is sealed by {', '.join(found.keys)}: {plural(found.secrets, 'text')} with secrets")
        if found.data_keys > 1:
            say(f"{plural(found.stale, 'text')} left to seal anew: run `vestibule store rotate-key --values` once more")


def _seal(args: argparse.Namespace, database: KeyedDatabase) -> int:
    from runtime.catalog import sealed_store

    sealed_store.seal(database, database.keys, int(time.time()))
    _show(args, database, sealed_store.state(database))
    return Exit.OK


def _rotate(args: argparse.Namespace, database: KeyedDatabase) -> int:
    from runtime.catalog import replicas, sealed_store

    now_s = int(time.time())
    if database.keys and not args.force:
        lacking = replicas.lacking(database, database.keys.ids[0], now_s)
        if lacking:
            message = (
                f"{', '.join(lacking)} cannot open what the key {database.keys.ids[0]} seals; give it the key in "
                "catalog.keys_file, below the others, and wait until `vestibule store status` is quiet; or say --force"
            )
            raise ConfigError([Fault("catalog.keys_file", message)])
    freed = sealed_store.rotate(database, database.keys)
    if args.values:
        sealed_store.reseal(database, database.keys, now_s, lambda count: progress(f"{count} sealed anew"))
        progress("")
    _show(args, database, sealed_store.state(database))
    if freed and not args.json:
        say(f"the store needs {', '.join(freed)} no more; backups that were made before do")
    return Exit.OK


def _purge(args: argparse.Namespace, database: KeyedDatabase) -> int:
    from runtime.catalog import sealed_store

    if not args.yes and (args.json or not at_terminal() or not _agreed(args)):
        message = "logins that were suspended under a replaced flow begin again; add --yes if that is meant"
        raise ConfigError([Fault("purge", message)])
    purged = sealed_store.purge(database, args.tenant)
    if args.json:
        say_json({"store": database.setting, **asdict(purged)}, indent=2)
    else:
        flows, secrets = plural(purged.flows, "replaced flow"), plural(purged.secrets, "unused secret")
        say(f"purged {flows}, {secrets} and {plural(purged.answers, 'stored answer')} from {database.setting}")
    return Exit.OK


def _agreed(args: argparse.Namespace) -> bool:
    whose = f"of tenant {args.tenant}" if args.tenant else "of every tenant"
    complain(f"logins that were suspended under a replaced flow {whose} begin again")
    return agrees("purge what was replaced?")
