"""`vestibule serve`: run the daemon."""

import argparse
import gc
import json
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit
from runtime.config.settings import Loaded
from runtime.workers.launch import Launched

if TYPE_CHECKING:
    from runtime.supervisor.member import Member

DESCRIPTION = """\
Run the daemon until SIGTERM or SIGINT. SIGTERM: health and /readyz say that no more should come, logins are decided for
drain.delay_s more, then those in flight are finished. SIGINT goes without the delay, a second signal at once. SIGHUP
reloads the keys file, log.level, the files of TLS and of rules for certificates, and reads the catalog; what is wrong
with them is logged and changes nothing. With --processes, SIGUSR2 (`vestibule restart`) replaces one process after the
other.

Every setting can also be given in a TOML file (--config) or in the environment; a flag wins over the environment, and
the environment over the file. `vestibule check-config --reference` lists them all."""


_BOOT: Final = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); from runtime.cli.main import main; sys.exit(main())"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_settings(parser)
    # How a supervisor starts its processes: the descriptor by which it talks to one.
    parser.add_argument("--supervised", type=int, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Serve."""
    if args.supervised is not None:
        from runtime.supervisor.member import Member

        member = Member(args.supervised)
        found = member.loaded()
        with closing(Launched(found.config.sandbox.uid)) as ahead:
            _serve(found, ahead, member.loaded, member)
        return Exit.OK
    found = loaded(args, warn=False)

    def again() -> Loaded:
        return loaded(args, warn=False)

    if found.config.processes != 1:
        from runtime.supervisor.shares import count

        processes = count(found.config)
        if processes > 1:
            return _supervise(found, processes, again)
    # It imports what it needs while this process does.
    with closing(Launched(found.config.sandbox.uid)) as ahead:
        _serve(found, ahead, again)
    return Exit.OK


def _serve(found: Loaded, ahead: Launched, again: Callable[[], Loaded], member: "Member | None" = None) -> None:
    # Until the daemon has started: almost all that it makes before that stays.
    gc.disable()
    from runtime import process
    from runtime.cli.main import version

    try:
        process.serve(
            found.config, version(), ignored=found.ignored, read_again=again, ahead=ahead, shared=member,
            on_started=member.serving if member is not None else None, turn=member.turn if member is not None else None,
        )  # fmt: skip
    finally:
        # Nothing is left to reload, and the interpreter puts no default in its place.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _supervise(found: Loaded, processes: int, again: Callable[[], Loaded]) -> int:
    from runtime.cli.main import version
    from runtime.supervisor import serve

    # From where we import, wherever we were started; not from the current directory by itself.
    command = [sys.executable, "-P", "-c", _BOOT, json.dumps(sys.path), "serve", "--supervised"]
    return serve.serve(found, processes, version(), command, again)
