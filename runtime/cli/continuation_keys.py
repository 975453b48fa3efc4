"""`vestibule continuation-keys`: which keys of suspended logins are in use, where, and which may be removed."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, complain, say, say_json, say_table
from runtime.cli.store_flag import STORE_SETTINGS, store_of

if TYPE_CHECKING:
    from runtime.catalog.replicas import KeyUse, Replica

DESCRIPTION = """\
Each daemon writes into the store which keys seal and open suspended logins there, every half minute and when they
change. `status` puts that together: where each key seals and opens, when the last login ends that it sealed, and
whether it may be removed. With --continuation-keys-file it says which of them that file has.

  vestibule continuation-keys status --store postgresql://vestibule@db/vestibule

To rotate: put the new key below the old one in the file of every daemon; when status says that it opens on all, put it
first; when status says that the old one may be removed, remove it. Daemons read the file by themselves."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    status = actions.add_parser("status", help="show every key, and every daemon", allow_abbrev=False)
    status.add_argument("--json", action="store_true", help="print JSON")
    add_settings(status, only=(*STORE_SETTINGS, "continuation.keys_file", "continuation.lifetime_s"))


def run(args: argparse.Namespace) -> int:
    """Read what daemons say, and show it."""
    import contextlib

    from runtime.catalog import replicas

    config = loaded(args).config
    in_file = _ids(config.continuation.keys_file)
    with contextlib.closing(store_of(config)) as database:
        found = replicas.listed(database)
    now_s = time.time()
    uses = replicas.uses(found, now_s, config.continuation.lifetime_s)
    if args.json:
        keys = [_key(use, now_s, in_file) for use in uses]
        say_json({"keys": keys, "daemons": [_daemon(one, now_s) for one in found]}, indent=2)
        return Exit.OK
    serving = sum(one.state(now_s) == "serving" for one in found)
    if not serving:
        say("no daemon serves this store now, as far as it says")
    rows = [
        (
            use.id,
            f"{len(use.seals_on)} of {serving}",
            f"{len(use.opens_on)} of {serving}",
            _instant(use.needed_until_ms, now_s),
            _advice(use, now_s),
            *([_place(use.id, in_file)] if in_file is not None else []),
        )
        for use in uses
    ]
    head = ("KEY", "SEALS ON", "OPENS ON", "NEEDED UNTIL", "WHAT TO KNOW")
    say_table(rows, (*head, *(["IN THE FILE"] if in_file is not None else [])))
    say()
    say_table(
        [
            (str(one), one.state(now_s), f"{max(0, int(now_s - one.seen_at))} s ago", one.version, one.keys.seals)
            for one in found
        ],
        ("DAEMON", "STATE", "LAST SEEN", "VERSION", "SEALS WITH"),
    )
    for one in found:
        if one.keys.own and one.state(now_s) == "serving":
            complain(f"vestibule: warning: {one} has a key of its own: no other daemon continues what it suspends")
    return Exit.OK


def _ids(file: str) -> list[str] | None:
    if not file:
        return None
    from runtime.continuation import keys

    return [keys.key_id(key).hex() for key in keys.read(Path(file))]


def _advice(use: KeyUse, now_s: float) -> str:
    if use.seals_on and use.missing_on:
        return f"seals, and {', '.join(use.missing_on)} cannot open it: add it there"
    if use.seals_on:
        return "in use"
    if use.unsure:
        return f"keep it: {', '.join(use.unsure)} sealed with it and is silent"
    if not use.removable(now_s * 1000):
        return "keep it: suspended logins need it"
    if use.missing_on:
        return f"not yet on {', '.join(use.missing_on)}, or being removed"
    return "opens everywhere and seals nowhere: put it first if it is new, remove it if it is old"


def _place(name: str, in_file: list[str]) -> str:
    return "no" if name not in in_file else "first" if in_file[0] == name else "yes"


def _instant(ms: int | None, now_s: float) -> str:
    if ms is None or ms <= now_s * 1000:
        return "-"
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _key(use: KeyUse, now_s: float, in_file: list[str] | None) -> dict[str, Any]:
    return {
        "id": use.id,
        "seals_on": list(use.seals_on),
        "opens_on": list(use.opens_on),
        "missing_on": list(use.missing_on),
        "needed_until_ms": use.needed_until_ms,
        "unsure": list(use.unsure),
        "removable": use.removable(now_s * 1000),
        **({"in_file": _place(use.id, in_file)} if in_file is not None else {}),
    }


def _daemon(one: Replica, now_s: float) -> dict[str, Any]:
    return {
        "daemon": str(one),
        "state": one.state(now_s),
        "seen_at": one.seen_at,
        "version": one.version,
        "seals": one.keys.seals,
        "opens": list(one.keys.opens),
        "store_keys": list(one.keys.store),
    }
