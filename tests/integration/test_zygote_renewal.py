"""A real daemon whose zygote is renewed under logins: none fails, waits or is run again, and nothing old is left."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.calls import result
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.tenants import ADA, ALLOW, BOB, GATE, MFA, SLOW, define
from tests.fixtures.waiting import until

pytestmark = pytest.mark.long

TENANTS = [f"t{number}" for number in range(12)]


def renewals(daemon: Daemon, reason: str) -> float:
    return daemon.metric("vestibule_zygote_renewals_total", reason=reason)


def test_no_login_notices_that_the_zygote_is_renewed(serve: Serve) -> None:
    """Logins of a dozen tenants all through three renewals, a long one among them: all right, none of them twice."""
    daemon = serve("--sandbox-zygote-renew-s", "1.5", blank=2)
    daemon.publish(*(define(name, GATE) for name in TENANTS), define("slow", SLOW, timeout_ms=5_000))
    first = daemon.tree()[0]
    long_one = daemon.begin("slow", ADA)
    wrong: list[str] = []
    decided = 0
    done = threading.Event()

    def log_in(names: list[str]) -> None:
        nonlocal decided
        while not done.is_set():
            for name in names:
                for event, wanted in ((ADA, MFA), (BOB, ALLOW)):
                    decision = daemon.call(name, event)
                    if decision.outcome != wanted or decision.degraded:
                        wrong.append(f"{name}: {decision}")
                    decided += 1

    with ThreadPoolExecutor(2) as threads:
        callers = [threads.submit(log_in, TENANTS[at::2]) for at in range(2)]
        try:
            until(lambda: renewals(daemon, "age") >= 3 or any(caller.done() for caller in callers), "three renewals")
        finally:
            done.set()
        for caller in callers:
            caller.result()
    assert result(long_one).outcome == MFA
    assert not wrong
    assert decided > 100
    assert daemon.tree()[0] != first
    until(lambda: not first.alive, "the end of the first zygote")
    assert daemon.metric("vestibule_zygote_starts_total") == 1
    assert daemon.metric("vestibule_flow_retries_total") == 0
    assert daemon.metric("vestibule_worker_kills_total", reason="renewed") > 0
    assert [line["event"] for line in daemon.lines if line["level"] in ("warning", "error")] == [
        "continuation.key_made"
    ]


def test_crashes_renew_the_zygote(serve: Serve) -> None:
    """Workers that crash by themselves, as wrong guesses do, make a new zygote; the logins after them are right."""
    daemon = serve("--sandbox-zygote-renew-crashes", "3", blank=1)
    daemon.publish(define("acme", GATE))
    assert daemon.call("acme").outcome == MFA
    first = daemon.tree()[0]

    def crash_one() -> bool:
        for worker in daemon.workers():
            worker.kill(signal.SIGSEGV)
        time.sleep(0.05)
        return renewals(daemon, "crashes") >= 1

    until(crash_one, "a renewal for crashes")
    line = daemon.wait_for("zygote.renewed")
    assert (line["reason"], line["crashes"] >= 3) == ("crashes", True)
    until(lambda: daemon.call("acme").outcome == MFA, "a right login")
    until(lambda: not first.alive, "the end of the first zygote")


def test_no_descriptor_and_no_process_is_left_of_a_renewal(serve: Serve) -> None:
    """After ten renewals the daemon has as many descriptors and children as after the first ones."""
    daemon = serve("--sandbox-zygote-renew-s", "0.3", blank=1)
    daemon.publish(define("acme", GATE))
    until(lambda: renewals(daemon, "age") >= 2, "two renewals")
    before = daemon.descriptors()
    until(lambda: renewals(daemon, "age") >= 12, "ten more")
    assert daemon.call("acme").outcome == MFA
    until(lambda: daemon.descriptors() <= before + 12, "no more descriptors than two generations have")
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children")
    until(lambda: len(children.read_text().split()) <= 2, "one zygote, and perhaps the next")
