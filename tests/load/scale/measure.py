"""Measures all costs on this machine, one after the other.

Knows which measurement gives which cost. Must not know how each is made.
"""

from __future__ import annotations

import datetime
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.load import machine
from tests.load.scale import daemons, database
from tests.load.scale.costs import Costs, Measured, TwoProcesses


def measure(progress: Callable[[str], None]) -> Measured:
    """Measure. Leaves no process and no file. Raises: BenchError."""
    found = machine.describe("the project's own client (grpc.aio)")
    with tempfile.TemporaryDirectory(prefix="vestibule-scale-") as name:
        root = Path(name)
        warm = daemons.warm(root, progress)
        stream_loop_us, stream_worker_us = daemons.streamed(root)
        progress("scale: cold logins")
        first, again, worker_bytes = daemons.cold(root, warm.lone)
        daemon_bytes, tenant_bytes = daemons.memory(root, progress)
    with database.server() as server:
        claims = database.claims(server, progress)
        changes = database.changes(server, progress)
    costs = Costs(
        **of_warm(warm),
        stream_loop_us=stream_loop_us,
        stream_worker_us=stream_worker_us,
        first_loop_us=first.loop_us,
        first_below_us=first.below_us,
        again_loop_us=again.loop_us,
        again_below_us=again.below_us,
        zygote_us=again.zygote_us,
        worker_bytes=worker_bytes,
        daemon_bytes=daemon_bytes,
        tenant_bytes=tenant_bytes,
        work_us=claims.work_us,
        transaction_us=claims.transaction_us,
        claim_loop_us=claims.loop_us,
        flush_us=claims.flush_us,
        apply_us=changes.apply_us,
        apply_server_us=changes.apply_server_us,
        read_server_us=changes.read_server_us,
        read_loop_us=changes.read_loop_us,
        notify_us=changes.notify_us,
    )
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    return Measured(costs, two(warm), machine.sentence(found), date, commit(), warm.one.others)


def of_warm(warm: daemons.Warm) -> dict[str, float]:
    """Return the costs that warm logins give."""
    full, lone = warm.one, warm.lone
    return {
        "client_us": full.client_us,
        "loop_us": full.loop_us,
        "worker_us": full.below_us,
        "wake_us": max(0.0, lone.mean_us - lone.client_us - lone.loop_us - lone.below_us),
    }


def two(warm: daemons.Warm) -> TwoProcesses:
    """Return what two processes did."""
    others = max(warm.two.others, warm.two_calm.others)
    return TwoProcesses(warm.two.rate, warm.two.p50_us, warm.two_calm.mean_us, warm.two_calm.p50_us, others)


def commit() -> str:
    """Name the commit of this tree, and say so if files differ from it."""
    named = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return named.stdout.strip() or "unknown"
