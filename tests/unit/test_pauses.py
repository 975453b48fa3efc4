"""A tenant whose workers break the protocol waits for the next one; no other tenant does."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest

from runtime.config.sections import LogConfig
from runtime.errors import PoolExhausted
from runtime.ops import log
from runtime.ops.labels import KillReason
from runtime.workers.pauses import Pauses
from runtime.workers.pool import Pool
from tests.fakes import reached
from tests.unit.test_pool import Harness, config, settle, start


async def test_a_pause_grows_with_each_lie_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """It doubles up to a second, and half a minute of peace begins anew."""
    loop = asyncio.get_running_loop()
    now = [100.0]
    monkeypatch.setattr(loop, "time", lambda: now[0])
    pauses = Pauses(loop, log.build(LogConfig(level="error"), io.StringIO()), lambda _slot: None)
    found = []
    for _ in range(7):
        found.append(pauses.length_s("lies"))
        now[0] += found[-1]
    assert found == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert pauses.length_s("quiet") == 0.05
    pauses.forget()
    assert pauses.length_s("lies") == 1.0
    now[0] += 40
    assert pauses.length_s("lies") == 0.05


def lie(pool: Pool, tenant: str) -> None:
    """Let the tenant's next worker break its protocol."""
    worker = pool.lease_nowait(tenant)
    assert worker is not None
    worker.kill(KillReason.VIOLATION)


@pytest.fixture
async def h() -> AsyncIterator[Harness]:
    harness = await start(config(blank_workers=3))
    yield harness
    await harness.close()


async def test_a_liars_next_worker_comes_after_a_pause(h: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its login waits although blank workers are ready; another tenant's, and one after a crash, does not."""
    loop = asyncio.get_running_loop()
    now_s = [loop.time()]
    monkeypatch.setattr(loop, "time", lambda: now_s[0])
    lie(h.pool, "lies")
    await settle()
    assert h.pool.counts()["blank"] >= 2
    waiting = asyncio.create_task(h.pool.lease("lies", 5.0))
    crashed = await h.pool.lease("crashes", 5.0)
    crashed.kill(KillReason.DEADLINE)
    assert (await h.pool.lease("crashes", 5.0)).tenant == "crashes"
    now_s[0] += 0.049
    await settle()
    assert not waiting.done()
    assert h.pool.lease_nowait("lies") is None
    now_s[0] += 0.002
    assert (await waiting).tenant == "lies"


async def test_a_liars_other_workers_serve_meanwhile(h: Harness) -> None:
    """A pause takes no worker away: one that answers honestly is leased again, also to a login that waits."""
    honest = h.pool.lease_nowait("lies")
    lie(h.pool, "lies")
    assert honest is not None
    waiting = asyncio.create_task(h.pool.lease("lies", 5.0))
    await settle()
    h.pool.release(honest)
    assert await waiting is honest


async def test_a_login_that_waits_longer_than_it_may_gets_the_reason(h: Harness) -> None:
    """It has no decision: a pause ends in a status that asks the caller to come again, never in an answer."""
    lie(h.pool, "lies")
    with pytest.raises(PoolExhausted, match=r"tenant lies: .* crashed or broke their protocol"):
        await h.pool.lease("lies", 0.01)


async def test_a_pause_leaves_nothing_of_a_tenant_behind(h: Harness) -> None:
    """A worker that is recycled in a pause has no successor, and its tenant no place in the pool once it is over."""
    first = h.pool.lease_nowait("lies")
    assert first is not None
    lie(h.pool, "lies")
    h.pool.release(first, retire=True)
    await reached(lambda: "tenants=0" in repr(h.pool))


async def test_logins_that_wait_while_their_worker_lies_wait_on(h: Harness) -> None:
    """Two stood in the queue when it lied; each gets a worker once the pause is over, and none is left behind."""
    first, second = h.pool.lease_nowait("lies"), h.pool.lease_nowait("lies")
    assert first is not None
    assert second is not None
    waiting = [asyncio.create_task(h.pool.lease("lies", 5.0)) for _ in range(2)]
    await settle()
    first.kill(KillReason.VIOLATION)
    second.kill(KillReason.VIOLATION)
    await settle()
    assert not any(task.done() for task in waiting)
    workers = await asyncio.gather(*waiting)
    assert {worker.tenant for worker in workers} == {"lies"}
    for worker in workers:
        h.pool.release(worker)
    assert h.pool.counts()["idle"] == 2
