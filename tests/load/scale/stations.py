"""What a model is built of: stations with servers and a queue, and commits that go to a disk together.

Knows simpy and counts what conservation laws are about. Must not know logins.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import simpy

Steps = Generator[simpy.Event, Any, None]


class Station:
    """Servers with one queue, first come first served. Times are in seconds of the model."""

    def __init__(self, env: simpy.Environment, servers: int) -> None:
        self.servers: Final = servers
        self.busy_s = 0.0
        """Time of service that was begun, of all servers together."""
        self.entered = self.left = 0
        self.waited_s = 0.0
        """Time in the queue, of all that were served."""
        self._env = env
        self._places = simpy.Resource(env, servers)

    @property
    def waiting(self) -> int:
        """Return how many wait now."""
        return len(self._places.queue)

    def use(self, seconds: float, within: Station | None = None) -> Steps:
        """Be served for a time; `within` is what a server must have meanwhile, such as a processor."""
        self.entered += 1
        began_s = self._env.now
        with self._places.request() as place:
            yield place
            self.waited_s += self._env.now - began_s
            if within is None:
                self.busy_s += seconds
                yield self._env.timeout(seconds)
            else:
                held_s = self._env.now
                yield from within.use(seconds)
                self.busy_s += self._env.now - held_s
        self.left += 1

    def utilization(self, seconds: float) -> float:
        """Return the share of its servers' time that was taken."""
        return self.busy_s / self.servers / seconds


class Disk:
    """A log that is written for all who wait at once: who comes while it is written waits for the next time."""

    def __init__(self, env: simpy.Environment, flush_s: float) -> None:
        self.flushes = 0
        self._env = env
        self._flush_s = flush_s
        self._next: simpy.Event | None = None
        self._writing = False

    def flush(self) -> Steps:
        """Wait until what was written before is on the disk."""
        if self._next is None:
            self._next = self._env.event()
        mine = self._next
        if not self._writing:
            self._writing = True
            self._env.process(self._write())
        yield mine

    def _write(self) -> Steps:
        while self._next is not None:
            these, self._next = self._next, None
            self.flushes += 1
            yield self._env.timeout(self._flush_s)
            these.succeed()
        self._writing = False
