"""The command line's parser: help that fits the terminal, and what a misspelt command or flag was meant to be.

Knows argparse. Must not know any command.
"""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from runtime.cli.output import Exit, complain
from sandbox.contract.did_you_mean import did_you_mean, nearest

_WIDEST: Final = 120
_CHOICE: Final = re.compile(r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)", re.DOTALL)
_FLAG: Final = re.compile(r"--[a-z][a-z0-9-]*")
# Of an indented line: what it is about, and what it says of that.
_COLUMNS: Final = re.compile(r" +\S.*?  +(?=\S)")


class Help(argparse.RawDescriptionHelpFormatter):
    """Help with a column for what an argument is called, and the description as it is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are a line, a hint and the way to help; parsers of commands below it are the same."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": Help, **options})
        self._given: Sequence[str] = ()
        # The parser of the innermost command wins.
        self.set_defaults(parser=self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and remember what was given, for hints."""
        self._given = tuple(args or ())
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        """Return the help, as wide as the terminal."""
        columns = shutil.get_terminal_size().columns
        description, epilog = self.description, self.epilog
        try:
            self.description, self.epilog = (fitted(text, columns) if text else text for text in (description, epilog))
            return _narrow(super().format_help(), columns)
        finally:
            self.description, self.epilog = description, epilog

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, what was meant, and where help is."""
        if refused := _CHOICE.fullmatch(message):
            what, given, known = refused[1], refused[2].strip("'"), re.findall(r"[^\s',]+", refused[3])
            hint = did_you_mean(given, known, 0.6)
            if what in ("COMMAND", "ACTION"):
                message = f"there is no {'command' if what == 'COMMAND' else 'action'} {given[:64]!r}{hint}"
            else:
                message = f"argument {what}: got {given[:64]!r}; want one of {', '.join(known)}{hint}"
        complain(f"{self.prog}: {message}")
        for flag, hint in self._misspelt().items():
            complain(f"{self.prog}: there is no flag {flag}{hint}")
        complain(f"try `{self.prog} --help`")
        raise SystemExit(int(Exit.USAGE))

    def _misspelt(self) -> dict[str, str]:
        """Return the flags that were given and do not exist, where one is alike."""
        # Without dashes, which all have in common.
        known = {flag[2:] for flag in _FLAG.findall(self.format_usage())}
        given = self._given[: self._given.index("--")] if "--" in self._given else self._given
        flags = [word[2:].partition("=")[0] for word in given if word.startswith("--")]
        meant = {flag[:64]: nearest(flag, known, 0.6) for flag in flags if flag not in known}
        return {f"--{flag}": f"; did you mean --{near}?" for flag, near in meant.items() if near}


def fitted(text: str, columns: int) -> str:
    """Wrap a description for a terminal: paragraphs are filled anew, indented lines keep their columns."""
    width = max(20, min(columns, _WIDEST) - 2)
    return "\n\n".join(_paragraph(part, width) for part in text.split("\n\n"))


def _narrow(text: str, columns: int) -> str:
    """Wrap titles of groups, which argparse leaves as they are."""
    lines = text.split("\n")
    wide = [len(line) > columns - 2 and line[:1] not in ("", " ") for line in lines]
    return "\n".join(
        textwrap.fill(line, columns - 2) if wraps else line for line, wraps in zip(lines, wide, strict=True)
    )


def _paragraph(text: str, width: int) -> str:
    if not any(line.startswith(" ") for line in text.split("\n")):
        return textwrap.fill(text, width, break_on_hyphens=False)
    lines = []
    for line in text.split("\n"):
        columns = _COLUMNS.match(line)
        below = len(columns[0]) if columns and len(columns[0]) < width // 2 else len(line) - len(line.lstrip()) + 2
        lines += textwrap.wrap(line, width, subsequent_indent=" " * below, break_on_hyphens=False) or [""]
    return "\n".join(lines)
