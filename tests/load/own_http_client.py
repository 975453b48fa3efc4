"""A load generator for HTTP with several connections: one POST over and over, times out. Run as a process of its own.

Knows HTTP/1.1 as far as our own answers go. Must not know what is asked. A plan as JSON on standard input, a report as
JSON on standard output.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

import uvloop


@dataclass(slots=True)
class HttpPlan:
    """What to send, and what was answered."""

    target: str
    path: str
    content_type: str
    body: str
    count: int
    connections: int
    sent: int = 0
    latencies_us: list[float] = field(default_factory=list)

    async def run(self) -> dict[str, object]:
        """Make every request. Raises: RuntimeError when one is not answered with 200."""
        began = time.perf_counter()
        await asyncio.gather(*(self._connection() for _ in range(self.connections)))
        return {"seconds": time.perf_counter() - began, "latencies_us": self.latencies_us}

    async def _connection(self) -> None:
        host, _, port = self.target.rpartition(":")
        body = self.body.encode("latin-1")
        lines = (f"POST {self.path} HTTP/1.1", f"Host: {self.target}", f"Content-Type: {self.content_type}")
        request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        reader, writer = await asyncio.open_connection(host, int(port))
        while self.sent < self.count:
            self.sent += 1
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head[:60].decode())
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            self.latencies_us.append((time.perf_counter() - began) * 1e6)
        writer.close()


def main() -> None:
    """Read a plan, run it, print the report."""
    plan = HttpPlan(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(plan.run()), sys.stdout)


if __name__ == "__main__":
    main()
