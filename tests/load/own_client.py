"""A load generator with many streams: calls in, times and what was answered out.

Knows grpc and the shape of a decision. Must not know the daemon's insides. Run by the benchmark as a process of its
own, so that it shares neither interpreter nor event loop with what it measures: a plan as JSON on standard input, a
report as JSON on standard output. Bounded in count and in time.
"""

import asyncio
import base64
import json
import sys
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field, fields
from typing import Any, Final

import grpc
import uvloop
from vestibule.v1 import decision_pb2
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
)

from runtime.ops.labels import GRPC_CONTINUE, GRPC_METHOD, GRPC_SERVICE

Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
# Python gives another thread its turn after five milliseconds; the clock of an open loop cannot wait so long.
_SWITCH_S: Final = 0.0002


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send."""

    target: str
    requests: list[str]
    """Serialized requests in base64, used in turn."""
    count: int
    """Calls to make; the first `warm_up` of them are not reported."""
    in_flight: int = 1
    """Calls at a time; with a rate, the most there may be."""
    connections: int = 1
    warm_up: int = 0
    pace_s: float = 0.0
    """Time from the start of one call to that of the next; 0 for as fast as answers come."""
    rate: float = 0.0
    """Calls a second, each due at its time whether or not others are answered, and its latency counts from then."""
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
    order: list[int] = field(default_factory=list)
    """Which request each call makes, or nothing for each in turn."""
    ids: str = ""
    """What the request ids begin with, a number follows; nothing to send the requests as they are."""
    path: str = f"/{GRPC_SERVICE}/{GRPC_METHOD}"
    tls: bool = False
    authorities: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    api_key: str = ""

    def channel(self) -> grpc.aio.Channel:
        """Open a channel."""
        # A pool of subchannels of its own for each channel, or all of them would share one connection.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        if not self.tls:
            return grpc.aio.insecure_channel(self.target, options=options)
        texts = (self.authorities, self.private_key, self.certificate)
        made = grpc.ssl_channel_credentials(*(text.encode() if text else None for text in texts))
        return grpc.aio.secure_channel(self.target, made, options=options)

    def place(self, index: int) -> int:
        """Return which request a call makes."""
        return self.order[index] if self.order else index % len(self.requests)


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
    starts_s: list[float] = field(default_factory=list)
    """When each began, or was due, from the start of the first."""
    indexes: list[int] = field(default_factory=list)
    """Which call each was."""
    failed: dict[int, str] = field(default_factory=dict)
    """The codes of calls that failed, by call."""
    unsent: int = 0
    """Calls that were due and never made: those before them took all the time there was."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


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
        channels = [plan.channel() for _ in range(plan.connections)]
        try:
            await asyncio.gather(*(asyncio.wait_for(channel.channel_ready(), 10.0) for channel in channels))
            self._started_s = self._measured_s = time.perf_counter()
            if plan.rate:
                await self._open_loop(channels)
            else:
                await asyncio.gather(*(self._stream(channels[i % len(channels)]) for i in range(plan.in_flight)))
            self.report.seconds = time.perf_counter() - self._measured_s
        finally:
            for channel in channels:
                await channel.close()
        self.read_answers()
        return self.report

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        """Make calls one after the other."""
        plan = self._plan
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
            await self._call(channel, index, began_s)

    async def _open_loop(self, channels: list[grpc.aio.Channel]) -> None:
        """Make each call when it is due. One that finds all of them busy waits here, and its clock runs."""
        plan, loop = self._plan, asyncio.get_running_loop()
        due: deque[int] = deque()
        running: set[asyncio.Task[None]] = set()
        over, sent_all = asyncio.Event(), False

        def come(calls: range, last: bool) -> None:
            nonlocal sent_all
            due.extend(calls)
            sent_all = sent_all or last
            begin()

        def begin() -> None:
            while due and len(running) < plan.in_flight:
                index = due.popleft()
                if time.perf_counter() - self._started_s > plan.longest_s:
                    continue
                due_s = self._started_s + index / plan.rate
                task = loop.create_task(self._call(channels[index % len(channels)], index, due_s))
                running.add(task)
                task.add_done_callback(end)
            if sent_all and not due and not running:
                over.set()

        def end(task: asyncio.Task[None]) -> None:
            running.discard(task)
            begin()

        def clock() -> None:
            # A thread of its own: the timers of an event loop know milliseconds.
            index = 0
            while index < plan.count:
                now_s = time.perf_counter() - self._started_s
                if now_s > plan.longest_s:
                    break
                reached = min(plan.count, int(now_s * plan.rate) + 1)
                if reached > index:
                    loop.call_soon_threadsafe(come, range(index, reached), False)
                    index = reached
                time.sleep(max(0.0, self._started_s + index / plan.rate - time.perf_counter()))
            loop.call_soon_threadsafe(come, range(index, index), True)

        sys.setswitchinterval(_SWITCH_S)
        thread = threading.Thread(target=clock, daemon=True)
        thread.start()
        await over.wait()
        await loop.run_in_executor(None, thread.join)
        self.report.unsent = plan.count - len(self.report.indexes) - min(plan.warm_up, plan.count)

    async def _call(self, channel: grpc.aio.Channel, index: int, from_s: float) -> None:
        """Make one call, and its second part where it is suspended; its time counts from `from_s`."""
        plan, place = self._plan, self._plan.place(index)
        call: Method = channel.unary_unary(plan.path)
        metadata = (("authorization", f"Bearer {plan.api_key}"),) if plan.api_key else None
        # Protobuf takes the last of a field.
        name = ExecutePostLoginRequest(request_id=f"{plan.ids}{index}").SerializeToString() if plan.ids else b""
        try:
            answer = await call(self._requests[place] + name, timeout=plan.timeout_s, metadata=metadata)
            if rest := self._continued[place]:
                go_on: Method = channel.unary_unary(f"/{GRPC_SERVICE}/{GRPC_CONTINUE}")
                # One that is not suspended has nothing to continue: an INVALID_ARGUMENT in the report.
                rest += continuation_of(answer) + name
                answer = await go_on(rest, timeout=plan.timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            code, answer = error.code().name, b""
        else:
            code = "OK"
        if index < plan.warm_up:
            return
        report = self.report
        report.latencies_us.append((time.perf_counter() - from_s) * 1e6)
        report.starts_s.append(from_s - self._started_s)
        report.indexes.append(index)
        report.codes[code] += 1
        if code != "OK":
            report.failed[index] = code
        elif plan.decisions:
            self.answers.append((index, answer))

    def read_answers(self) -> None:
        """Read decisions when the clock has stopped: parsing them would be part of the load."""
        wanted = self._plan.wanted
        for index, answer in self.answers:
            decision = ExecutePostLoginResponse.FromString(answer).decision
            outcome = decision_pb2.Outcome.Name(decision.outcome).removeprefix("OUTCOME_").lower()
            self.report.outcomes[outcome] += 1
            self.report.wrong += bool(wanted) and outcome != wanted[self._plan.place(index)]
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
