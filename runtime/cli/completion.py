"""`vestibule completion`: what a shell needs to complete commands, flags and their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Final

from runtime.cli.output import Exit, say

DESCRIPTION = """\
Print the script that makes a shell complete commands, flags and their values.

  bash    source <(vestibule completion bash)                            in ~/.bashrc
  zsh     source <(vestibule completion zsh)                             in ~/.zshrc, after compinit
  fish    vestibule completion fish >~/.config/fish/completions/vestibule.fish"""

SHELLS: Final = ("bash", "zsh", "fish")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"which shell: {', '.join(SHELLS)}")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    for line in shellcode(["vestibule"], shell=args.shell).split("\n"):
        say(line)
    return Exit.OK


def asked(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the command of the line that a shell asks to complete; None when no shell asks."""
    if "_ARGCOMPLETE" not in environ:
        return None
    words = environ.get("COMP_LINE", "").split()[1:]
    return next((word for word in words if not word.startswith("-")), "")


def answer(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and end the process."""
    import argcomplete

    argcomplete.autocomplete(parser)
