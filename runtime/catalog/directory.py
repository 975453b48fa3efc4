"""Read a directory of tenants: `TENANT/tenant.yaml` beside `TENANT/actions/NAME.py`.

It knows files and folders. It must not run or parse an action's source: a sandboxed worker does that, through the
`check` it is given. Called by the commands `apply` and `run`; the daemon never reads a directory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runtime.catalog import definition, yaml_file
from runtime.catalog.base import Binding, Definition, Flow
from runtime.core.model import OnError
from runtime.errors import CatalogError, Fault

# Source: post-login reference, section 4.
MAX_SOURCE_BYTES = 100_000
MAX_ACTIONS = 100
# Room for every secret that a tenant may have, and far from what would hurt.
MAX_TENANT_FILE_BYTES = 16 * 1024 * 1024

# Takes (label, source) pairs and names what is wrong with them as `label:line:column` faults.
Check = Callable[[Sequence[tuple[str, str]]], Sequence[Fault]]


def load(
    directory: str | os.PathLike[str], check: Check | None = None, environ: Mapping[str, str] | None = None
) -> list[Definition]:
    """Read every tenant of a directory, or the one tenant whose directory it is; ordered by name.

    Plain files and hidden entries beside the tenants are left alone; every other folder must be a tenant. Action files
    that no binding names are drafts: they are checked like the others and not part of the definition.
    `environ` answers `{env: NAME}` secrets. Raises: CatalogError with every fault of the whole directory.
    """
    shown = Path(directory)
    faults: list[Fault] = []
    try:
        root = shown.resolve(strict=True)
        folders = [root] if (root / "tenant.yaml").is_file() else _folders(root)
    except (OSError, RuntimeError) as error:
        raise CatalogError([Fault(str(shown), f"cannot be read: {_why(error)}")]) from error
    if not folders:
        raise CatalogError([Fault(str(shown), "holds no tenant; want folders with a tenant.yaml")])
    definitions: list[Definition] = []
    sources: list[tuple[str, str]] = []
    for folder in folders:
        label = shown if folder == root else shown / folder.name
        reader = _Reader(folder, label, root, faults, sources)
        found = reader.tenant(environ or {})
        if found is not None:
            definitions.append(found)
    if check is not None and sources:
        faults.extend(check(sources))
    if faults:
        raise CatalogError(faults)
    return definitions


def _folders(root: Path) -> list[Path]:
    entries = [root / name for name in sorted(os.listdir(root)) if not name.startswith(".") and name != "__pycache__"]
    return [entry for entry in entries if entry.is_dir()]


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return "is not a directory" if error.errno == errno.ENOTDIR else os.strerror(error.errno).lower()
    return "a loop of symbolic links" if isinstance(error, RuntimeError) else str(error)


class _Reader:
    """Reads one tenant's folder; appends to the faults and sources of the whole directory."""

    def __init__(
        self, folder: Path, label: Path, root: Path, faults: list[Fault], sources: list[tuple[str, str]]
    ) -> None:
        self._folder = folder
        self._label = label
        self._root = root
        self._faults = faults
        self._sources = sources

    def tenant(self, environ: Mapping[str, str]) -> Definition | None:
        before = len(self._faults)
        if not re.fullmatch(definition.TENANT_NAME, self._folder.name):
            self._fault(
                "", "not a tenant's name; want 1 to 64 lower-case letters, digits and hyphens, a letter or digit first"
            )
        actions, sources = self._actions()
        text = self._text("tenant.yaml", MAX_TENANT_FILE_BYTES)
        if text is None:
            return None
        document = yaml_file.parse(str(self._label / "tenant.yaml"), text)
        tenant = definition.read(document, self._folder.name, actions, environ)
        self._faults.extend(document.ordered())
        if tenant is None or len(self._faults) > before:
            return None
        bindings = []
        bound: dict[str, str] = {}
        for section in tenant.bindings:
            source = sources[section.action]
            revision = hashlib.sha256(source.encode()).hexdigest()
            bound[revision] = source
            timeout_us = None if section.timeout_ms is None else section.timeout_ms * 1000
            bindings.append(Binding(section.action, revision, OnError(section.on_error), timeout_us))
        names = {binding.action for binding in bindings}
        secrets = {action: dict(named) for action, named in tenant.secrets.items() if action in names and named}
        return Definition(Flow(tenant.name, tenant.settings, tuple(bindings), secrets), bound)

    def _actions(self) -> tuple[frozenset[str], dict[str, str]]:
        """Read the action files: the names of all that exist, and the sources of those that can be read."""
        folder = self._folder / "actions"
        if not folder.exists():
            return frozenset(), {}
        if self._escapes("actions"):
            return frozenset(), {}
        try:
            files = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
        except OSError as error:
            self._fault("actions", f"cannot be read: {_why(error)}")
            return frozenset(), {}
        if len(files) > MAX_ACTIONS:
            self._fault("actions", f"holds {len(files)} actions; a tenant may have {MAX_ACTIONS}")
        names: set[str] = set()
        sources: dict[str, str] = {}
        for file in files[: MAX_ACTIONS + 1]:
            name = file[:-3]
            if not re.fullmatch(definition.ACTION_NAME, name):
                self._fault(
                    f"actions/{file}",
                    "not an action's name; want 1 to 64 lower-case letters, digits, hyphens and underscores, "
                    "a letter or digit first",
                )
                continue
            names.add(name)
            source = self._text(f"actions/{file}", MAX_SOURCE_BYTES)
            if source is not None:
                sources[name] = source
                self._sources.append((str(self._label / "actions" / file), source))
        return frozenset(names), sources

    def _text(self, name: str, limit: int) -> str | None:
        """Read a file as UTF-8 text without NUL, or note why it cannot be."""
        if self._escapes(name):
            return None
        path = self._folder / name
        try:
            # O_NONBLOCK: a named pipe in place of a file must not hold us.
            with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return self._refuse(name, "is not a plain file")
                data = file.read(limit + 1)
        except FileNotFoundError:
            if name == "tenant.yaml":
                return self._refuse(name, "is missing; add it, or move the folder out of the directory")
            return self._refuse(name, "is a link to nothing; remove it or add the file")
        except OSError as error:
            return self._refuse(name, f"cannot be read: {_why(error)}")
        if len(data) > limit:
            return self._refuse(name, f"is larger than {limit} bytes, the limit")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            return self._refuse(f"{name}:{line}", f"byte {error.start} is not UTF-8; save the file as UTF-8")
        at = text.find("\0")
        if at >= 0:
            line = text.count("\n", 0, at) + 1
            return self._refuse(f"{name}:{line}", "holds a NUL character; remove it")
        return text

    def _escapes(self, name: str) -> bool:
        """Tell, with a fault, whether a path leads out of the directory through a symbolic link."""
        try:
            real = (self._folder / name).resolve()
        except (OSError, RuntimeError) as error:
            self._fault(name, f"cannot be read: {_why(error)}")
            return True
        if real.is_relative_to(self._root):
            return False
        self._fault(name, "is a symbolic link out of the directory; copy the file in")
        return True

    def _refuse(self, name: str, message: str) -> str | None:
        self._fault(name, message)
        return None

    def _fault(self, name: str, message: str) -> None:
        self._faults.append(Fault(str(self._label / name) if name else str(self._label), message))
