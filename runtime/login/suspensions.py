"""What the daemon needs to suspend logins and to go on with them: keys, their lifetime, and what replicas share.

Knows the order of claiming, running and spending. Must not know how a flow runs or where the store is.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from runtime.continuation import keys
from runtime.continuation.process import ProcessSuspendedFlows
from runtime.errors import CatalogError, ContinuationUsed, DeadlineExceeded
from runtime.login.leg import Leg

if TYPE_CHECKING:
    from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow

    from runtime.catalog.base import Definition, Flow, SuspendedFlows
    from runtime.continuation.keys import Keyring
    from runtime.login.messages import EventReader

T = TypeVar("T")

# After its deadline a login is given up soon; nobody may hold a continuation against a user who tries again.
_CLAIM_SLACK_MS: Final = 30_000
SPEND_S: Final = 0.025
"""Time that a login which goes on leaves before its deadline, to have its continuation used up."""
# A decision that was reached in time is given if the store answers at all.
_STORE_S: Final = 1.5
# Giving back goes on behind whoever waits for it; together with the above it is over before a login counts as lost.
_RELEASE_S: Final = 0.4


class Suspensions:
    """One per flow runner. Without a store and keys, those of this process: what it suspends ends with it."""

    def __init__(
        self, keyring: Keyring | None = None, lifetime_s: float = 900.0, store: SuspendedFlows | None = None
    ) -> None:
        self.keys = keyring or keys.Keyring([keys.generate()])
        self._lifetime_ms = int(lifetime_s * 1000)
        self._store = store or ProcessSuspendedFlows()
        self._releasing: set[asyncio.Task[None]] = set()

    def use(self, keyring: Keyring) -> None:
        """Seal and open with other keys from now on; logins that run meanwhile keep those they began with."""
        self.keys = keyring

    async def close(self) -> None:
        """Give back the last claims and release the store."""
        await asyncio.gather(*self._releasing, return_exceptions=True)
        await self._store.close()

    def leg(self, flow: Flow, event: EventReader, gateway: bytes | None, clock_ns: int) -> Leg:
        """Begin a leg of a login."""
        return Leg(self.keys, self._lifetime_ms, flow, event, gateway, clock_ns // 1_000_000)

    async def find(self, tenant: str, digest: bytes, deadline: float) -> Definition | None:
        """Return what the tenant's flow was when it had this digest. Raises: CatalogError, DeadlineExceeded."""
        return await _within(deadline - monotonic(), self._store.find(tenant, digest))

    @contextlib.asynccontextmanager
    async def claimed(self, state: SuspendedFlow, now_ms: int, deadline: float) -> AsyncIterator[None]:
        """Hold a continuation for a block that decides its login; use it up when the block has.

        A block that raises has decided nothing, and the continuation can be used again.

        Raises: ContinuationUsed, CatalogError, DeadlineExceeded: there must be no answer.
        """
        left_s = deadline - monotonic()
        # A claim is told from another of the same continuation by its instant.
        until_ms = now_ms + int(left_s * 1000) + _CLAIM_SLACK_MS + secrets.randbelow(1000)
        claimed = False
        try:
            if not await _within(left_s, self._store.claim(state.id, state.expires_at_ms, now_ms, until_ms)):
                raise ContinuationUsed
            claimed = True
            yield
            if monotonic() > deadline:
                raise DeadlineExceeded
            if not await _within(_STORE_S, self._store.spend(state.id, until_ms)):
                raise ContinuationUsed
        except ContinuationUsed:
            raise
        except asyncio.CancelledError:
            # Whoever cancels waits for nothing.
            task = asyncio.get_running_loop().create_task(self._release(state.id, until_ms))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)
            raise
        except Exception as error:
            # Before the caller hears of it and tries again. A store that failed to claim has nothing to give back.
            if claimed or not isinstance(error, CatalogError):
                await self._release(state.id, until_ms)
            raise

    async def _release(self, name: bytes, until_ms: int) -> None:
        # A claim that cannot be given back lapses by itself.
        with contextlib.suppress(CatalogError, DeadlineExceeded):
            await _within(_RELEASE_S, self._store.release(name, until_ms))


async def _within(seconds: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise DeadlineExceeded from None
