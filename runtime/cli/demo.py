"""`vestibule demo`: apply the demo tenants, decide and continue sample logins in view of the reader, keep serving."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.cli import finding_formats
from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, flush, say
from runtime.cli.secret_flags import add_secret_flags, secrets_of
from runtime.cli.store_flag import store_of
from runtime.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.cli.demo_walk import DemoWalk, SampleLogin
    from runtime.config.effective import Config

DESCRIPTION = """\
Apply the demo tenants to a store of the demo's own (.run/demo.db), start a daemon, send it each sample login over gRPC,
print what was decided, continue those that wait for their user, and keep serving until Ctrl-C. The daemon's log goes
to .run/demo.log; it seals with a key of the demo's own (.run/continuation.keys) unless a keys file is configured.

With --once the command ends after the last login, with exit code 4 if a decision, or how an action ended, is not what
the list expects."""

_RUN_DIR: Final = Path(".run")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--from", dest="source", metavar="DIR", help="directory of the demo [the one installed]")
    parser.add_argument("--once", action="store_true", help="end after the last login")
    add_secret_flags(parser)
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Apply, serve, walk through the logins."""
    given = loaded(args)
    from runtime.catalog import applies, directory, sealed_store
    from runtime.cli import demo_walk
    from runtime.offline import check
    from runtime.ops import listening

    source = Path(args.source) if args.source else _files()
    logins = demo_walk.logins_of(source)
    config = given.config
    _make_run_dir()
    # Another store may hold tenants that are not the demo's: those stay.
    own_store = given.sources["store"] == "default"
    if own_store:
        config = replace(config, store=f"sqlite:{_RUN_DIR / 'demo.db'}")
    if given.sources["continuation.keys_file"] == "default":
        config = replace(config, continuation=replace(config.continuation, keys_file=str(_keys())))
    if given.sources["http_listen"] == "default":
        config = replace(config, http_listen=_next_to(config.listen))
    try:
        listening.check_all(config)
    except StartError as error:
        remedy = "nothing was applied; `make run LISTEN=127.0.0.1:0 METRICS_LISTEN=127.0.0.1:0` takes free ports"
        raise StartError(f"{error}\n{remedy}") from None

    database = store_of(config)
    sealed_store.accept_keys(database, int(time.time()))
    say(f"applying the tenants of {_shown(source / 'tenants')} to {database.setting}")
    found = directory.load(source / "tenants", check.findings, secrets_of(args))
    finding_formats.warn(found.warnings)
    with contextlib.closing(database):
        applied = applies.apply(database, found.definitions, prune=own_store)
    names = ", ".join(definition.flow.tenant for definition in found.definitions)
    say(f"  {len(found.definitions)} tenants, catalog revision {applied.revision}: {names}")
    right = _serve(
        config, logins, lambda target: demo_walk.DemoWalk(target, source / "events", found.definitions), once=args.once
    )
    return Exit.OK if right else Exit.TEST_FAILED


def _make_run_dir() -> None:
    try:
        _RUN_DIR.mkdir(exist_ok=True)
        reason = "" if os.access(_RUN_DIR, os.W_OK, effective_ids=True) else "it cannot be written"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    if reason:
        raise StartError(
            f"the demo keeps its store and its log in {_RUN_DIR} here: {reason}; start it in another folder"
        )


def _files() -> Path:
    """Return the demo's directory: in a wheel pyproject.toml puts it beside this module."""
    installed = Path(__file__).with_name("demo_files")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "deploy" / "demo"


def _next_to(listen: str) -> str:
    """Return the address of the next port, for HTTP; any port beside any port, and none beside a unix socket."""
    from runtime.config.addresses import unix_path

    if unix_path(listen) is not None:
        return ""
    host, _, port = listen.rpartition(":")
    return f"{host}:{int(port) and min(int(port) + 1, 65535)}"


def _keys() -> Path:
    """Return the demo's keys file, with a key of its own when there is none yet."""
    from runtime.continuation import keys

    path = _RUN_DIR / "continuation.keys"
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(keys.text([keys.generate()]))
    return path


def _serve(config: Config, logins: Sequence[SampleLogin], walk: Callable[[str], DemoWalk], *, once: bool) -> bool:
    """Serve, and walk through the logins meanwhile; True when each is decided as expected."""
    from runtime import process
    from runtime.cli.main import version

    right = True

    async def started(target: str, metrics: str, http: str) -> bool:
        """Return whether to keep serving."""
        nonlocal right
        steps = walk(target)
        try:
            right = await asyncio.to_thread(steps.all, logins)
        except asyncio.CancelledError:
            steps.stop()
            raise
        say()
        if once:
            return False
        event = steps.event_file(logins[0])
        doors = f", HTTP on http://{http}" if http else ""
        say(f"still serving: gRPC on {target}{doors}, metrics on http://{metrics}/metrics, Ctrl-C stops")
        say("try it yourself, from another terminal:")
        say(f"  {_shown(Path(sys.argv[0]))} execute --tenant acme --event {_shown(event)} --target {target}")
        # Into a file or a pipe too: the daemon's life is long, and a buffer would keep this until its end.
        flush()
        return True

    with open(_RUN_DIR / "demo.log", "a", encoding="utf-8") as log_file:
        process.serve(config, version(), stream=log_file, on_started=started)
    return right


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
