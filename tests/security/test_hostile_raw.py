"""Attacks of the corpus as plain Python in a locked worker: what is left when the language layer has been escaped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.doctor.corpus import SHARED, Attack, load
from tests.security.cells import Cells, cells

RAW = [entry for entry in load(SHARED) if entry.raw]

# An `api` that shows success: whatever is denied or set comes back.
AS_PROBE = """
class Anything:
    def __init__(self, said): self.said = said
    def __getattr__(self, name): return self
    def __call__(self, *args, **kwargs): self.said.append(repr((args, kwargs))); return self
said = []
{code}
on_execute_post_login(Anything([]), Anything(said))
result = said
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def locked() -> AsyncIterator[Cells]:
    """Workers under every layer but the language."""
    async with cells() as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("entry", [e for e in RAW if e.success != "hang"], ids=lambda entry: entry.id)
async def test_attack_is_held_by_the_kernel(locked: Cells, entry: Attack) -> None:
    """Unrestricted Python meets a forbidden call, or an error; the mark of success never comes back."""
    outcome = await locked.probe(AS_PROBE.format(code=entry.code))
    assert entry.mark not in str(outcome.value), entry.goal
    assert outcome.filtered or outcome.error is not None or outcome.value == [], outcome


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("entry", [e for e in RAW if e.success == "hang"], ids=lambda entry: entry.id)
async def test_a_hang_ends_with_the_daemons_kill(locked: Cells, entry: Attack) -> None:
    """Neither ignored signals nor a stopped process outlive SIGKILL by pidfd."""
    async with locked.cell() as cell:
        running = asyncio.create_task(cell.run(AS_PROBE.format(code=entry.code)))
        await asyncio.sleep(0.2)
        cell.worker.kill()
        outcome = await running
    assert outcome.exit_code in (-signal.SIGKILL, -signal.SIGSYS)


def test_there_are_raw_attacks() -> None:
    """The corpus marks the attacks that the kernel must hold alone."""
    assert len(RAW) >= 8
