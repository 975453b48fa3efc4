"""What `{stored: NAME}` stands for: the secrets that the store has of a tenant, and the version they were read at."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.catalog import versions
from runtime.catalog.database import Database
from runtime.errors import NoStore, UnknownVersion


class StoredSecrets:
    """Reads each tenant's secrets when they are first asked for.

    `read_at` has the version that each tenant was at then: an apply expects it, so that a secret that was replaced
    meanwhile does not come back.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, dict[tuple[str, str | int], str]] = {}
        self.read_at: dict[str, int] = {}

    def __call__(self, tenant: str) -> Mapping[tuple[str, str | int], str]:
        """Return secrets by action and name, and those of doors by dialect and number. Raises: CatalogUnavailable."""
        if tenant not in self._known:
            self._known[tenant] = self._read(tenant)
        return self._known[tenant]

    def _read(self, tenant: str) -> dict[tuple[str, str | int], str]:
        try:
            with self._database.reading() as connection:
                self.read_at[tenant] = versions.version(connection, tenant).number
                flow = versions.secrets_now(connection, tenant)
        except (NoStore, UnknownVersion):
            return {}
        found: dict[tuple[str, str | int], str] = {
            (action, name): value for action, named in flow.secrets.items() for name, value in named.items()
        }
        for name, door in flow.doors.items():
            found |= {(name, at): value for at, value in enumerate(door.secrets, 1)}
        return found
