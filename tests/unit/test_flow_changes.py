"""A flow is replaced: no worker that served the old one is given anything of the new one, whatever it is doing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Snapshot
from runtime.workers.deployed import KILLS_AT_ONCE
from tests.fakes import FakeSpawned, reached
from tests.unit.test_flow import Rig, make, step, whole
from tests.unit.test_pool import settle

__all__ = ["make"]  # the fixture

OLD, NEW = b"old", b"new"


def deploy(rig: Rig, digest: bytes | None, **secrets: str) -> None:
    """Let the catalog serve another flow of the tenant, or none, and tell the pool."""
    tenants = {}
    if digest is not None:
        flow = replace(rig.catalog.flow, secrets={"one": secrets}, digest=digest)
        tenants = {"acme": flow}
    snapshot = Snapshot(8, MappingProxyType(tenants), rig.catalog.sources)
    rig.catalog.snapshot = lambda: snapshot  # type: ignore[method-assign]  # the catalog's next snapshot
    rig.pool.flows_changed(tenants)


def login(rig: Rig) -> asyncio.Task[bytes]:
    """Begin a login."""
    return asyncio.ensure_future(rig.login("acme"))


async def asked(rig: Rig, worker: int) -> tuple[FakeSpawned, worker_pb2.RunFlow]:
    """Wait until a worker has been asked about a login."""
    await reached(lambda: len(rig.zygote.spawned) > worker)
    spawned = rig.zygote.spawned[worker]
    return spawned, await spawned.asked()


def answer(spawned: FakeSpawned, request: worker_pb2.RunFlow) -> None:
    """Let three actions complete."""
    spawned.say(whole(request.nonce, step(), step(), step()))


@pytest.mark.parametrize("changed", [True, False], ids=["", "control"])
async def test_a_worker_of_an_old_flow_is_not_sent_the_new_secret(make: Any, changed: bool) -> None:
    """After the change another worker is asked. The control: where the flow is not told apart, it is the same one."""
    rig = await make()
    deploy(rig, OLD, KEY="first")
    task = login(rig)
    first, request = await asked(rig, 0)
    answer(first, request)
    await task
    deploy(rig, NEW if changed else OLD, KEY="rotated")
    assert first.closed == changed
    task = login(rig)
    spawned, request = await asked(rig, 1 if changed else 0)
    assert b"rotated" in request.flow
    answer(spawned, request)
    await task


@pytest.mark.parametrize("digest", [NEW, None], ids=["changed", "removed"])
async def test_a_busy_worker_goes_when_it_is_released(make: Any, digest: bytes | None) -> None:
    """A login that has begun ends with the flow that it began with; then its worker is killed, not kept."""
    rig = await make()
    deploy(rig, OLD)
    task = login(rig)
    spawned, request = await asked(rig, 0)
    deploy(rig, digest)
    assert not spawned.closed
    answer(spawned, request)
    await task
    assert spawned.closed
    assert rig.pool.counts()["idle"] == 0


async def test_a_worker_whose_caller_left_goes_too(make: Any) -> None:
    """No login waits for its answer, and it is released all the same."""
    rig = await make()
    deploy(rig, OLD)
    task = login(rig)
    spawned, request = await asked(rig, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deploy(rig, NEW)
    answer(spawned, request)
    await reached(lambda: not rig.pool.busy)
    assert spawned.closed


async def test_many_idle_workers_go_some_at_a_time(make: Any) -> None:
    """Logins come between the kills, and none of those that are left is leased for the new flow."""
    rig = await make(workers_per_tenant=100, queue_per_tenant=100)
    count = 2 * KILLS_AT_ONCE + 3
    leases = [asyncio.create_task(rig.pool.lease("acme", 5, OLD)) for _ in range(count)]
    deploy(rig, OLD)
    for worker in [await lease for lease in leases]:
        rig.pool.release(worker)
    assert rig.pool.counts()["idle"] == count
    deploy(rig, NEW)
    assert rig.pool.counts()["idle"] == count - KILLS_AT_ONCE
    assert rig.pool.lease_nowait("acme", NEW) is None
    await reached(lambda: not rig.pool.counts()["idle"])
    assert all(spawned.closed for spawned in rig.zygote.spawned[:count])


async def test_a_login_of_another_flow_makes_room_for_itself(make: Any) -> None:
    """A tenant with as many workers as it may have, all of its present flow, continues a login of an old one."""
    rig = await make(workers_per_tenant=1)
    deploy(rig, NEW)
    present = await rig.pool.lease("acme", 1, NEW)
    waiting = asyncio.create_task(rig.pool.lease("acme", 5, OLD))
    await settle()
    assert not waiting.done()
    rig.pool.release(present)
    old = await waiting
    assert (old.flow, old is present) == (OLD, False)
    # And an idle one makes room at once; what served the old flow is not kept.
    rig.pool.release(old)
    following = await rig.pool.lease("acme", 1, NEW)
    rig.pool.release(following)
    assert (await rig.pool.lease("acme", 1, OLD)).flow == OLD
    assert rig.pool.counts()["idle"] == 0


async def test_a_login_of_an_old_flow_has_its_turn(make: Any) -> None:
    """However many logins of the present flow come after it: the worker that is released first gives way to it."""
    rig = await make(workers_per_tenant=1)
    deploy(rig, NEW)
    present = await rig.pool.lease("acme", 1, NEW)
    old = asyncio.create_task(rig.pool.lease("acme", 5, OLD))
    await asyncio.sleep(0)
    later = asyncio.create_task(rig.pool.lease("acme", 5, NEW))
    await asyncio.sleep(0)
    rig.pool.release(present)
    assert (await old).flow == OLD
    assert not later.done()
    rig.pool.release(await old)
    assert (await later).flow == NEW


async def test_a_successor_that_is_being_loaded_goes_when_it_is_loaded(make: Any) -> None:
    """It was made for the flow that is gone: the next login has another worker."""
    rig = await make(isolation="login")
    deploy(rig, OLD)
    first = await rig.pool.lease("acme", 1, OLD)
    await reached(lambda: len(rig.zygote.spawned) >= 2)
    successor = rig.zygote.spawned[1]
    request = await successor.read()
    deploy(rig, NEW)
    assert not successor.closed
    successor.say(worker_pb2.FlowReply(nonce=request.nonce).SerializeToString())
    await reached(lambda: successor.closed)
    rig.pool.release(first)
    assert (await rig.pool.lease("acme", 1, NEW)).flow == NEW
