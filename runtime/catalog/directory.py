"""Read a directory of tenants: `TENANT/tenant.yaml` beside `TENANT/actions/NAME.py`, and perhaps `TENANT/lib/NAME.py`.

An action's source is not run or parsed here: a sandboxed worker does that, through the `check` that load() is given.
The daemon never reads a directory.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.catalog import tenant_file, yaml_file
from runtime.catalog.base import TENANT_NAME, Binding, Definition, Flow
from runtime.catalog.beneath import Folder, Outside
from runtime.catalog.secret_values import Secrets
from runtime.catalog.tenant_texts import leaves, shared_sources, text_of, why
from runtime.errors import CatalogError, Fault
from runtime.findings import Source, SourceFinding, split
from sandbox.contract import bundle
from sandbox.contract.wire import MAX_SOURCE_BYTES

# Source: post-login reference, section 4.
MAX_ACTIONS = 100
# Room for every secret that a tenant may have, and far from what would hurt.
MAX_TENANT_FILE_BYTES = 16 * 1024 * 1024

# Finds what is wrong with sources, with `label:line:column` as its place; warnings too.
Check = Callable[[Sequence[Source]], Sequence[Fault]]


@dataclass(frozen=True, slots=True)
class Tenants:
    """What a directory holds. `warnings` are no faults; `single`: it is one tenant's own folder."""

    definitions: list[Definition]
    warnings: list[Fault]
    single: bool


def load(
    directory: str | os.PathLike[str],
    check: Check | None = None,
    secrets: Secrets | None = None,
    flow_timeout_ms: int | None = None,
) -> Tenants:
    """Read every tenant of a directory, or the one tenant whose folder it is; ordered by name.

    Plain files and hidden entries beside the tenants are left alone; every other folder must be a tenant. Action files
    that no binding names are checked like the others and not part of the definition. Nothing outside a tenant's own
    folder is read for it. `secrets` answers references; without it none may be used. A time-out of an action above
    `flow_timeout_ms` is a warning.
    Raises: CatalogError with every fault of the whole directory, and with the warnings.
    """
    shown = Path(directory)
    try:
        real = Path(os.path.realpath(shown, strict=True))
        with Folder(real) as root:
            single = "tenant.yaml" in root.names()
            names, faults = ([real.name], []) if single else _tenants(root, shown)
            found = []
            for name in names:
                label = shown if single else shown / name
                try:
                    with Folder("." if single else name, root) as folder:
                        found.append(_tenant(folder, name, label, secrets or Secrets(), flow_timeout_ms))
                except OSError as error:
                    faults.append(Fault(str(label), f"cannot be read: {why(error)}"))
    except OSError as error:
        raise CatalogError([Fault(str(shown), f"cannot be read: {why(error)}")]) from error
    if not names and not faults:
        raise CatalogError([Fault(str(shown), "holds no tenant; want folders with a tenant.yaml")])
    faults += [fault for tenant in found for fault in tenant.faults]
    sources = [source for tenant in found for source in tenant.sources]
    warnings = [warning for tenant in found for warning in tenant.warnings]
    if check is not None and sources:
        wrong, doubtful = split(check(sources))
        faults += wrong
        warnings += doubtful
    if faults:
        raise CatalogError(faults, warnings)
    definitions = [tenant.definition for tenant in found if tenant.definition is not None]
    return Tenants(definitions, warnings, single)


def secret_names(folder: Path, action: str) -> frozenset[str] | None:
    """Return the names of the secrets that a tenant's folder gives to an action; None if its tenant.yaml is faulty."""
    try:
        with Folder(folder) as opened:
            text = text_of(opened, folder, "tenant.yaml", MAX_TENANT_FILE_BYTES)
            actions, _ = _actions(opened, folder)
    except (OSError, CatalogError):
        return None
    document = yaml_file.parse("tenant.yaml", text)
    tenant, _ = tenant_file.read(document, folder.name, frozenset(actions), Secrets(placeholders=True))
    return None if tenant is None else frozenset(tenant.secrets.get(action, ()))


def _tenants(root: Folder, shown: Path) -> tuple[list[str], list[Fault]]:
    """Name the folders of a directory. A link is a fault: it would bring in what lies elsewhere."""
    names, faults = [], []
    for name in root.names():
        if name.startswith(".") or name == "__pycache__":
            continue
        kind = root.status(name, follow=False).st_mode
        if stat.S_ISDIR(kind):
            names.append(name)
        elif stat.S_ISLNK(kind) and not _leads_to_a_file(root, name):
            faults.append(Fault(str(shown / name), "is a symbolic link; copy the tenant's folder in"))
    return names, faults


def _leads_to_a_file(root: Folder, name: str) -> bool:
    try:
        return stat.S_ISREG(root.status(name, follow=True).st_mode)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Tenant:
    """What one folder holds. Sources are those of all action files, by label; there is no definition beside faults."""

    definition: Definition | None
    sources: Sequence[Source]
    warnings: Sequence[Fault]
    faults: Sequence[Fault]


def _tenant(folder: Folder, name: str, label: Path, secrets: Secrets, flow_timeout_ms: int | None) -> _Tenant:
    actions, faults = _actions(folder, label)
    shared, wrong = shared_sources(folder, label)
    faults += wrong
    if not re.fullmatch(TENANT_NAME, name):
        want = "want 1 to 64 lower-case letters, digits and hyphens, a letter or digit first"
        faults = [Fault(str(label), f"not a tenant's name; {want}"), *faults]
    read = {action: bundle.pack(source, shared) for action, source in actions.items() if source is not None}
    tenant = None
    try:
        document = yaml_file.parse(
            str(label / "tenant.yaml"), text_of(folder, label, "tenant.yaml", MAX_TENANT_FILE_BYTES)
        )
    except CatalogError as error:
        faults += error.faults
    else:
        tenant, found = tenant_file.read(document, name, frozenset(actions), secrets)
        faults += found
    used = {section.action: section.uses for section in tenant.bindings} if tenant is not None else {}
    sources = [
        Source(
            str(label / "actions" / f"{action}.py"),
            bundle.to_check(source, used.get(action)),
            name,
            frozenset(tenant.secrets.get(action, ())) if tenant is not None else None,
        )
        for action, source in read.items()
    ]
    # By themselves too: a shared file that no action imports is checked like an action that no flow binds.
    sources += [Source(str(label / bundle.PACKAGE / "*.py"), bundle.pack(None, shared), name)] if shared else []
    if tenant is None or faults:
        return _Tenant(None, sources, (), faults)
    warnings = [
        SourceFinding(
            str(label / "actions" / f"{action}.py"),
            f"no flow binds this action, so no login runs it; bind it, or list it in tenant.yaml: unused: [{action}]",
            "unbound",
        )
        for action in tenant.unbound
    ]
    for at, section in enumerate(tenant.bindings):
        if flow_timeout_ms is not None and section.timeout_ms is not None and section.timeout_ms > flow_timeout_ms:
            path = ("flows", "post_login", at, "timeout_ms")
            message = (
                f"{section.timeout_ms} ms is more than the {flow_timeout_ms} ms that the whole flow may take "
                "(sandbox.flow_timeout_ms); give it less"
            )
            placed = document.fault(path, message)
            warnings.append(SourceFinding(placed.where, placed.message, "timeout-above-flow"))
    return _Tenant(_defined(tenant, read), sources, warnings, ())


def _actions(folder: Folder, label: Path) -> tuple[dict[str, str | None], list[Fault]]:
    """Read the action files: the names of all that exist, with None for a source that cannot be read."""

    def fault(message: str, file: str = "") -> Fault:
        return Fault(str(label / "actions" / file), message)

    try:
        files = [name for name in folder.names("actions") if name.endswith(".py")]
    except FileNotFoundError:
        try:
            folder.status("actions", follow=False)
        except FileNotFoundError:
            return {}, []
        return {}, [fault("is a link to nothing; remove it or add the folder")]
    except Outside as error:
        return {}, [fault(leaves("actions", error))]
    except OSError as error:
        return {}, [fault(f"cannot be read: {why(error)}")]
    faults = []
    if len(files) > MAX_ACTIONS:
        faults.append(fault(f"holds {len(files)} actions; a tenant may have {MAX_ACTIONS}"))
    sources: dict[str, str | None] = {}
    for file in files[: MAX_ACTIONS + 1]:
        name = file[:-3]
        if not re.fullmatch(tenant_file.ACTION_NAME, name):
            want = "1 to 64 lower-case letters, digits, hyphens and underscores, a letter or digit first"
            faults.append(fault(f"not an action's name; want {want}", file))
            continue
        sources[name] = None
        try:
            sources[name] = text_of(folder, label, f"actions/{file}", MAX_SOURCE_BYTES)
        except CatalogError as error:
            faults += error.faults
    return sources, faults


def _defined(tenant: tenant_file.Tenant, sources: Mapping[str, str]) -> Definition:
    bindings = []
    bound: dict[str, str] = {}
    for section in tenant.bindings:
        source = sources[section.action]
        revision = hashlib.sha256(source.encode()).hexdigest()
        bound[revision] = source
        timeout_us = None if section.timeout_ms is None else section.timeout_ms * 1000
        uses = None if section.uses is None else tuple(sorted(set(section.uses)))
        bindings.append(Binding(section.action, revision, section.on_error, timeout_us, uses))
    names = {binding.action for binding in bindings}
    secrets = {action: dict(named) for action, named in tenant.secrets.items() if action in names and named}
    return Definition(Flow(tenant.name, tenant.settings, tuple(bindings), secrets, doors=tenant.doors), bound)
