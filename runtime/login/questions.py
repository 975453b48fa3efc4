"""What a leased worker is asked: to run steps of a flow, or to compile them; with the limits of the answer.

Knows the private messages and the watchdog. Must not know what an answer means, decisions or gRPC.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vestibule.worker.v1 import worker_pb2

from runtime.workers.watchdog import START_NS
from runtime.workers.worker import NEVER
from sandbox.contract import wire

if TYPE_CHECKING:
    import asyncio

    from runtime.config.settings import SandboxConfig
    from runtime.login.plan import Plan
    from runtime.workers.watchdog import Watchdog
    from runtime.workers.worker import Worker

COMPILE_BUDGET_NS: Final = 3_200_000_000
"""A little above the worker's own, which gives the better message."""
MARGIN_US: Final = 5_000
"""Time to encode and send the answer before the caller's deadline; there the worker stops."""
GIVE_UP_NS: Final = 2_500_000
"""Time to say that there is no answer, of a worker that did not stop."""
_NONCES: Final = struct.Struct("<64Q")


@dataclass(slots=True)
class Asked:
    """A question that a worker has been sent."""

    worker: Worker
    nonce: int
    start: int
    future: asyncio.Future[bytes]
    late_ns: int
    """CLOCK_MONOTONIC instant from which on an unfinished answer says nothing about the action it stopped at."""


class Questions:
    """Asks workers. One per step runner."""

    def __init__(self, sandbox: SandboxConfig, watchdog: Watchdog) -> None:
        self._grace_ns = sandbox.kill_grace_ms * 1_000_000
        self._output_bytes = sandbox.output_bytes
        self._watch = watchdog.watch
        self._nonces: list[int] = []

    def ask(
        self,
        worker: Worker,
        plan: Plan,
        start: int,
        event: bytes,
        budget_us: int,
        deadline_ns: int,
        clock_ns: int,
        seed: bytes,
        now_ns: int,
        rest: bytes = b"",
    ) -> Asked:
        """Send a leased worker the steps from `start` on, and let the watchdog see to the answer.

        `budget_us` is processor time, `rest` holds what is unusual in a RunFlow, serialized.
        """
        nonce = self._next_nonce()
        if worker.plan is plan and start == 0:
            steps = plan.all_steps
            hard_ns = budget_us * 1000 + 2 * self._grace_ns
        else:
            steps, with_sources = plan.steps(start, worker.revisions)
            worker.plan = plan if start == 0 else None
            hard_ns = budget_us * 1000 + 2 * self._grace_ns + (COMPILE_BUDGET_NS if with_sources else 0)
        budgets_ns = plan.budgets_ns[start:] if start else plan.budgets_ns
        first_look_ns = min(budgets_ns[0] + self._grace_ns, hard_ns, START_NS)
        worker.started(nonce, budgets_ns, now_ns, first_look_ns, hard_ns, deadline_ns - GIVE_UP_NS)
        worker.executions += 1
        self._watch(worker)
        late_ns = deadline_ns - MARGIN_US * 1000
        question = wire.run_flow(nonce, clock_ns, seed, budget_us, self._output_bytes, event, steps, rest, late_ns)
        return Asked(worker, nonce, start, worker.ask(question), late_ns)

    def ask_for_code(
        self,
        worker: Worker,
        steps: bytes,
        budgets_ns: tuple[int, ...],
        first_look_ns: int,
        hard_ns: int,
        deadline_ns: int = NEVER,
        *,
        return_code: bool,
    ) -> Asked:
        """Send a leased worker serialized FlowSteps to compile, none to run."""
        nonce = self._next_nonce()
        question = worker_pb2.RunFlow(
            nonce=nonce, check_only=True, budget_us=1, flow=steps, return_code=return_code
        ).SerializeToString()
        now_ns = time.monotonic_ns()
        worker.started(nonce, budgets_ns, now_ns, first_look_ns, hard_ns, deadline_ns - GIVE_UP_NS)
        self._watch(worker)
        return Asked(worker, nonce, 0, worker.ask(question), deadline_ns)

    def _next_nonce(self) -> int:
        """Return a number that no worker can foretell; the kernel is asked once for many."""
        if not self._nonces:
            self._nonces.extend(_NONCES.unpack(os.urandom(_NONCES.size)))
        return self._nonces.pop()
