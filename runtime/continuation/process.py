"""Keeps the claims of one process on its suspended flows, where there is no store.

Nothing outlives the process: no flow that was deployed before, and no continuation of another daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.catalog.base import Claim

if TYPE_CHECKING:
    from runtime.catalog.base import Definition


class ProcessSuspendedFlows:
    """The SuspendedFlows of one process."""

    def __init__(self) -> None:
        # Name -> until when it is claimed; None for what is spent.
        self._claims: dict[bytes, int | None] = {}
        # Name -> the digest of the request, its answer, and when the continuation expires.
        self._requests: dict[bytes, tuple[bytes, bytes | None, int]] = {}

    @property
    def epoch(self) -> bytes:
        """The one epoch: nothing is restored from a copy."""
        return b""

    async def claim(
        self,
        name: bytes,
        expires_at_ms: int,
        now_ms: int,
        until_ms: int,
        request: bytes = b"",
        epoch: bytes = b"",
    ) -> Claim:
        """Claim a continuation until an instant, for a request."""
        claimed_ms = self._claims.get(name, 0)
        if claimed_ms is None or claimed_ms >= now_ms:
            same, answer, _ = self._requests.get(name, (b"", None, 0))
            if not request or request != same:
                return Claim()
            return Claim(running=claimed_ms is not None, answer=answer)
        self._claims[name] = until_ms
        self._requests[name] = request, None, expires_at_ms
        return Claim(granted=True)

    async def spend(self, name: bytes, until_ms: int, answer: bytes | None = None) -> bool:
        """Use up what was claimed until that instant, for good; False when another has claimed it since."""
        if self._claims.get(name) != until_ms:
            return False
        self._claims[name] = None
        request, _, expires_at_ms = self._requests[name]
        self._requests[name] = request, answer, expires_at_ms
        return True

    async def release(self, name: bytes, until_ms: int) -> None:
        """Give a claim back: nothing was decided."""
        if self._claims.get(name) == until_ms:
            del self._claims[name], self._requests[name]

    async def sweep(self, now_ms: int) -> None:
        """Drop the answers of continuations that have expired."""
        self._requests = {name: kept for name, kept in self._requests.items() if kept[2] >= now_ms}

    async def find(self, tenant: str, digest: bytes) -> Definition | None:
        """Return nothing: what was deployed before is not kept."""
        return None

    async def close(self) -> None:
        """Release nothing."""
