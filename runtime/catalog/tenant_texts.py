"""The texts of one tenant's folder: tenant.yaml, the sources of actions and shared files, and why one cannot be read.

Must not know what a tenant.yaml says, nor import what reads it: `vestibule run` of an action has no time for that.
"""

from __future__ import annotations

import codecs
import errno
import keyword
import os
from pathlib import Path
from typing import Final

from runtime.catalog.beneath import Folder, NotAFile, Outside
from runtime.errors import CatalogError, Fault
from sandbox.contract import bundle
from sandbox.contract.wire import MAX_SOURCE_BYTES

_LF: Final = b"\n"


def action_source(path: str | os.PathLike[str]) -> str | None:
    """Return the text of one action of a tenant's folder, by the same rules; None for a file that lies in none.

    For a shared file it is that of all of them. Raises: CatalogError.
    """
    shown = Path(path)
    label, place = shown.parent.parent, shown.parent.name
    if place not in ("actions", bundle.PACKAGE) or not os.path.lexists(label / "tenant.yaml"):
        return None
    try:
        with Folder(label) as folder:
            shared, faults = shared_sources(folder, label)
            if faults:
                raise CatalogError(faults)
            action = text_of(folder, label, f"{place}/{shown.name}", MAX_SOURCE_BYTES)
            return bundle.pack(None if place == bundle.PACKAGE else action, shared)
    except OSError as error:
        raise CatalogError([Fault(str(shown), f"cannot be read: {why(error)}")]) from error


def shared_sources(folder: Folder, label: Path) -> tuple[dict[str, str], list[Fault]]:
    """Read the files that the actions of a tenant share, by name, and say what is wrong with the others."""
    try:
        files = [name for name in folder.names(bundle.PACKAGE) if name.endswith(".py")]
    except FileNotFoundError:
        return {}, []
    except Outside as error:
        return {}, [Fault(str(label / bundle.PACKAGE), leaves(bundle.PACKAGE, error))]
    except OSError as error:
        return {}, [Fault(str(label / bundle.PACKAGE), f"cannot be read: {why(error)}")]
    faults: list[Fault] = []
    sources: dict[str, str] = {}
    if len(files) > bundle.MAX_FILES:
        faults.append(
            Fault(str(label / bundle.PACKAGE), f"holds {len(files)} files; a tenant may have {bundle.MAX_FILES}")
        )
    for file in files[: bundle.MAX_FILES]:
        problem = _shared_name(file[:-3])
        if problem:
            faults.append(Fault(str(label / bundle.PACKAGE / file), problem))
            continue
        try:
            sources[file[:-3]] = text_of(folder, label, f"{bundle.PACKAGE}/{file}", MAX_SOURCE_BYTES)
        except CatalogError as error:
            faults += error.faults
    size = sum(len(source.encode()) for source in sources.values())
    if size > bundle.MAX_BYTES:
        problem = f"holds {size} bytes; the shared files of a tenant may have {bundle.MAX_BYTES} together"
        faults.append(Fault(str(label / bundle.PACKAGE), problem))
    return sources, faults


def _shared_name(name: str) -> str:
    if name == "__init__":
        return "is not needed to import its neighbours; remove it"
    if not bundle.FILE_NAME.fullmatch(name):
        return "cannot be imported; want 1 to 64 lower-case letters, digits and underscores, a letter first"
    return f"cannot be imported, because {name!r} is a word of Python's; rename it" if keyword.iskeyword(name) else ""


def text_of(folder: Folder, label: Path, name: str, limit: int, what: str = "file") -> str:
    """Read a file as UTF-8 text without NUL; `what` it is, for the remedy. Raises: CatalogError."""

    def refused(problem: str, before: bytes | None = None) -> CatalogError:
        return CatalogError([Fault(str(label / name) + ("" if before is None else _after(before)), problem)])

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
        more = "; split it into several" if what == "suite" else ""
        raise refused(f"is larger than {limit} bytes, the limit{more}")
    try:
        text = data.decode("utf-8-sig" if what == "suite" else "utf-8")
    except UnicodeDecodeError as error:
        raise CatalogError([no_text(str(label / name), error)]) from None
    if "\0" in text:
        raise refused("holds a NUL character; remove it", data[: data.index(b"\0")])
    if text[:1] == bundle.MARK:
        raise refused("begins with a control character; remove it", b"")
    return text


def no_text(name: str, error: UnicodeDecodeError) -> Fault:
    """Say where a file is not UTF-8, and what it is instead where its first bytes tell."""
    if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Fault(name + _after(b""), "is UTF-16; save the file as UTF-8")
    place = _after(error.object[: error.start])
    return Fault(name + place, f"byte {error.start} is not UTF-8; save the file as UTF-8")


def _after(before: bytes) -> str:
    """Return the line and column after these bytes of UTF-8."""
    return f":{before.count(10) + 1}:{len(before.rpartition(_LF)[2].decode()) + 1}"


def leaves(name: str, error: Outside) -> str:
    """Say what is wrong with a link out of a folder."""
    by = "" if error.link == name else f" (by {error.link})"
    return f"is a symbolic link out of the tenant's folder{by}; copy what it leads to into the folder"


def why(error: OSError) -> str:
    """Say why a file or folder cannot be read."""
    if error.errno is None:
        return str(error)
    return "is not a directory" if error.errno == errno.ENOTDIR else os.strerror(error.errno).lower()
