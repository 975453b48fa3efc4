"""The model of a fleet: hosts with processors and daemon processes, tenants by Zipf, a store that is asked for claims.

Knows what a login passes through, and nothing of how costs were measured. Pure: the same plan and seed give the same.

A login takes its process's event loop, then one of its tenant's workers there, then the loop again; each of them needs
a processor of the host. Without a warm worker the process's zygote makes one before. A login that is continued claims
its continuation first and spends it last, by transactions that a process makes one after the other, for all who wait.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import simpy

from tests.load.scale.costs import Costs
from tests.load.scale.stations import Disk, Station, Steps

_WORKS_AT_ONCE: Final = 32
"""Of claims in one transaction."""
_FULL: Final = 1.15
"""Of the mean load, what a bounded hash gives one process."""
# How much of the loop's time comes before the worker's.
_FRONT: Final = 0.6
_SETTLING: Final = 0.25


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated. Settings of a daemon are of a host, as its configuration has them."""

    hosts: int = 8
    processors: int = 8
    processes: int = 4
    """Daemon processes of a host."""
    rate: float = 50_000.0
    """Logins a second."""
    tenants: int = 10_000
    zipf: float = 1.0
    ways: int = 0
    """Processes that a tenant's logins go to; 0: all of them, as by round robin."""
    bounded: bool = False
    """A tenant that is more than its ways bear gets more."""
    stream: bool = False
    continued: float = 0.0
    """Share of logins that continue a suspended one."""
    stores: int = 1
    """Databases that tenants are divided over, each with its processors."""
    store_processors: int = 8
    max_workers: int = 4096
    workers_per_tenant: int = 4
    max_in_flight: int = 512
    tenant_share: float = 0.1
    idle_s: float = 300.0

    @property
    def all_processes(self) -> int:
        """Return the daemon processes of all hosts."""
        return self.hosts * self.processes

    def shares(self) -> list[float]:
        """Return each tenant's part of the logins, the largest first."""
        weights = [1 / rank**self.zipf for rank in range(1, self.tenants + 1)]
        total = sum(weights)
        return [weight / total for weight in weights]

    def places(self) -> list[Sequence[int]]:
        """Return the processes that each tenant's logins go to."""
        count = self.all_processes
        if not self.ways:
            return [range(count)] * self.tenants
        found: list[Sequence[int]] = []
        taken = [0.0] * count
        for rank, share in enumerate(self.shares()):
            order = random.Random(rank).sample(range(count), count)
            wanted = min(count, self.ways)
            if self.bounded:
                # A hash with bounded loads: who is full is passed over, and who is too much for some gets more.
                wanted = min(count, max(wanted, math.ceil(4 * share * count)))
                free = [at for at in order if taken[at] + share / wanted <= _FULL / count]
                order = free if len(free) >= wanted else sorted(order, key=taken.__getitem__)
            found.append(order[:wanted])
            for at in order[:wanted]:
                taken[at] += share / wanted
        return found


@dataclass(slots=True)
class Simulated:
    """What came out. Latencies are in seconds, of logins that began after the queues had settled."""

    seconds: float
    entered: int = 0
    decided: int = 0
    refused: int = 0
    cold: int = 0
    latencies_s: list[float] = field(default_factory=list)
    continued_s: list[float] = field(default_factory=list)
    in_flight: int = 0
    """Logins that were neither decided nor refused at the end."""
    area: float = 0.0
    """Sum of the times that logins were in the fleet, in seconds: by Little, their mean number times the time."""
    loops: float = 0.0
    """Share of the event loops' time that was taken; then that of the processors, and of the busiest loop."""
    processors: float = 0.0
    busiest_loop: float = 0.0
    store: float = 0.0
    """Share of the busiest store's processors that was taken."""
    transactions: int = 0
    flushes: int = 0
    workers: int = 0
    """Warm workers of all processes, and of the process that has most."""
    most_workers: int = 0


class _Store:
    def __init__(self, env: simpy.Environment, fleet: Fleet, costs: Costs) -> None:
        self.processors = Station(env, fleet.store_processors)
        self.disk = Disk(env, costs.seconds("flush_us"))
        self.transactions = 0


class _Process:
    """A daemon process."""

    def __init__(self, env: simpy.Environment, fleet: Fleet, processors: Station, store: Sequence[_Store]) -> None:
        self.loop = Station(env, 1)
        self.zygote = Station(env, 1)
        self.processors = processors
        self.stores = store
        self.most = max(1, fleet.max_workers // fleet.processes)
        self.in_flight_most = max(1, fleet.max_in_flight // fleet.processes)
        self.share_most = max(1, int(self.in_flight_most * fleet.tenant_share))
        self.in_flight = 0
        self.of_tenant: dict[int, int] = {}
        self.workers: dict[int, Station] = {}
        # When each warm tenant logged in last; the one that did so longest ago comes first.
        self.last_s: OrderedDict[int, float] = OrderedDict()
        self.asked: list[list[simpy.Event]] = [[] for _ in store]
        self.writing = [False for _ in store]

    def full(self, tenant: int) -> bool:
        return self.in_flight >= self.in_flight_most or self.of_tenant.get(tenant, 0) >= self.share_most

    def warm(self, tenant: int, now_s: float, idle_s: float) -> bool:
        """Tell whether a tenant has a worker, and give it one."""
        last_s = self.last_s.get(tenant)
        self.last_s[tenant] = now_s
        self.last_s.move_to_end(tenant)
        if len(self.last_s) > self.most:
            gone, _ = self.last_s.popitem(last=False)
            self.workers.pop(gone, None)
        return last_s is not None and now_s - last_s <= idle_s


class _Run:
    def __init__(self, fleet: Fleet, costs: Costs, seconds: float, seed: int) -> None:
        self._fleet, self._costs = fleet, costs
        self._chance = random.Random(seed)
        self._env = env = simpy.Environment()
        self.result = Simulated(seconds)
        self._settled_s = seconds * _SETTLING
        self._hosts = [Station(env, fleet.processors) for _ in range(fleet.hosts)]
        self._stores = [_Store(env, fleet, costs) for _ in range(fleet.stores)]
        self._processes = [
            _Process(env, fleet, self._hosts[at % fleet.hosts], self._stores) for at in range(fleet.all_processes)
        ]
        self._shares = fleet.shares()
        self._places = fleet.places()
        kind = "stream_" if fleet.stream else ""
        self._loop_s = costs.seconds(f"{kind}loop_us")
        self._worker_s = costs.seconds(f"{kind}worker_us")
        self._workers_each = max(1, fleet.workers_per_tenant // fleet.processes)
        self._fill()

    def _fill(self) -> None:
        """Give each process the warm tenants that it has after a long time: those that logged in last."""
        for at, process in enumerate(self._processes):
            ages = []
            for tenant, share in enumerate(self._shares):
                places = self._places[tenant]
                if at not in places:
                    continue
                age_s = self._chance.expovariate(self._fleet.rate * share / len(places))
                if age_s <= self._fleet.idle_s:
                    ages.append((age_s, tenant))
            for age_s, tenant in sorted(sorted(ages)[: process.most], reverse=True):
                process.last_s[tenant] = -age_s

    def run(self) -> Simulated:
        self._env.process(self._arrivals())
        self._env.run(until=self.result.seconds)
        result, seconds = self.result, self.result.seconds
        result.in_flight = result.entered - result.decided - result.refused
        loops = [process.loop.utilization(seconds) for process in self._processes]
        result.loops, result.busiest_loop = sum(loops) / len(loops), max(loops)
        result.processors = sum(host.utilization(seconds) for host in self._hosts) / len(self._hosts)
        result.store = max(store.processors.utilization(seconds) for store in self._stores)
        result.transactions = sum(store.transactions for store in self._stores)
        result.flushes = sum(store.disk.flushes for store in self._stores)
        counts = [len(process.last_s) for process in self._processes]
        result.workers, result.most_workers = sum(counts), max(counts)
        return result

    def _arrivals(self) -> Steps:
        env, chance, fleet = self._env, self._chance, self._fleet
        weights = list(accumulate(self._shares))
        tenants = range(fleet.tenants)
        while True:
            yield env.timeout(chance.expovariate(fleet.rate))
            tenant = chance.choices(tenants, cum_weights=weights)[0]
            process = self._processes[chance.choice(self._places[tenant])]
            self.result.entered += 1
            if process.full(tenant):
                self.result.refused += 1
                continue
            env.process(self._login(process, tenant, chance.random() < fleet.continued))

    def _login(self, process: _Process, tenant: int, continued: bool) -> Steps:
        env, costs, result = self._env, self._costs, self.result
        began_s = env.now
        process.in_flight += 1
        process.of_tenant[tenant] = process.of_tenant.get(tenant, 0) + 1
        yield from process.loop.use(self._loop_s * _FRONT, process.processors)
        if continued:
            yield from process.loop.use(costs.seconds("claim_loop_us"), process.processors)
            yield from self._write(process, tenant % len(self._stores))
        if not process.warm(tenant, env.now, self._fleet.idle_s):
            result.cold += 1
            yield from process.zygote.use(costs.seconds("zygote_us"), process.processors)
            yield from process.loop.use(costs.seconds("again_loop_us"), process.processors)
            rest_us = max(0.0, costs.again_below_us - costs.zygote_us)
            yield from process.processors.use(rest_us / 1e6)
        worker = process.workers.get(tenant)
        if worker is None:
            worker = process.workers[tenant] = Station(env, self._workers_each)
        yield from worker.use(self._worker_s, process.processors)
        if continued:
            yield from self._write(process, tenant % len(self._stores))
        yield from process.loop.use(self._loop_s * (1 - _FRONT), process.processors)
        yield env.timeout(costs.seconds("wake_us"))
        process.in_flight -= 1
        process.of_tenant[tenant] -= 1
        result.decided += 1
        result.area += env.now - began_s
        if began_s >= self._settled_s:
            (result.continued_s if continued else result.latencies_s).append(env.now - began_s)

    def _write(self, process: _Process, at: int) -> Steps:
        """Wait until a claim, or what spends it, is committed."""
        done = self._env.event()
        process.asked[at].append(done)
        if not process.writing[at]:
            process.writing[at] = True
            self._env.process(self._transactions(process, at))
        yield done

    def _transactions(self, process: _Process, at: int) -> Steps:
        costs, store = self._costs, self._stores[at]
        while process.asked[at]:
            these, process.asked[at] = process.asked[at][:_WORKS_AT_ONCE], process.asked[at][_WORKS_AT_ONCE:]
            yield from store.processors.use((costs.transaction_us + len(these) * costs.work_us) / 1e6)
            store.transactions += 1
            yield from store.disk.flush()
            for done in these:
                done.succeed()
        process.writing[at] = False


def simulate(fleet: Fleet, costs: Costs, seconds: float = 1.0, seed: int = 1) -> Simulated:
    """Let a fleet decide logins for some seconds, from the state that it has after a long time."""
    return _Run(fleet, costs, seconds, seed).run()
