"""How commands speak: exit codes, messages, tables, reading what the user named.

The one place where a command writes: text of tenants, callers and files never reaches a terminal raw.
"""

import contextlib
import json
import os
import select
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Final, TextIO

from runtime.errors import ConfigError, Fault
from runtime.ops.printable import printable, printable_json

_MAX_INPUT_BYTES: Final = 64 << 20
_PATIENCE_MS: Final = 1000


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    CHECK_FAILED = 3
    TEST_FAILED = 4
    UNREACHABLE = 5
    CONFLICT = 6


class Colour(StrEnum):
    """Colours of a terminal. Source: ECMA-48, 8.3.117."""

    RED = "31"
    GREEN = "32"
    CYAN = "36"
    BOLD = "1"


class Unwritable(Exception):
    """Standard output takes no more, and not because its reader has left."""


def say(text: str = "", colour: Colour | None = None) -> None:
    """Print one line of a result: a line feed in it is escaped like every other control. Raises: Unwritable."""
    _write(sys.stdout, _coloured(sys.stdout, printable(text), colour))


def flush() -> None:
    """Hand on what was printed. Raises: Unwritable."""
    with _writing():
        sys.stdout.flush()


def complain(text: str, colour: Colour | None = None) -> None:
    """Print one line that says what is wrong, to standard error. Where that fails, the exit code alone tells it."""
    if _takes(sys.stderr):
        with contextlib.suppress(Unwritable, BrokenPipeError):
            _write(sys.stderr, _coloured(sys.stderr, printable(text), colour))


def _coloured(stream: TextIO, line: str, colour: Colour | None) -> str:
    """Colour a line that is already harmless, on a terminal whose user wants colours. Source: no-color.org."""
    if colour is None or not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return line
    return f"\033[{colour}m{line}\033[0m"


def _takes(stream: TextIO) -> bool:
    """Tell whether a stream takes a line soon: a reader that has stalled must not keep a command from its end."""
    waiter = select.poll()
    try:
        waiter.register(stream.fileno(), select.POLLOUT)
    except (OSError, ValueError):
        # A stream of a test, without a descriptor.
        return True
    return bool(waiter.poll(_PATIENCE_MS))


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print one JSON value: a line, or indented for a reader."""
    # A terminal that is not UTF-8 gets ASCII, or what it cannot show would end the command.
    ascii_only = not _is_utf8(sys.stdout)
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=None if indent else (",", ":"))
    _write(sys.stdout, printable_json(text))


def agrees(question: str) -> bool:
    """Ask the user at the terminal; any answer but yes is no."""
    sys.stdout.flush()
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def at_terminal() -> bool:
    """Tell whether there is a user to ask."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def progress(text: str) -> None:
    """Show on standard error what is being done, over what was shown before; nothing when it is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{printable(text)}")
        sys.stderr.flush()


def _write(stream: TextIO, line: str) -> None:
    with _writing():
        try:
            stream.write(line + "\n")
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritable((error.strerror or str(error)).lower()) from None


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def say_table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> None:
    """Print aligned lines; the last column is left as long as it is. Raises: Unwritable."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    for row in (head, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*cells, row[-1]]).rstrip())


def instant(seconds: int) -> str:
    """Return an instant in UTC, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def source_place(line: int, file: str) -> str:
    """Return where an error was: `line 3`, or `line 3 of lib/net.py` where that is not the action's own source."""
    return f"line {line} of {file}" if file else f"line {line}"


def plural(count: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def read_input(name: str) -> bytes:
    """Read a file the user named; `-` is standard input. Raises: ConfigError, naming it."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MAX_INPUT_BYTES + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(_MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise ConfigError([Fault(name, f"cannot be read: {(error.strerror or str(error)).lower()}")]) from None
    if len(data) > _MAX_INPUT_BYTES:
        label = "standard input" if name == "-" else name
        raise ConfigError([Fault(label, f"is larger than {_MAX_INPUT_BYTES >> 20} MiB; split it")])
    return data


def read_text(name: str) -> str:
    """Read UTF-8 text; see read_input."""
    try:
        return read_input(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        from runtime.catalog.tenant_texts import no_text  # which a command that reads good text needs not

        raise ConfigError([no_text(name, error)]) from None
