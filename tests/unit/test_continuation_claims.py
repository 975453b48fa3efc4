"""Claiming a continuation around a block: used up by a decision, given back by everything else."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow

from runtime.calls import calls
from runtime.catalog.base import Claim
from runtime.continuation.process import ProcessSuspendedFlows
from runtime.errors import CatalogError, ContinuationUsed, DeadlineExceeded, WorkerLost
from runtime.login import suspensions as module
from runtime.login.suspensions import Suspensions

NOW_MS = 1_800_000_000_000
STATE = SuspendedFlow(id=b"n" * 16, expires_at_ms=NOW_MS + 900_000)


class Store(ProcessSuspendedFlows):
    """One that can be slow or broken, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.hang: set[str] = set()
        self.broken: set[str] = set()
        self.releases = 0

    async def _pass(self, step: str) -> None:
        if step in self.broken:
            raise CatalogError(["the store is locked"])
        if step in self.hang:
            await asyncio.Event().wait()

    async def claim(self, *args: Any) -> Claim:
        granted = await super().claim(*args)
        await self._pass("claim")
        return granted

    async def spend(self, *args: Any) -> bool:
        await self._pass("spend")
        return await super().spend(*args)

    async def release(self, *args: Any) -> None:
        self.releases += 1
        await self._pass("release")
        await super().release(*args)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def suspensions(store: Store) -> Suspensions:
    return Suspensions(store=store)


def deadline(seconds: float = 5.0) -> float:
    return monotonic() + seconds


async def usable(suspensions: Suspensions) -> bool:
    """Tell whether the continuation can be used, by using it."""
    try:
        async with suspensions.claimed(STATE, NOW_MS, deadline()):
            return True
    except ContinuationUsed:
        return False


async def test_a_block_that_ends_has_used_it(suspensions: Suspensions) -> None:
    """Once is enough."""
    assert await usable(suspensions)
    assert not await usable(suspensions)


async def test_a_block_that_raises_has_not(suspensions: Suspensions) -> None:
    """An error is no decision: by the time it is heard of, the continuation can be used again."""
    with pytest.raises(WorkerLost):
        async with suspensions.claimed(STATE, NOW_MS, deadline()):
            raise WorkerLost("gone")
    assert await usable(suspensions)


async def test_while_it_is_claimed_no_other_call_has_it(suspensions: Suspensions) -> None:
    """A second caller is refused at once, and its refusal takes nothing from the first."""
    async with suspensions.claimed(STATE, NOW_MS, deadline()):
        with pytest.raises(ContinuationUsed, match="another request has used"):
            async with suspensions.claimed(STATE, NOW_MS, deadline()):
                raise AssertionError("never entered")
    assert not await usable(suspensions)


async def test_a_caller_that_goes_away_gives_it_back(suspensions: Suspensions) -> None:
    """Cancelled in the block, it is given back without anybody waiting for that."""
    entered = asyncio.Event()

    async def leg() -> None:
        async with suspensions.claimed(STATE, NOW_MS, deadline()):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(leg())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await suspensions.close()
    assert await usable(suspensions)


async def test_a_claim_whose_caller_left_is_given_back(suspensions: Suspensions, store: Store) -> None:
    """Cancelled while it is claimed, when it is unknown whether it is, it is given back too."""
    store.hang.add("claim")
    task = asyncio.create_task(usable(suspensions))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await suspensions.close()
    store.hang.clear()
    assert await usable(suspensions)


async def test_a_store_that_does_not_answer_in_time_grants_nothing(suspensions: Suspensions, store: Store) -> None:
    """The deadline ends the wait for a claim, and the block is not entered."""
    store.hang.add("claim")
    with pytest.raises(DeadlineExceeded):
        async with suspensions.claimed(STATE, NOW_MS, deadline(0.01)):
            raise AssertionError("never entered")
    store.hang.clear()
    assert await usable(suspensions)


async def test_what_cannot_be_used_up_is_not_answered(suspensions: Suspensions, store: Store) -> None:
    """When the store fails behind a decision there is no answer, and the same continuation decides again."""
    store.broken.add("spend")
    with pytest.raises(CatalogError):
        async with suspensions.claimed(STATE, NOW_MS, deadline()):
            pass
    store.broken.clear()
    assert await usable(suspensions)


async def test_a_decision_after_the_deadline_is_none(suspensions: Suspensions, monkeypatch: pytest.MonkeyPatch) -> None:
    """No caller waits for it any more, so it must not use anything up."""
    last = deadline()
    with pytest.raises(DeadlineExceeded):
        async with suspensions.claimed(STATE, NOW_MS, last):
            monkeypatch.setattr(module, "monotonic", lambda: last + 0.001)
    monkeypatch.undo()
    assert await usable(suspensions)


def test_a_store_that_hangs_does_not_lose_the_login() -> None:
    """Waiting to use a continuation up and to give it back takes less than after what a login counts as lost."""
    assert module.STORE_S + module.RELEASE_S < calls.LOST_S


async def test_a_store_that_cannot_claim_is_not_asked_again(suspensions: Suspensions, store: Store) -> None:
    """A locked store is waited for once: nothing was claimed, so nothing is given back."""
    store.broken.add("claim")
    with pytest.raises(CatalogError):
        async with suspensions.claimed(STATE, NOW_MS, deadline()):
            raise AssertionError("never entered")
    assert store.releases == 0


async def test_a_release_that_hangs_is_not_waited_for(
    suspensions: Suspensions, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears of the error though the store does not answer any more."""
    monkeypatch.setattr(module, "RELEASE_S", 0.01)
    store.hang.add("release")
    with pytest.raises(WorkerLost):
        async with suspensions.claimed(STATE, NOW_MS, deadline()):
            raise WorkerLost("gone")
    assert store.releases == 1
