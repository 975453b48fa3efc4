"""Read a directory of tenants: `TENANT/tenant.yaml` beside `TENANT/actions/NAME.py`.

It knows files and folders. It must not run or parse an action's source: a sandboxed worker does that, through the
`check` it is given. The daemon never reads a directory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.catalog import tenant_file, yaml_file
from runtime.catalog.base import TENANT_NAME, Binding, Definition, Flow
from runtime.catalog.beneath import Folder, NotAFile, Outside
from runtime.catalog.secret_values import Secrets
from runtime.errors import CatalogError, Fault

# Source: post-login reference, section 4.
MAX_SOURCE_BYTES = 100_000
MAX_ACTIONS = 100
# Room for every secret that a tenant may have, and far from what would hurt.
MAX_TENANT_FILE_BYTES = 16 * 1024 * 1024

# Takes (label, source) pairs and names what is wrong with them as `label:line:column` faults.
Check = Callable[[Sequence[tuple[str, str]]], Sequence[Fault]]


@dataclass(frozen=True, slots=True)
class Tenants:
    """What a directory holds. `warnings` are no faults; `single`: it is one tenant's own folder."""

    definitions: list[Definition]
    warnings: list[Fault]
    single: bool


def load(directory: str | os.PathLike[str], check: Check | None = None, secrets: Secrets | None = None) -> Tenants:
    """Read every tenant of a directory, or the one tenant whose folder it is; ordered by name.

    Plain files and hidden entries beside the tenants are left alone; every other folder must be a tenant. Action files
    that no binding names are checked like the others and not part of the definition. Nothing outside a tenant's own
    folder is read for it. `secrets` answers references; without it none may be used.
    Raises: CatalogError with every fault of the whole directory.
    """
    shown = Path(directory)
    found = Tenants([], [], single=False)
    faults: list[Fault] = []
    sources: list[tuple[str, str]] = []
    try:
        real = Path(os.path.realpath(shown, strict=True))
        with Folder(real) as root:
            found = Tenants([], [], single="tenant.yaml" in root.names())
            names = [real.name] if found.single else _tenants(root, shown, faults)
            for name in names:
                label = shown if found.single else shown / name
                with Folder("." if found.single else name, root) as folder:
                    _Reader(folder, name, label, faults, sources).tenant(secrets or Secrets(), found)
    except OSError as error:
        raise CatalogError([Fault(str(shown), f"cannot be read: {_why(error)}")]) from error
    if not names and not faults:
        raise CatalogError([Fault(str(shown), "holds no tenant; want folders with a tenant.yaml")])
    if check is not None and sources:
        faults.extend(check(sources))
    if faults:
        raise CatalogError(faults)
    return found


def action_source(path: str | os.PathLike[str]) -> str | None:
    """Return the source of one action of a tenant's folder, by the same rules; None for a file that lies in none.

    Raises: CatalogError.
    """
    shown = Path(path)
    label = shown.parent.parent
    if shown.parent.name != "actions" or not os.path.lexists(label / "tenant.yaml"):
        return None
    faults: list[Fault] = []
    try:
        with Folder(label) as folder:
            source = _Reader(folder, label.name, label, faults, []).text(f"actions/{shown.name}", MAX_SOURCE_BYTES)
    except OSError as error:
        raise CatalogError([Fault(str(shown), f"cannot be read: {_why(error)}")]) from error
    if source is None:
        raise CatalogError(faults)
    return source


def _tenants(root: Folder, shown: Path, faults: list[Fault]) -> list[str]:
    """Name the folders of a directory. A link is none: it would bring in what lies elsewhere."""
    names = []
    for name in root.names():
        if name.startswith(".") or name == "__pycache__":
            continue
        kind = root.status(name, follow=False).st_mode
        if stat.S_ISDIR(kind):
            names.append(name)
        elif stat.S_ISLNK(kind) and not _leads_to_a_file(root, name):
            faults.append(Fault(str(shown / name), "is a symbolic link; copy the tenant's folder in"))
    return names


def _leads_to_a_file(root: Folder, name: str) -> bool:
    try:
        return stat.S_ISREG(root.status(name, follow=True).st_mode)
    except OSError:
        return False


def _why(error: OSError) -> str:
    if error.errno is None:
        return str(error)
    return "is not a directory" if error.errno == errno.ENOTDIR else os.strerror(error.errno).lower()


class _Reader:
    """Reads one tenant's folder; appends to the faults and sources of the whole directory."""

    def __init__(
        self, folder: Folder, name: str, label: Path, faults: list[Fault], sources: list[tuple[str, str]]
    ) -> None:
        self._folder = folder
        self._name = name
        self._label = label
        self._faults = faults
        self._sources = sources

    def tenant(self, secrets: Secrets, found: Tenants) -> None:
        """Add the tenant to what was found, unless it has faults."""
        before = len(self._faults)
        if not re.fullmatch(TENANT_NAME, self._name):
            self._fault(
                "", "not a tenant's name; want 1 to 64 lower-case letters, digits and hyphens, a letter or digit first"
            )
        actions, sources = self._actions()
        text = self.text("tenant.yaml", MAX_TENANT_FILE_BYTES)
        if text is None:
            return
        document = yaml_file.parse(str(self._label / "tenant.yaml"), text)
        tenant, faults = tenant_file.read(document, self._name, actions, secrets)
        self._faults.extend(faults)
        if tenant is None or len(self._faults) > before:
            return
        for name in tenant.unbound:
            message = (
                f"no flow binds this action, so no login runs it; bind it, or list it in tenant.yaml: unused: [{name}]"
            )
            found.warnings.append(Fault(str(self._label / "actions" / f"{name}.py"), message))
        found.definitions.append(_defined(tenant, sources))

    def _actions(self) -> tuple[frozenset[str], dict[str, str]]:
        """Read the action files: the names of all that exist, and the sources of those that can be read."""
        try:
            files = [name for name in self._folder.names("actions") if name.endswith(".py")]
        except FileNotFoundError:
            return self._without_actions()
        except Outside as error:
            self._fault("actions", _leaves("actions", error))
            return frozenset(), {}
        except OSError as error:
            self._fault("actions", f"cannot be read: {_why(error)}")
            return frozenset(), {}
        if len(files) > MAX_ACTIONS:
            self._fault("actions", f"holds {len(files)} actions; a tenant may have {MAX_ACTIONS}")
        names: set[str] = set()
        sources: dict[str, str] = {}
        for file in files[: MAX_ACTIONS + 1]:
            name = file[:-3]
            if not re.fullmatch(tenant_file.ACTION_NAME, name):
                self._fault(
                    f"actions/{file}",
                    "not an action's name; want 1 to 64 lower-case letters, digits, hyphens and underscores, "
                    "a letter or digit first",
                )
                continue
            names.add(name)
            source = self.text(f"actions/{file}", MAX_SOURCE_BYTES)
            if source is not None:
                sources[name] = source
                self._sources.append((str(self._label / "actions" / file), source))
        return frozenset(names), sources

    def _without_actions(self) -> tuple[frozenset[str], dict[str, str]]:
        try:
            self._folder.status("actions", follow=False)
        except FileNotFoundError:
            pass
        else:
            self._fault("actions", "is a link to nothing; remove it or add the folder")
        return frozenset(), {}

    def text(self, name: str, limit: int) -> str | None:
        """Read a file as UTF-8 text without NUL, or note why it cannot be."""
        try:
            data, _ = self._folder.read(name, limit)
        except Outside as error:
            return self._refuse(name, _leaves(name, error))
        except NotAFile:
            return self._refuse(name, "is not a plain file")
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

    def _refuse(self, name: str, message: str) -> str | None:
        self._fault(name, message)
        return None

    def _fault(self, name: str, message: str) -> None:
        self._faults.append(Fault(str(self._label / name) if name else str(self._label), message))


def _leaves(name: str, error: Outside) -> str:
    by = "" if error.link == name else f" (by {error.link})"
    return f"is a symbolic link out of the tenant's folder{by}; copy what it leads to into the folder"


def _defined(tenant: tenant_file.Tenant, sources: dict[str, str]) -> Definition:
    bindings = []
    bound: dict[str, str] = {}
    for section in tenant.bindings:
        source = sources[section.action]
        revision = hashlib.sha256(source.encode()).hexdigest()
        bound[revision] = source
        timeout_us = None if section.timeout_ms is None else section.timeout_ms * 1000
        bindings.append(Binding(section.action, revision, section.on_error, timeout_us))
    names = {binding.action for binding in bindings}
    secrets = {action: dict(named) for action, named in tenant.secrets.items() if action in names and named}
    return Definition(Flow(tenant.name, tenant.settings, tuple(bindings), secrets), bound)
