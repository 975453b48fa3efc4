"""`vestibule serve`: run the daemon."""

import argparse
import signal
from contextlib import closing

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit
from runtime.config.settings import Loaded
from runtime.workers.launch import Launched

DESCRIPTION = """\
Run the daemon until SIGTERM or SIGINT. SIGTERM: health and /readyz say that no more should come, logins are decided for
drain.delay_s more, then those in flight are finished. SIGINT goes without the delay, a second signal at once. SIGHUP
reloads the keys file, log.level, the files of TLS and of rules for certificates, and reads the catalog; what is wrong
with them is logged and changes nothing.

Every setting can also be given in a TOML file (--config) or in the environment; a flag wins over the environment, and
the environment over the file. `vestibule check-config --reference` lists them all."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Serve."""
    found = loaded(args, warn=False)
    # It imports what it needs while this process does.
    with closing(Launched(found.config.sandbox.uid)) as ahead:
        _serve(args, found, ahead)
    return Exit.OK


def _serve(args: argparse.Namespace, found: Loaded, ahead: Launched) -> None:
    from runtime import daemon
    from runtime.cli.main import version

    def again() -> Loaded:
        return loaded(args, warn=False)

    try:
        daemon.serve(found.config, version(), ignored=found.ignored, read_again=again, ahead=ahead)
    finally:
        # Nothing is left to reload, and the interpreter puts no default in its place.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
