"""The model of one host that is measured too: clients, daemon processes and workers share its processors.

A closed loop: each login that is answered is followed by the next one. Knows costs. Must not know how they, or what the
model is compared with, were measured.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import simpy

from tests.load.scale.costs import Costs
from tests.load.scale.stations import Station, Steps

_FRONT: Final = 0.6
_SETTLING: Final = 0.25


@dataclass(frozen=True, slots=True)
class Host:
    """What is simulated."""

    processors: int = 2
    processes: int = 2
    clients: int = 2
    in_flight: int = 32
    """Logins of all clients together."""
    tenants: int = 20
    workers_per_tenant: int = 4
    others: float = 0.0
    """Share of the processors that other programs take: everything takes so much longer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Logins a second, and the time of each in seconds."""

    rate: float
    latencies_s: list[float]


def simulate(host: Host, costs: Costs, seconds: float = 0.8, seed: int = 1) -> Outcome:
    """Let a host decide logins as fast as it can."""
    env, chance = simpy.Environment(), random.Random(seed)
    processors = Station(env, host.processors)
    clients = [Station(env, 1) for _ in range(host.clients)]
    loops = [Station(env, 1) for _ in range(host.processes)]
    each = max(1, host.workers_per_tenant // host.processes)
    workers = [[Station(env, each) for _ in range(host.tenants)] for _ in range(host.processes)]
    settled_s = seconds * _SETTLING
    latencies: list[float] = []

    def takes(name: str, part: float = 1.0) -> float:
        return costs.seconds(name) * part / (1 - host.others)

    def login(at: int) -> Steps:
        # A connection is one process's for its life.
        client, place = clients[at % host.clients], at // host.clients % host.processes
        began_s = env.now
        yield from client.use(takes("client_us", 0.5), processors)
        yield from loops[place].use(takes("loop_us", _FRONT), processors)
        worker = workers[place][chance.randrange(host.tenants)]
        yield from worker.use(takes("worker_us"), processors)
        yield from loops[place].use(takes("loop_us", 1 - _FRONT), processors)
        yield from client.use(takes("client_us", 0.5), processors)
        yield env.timeout(costs.seconds("wake_us"))
        if env.now >= settled_s:
            latencies.append(env.now - began_s)

    def again(at: int) -> Steps:
        while True:
            yield from login(at)

    for at in range(host.in_flight):
        env.process(again(at))
    env.run(until=seconds)
    return Outcome(len(latencies) / (seconds - settled_s), latencies)
