"""The answer to a login that its caller has given up: it comes late, and no other login gets it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes import FakeSpawned, Question, reached
from tests.unit.test_flow import COMPLETED, DENY, Rig, make, step, verdicts, whole

__all__ = ["make"]  # the fixture


async def abandoned(rig: Rig) -> tuple[FakeSpawned, Question]:
    """Begin a login, and let its caller leave when its worker has been asked."""
    task = rig.run()
    spawned, question = await rig.question()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return spawned, question


async def settled(rig: Rig) -> None:
    """Wait until no login has a worker out any more."""
    await reached(lambda: not rig.pool.busy)


async def test_a_late_answer_is_not_the_next_logins(make: Any) -> None:
    """What a worker says for a login that is over denies nothing in the next one, which it decides afterwards."""
    rig = await make()
    spawned, question = await abandoned(rig)
    rig.answer(spawned, question.nonce, step(COMPLETED, DENY))
    await settled(rig)
    task = rig.run()
    _, again = await rig.question()
    assert again.nonce != question.nonce
    rig.answer(spawned, again.nonce, step(), step(), step())
    executions = await task
    assert verdicts(executions) == ["COMPLETED"] * 3
    assert not any(execution.commands for execution in executions)
    assert len(rig.zygote.spawned) == 1


async def test_a_login_meanwhile_does_not_wait_for_it(make: Any) -> None:
    """A login that comes before the late answer has another worker, and the answer changes nothing of it."""
    rig = await make()
    spawned, question = await abandoned(rig)
    task = rig.run()
    other, again = await rig.question(1)
    rig.answer(spawned, question.nonce, step(COMPLETED, DENY))
    rig.answer(other, again.nonce, step(), step(), step())
    assert verdicts(await task) == ["COMPLETED"] * 3
    await settled(rig)
    assert rig.pool.counts()["idle"] == 2


async def test_an_answer_that_comes_twice_is_a_lie(make: Any) -> None:
    """The old answer said again is of the wrong nonce: nothing of it is believed, and its worker is killed."""
    rig = await make()
    spawned, question = await abandoned(rig)
    rig.answer(spawned, question.nonce, step(COMPLETED, DENY))
    await settled(rig)
    task = rig.run()
    await rig.question()
    rig.answer(spawned, question.nonce, step(COMPLETED, DENY))
    executions = await task
    assert spawned.closed
    assert verdicts(executions) == ["VIOLATED"] * 3
    assert not any(execution.commands for execution in executions)


async def test_a_late_lie_costs_its_worker_and_no_login(make: Any) -> None:
    """A worker that lies with no login waiting is killed all the same, and the next login has a fresh one."""
    rig = await make()
    spawned, question = await abandoned(rig)
    spawned.say(whole(question.nonce + 1, step(COMPLETED, ("no.such", "{}"))))
    await settled(rig)
    task = rig.run()
    other, again = await rig.question(1)
    assert spawned.closed
    rig.answer(other, again.nonce, step(), step(), step())
    assert verdicts(await task) == ["COMPLETED"] * 3


async def test_a_worker_that_has_enough_goes_after_its_late_answer(make: Any) -> None:
    """One that ran out of memory for a caller who had left is not given to the next."""
    rig = await make()
    spawned, question = await abandoned(rig)
    spawned.say(whole(question.nonce, step(), step(), step(), retire=True))
    await reached(lambda: spawned.id in rig.zygote.killed)
    rig.zygote.on_exit(spawned.id, -9)
    await settled(rig)
    assert spawned.closed
    assert spawned.id in rig.zygote.killed
