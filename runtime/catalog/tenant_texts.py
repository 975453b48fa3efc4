"""The texts of one tenant's folder: its tenant.yaml and its actions' sources, and why one of them cannot be read.

Must not know what a tenant.yaml says, nor import what reads it: `vestibule run` of an action has no time for that.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from runtime.catalog.beneath import Folder, NotAFile, Outside
from runtime.errors import CatalogError, Fault
from sandbox.contract.wire import MAX_SOURCE_BYTES


def action_source(path: str | os.PathLike[str]) -> str | None:
    """Return the source of one action of a tenant's folder, by the same rules; None for a file that lies in none.

    Raises: CatalogError.
    """
    shown = Path(path)
    label = shown.parent.parent
    if shown.parent.name != "actions" or not os.path.lexists(label / "tenant.yaml"):
        return None
    try:
        with Folder(label) as folder:
            return text_of(folder, label, f"actions/{shown.name}", MAX_SOURCE_BYTES)
    except OSError as error:
        raise CatalogError([Fault(str(shown), f"cannot be read: {why(error)}")]) from error


def text_of(folder: Folder, label: Path, name: str, limit: int) -> str:
    """Read a file as UTF-8 text without NUL. Raises: CatalogError."""

    def refused(problem: str, line: int = 0) -> CatalogError:
        return CatalogError([Fault(str(label / name) + (f":{line}" if line else ""), problem)])

    try:
        data, _ = folder.read(name, limit)
    except Outside as error:
        raise refused(leaves(name, error)) from None
    except NotAFile:
        raise refused("is not a plain file") from None
    except FileNotFoundError:
        if name == "tenant.yaml":
            raise refused("is missing; add it, or move the folder out of the directory") from None
        raise refused("is a link to nothing; remove it or add the file") from None
    except OSError as error:
        raise refused(f"cannot be read: {why(error)}") from None
    if len(data) > limit:
        raise refused(f"is larger than {limit} bytes, the limit")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refused(f"byte {error.start} is not UTF-8; save the file as UTF-8", line) from None
    if "\0" in text:
        raise refused("holds a NUL character; remove it", text[: text.index("\0")].count("\n") + 1)
    return text


def leaves(name: str, error: Outside) -> str:
    """Say what is wrong with a link out of a folder."""
    by = "" if error.link == name else f" (by {error.link})"
    return f"is a symbolic link out of the tenant's folder{by}; copy what it leads to into the folder"


def why(error: OSError) -> str:
    """Say why a file or folder cannot be read."""
    if error.errno is None:
        return str(error)
    return "is not a directory" if error.errno == errno.ENOTDIR else os.strerror(error.errno).lower()
