"""A worker that became a template, between the answer of one child and the word of the next."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from runtime.errors import ProtocolViolation, WorkerLost
from runtime.ops.labels import KillReason
from runtime.workers.children import TemplateChildren, make_renewals
from runtime.workers.worker import State, Worker
from tests.fakes import FakeSpawned, reached

NOW = 1 << 60


class Template:
    """A worker that forks, its process's ends, and what it told its owner."""

    def __init__(self) -> None:
        self.spawned = FakeSpawned(1, [])
        self.spawned.renewals, self.theirs = make_renewals()
        self.renewed: list[Worker] = []
        loop = asyncio.get_running_loop()
        self.worker = Worker(
            loop,
            self.spawned,  # type: ignore[arg-type]  # a stand-in for a process
            1 << 20,
            lambda _: None,
            lambda _: None,
            self.renewed.append,
        )

    def ask(self, *, template: bool = False) -> asyncio.Future[bytes]:
        """Ask it something."""
        return self.worker.ask(b"?", 7, (), 0, NOW, NOW, compiles=template, template=template)

    def child(self) -> None:
        """Let a child say that it is there."""
        self.theirs.send(b"\1")

    async def loaded(self) -> None:
        """Be a template with its first child."""
        self.spawned.say(b"ready")
        await self.worker.ready()
        answer = self.ask(template=True)
        self.spawned.say(b"loaded")
        await reached(lambda: self.worker.state is State.RENEWING)
        assert not answer.done()
        self.child()
        assert await answer == b"loaded"


@pytest.fixture
async def made(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Template]:
    """A template, ready to be asked; each child is gone when the next one speaks."""
    monkeypatch.setattr(TemplateChildren, "gone", lambda _renewals: True)
    made = Template()
    await made.loaded()
    yield made
    made.worker.kill(KillReason.SHUTDOWN)
    made.theirs.close()
    assert isinstance(made.spawned.renewals, socket.socket)
    made.spawned.renewals.close()


async def test_an_answer_is_followed_by_the_next_child(made: Template) -> None:
    """It is asked again only then."""
    for count in range(1, 4):
        answer = made.ask()
        made.spawned.say(b"decided")
        assert await answer == b"decided"
        assert made.worker.renewing
        with pytest.raises(WorkerLost):
            await made.ask()
        made.child()
        await reached(lambda count=count: len(made.renewed) == count)  # type: ignore[misc]  # a default that binds
        assert not made.worker.renewing


async def test_more_than_one_answer_is_a_violation(made: Template) -> None:
    """What a child leaves in the pipe is no answer to the next login: it ends the template."""
    answer = made.ask()
    made.spawned.say(b"decided")
    await answer
    made.spawned.say(b"a lie for the next login")
    made.child()
    await reached(lambda: made.worker.state is State.DEAD)
    assert made.worker.kill_reason is KillReason.VIOLATION
    assert not made.renewed


async def test_bytes_before_the_next_question_are_a_violation(made: Template) -> None:
    """Those of a child that waits are not believed either."""
    made.spawned.say(b"unasked")
    await reached(lambda: made.worker.state is State.DEAD)
    assert made.worker.kill_reason is KillReason.VIOLATION


async def test_a_child_that_follows_without_an_answer_is_a_violation(made: Template) -> None:
    """The template forked although its child did not answer."""
    answer = made.ask()
    made.child()
    with pytest.raises(ProtocolViolation, match="began the next login while running"):
        await answer


async def test_two_children_at_once_are_a_violation(made: Template) -> None:
    """One takes the place of another that answered."""
    made.child()
    await reached(lambda: made.worker.state is State.DEAD)
    assert made.worker.kill_reason is KillReason.VIOLATION


async def test_a_template_that_dies_meanwhile_is_lost(made: Template) -> None:
    """Its pipes end, and its owner hears nothing of a next login."""
    answer = made.ask()
    made.spawned.say(b"decided")
    await answer
    made.spawned.peer.close()
    await reached(lambda: made.worker.state is State.DEAD)
    assert not made.renewed


async def test_a_load_that_ends_before_the_first_child_has_failed() -> None:
    """The answer to it counts only with a child that can be asked."""
    made = Template()
    made.spawned.say(b"ready")
    await made.worker.ready()
    answer = made.ask(template=True)
    made.spawned.say(b"loaded")
    await reached(lambda: made.worker.state is State.RENEWING)
    made.spawned.peer.close()
    with pytest.raises(WorkerLost):
        await answer
    made.theirs.close()
    assert made.spawned.renewals is not None
    made.spawned.renewals.close()
