"""Keeps the claims of one process on its suspended flows, where there is no store.

Nothing outlives the process: no flow that was deployed before, and no continuation of another daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.catalog.base import Definition


class ProcessSuspendedFlows:
    """The SuspendedFlows of one process."""

    def __init__(self) -> None:
        # Name -> until when it is claimed; None for what is spent.
        self._claims: dict[bytes, int | None] = {}

    async def claim(self, name: bytes, expires_at_ms: int, now_ms: int, until_ms: int) -> bool:
        """Claim a continuation until an instant; False when it is spent, or claimed by another."""
        claimed_ms = self._claims.get(name, 0)
        if claimed_ms is None or claimed_ms >= now_ms:
            return False
        self._claims[name] = until_ms
        return True

    async def spend(self, name: bytes, until_ms: int) -> bool:
        """Use up what was claimed until that instant, for good; False when another has claimed it since."""
        if self._claims.get(name) != until_ms:
            return False
        self._claims[name] = None
        return True

    async def release(self, name: bytes, until_ms: int) -> None:
        """Give a claim back: nothing was decided."""
        if self._claims.get(name) == until_ms:
            del self._claims[name]

    async def find(self, tenant: str, digest: bytes) -> Definition | None:
        """Return nothing: what was deployed before is not kept."""
        return None

    async def close(self) -> None:
        """Release nothing."""
