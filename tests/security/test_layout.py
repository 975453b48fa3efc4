"""What a tenant learned of one worker's addresses is worth nothing after the zygote was renewed."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from runtime.config.effective import Config
from runtime.config.sections import LogConfig
from runtime.ops import log
from runtime.ops.labels import RenewalReason
from runtime.ops.metrics import Metrics
from runtime.workers.spawner import Spawner
from runtime.workers.worker import Worker
from runtime.workers.zygote import Zygote
from tests.security.cells import hold

# Where an object of the heap, a function of libc and the stack lie: what a program that escapes has to know.
ADDRESSES = """\
here = ctypes.c_int()
result = [id(ring), ctypes.cast(libc.getpid, ctypes.c_void_p).value, ctypes.addressof(here) >> 24]
"""


async def run(worker: Worker, source: str) -> Any:
    """Run Python in a probe. Raises: WorkerLost."""
    future = worker.ask(source.encode(), 1, (10**10,), 0, 10**12, 10**12)
    return json.loads(await future)["value"]


@pytest_asyncio.fixture
async def spawner() -> AsyncIterator[Spawner]:
    """Real zygotes whose workers are probes."""
    logger = log.build(LogConfig(level="error"), io.StringIO())
    made = Spawner(Config(), lambda on_exit, on_death: Zygote(hold(), on_exit, on_death), Metrics(""), logger, _ignore)
    yield made
    await made.close()


def _ignore(_worker: Worker) -> None:
    pass


async def test_a_new_zygote_has_another_layout(spawner: Spawner) -> None:
    """Two workers of one zygote lie at the same addresses, the control; one of the next zygote lies elsewhere."""
    worker = await spawner.spawn()
    first = await run(worker, ADDRESSES)
    again = await run(await spawner.spawn(), ADDRESSES)
    assert first[:2] == again[:2], "the control: they are forks of one process"
    new = await spawner.renew(RenewalReason.AGE)
    assert new is not None
    after = await run(new, ADDRESSES)
    assert first[0] != after[0]
    assert first[1] != after[1]
    assert spawner.is_old(worker)
    assert await run(worker, ADDRESSES) == first, "it answers until its end"


async def test_an_address_that_was_learned_leads_nowhere(spawner: Spawner) -> None:
    """What lies at an address that one worker gave away: in its sibling what was there, in a renewed one a crash."""
    address, found = await run(await spawner.spawn(), "result = [id(ring), ctypes.string_at(id(ring) + 8, 8).hex()]")
    read = f"result = ctypes.string_at({address} + 8, 8).hex()"
    assert await run(await spawner.spawn(), read) == found, "the control: the guess is right in every sibling"
    new = await spawner.renew(RenewalReason.CRASHES)
    assert new is not None
    answer = new.ask(read.encode(), 1, (10**10,), 0, 10**12, 10**12)
    done, _ = await asyncio.wait((answer,), timeout=20)
    assert done
    if answer.exception() is None:
        # Mapped by chance: then it holds something else.
        assert json.loads(answer.result())["value"] != found
    else:
        assert await new.exit_code() == -signal.SIGSEGV
        assert spawner.renewal.crashes == 1, "a wrong guess is counted"
