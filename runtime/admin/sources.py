"""Tenants as a caller sends them: files by name become definitions, by the reader that directories have.

What comes is hostile. No secret is read but those that the caller sent and those that the store has of the tenant.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin.messages import tenant_name
from runtime.catalog import directory
from runtime.catalog.base import Definition
from runtime.catalog.database import Database
from runtime.catalog.secret_values import FILE_NAME, Secrets, Unresolved
from runtime.catalog.stored_secrets import StoredSecrets
from runtime.catalog.tenant_file import ACTION_NAME
from runtime.config.sections import SandboxConfig
from runtime.errors import CatalogError, CatalogUnavailable, Fault, InvalidRequest, TenantFaulty
from runtime.findings import moved
from sandbox.contract import bundle

MAX_TENANTS: Final = 1000
_ACTION: Final = re.compile(rf"actions/{ACTION_NAME}\.py").fullmatch
_FILES: Final = "tenant.yaml, actions/NAME.py and lib/NAME.py"


def read(
    sources: Iterable[pb.TenantSource], database: Database, check: directory.Check
) -> tuple[directory.Tenants, dict[str, int]]:
    """Return what the sources define, and the versions that secrets of the store were read at.

    Args:
        sources: hostile, but for the tenants' names, which were checked when it was asked whether the caller may.
        database: what `{stored: NAME}` refers to.
        check: compiles actions in sandboxed workers.

    Raises: InvalidRequest, TenantFaulty with every fault, CatalogUnavailable.
    """
    named = _named(sources)
    stored = StoredSecrets(database)
    with tempfile.TemporaryDirectory(prefix="vestibule-apply-") as made:
        # Private to this process: mkdtemp's mode is 0700, and secrets lie in it for a moment.
        root = Path(made)
        for tenant, source in named.items():
            _write(root / "tenants" / tenant, source.files)
            _write(root / "secrets" / tenant, source.file_secrets)
        environ = {
            f"{tenant} {name}": value for tenant, source in named.items() for name, value in source.env_secrets.items()
        }
        secrets = _SentSecrets(environ=environ, directory=root / "secrets", stored=stored)
        try:
            found = directory.load(root / "tenants", check, secrets, SandboxConfig().flow_timeout_ms)
        except CatalogUnavailable:
            raise
        except CatalogError as error:
            raise TenantFaulty([_shown(fault, root) for fault in error.faults]) from None
    warnings = [_shown(warning, root) for warning in found.warnings]
    return directory.Tenants(found.definitions, warnings, single=False), dict(stored.read_at)


def definition(tenant: str, files: Mapping[str, str]) -> Definition:
    """Return what a tenant's files define, with names of secrets alone; no action is compiled.

    Args:
        files: as a version of an AdminService has them; hostile.

    Raises: CatalogError.
    """
    with tempfile.TemporaryDirectory(prefix="vestibule-read-") as made:
        folder = Path(made, "tenants", tenant_name(tenant))
        _write(folder, {name: text for name, text in files.items() if name == "tenant.yaml" or _ACTION(name)})
        (found,) = directory.load(folder.parent, None, Secrets(placeholders=True)).definitions
        return found


class _SentSecrets(Secrets):
    """Those that a caller sent, by tenant and name."""

    def env(self, tenant: str, name: str) -> str:
        """Return a value that was sent. Raises: Unresolved."""
        value = self.environ.get(f"{tenant} {name}", "")
        if not value:
            raise Unresolved(f"env_secrets has no value for {name[:80]!r}; send it, or write {{stored: NAME}}")
        return value


def _named(sources: Iterable[pb.TenantSource]) -> dict[str, pb.TenantSource]:
    """Return sources by tenant, once each, with the names of their files checked. Raises: InvalidRequest."""
    found: dict[str, pb.TenantSource] = {}
    for at, source in enumerate(sources):
        field = f"tenants[{at}]"
        tenant = source.tenant_id
        if found.setdefault(tenant, source) is not source:
            raise InvalidRequest(f"{field}.tenant_id", f"is {tenant}, which comes twice; send each tenant once")
        for name in source.files:
            if name != "tenant.yaml" and not _ACTION(name) and not bundle.is_file(name):
                raise InvalidRequest(f"{field}.files", f"has {name[:80]!r}; want {_FILES}")
        if "tenant.yaml" not in source.files:
            raise InvalidRequest(f"{field}.files", "has no tenant.yaml; send it")
        for name in source.file_secrets:
            if not FILE_NAME.fullmatch(name):
                raise InvalidRequest(f"{field}.file_secrets", f"has {name[:80]!r}, which is no name of a secret's file")
    if not found:
        raise InvalidRequest("tenants", "is empty; send one at least")
    if len(found) > MAX_TENANTS:
        raise InvalidRequest("tenants", f"has {len(found)}; send at most {MAX_TENANTS} at a time")
    return found


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())


def _shown(fault: Fault, root: Path) -> Fault:
    """Name a place as the caller does: TENANT/actions/NAME.py:LINE:COLUMN."""
    lead = f"{root}/tenants/"
    message = fault.message.replace(lead, "").replace(f"{root}/secrets/", "")
    return moved(fault, fault.where.removeprefix(lead), message)
