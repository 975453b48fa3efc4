"""Finds suites: the folder `tests` beside a tenant.yaml, and single files.

Knows folders and what keeps a file from being read. Must not know what a suite says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from runtime.catalog.base import Definition
from runtime.catalog.beneath import Folder
from runtime.catalog.tenant_texts import text_of, why
from runtime.errors import CatalogError, Fault
from runtime.suites import schema
from runtime.suites.reading import MAX_BYTES, Case, SuiteReader
from runtime.suites.tenants import CaseTenants

FOLDER: Final = "tests"
"""Where a tenant's suites are."""
_MAX_FILES: Final = 1000


def of_tenant(tenant: Path, definition: Definition) -> list[Case]:
    """Return the cases of every suite of a tenant's folder, in the order of their names; none where there is no folder.

    Raises: CatalogError, with every fault of all of them.
    """
    label = tenant / FOLDER
    found = names(label)
    return _read(tenant, label, found, definition, definition.flow.tenant) if found else []


def alone(path: Path) -> list[Case]:
    """Return the cases of one suite that has actions of its own, and no tenant. Raises: CatalogError."""
    return _read(path.parent, path.parent, [path.name], None, path.stem.lower())


def one(tenant: Path, definition: Definition, name: str) -> list[Case]:
    """Return the cases of one suite of a tenant. Raises: CatalogError."""
    return _read(tenant, tenant / FOLDER, [name], definition, definition.flow.tenant)


def names(folder: Path) -> list[str]:
    """Name the suites of a folder. Raises: CatalogError."""
    try:
        listed = sorted(path.name for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CatalogError([Fault(str(folder), f"cannot be read: {why(error)}")]) from None
    hidden = [name for name in listed if name.startswith(".")]
    odd = [name for name in listed if not re.fullmatch(schema.FILE_NAME, name) and name not in hidden]
    faults = [Fault(str(folder / name), "is no suite's name; want letters, digits, '-', '_' and '.'") for name in odd]
    if len(listed) > _MAX_FILES:
        faults.append(Fault(str(folder), f"holds {len(listed)} suites; {_MAX_FILES} are allowed"))
    if faults:
        raise CatalogError(faults)
    return [name for name in listed if name not in hidden]


def _read(root: Path, label: Path, files: list[str], definition: Definition | None, name: str) -> list[Case]:
    cases: list[Case] = []
    faults: list[Fault] = []
    inside = "" if label == root else f"{label.name}/"
    try:
        with Folder(root) as folder:

            def text(file: str) -> str:
                return text_of(folder, root, f"{inside}{file}", MAX_BYTES, what="suite")

            reader = SuiteReader(str(label), text, CaseTenants(definition, name))
            for file in files:
                try:
                    cases += reader.read(file)
                except CatalogError as error:
                    faults += error.faults
    except OSError as error:
        faults.append(Fault(str(label), f"cannot be read: {why(error)}"))
    if faults:
        raise CatalogError(list(dict.fromkeys(faults)))
    return cases
