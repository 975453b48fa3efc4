"""Hundreds of tenants whose first logins come at once: decided or shed, none hangs, and none is left out."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from vestibule.v1 import runtime_service_pb2

from tests.calls import Refused, result
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import ADA, ALLOW, BOB, GATE, MFA, define
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

MAX_WORKERS = 48
# Evicted processes that the kernel has not buried yet, at an instant.
DYING = 16
# Many times what a login may wait and run by configuration: who is not answered by then hangs.
CALLER_WAITS_S = 120.0


def storm(daemon: Daemon, names: list[str]) -> dict[str, str]:
    """Begin a login of each tenant before any is waited for; return the answers."""
    requests = {
        name: runtime_service_pb2.ExecutePostLoginRequest(tenant_id=name, event=ADA).SerializeToString()
        for name in names
    }
    calls = {name: daemon.send(request, CALLER_WAITS_S) for name, request in requests.items()}
    answers = {}
    for name, call in calls.items():
        try:
            decision = result(call)
        except Refused as refused:
            answers[name] = refused.code if "RetryInfo" in refused.details else f"{refused} without RetryInfo"
        else:
            answers[name] = "right" if (decision.outcome, decision.degraded) == (MFA, False) else str(decision)
    return answers


@contextmanager
def counting(daemon: Daemon) -> Iterator[list[int]]:
    """Count the workers again and again, by the daemon's word and as processes, for a block."""
    counts: list[int] = []
    stop = threading.Event()

    def count() -> None:
        while not stop.wait(0.1):
            text = daemon.get("/metrics")[1]
            known = [line for line in text.splitlines() if line.startswith("vestibule_workers{")]
            counts.append(int(sum(float(line.rpartition(" ")[2]) for line in known)))
            counts.append(len(daemon.workers()) - DYING)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        yield counts
    finally:
        stop.set()
        counter.join(PATIENCE_S)


@pytest.mark.parametrize("tenants", [200, pytest.param(1000, marks=pytest.mark.long)])
def test_many_cold_tenants_at_once(tmp_path: Path, tenants: int) -> None:
    """Each login is right, or RESOURCE_EXHAUSTED with a time to try again; trying again, each tenant gets its decision;
    there are never more workers than configured, and afterwards every one is free.
    """
    flags = ("--pool-max-workers", str(MAX_WORKERS), "--limits-max-in-flight", str(tenants // 2))
    with served(tmp_path, *flags) as daemon:
        names = [f"t{at}" for at in range(tenants)]
        daemon.publish(*(define(name, GATE) for name in names))
        told: Counter[str] = Counter()
        left = names
        with counting(daemon) as counts:
            for _ in range(100):
                answers = storm(daemon, left)
                told.update(answers.values())
                assert set(answers.values()) <= {"right", "RESOURCE_EXHAUSTED"}, told
                left = [name for name, answer in answers.items() if answer != "right"]
                if not left:
                    break
        assert told["right"] == tenants
        assert told["RESOURCE_EXHAUSTED"] > 0
        sheds = sum(daemon.metric("vestibule_sheds_total", reason=reason) for reason in ("in_flight", "pool"))
        assert sheds == told["RESOURCE_EXHAUSTED"]
        assert max(counts) <= MAX_WORKERS
        daemon.wait_in_flight(0)
        until(lambda: daemon.metric("vestibule_workers", state="busy") == 0, "every worker is free")
        until(lambda: daemon.metric("vestibule_workers", state="starting") == 0, "none is starting")
        until(lambda: len(daemon.workers()) <= MAX_WORKERS, "no more workers than there may be")
        assert daemon.metric("vestibule_zygote_starts_total") == 1
        assert daemon.call("t0", BOB).outcome == ALLOW
