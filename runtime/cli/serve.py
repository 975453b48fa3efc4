"""`vestibule serve`: run the daemon."""

import argparse
import signal

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit

NAME = "serve"
HELP = "run the daemon"
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
    from runtime import daemon
    from runtime.cli.main import version

    try:
        daemon.serve(found.config, version(), ignored=found.ignored, read_again=lambda: loaded(args, warn=False))
    finally:
        # Nothing is left to reload, and the interpreter puts no default in its place.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return Exit.OK
