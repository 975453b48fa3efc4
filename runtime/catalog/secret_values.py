"""Where `{env: NAME}`, `{file: NAME}` and `{stored: NAME}` secrets come from: what the operator allows to a tenant.

A tenant's author chooses the names, so they are hostile here. No message holds a value.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.catalog.base import TENANT_NAME
from runtime.catalog.beneath import Folder, NotAFile, Outside
from runtime.errors import ConfigError, Fault

MAX_VALUE_CHARS = 4096
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_ALLOWANCE = re.compile(rf"({TENANT_NAME}):({_VARIABLE.pattern})")
# A character has at most four bytes; then a line's end.
_MAX_FILE_BYTES = 4 * MAX_VALUE_CHARS + 2


class Unresolved(Exception):
    """A reference has no value: why, and what the operator can do about it."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What tenants may refer to. With `placeholders`, what is not given reads as a placeholder instead of a fault.

    `allowed` holds pairs of tenant and variable; `directory` has a folder of files for each tenant; `stored` gives what
    the store has of one: its secrets by action and name, those of doors by dialect and number.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed: frozenset[tuple[str, str]] = frozenset()
    directory: Path | None = None
    placeholders: bool = False
    stored: Callable[[str], Mapping[tuple[str, str | int], str]] | None = None

    def kept(self, tenant: str, owner: str, name: str | int) -> str:
        """Return a secret that the store has already, of an action or of a door. Raises: Unresolved."""
        if self.stored is None:
            if self.placeholders:
                return _placeholder(str(name))
            raise Unresolved("is known to a store alone, and none is given; write {env: NAME} or {file: NAME} instead")
        value = self.stored(tenant).get((owner, name))
        if value is None:
            raise Unresolved(
                f"the store has no secret {_quoted(str(name))} of {owner} of tenant {tenant!r}; write {{env: NAME}} or "
                "{file: NAME} for its value, and apply again"
            )
        return value

    def env(self, tenant: str, name: str) -> str:
        """Return the value of a variable. Raises: Unresolved."""
        if not _VARIABLE.fullmatch(name):
            raise Unresolved(f"{_quoted(name)} is not the name of a variable; want letters, digits and underscores")
        if (tenant, name) not in self.allowed:
            if self.placeholders:
                return _placeholder(name)
            raise Unresolved(
                f"tenant {tenant!r} may not read the environment variable {name}; if it should, allow it with "
                f"--secret-env {tenant}:{name}"
            )
        value = self.environ.get(name)
        if value is None:
            raise Unresolved(f"the environment variable {name} is not set; set it and apply again")
        if not value:
            raise Unresolved(f"the environment variable {name} is empty; set it and apply again")
        return value

    def file(self, tenant: str, name: str) -> str:
        """Return what a file of the tenant's own folder of secrets holds, without its last line's end.

        Raises: Unresolved.
        """
        if not FILE_NAME.fullmatch(name):
            raise Unresolved(
                f"{_quoted(name)} is not the name of a secret's file; want 1 to 128 letters, digits, `_`, `-` and `.`, "
                "and no `.` first"
            )
        if self.directory is None:
            if self.placeholders:
                return _placeholder(name)
            raise Unresolved(
                f"tenant {tenant!r} wants the file {name}, and no folder of secrets is given; name the folder that "
                f"holds {tenant}/{name} with --secrets-dir"
            )
        path = self.directory / tenant / name
        return _text(_read(self.directory, tenant, name, path), path)


def _read(directory: Path, tenant: str, name: str, path: Path) -> bytes:
    try:
        with Folder(directory) as root, Folder(tenant, root) as folder:
            data, status = folder.read(name, _MAX_FILE_BYTES)
    except Outside:
        message = f"the file {path} is a symbolic link out of {path.parent}; copy the file there"
    except NotAFile:
        message = f"{path} is not a plain file"
    except FileNotFoundError:
        message = f"there is no file {path}; add it, or correct the name"
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        message = f"the file {path} cannot be read: {why}; {path.parent} must be a folder and no link"
    else:
        if status.st_mode & stat.S_IWOTH:
            raise Unresolved(f"the file {path} can be changed by every user of this host; chmod 0600")
        return data
    raise Unresolved(message)


def _text(data: bytes, path: Path) -> str:
    if len(data) > _MAX_FILE_BYTES:
        raise Unresolved(f"the file {path} is larger than a secret of {MAX_VALUE_CHARS} characters can be")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Unresolved(
            f"the file {path} is not UTF-8 text (byte {error.start}); encode it, for example as base64"
        ) from None
    if text.startswith("\ufeff"):
        raise Unresolved(f"the file {path} begins with a byte order mark; save it without one")
    if text.endswith("\n"):
        text = text[:-1].removesuffix("\r")
    if not text:
        raise Unresolved(f"the file {path} is empty; write the secret into it")
    return text


def allowances(given: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Read `TENANT:NAME` texts, each with its place. Raises: ConfigError, with every fault."""
    allowed: set[tuple[str, str]] = set()
    faults = []
    for where, text in given:
        match = _ALLOWANCE.fullmatch(text)
        if match is None:
            faults.append(Fault(where, f"got {_quoted(text)}; want TENANT:NAME, such as acme:API_KEY"))
        else:
            allowed.add((match[1], match[2]))
    if faults:
        raise ConfigError(faults)
    return frozenset(allowed)


def allowance_lines(label: str, text: str) -> list[tuple[str, str]]:
    """Return the allowances of a file with their places: one a line; blank lines and `#` comments are passed over."""
    found = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition("#")[0].strip()
        if line:
            found.append((f"{label}:{number}", line))
    return found


def _placeholder(name: str) -> str:
    return f"placeholder-of-{name}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
