"""The file in a tenant's folder that says which version of which store the folder was made from.

An export writes it, and an apply reads it and brings it up to date, so that the second of two editors learns of the
first. It never makes an apply possible that was not: without it nothing is expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from runtime.catalog.beneath import Folder, NotAFile, Outside
from runtime.catalog.tenant_writer import MARKER, replace_file
from runtime.errors import ConfigError, Fault

_MAX_BYTES: Final = 65_536


def text(versions: Mapping[str, int]) -> str:
    """Return the text of a marker file: versions by the store that they are of."""
    return json.dumps(dict(versions), indent=1) + "\n"


def read(folder: Path) -> dict[str, int] | None:
    """Return the versions that a folder was made from, by store; None without a file. Raises: ConfigError."""
    try:
        with Folder(folder) as opened:
            data, _ = opened.read(MARKER, _MAX_BYTES)
        found = json.loads(data[: _MAX_BYTES + 1])
        if not isinstance(found, dict) or not all(type(number) is int for number in found.values()):
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, Outside, NotAFile):
        message = "is not what an export wrote; remove it to apply without an expectation"
        raise ConfigError([Fault(str(folder / MARKER), message)]) from None
    return found


StoreId = Callable[[], str]
"""Returns what tells a store from others, which is its first apply; empty before that. Raises: CatalogError."""


def expected(store_id: StoreId, folders: Mapping[str, Path]) -> dict[str, int]:
    """Return the versions of this store that folders of tenants were made from. Raises: ConfigError, CatalogError."""
    found = {tenant: known for tenant, folder in folders.items() if (known := read(folder)) is not None}
    store = store_id() if found else ""
    return {tenant: known[store] for tenant, known in found.items() if store in known}


def applied(store_id: StoreId, folders: Mapping[str, Path], versions: Mapping[str, int]) -> list[Path]:
    """Bring the files of folders up to date, where there are some. Return those that cannot be written."""
    failed = []
    for tenant, folder in folders.items():
        known = read(folder)
        if known is None or tenant not in versions:
            continue
        store = store_id()
        if known.get(store) == versions[tenant]:
            continue
        try:
            replace_file(folder / MARKER, text(known | {store: versions[tenant]}).encode())
        except OSError:
            failed.append(folder / MARKER)
    return failed
