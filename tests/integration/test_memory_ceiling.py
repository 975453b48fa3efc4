"""All workers of a real daemon together fill the memory that they may: idle ones go, then new ones wait."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.calls import Refused
from tests.fixtures.daemons import served
from tests.fixtures.tenants import BOB, GATE, MFA, define
from tests.fixtures.waiting import until

pytestmark = pytest.mark.long

MIB = 1 << 20
# Holds what it takes for as long as it runs, and gives the decision that a login of BOB must not have otherwise.
FILLS = """\
def on_execute_post_login(event, api):
    held = []
    for _ in range(24):
        held.append("x" * 1_000_000)
    while True:
        pass
"""


@pytest.mark.parametrize("ceiling", ["40MiB", "0"], ids=["", "control"])
def test_idle_workers_make_room_and_then_new_ones_wait(tmp_path: Path, ceiling: str) -> None:
    """Two that hold 24 MiB fill 40 MiB: the idle ones are evicted, a cold tenant is refused in time and told when to
    come again, and is decided once there is room. The control has the machine's memory: nothing of that happens."""
    names = [f"t{at}" for at in range(3)]
    flags = ("--pool-memory-bytes", ceiling, "--sandbox-memory-bytes", "32MiB", "--pool-queue-wait-ms", "1500")
    with served(tmp_path, *flags, blank=0) as daemon:
        daemon.publish(*(define(name, GATE) for name in (*names, "cold")))
        daemon.publish(*(define(f"fills-{at}", FILLS, timeout_ms=10_000) for at in range(2)))

        def decided(name: str) -> bool:
            return daemon.call(name).outcome == MFA

        def held() -> float:
            return daemon.metric("vestibule_workers_memory_bytes")

        for name in names:
            until(partial(decided, name), "it is decided")
        until(lambda: daemon.metric("vestibule_workers", state="idle") >= len(names), "their workers are idle")
        assert 0 < held() < 20 * MIB
        logins = [daemon.begin(f"fills-{at}", BOB, timeout_s=30) for at in range(2)]
        until(lambda: held() > 45 * MIB, "the memory is full")
        if ceiling == "0":
            assert daemon.metric("vestibule_worker_kills_total", reason="evicted") == 0
            assert daemon.call("cold").outcome == MFA
        else:
            until(lambda: daemon.metric("vestibule_workers", state="idle") == 0, "idle workers are evicted")
            assert daemon.metric("vestibule_worker_kills_total", reason="evicted") >= len(names)
            assert daemon.metric("vestibule_workers_memory_ceiling_bytes") == 40 * MIB
            with pytest.raises(Refused) as refused:
                daemon.call("cold")
            assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "POOL_EXHAUSTED")
            assert "pool.memory_bytes" in refused.value.message
            assert "RetryInfo" in refused.value.details
            assert daemon.events("memory.filled")
        for login in logins:
            login.cancel()
        for worker in daemon.workers():
            worker.kill()
        until(lambda: held() < 20 * MIB, "there is room again")
        assert daemon.call("cold").outcome == MFA
