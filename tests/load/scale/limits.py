"""What each part of a fleet bears, from costs alone: by the law that a server is busy for arrivals times their service.

Pure. Must not know the simulation, whose results must agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from tests.load.scale.costs import Costs
from tests.load.scale.fleet import Fleet

TAKEN: Final = 0.6
"""Share of the processors that a fleet is sized for: a host may be lost, and a day has a busiest hour."""
WORKS_AT_ONCE: Final = 32
CONNECTIONS: Final = 5
"""Of a daemon process to its database: a pool of four, and the listener."""


def login_s(fleet: Fleet, costs: Costs) -> float:
    """Return the processor time of a warm login."""
    kind = "stream_" if fleet.stream else ""
    return costs.seconds(f"{kind}loop_us") + costs.seconds(f"{kind}worker_us")


def sized(fleet: Fleet, costs: Costs) -> Fleet:
    """Return a fleet with as many hosts as its logins take, by processors and by event loops."""
    loop_s = costs.seconds("stream_loop_us" if fleet.stream else "loop_us")
    by_processors = fleet.rate * login_s(fleet, costs) / TAKEN / fleet.processors
    by_loops = fleet.rate * loop_s / TAKEN / fleet.processes
    return replace(fleet, hosts=math.ceil(max(by_processors, by_loops)))


def memory_bytes(fleet: Fleet, costs: Costs, workers: float) -> float:
    """Return the memory of all hosts, with so many warm workers."""
    each = costs.daemon_bytes + fleet.tenants * costs.tenant_bytes
    return fleet.all_processes * each + workers * costs.worker_bytes


def continued_most(fleet: Fleet, costs: Costs, at_once: int) -> float:
    """Return the continued logins a second that fill the stores' processors, with so many works in a transaction."""
    each_s = 2 * (costs.seconds("work_us") + costs.seconds("transaction_us") / at_once)
    return fleet.stores * fleet.store_processors / each_s


def changes_most(fleet: Fleet, costs: Costs) -> tuple[float, float, float]:
    """Return the changes a second that fill the writers' lock, a store's processors, and a tenth of every loop."""
    readers = fleet.all_processes * (costs.seconds("read_server_us") + costs.seconds("notify_us")) / fleet.stores
    server_s = costs.seconds("apply_server_us") + readers
    return (
        1 / costs.seconds("apply_us"),
        fleet.store_processors / server_s,
        0.1 / costs.seconds("read_loop_us"),
    )


def cold_most(fleet: Fleet, costs: Costs) -> tuple[float, float]:
    """Return the cold logins a second that fill the zygotes, and what the warm ones leave of the processors."""
    zygotes = fleet.all_processes / costs.seconds("zygote_us")
    left_s = fleet.hosts * fleet.processors - fleet.rate * login_s(fleet, costs)
    return zygotes, max(0.0, left_s) / (costs.seconds("again_loop_us") + costs.seconds("again_below_us"))


@dataclass(frozen=True, slots=True)
class HotTenant:
    """The largest tenant."""

    share: float
    rate: float
    """Its logins a second."""
    one_process: float
    """Logins a second that fill the loop of one process."""


def hot_tenant(fleet: Fleet, costs: Costs) -> HotTenant:
    """Return what the largest tenant asks for, and what one process bears."""
    share = fleet.shares()[0]
    loop_s = costs.seconds("stream_loop_us" if fleet.stream else "loop_us")
    return HotTenant(share, share * fleet.rate, 1 / loop_s)
