"""`vestibule serve`: run the daemon."""

import argparse

from runtime.commands.output import Exit
from runtime.commands.settings import add_settings, loaded

NAME = "serve"
HELP = "run the daemon"
DESCRIPTION = """\
Run the daemon until SIGTERM or SIGINT; then finish the logins in flight and exit. A second signal exits at once.

Every setting can also be given in a TOML file (--config) or in the environment; a flag wins over the environment, and
the environment over the file. `vestibule check-config --reference` lists them all."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Serve."""
    found = loaded(args, warn=False)
    from runtime import daemon
    from runtime.cli import version

    daemon.serve(found.config, version(), ignored=found.ignored)
    return Exit.OK
