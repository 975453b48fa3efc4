"""How often a worker is woken for a question: once, as the kernel counts it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import socket
from pathlib import Path

import pytest

from runtime.workers import pending
from runtime.workers.pipes import Pipes, WorkerEnds
from tests.security.cells import cells

_QUESTIONS = 100
_PER_QUESTION_MAX = 1.05


def _waits(pid: int) -> int:
    """Return how often a process has given up the processor by itself."""
    found = re.search(r"^voluntary_ctxt_switches:\s*([0-9]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


async def _asleep(pid: int) -> None:
    """Wait until a process waits."""
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        await asyncio.sleep(0)


async def _waits_per_question() -> float:
    """Ask one question after the other, and read each answer when the worker waits for what comes next.

    So it is on an idle machine, where the daemon takes longer to read an answer than the worker to ask for more.
    """
    async with asyncio.timeout(30), cells() as made, made.cell() as cell:
        pid = cell.worker.host_pid()
        await _asleep(pid)
        before = _waits(pid)
        answered = select.poll()
        answered.register(cell.worker.pipes.answer_fd, select.POLLIN)
        for number in range(_QUESTIONS):
            await cell.send(f"result = {number}".encode())
            while not answered.poll(0):
                await asyncio.sleep(0)
            await _asleep(pid)
            answer = await cell.receive()
            assert answer is not None
            assert json.loads(answer)["value"] == number
            await _asleep(pid)
        return (_waits(pid) - before) / _QUESTIONS


def _one_socket() -> tuple[Pipes, WorkerEnds]:
    """Make what a worker had before: one socket for both directions."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        mine, others = ours.fileno(), theirs.fileno()
        return Pipes(os.dup(mine), os.dup(mine)), WorkerEnds(os.dup(others), os.dup(others))


async def test_a_question_wakes_its_worker_once() -> None:
    """A worker waits once for each question: its own answer being read does not wake it."""
    assert await _waits_per_question() <= _PER_QUESTION_MAX


async def test_at_one_socket_it_would_be_woken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: at a socket for both directions the same worker is woken by its own answer being read."""
    monkeypatch.setattr(pending, "make_pipes", _one_socket)
    assert await _waits_per_question() > _PER_QUESTION_MAX
