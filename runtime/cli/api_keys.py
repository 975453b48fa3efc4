"""`vestibule api-keys`: make, list and revoke the keys that callers send. A key is shown once, when it is made."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, complain, say, say_json, say_table
from runtime.cli.store_flag import STORE_SETTINGS, store_of
from runtime.errors import ConfigError, Fault

if TYPE_CHECKING:
    from runtime.callers.key_text import KeyText
    from runtime.catalog.api_keys import ApiKey
    from runtime.catalog.database import Database

DESCRIPTION = """\
A caller sends its key as `authorization: Bearer vk_...`. The store keeps a hash of it, so a key is shown once, when it
is made; make a new one for one that was lost. Running daemons see a new or a revoked key within two seconds.

  vestibule api-keys create --scope execute --tenant acme --expires 90d --out gateway.key
  vestibule api-keys list
  vestibule api-keys revoke ID

Scopes: execute decides logins, read reads tenants' settings, author changes tenants' flows, operator administers. None
includes another."""

_SCOPES: Final = ("execute", "read", "author", "operator")
_UNITS: Final = {"m": 60, "h": 3600, "d": 86_400}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    create = actions.add_parser("create", help="make a key and show it once", allow_abbrev=False)
    create.add_argument(
        "--scope", action="append", required=True, choices=_SCOPES, help="what it may do; may be given many times"
    )
    create.add_argument("--tenant", required=True, metavar="T", help="the tenant that it is for, or * for every one")
    create.add_argument(
        "--expires", type=_ends, required=True, metavar="WHEN", help="90d, 12h, 30m, 2027-01-31, or never"
    )
    create.add_argument("--name", default="", metavar="TEXT", help="what it is for, shown in the list")
    create.add_argument("--out", metavar="FILE", help="write the key to a new file of mode 0600, not to the terminal")
    listing = actions.add_parser("list", help="show every key, without its secret", allow_abbrev=False)
    revoke = actions.add_parser("revoke", help="make a key useless, for good", allow_abbrev=False)
    revoke.add_argument("id", metavar="ID", help="the key's id: its letters between vk_ and the second _")
    for action in (create, listing, revoke):
        action.add_argument("--json", action="store_true", help="print JSON")
        add_settings(action, only=STORE_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    from runtime.catalog import api_keys

    with contextlib.closing(store_of(loaded(args).config)) as database:
        if args.action == "create":
            _create(args, database)
        elif args.action == "list":
            _show(api_keys.listed(database), as_json=args.json)
        else:
            revoked = api_keys.revoke(database, args.id.removeprefix("vk_").partition("_")[0])
            if args.json:
                say_json(_public(revoked), indent=2)
            else:
                say(f"revoked {revoked.key_id}: daemons refuse it within two seconds")
    return Exit.OK


def _create(args: argparse.Namespace, database: Database) -> None:
    from runtime.callers import key_text
    from runtime.catalog import api_keys
    from runtime.catalog.base import TENANT_NAME

    if not re.fullmatch(rf"\*|{TENANT_NAME}", args.tenant):
        raise ConfigError([Fault("--tenant", f"{args.tenant!r} is no tenant; write its id, or '*' for every tenant")])
    if len(args.name) > 100 or not args.name.isprintable():
        raise ConfigError([Fault("--name", "is not usable; write at most 100 printable characters")])
    made = key_text.generate()
    scopes = tuple(dict.fromkeys(args.scope))
    digest, now = key_text.digest(made.secret), int(time.time())
    key = api_keys.ApiKey(made.key_id, digest, args.name, scopes, args.tenant, now, args.expires)
    # The file first: a key that cannot be kept is not made.
    descriptor = _new_file(args.out) if args.out else None
    try:
        api_keys.add(database, key)
    except BaseException:
        if descriptor is not None:
            os.close(descriptor)
            os.unlink(args.out)
        raise
    _hand_over(args, key, made, descriptor)


def _hand_over(args: argparse.Namespace, key: ApiKey, made: KeyText, descriptor: int | None) -> None:
    """Give the key to its user: the only time."""
    if descriptor is not None:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{made}\n")
    shown = {} if descriptor is not None else {"key": str(made)}
    if args.json:
        say_json({**_public(key), **shown}, indent=2)
        return
    complain(f"key {key.key_id}: {_words(key)}")
    if descriptor is None:
        complain("it is shown this once:")
        say(str(made))
    else:
        complain(f"written to {args.out}")


def _new_file(name: str) -> int:
    try:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError([Fault(f"--out {name}", f"cannot be made: {why}; name a new file")]) from None


def _show(keys: list[ApiKey], *, as_json: bool) -> None:
    if as_json:
        say_json([_public(key) for key in keys], indent=2)
        return
    rows = [
        (
            key.key_id,
            _state(key),
            ",".join(key.scopes),
            key.tenant,
            _day(key.created_at),
            _day(key.expires_at),
            key.name,
        )
        for key in keys
    ]
    say_table(rows, ("ID", "STATE", "SCOPES", "TENANT", "CREATED", "EXPIRES", "NAME"))


def _public(key: ApiKey) -> dict[str, Any]:
    """Return what may be shown of a key: all but the hash."""
    shown = {name: value for name, value in asdict(key).items() if name != "digest"}
    return {**shown, "scopes": list(key.scopes), "state": _state(key)}


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= time.time() else "active"


def _words(key: ApiKey) -> str:
    tenant = "every tenant" if key.tenant == "*" else f"tenant {key.tenant}"
    return f"{', '.join(key.scopes)} for {tenant}, expires {_day(key.expires_at)}"


def _day(instant: int | None) -> str:
    return "never" if instant is None else f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%MZ}"


def _ends(text: str) -> int | None:
    """Read an instant, as seconds since the epoch; None for never."""
    if text == "never":
        return None
    now = int(time.time())
    span = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if span:
        return now + int(span[1]) * _UNITS[span[2]]
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        given = None
    ends = int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()) if given else 0
    if ends <= now:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no time to come; write 90d, 12h, 30m, a date such as 2099-01-31, or never"
        )
    return ends
