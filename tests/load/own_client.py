"""A load generator with many streams: calls in, times and what was answered out.

Knows grpc and the shape of a decision. Must not know the daemon's insides. Run by the benchmark as a process of its
own, so that it shares neither interpreter nor event loop with what it measures: a plan as JSON on standard input, a
report as JSON on standard output. Bounded in count and in time.
"""

import asyncio
import base64
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
import uvloop
from vestibule.v1 import decision_pb2
from vestibule.v1.runtime_service_pb2 import ContinuePostLoginRequest, ExecutePostLoginResponse

from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD, GRPC_SERVICE

Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send."""

    target: str
    requests: list[str]
    """Serialized requests in base64, used in turn."""
    count: int
    """Calls to make; the first `warm_up` of them are not reported."""
    in_flight: int = 1
    connections: int = 1
    warm_up: int = 0
    pace_s: float = 0.0
    """Time from the start of one call to that of the next; 0 for as fast as answers come."""
    longest_s: float = 60.0
    """No call is started after it."""
    timeout_s: float = 30.0
    decisions: bool = True
    """Read every answer as a decision; False for an echo."""
    wanted: list[str] = field(default_factory=list)
    """The outcome that each request must have, or nothing to take what comes."""
    continued: list[str] = field(default_factory=list)
    """For each request the one that continues it, in base64 and without the continuation, or nothing: its login is then
    suspended, and the outcome is that of its second part."""


@dataclass(slots=True)
class Report:
    """The answers. Times are in the order in which calls ended."""

    seconds: float = 0.0
    latencies_us: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    """Decisions that are not as the plan wants them."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "seconds": self.seconds,
            "latencies_us": self.latencies_us,
            "codes": dict(self.codes),
            "outcomes": dict(self.outcomes),
            "verdicts": dict(self.verdicts),
            "wrong": self.wrong,
        }


class Generator:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = [base64.b64decode(text) for text in plan.requests]
        self._continued = [base64.b64decode(text) for text in plan.continued] or [b""] * len(self._requests)
        self._next = 0
        self._started_s = 0.0
        self._measured_s = 0.0
        self.answers: list[tuple[int, bytes]] = []
        self.report = Report()

    async def run(self) -> Report:
        """Make every call."""
        plan = self._plan
        # A pool of subchannels of its own for each channel, or all of them would share one connection.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        channels = [grpc.aio.insecure_channel(plan.target, options=options) for _ in range(plan.connections)]
        try:
            await asyncio.gather(*(asyncio.wait_for(channel.channel_ready(), 10.0) for channel in channels))
            self._started_s = self._measured_s = time.perf_counter()
            await asyncio.gather(*(self._stream(channels[i % len(channels)]) for i in range(plan.in_flight)))
            self.report.seconds = time.perf_counter() - self._measured_s
        finally:
            for channel in channels:
                await channel.close()
        self.read_answers()
        return self.report

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        plan = self._plan
        call: Method = channel.unary_unary(f"/{GRPC_SERVICE}/{GRPC_METHOD}")
        go_on: Method = channel.unary_unary(f"/{GRPC_SERVICE}/{GRPC_CONTINUE}")
        while (index := self._next) < plan.count:
            self._next += 1
            now_s = time.perf_counter()
            if index == plan.warm_up:
                self._measured_s = now_s
            wait_s = self._started_s + index * plan.pace_s - now_s
            if plan.pace_s and wait_s > 0:
                await asyncio.sleep(wait_s)
            began_s = time.perf_counter()
            if began_s - self._started_s > plan.longest_s:
                return
            try:
                answer = await call(self._requests[index % len(self._requests)], timeout=plan.timeout_s)
                rest = self._continued[index % len(self._requests)]
                if rest:
                    # One that is not suspended has nothing to continue: an INVALID_ARGUMENT in the report.
                    answer = await go_on(rest + continuation_of(answer), timeout=plan.timeout_s)
            except grpc.aio.AioRpcError as error:
                code, answer = error.code().name, b""
            else:
                code = "OK"
            if index < plan.warm_up:
                continue
            self.report.latencies_us.append((time.perf_counter() - began_s) * 1e6)
            self.report.codes[code] += 1
            if plan.decisions and code == "OK":
                self.answers.append((index, answer))

    def read_answers(self) -> None:
        """Read decisions when the clock has stopped: parsing them would be part of the load."""
        wanted = self._plan.wanted
        for index, answer in self.answers:
            decision = ExecutePostLoginResponse.FromString(answer).decision
            outcome = decision_pb2.Outcome.Name(decision.outcome).removeprefix("OUTCOME_").lower()
            self.report.outcomes[outcome] += 1
            self.report.wrong += bool(wanted) and outcome != wanted[index % len(wanted)]
            for execution in decision.executions:
                verdict = decision_pb2.Verdict.Name(execution.verdict)
                self.report.verdicts[verdict.removeprefix("VERDICT_").lower()] += 1


def continuation_of(answer: bytes) -> bytes:
    """Return the continuation of a suspended login as the part of a request it is: protobuf merges what follows."""
    suspension = ExecutePostLoginResponse.FromString(answer).decision.suspension
    return ContinuePostLoginRequest(continuation=suspension.continuation).SerializeToString()


def main() -> None:
    """Read a plan, run it, print the report."""
    plan = Plan(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(Generator(plan).run())
    json.dump(report.as_json(), sys.stdout)


if __name__ == "__main__":
    main()
