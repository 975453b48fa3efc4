"""Equal requests at one time: one run, every caller its answer, and no caller ends what another one waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from runtime.errors import DeadlineExceeded, QueueFull
from runtime.login.running import Running

CONTENT = b"c" * 32


class Work:
    """A run that ends when a test says so."""

    def __init__(self) -> None:
        self.ends: list[asyncio.Future[str]] = []

    async def __call__(self) -> str:
        self.ends.append(asyncio.get_running_loop().create_future())
        return await self.ends[-1]


async def reached(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("never reached")


def ask(
    running: Running[str], work: Work, content: bytes = CONTENT, left_s: float = 60
) -> asyncio.Task[tuple[str, bool]]:
    return asyncio.create_task(running.once(content, monotonic() + left_s, work))


async def test_one_run_answers_every_equal_request() -> None:
    """The first one runs, the others wait for it; what comes later runs again."""
    running, work = Running[str](), Work()
    asked = [ask(running, work) for _ in range(5)]
    await reached(lambda: bool(work.ends))
    await asyncio.sleep(0)
    work.ends[0].set_result("decided")
    assert await asyncio.gather(*asked) == [("decided", False), *[("decided", True)] * 4]
    assert not len(running)
    later = ask(running, work)
    await reached(lambda: len(work.ends) == 2)
    work.ends[1].set_result("again")
    assert await later == ("again", False)


async def test_another_content_runs_by_itself() -> None:
    """The control: requests that differ are never joined."""
    running, work = Running[str](), Work()
    asked = [ask(running, work), ask(running, work, b"d" * 32)]
    await reached(lambda: len(work.ends) == 2)
    for number, end in enumerate(work.ends):
        end.set_result(str(number))
    assert await asyncio.gather(*asked) == [("0", False), ("1", False)]


async def test_a_caller_that_goes_away_takes_no_answer_with_it() -> None:
    """The first of the others runs it again, and the rest wait for that."""
    running, work = Running[str](), Work()
    asked = [ask(running, work) for _ in range(3)]
    await reached(lambda: bool(work.ends))
    await asyncio.sleep(0)
    asked[0].cancel()
    await reached(lambda: len(work.ends) == 2)
    work.ends[1].set_result("decided")
    assert sorted(await asyncio.gather(*asked[1:])) == [("decided", False), ("decided", True)]
    assert asked[0].cancelled()


async def test_a_caller_that_waits_and_goes_away_harms_none() -> None:
    """The one that began it still gets its answer."""
    running, work = Running[str](), Work()
    asked = [ask(running, work) for _ in range(2)]
    await reached(lambda: bool(work.ends))
    await asyncio.sleep(0)
    asked[1].cancel()
    await asyncio.sleep(0)
    work.ends[0].set_result("decided")
    assert await asked[0] == ("decided", False)


async def test_a_deadline_is_its_callers_own() -> None:
    """A short one ends the wait of its caller; a run that ended at one says nothing to callers with more time."""
    running, work = Running[str](), Work()
    first = ask(running, work)
    await reached(lambda: bool(work.ends))
    short, long = ask(running, work, left_s=0), ask(running, work)
    with pytest.raises(DeadlineExceeded):
        await short
    await asyncio.sleep(0)
    work.ends[0].set_exception(DeadlineExceeded())
    with pytest.raises(DeadlineExceeded):
        await first
    await reached(lambda: len(work.ends) == 2)
    work.ends[1].set_result("decided")
    assert await long == ("decided", False)


async def test_a_result_may_be_its_callers_alone() -> None:
    """One that is not for all is the answer to its own caller, and the first of the others runs it again."""
    running, work = Running[str](lambda result: result != "late"), Work()
    asked = [ask(running, work) for _ in range(3)]
    await reached(lambda: bool(work.ends))
    await asyncio.sleep(0)
    work.ends[0].set_result("late")
    await reached(lambda: len(work.ends) == 2)
    work.ends[1].set_result("decided")
    assert await asyncio.gather(*asked) == [("late", False), ("decided", False), ("decided", True)]


async def test_an_error_is_the_answer_to_all() -> None:
    """What has nothing to do with the caller is said to each."""
    running, work = Running[str](), Work()
    asked = [ask(running, work) for _ in range(3)]
    await reached(lambda: bool(work.ends))
    await asyncio.sleep(0)
    work.ends[0].set_exception(QueueFull("full"))
    assert [type(end) for end in await asyncio.gather(*asked, return_exceptions=True)] == [QueueFull] * 3
