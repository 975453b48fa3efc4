"""A load generator with one stream: so many logins in flight, so many a message; when each was answered, and how.

Knows grpc and the messages of a stream. Must not know the daemon's insides. Run by the benchmark as a process of its
own: a plan as JSON on standard input, a report as JSON on standard output. Bounded in count and in time.
"""

from __future__ import annotations

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
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest, StreamPostLoginRequest
from vestibule.worker.v1.worker_pb2 import StreamAnswers

from runtime.ops.labels import GRPC_SERVICE, GRPC_STREAM


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send."""

    target: str
    request: str
    """A serialized ExecutePostLoginRequest in base64, of each login."""
    count: int
    in_flight: int
    a_message: int
    longest_s: float = 60.0


@dataclass(slots=True)
class Load:
    """One run of a plan. A login's id is its place among those in flight."""

    plan: Plan
    free: list[int] = field(default_factory=list)
    began_s: dict[int, float] = field(default_factory=dict)
    latencies_us: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    async def run(self) -> dict[str, Any]:
        """Send every login."""
        plan = self.plan
        request = ExecutePostLoginRequest.FromString(base64.b64decode(plan.request))
        # A message cannot have more than may be in flight.
        most = min(plan.a_message, plan.in_flight)
        # Repeated fields may be joined by writing one behind the other.
        items = [
            StreamPostLoginRequest(items=[{"id": at, "execute": request}]).SerializeToString()
            for at in range(plan.in_flight)
        ]
        self.free = list(range(plan.in_flight))
        async with grpc.aio.insecure_channel(plan.target) as channel:
            method: Any = channel.stream_stream(f"/{GRPC_SERVICE}/{GRPC_STREAM}", None, StreamAnswers.FromString)
            call = method(timeout=plan.longest_s)
            await call.wait_for_connection()
            began_s, news = time.perf_counter(), asyncio.Event()
            reading = asyncio.create_task(self._read(call, news))
            news.set()
            while self.sent < plan.count:
                news.clear()
                size = min(most, plan.count - self.sent)
                while len(self.free) >= size > 0:
                    places, self.free = self.free[:size], self.free[size:]
                    now_s = time.perf_counter()
                    self.began_s.update(dict.fromkeys(places, now_s))
                    self.sent += size
                    await call.write(b"".join([items[at] for at in places]))
                    size = min(most, plan.count - self.sent)
                await news.wait()
            await call.done_writing()
            await reading
            seconds = time.perf_counter() - began_s
        return {"seconds": seconds, "latencies_us": self.latencies_us, "answers": dict(self.answers)}

    async def _read(self, call: Any, news: asyncio.Event) -> None:
        while (message := await call.read()) is not grpc.aio.EOF:
            now_s = time.perf_counter()
            for item in message.items:
                self.answers["error" if item.HasField("error") else "decided"] += 1
                self.latencies_us.append((now_s - self.began_s[item.id]) * 1e6)
                self.free.append(item.id)
            news.set()


def main() -> None:
    """Read a plan, run it, print the report."""
    plan = Plan(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(Load(plan).run())
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
