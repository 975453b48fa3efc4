"""The model of a fleet: closed forms of queues, conservation laws, and what routing and stores change."""

from __future__ import annotations

import functools
import json
import math
import random
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
import simpy

from tests.load.processes import BenchError
from tests.load.scale import against, costs, host, limits, page
from tests.load.scale.costs import Costs, Measured, TwoProcesses
from tests.load.scale.fleet import Fleet, Simulated, simulate
from tests.load.scale.stations import Disk, Station, Steps

COSTS = Costs(
    client_us=250, loop_us=350, worker_us=330, stream_loop_us=40, stream_worker_us=60, wake_us=200,
    first_loop_us=3000, first_below_us=9000, again_loop_us=1500, again_below_us=4000, zygote_us=1500,
    worker_bytes=2 << 20, daemon_bytes=80 << 20, tenant_bytes=1500, work_us=150, transaction_us=300,
    claim_loop_us=500, flush_us=400, apply_us=8000, apply_server_us=3000, read_server_us=1500, read_loop_us=1500,
    notify_us=10,
)  # fmt: skip
SMALL = Fleet(hosts=2, processors=4, processes=2, rate=3000, tenants=200, ways=2, bounded=True)


def waited(servers: int, rate: float, service: Callable[[random.Random], float], count: int) -> tuple[Station, float]:
    """Send so many customers through a station at random; return it and the time that took."""
    env, chance = simpy.Environment(), random.Random(7)
    station = Station(env, servers)

    def arrivals() -> Steps:
        for _ in range(count):
            yield env.timeout(chance.expovariate(rate))
            env.process(station.use(service(chance)))

    env.process(arrivals())
    env.run()
    return station, env.now


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 0.6)])
def test_random_services_wait_as_erlang_says(servers: int, load: float) -> None:
    """M/M/c: the mean wait is Erlang's C over what the servers have left."""
    offered = servers * load
    station, took_s = waited(servers, offered, lambda chance: chance.expovariate(1.0), 20_000)
    last = offered**servers / math.factorial(servers) / (1 - load)
    erlang = last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)
    assert station.waited_s / station.left == pytest.approx(erlang / (servers - offered), rel=0.1)
    assert station.utilization(took_s) == pytest.approx(load, rel=0.03)


def test_equal_services_wait_half_as_long() -> None:
    """M/D/1: the mean wait is load * service / (2 * (1 - load))."""
    station, took_s = waited(1, 0.6, lambda _: 1.0, 20_000)
    assert station.waited_s / station.left == pytest.approx(0.6 / (2 * 0.4), rel=0.1)
    assert station.utilization(took_s) == pytest.approx(0.6, rel=0.03)


def test_a_server_holds_what_it_needs_meanwhile() -> None:
    """Two event loops on one processor take turns, and each is taken while it waits for it."""
    env = simpy.Environment()
    processor, loops = Station(env, 1), [Station(env, 1) for _ in range(2)]
    for loop in loops:
        env.process(loop.use(1.0, processor))
    env.run()
    assert env.now == processor.busy_s == 2.0
    assert [loop.busy_s for loop in loops] == [1.0, 2.0]


def test_commits_go_to_the_disk_together() -> None:
    """Who comes while the log is written waits for the next time, with all the others."""
    env = simpy.Environment()
    disk, done = Disk(env, 1.0), list[float]()

    def commit(at_s: float) -> Steps:
        yield env.timeout(at_s)
        yield from disk.flush()
        done.append(env.now)

    for at_s in (0.0, 0.1, 0.5, 0.9, 5.0):
        env.process(commit(at_s))
    env.run()
    assert done == [1.0, 2.0, 2.0, 2.0, 6.0]
    assert disk.flushes == 3


def test_every_login_is_decided_refused_or_there() -> None:
    """Conservation; Little's law; and processors are busy for logins times their service."""
    found = simulate(SMALL, COSTS, 1.5)
    assert found.entered == pytest.approx(SMALL.rate * 1.5, rel=0.1)
    assert found.in_flight == found.entered - found.decided - found.refused
    assert 0 <= found.in_flight < 0.01 * found.entered
    assert not found.refused
    mean = found.area / found.decided
    # By Little their mean number is rate * time, and no login takes less than its services.
    assert found.area / found.seconds == pytest.approx(found.decided / found.seconds * mean)
    assert min(found.latencies_s) >= (COSTS.loop_us + COSTS.worker_us + COSTS.wake_us) / 1e6 - 1e-9
    warm_s = found.decided * limits.login_s(SMALL, COSTS)
    cold_s = found.cold * (COSTS.again_loop_us + COSTS.again_below_us) / 1e6
    busy = (warm_s + cold_s) / found.seconds / SMALL.hosts / SMALL.processors
    assert found.processors == pytest.approx(busy, rel=0.02)


def test_the_same_seed_gives_the_same() -> None:
    """Pure: a number of the page can be found again."""
    first, again, other = (simulate(SMALL, COSTS, 0.3, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_affinity_keeps_few_workers_and_no_login_cold() -> None:
    """By round robin each process needs every tenant; with too few workers, as many are cold as the limit leaves."""
    spread = replace(SMALL, ways=0, max_workers=100_000)
    whole, affine = simulate(spread, COSTS, 1.0), simulate(SMALL, COSTS, 1.0)
    assert whole.workers > 1.8 * affine.workers
    assert affine.most_workers <= SMALL.max_workers // SMALL.processes
    tight = simulate(replace(spread, max_workers=40), COSTS, 1.0)
    assert tight.most_workers == 20
    assert tight.cold / tight.entered > 10 * max(0.001, affine.cold / affine.entered)


def test_a_hot_tenant_is_refused_by_one_process_and_borne_by_several() -> None:
    """Half of all logins are of one tenant, and more than one event loop decides."""
    hot = replace(SMALL, hosts=4, rate=8000, tenants=5, zipf=1.5, ways=1, bounded=False)
    asked = limits.hot_tenant(hot, COSTS)
    assert asked.rate > asked.one_process
    one, several = simulate(hot, COSTS, 0.5), simulate(replace(hot, bounded=True), COSTS, 0.5)
    assert one.refused / one.entered > 0.1
    assert one.busiest_loop > 0.95
    assert not several.refused


def test_places_are_as_many_as_asked_for() -> None:
    """Each tenant has its ways, a large one more where they are bounded, and no process is filled beyond its bound."""
    for fleet in (SMALL, replace(SMALL, ways=1, bounded=False), replace(SMALL, ways=0)):
        places = fleet.places()
        assert len(places) == fleet.tenants
        assert all(len(set(some)) == len(some) >= (fleet.ways or 4) for some in places)
    assert len(SMALL.places()[0]) > len(SMALL.places()[-1])


def test_claims_saturate_a_store_and_more_stores_bear_them() -> None:
    """Beyond what its processors bear, continued logins wait; divided over more stores they do not."""
    store = replace(SMALL, hosts=8, rate=4000, continued=0.9, store_processors=1)
    assert limits.continued_most(store, COSTS, limits.WORKS_AT_ONCE) < store.rate * store.continued
    one, four = simulate(store, COSTS, 0.5), simulate(replace(store, stores=4), COSTS, 0.5)
    assert one.store > 0.97
    assert max(one.continued_s) > 3 * max(four.continued_s)
    assert four.store < 0.97
    # Each continued login is two works, at most so many of them in a transaction.
    assert four.flushes <= four.transactions <= 2 * four.entered
    calm = simulate(replace(store, rate=200), COSTS, 1.0)
    assert calm.transactions == pytest.approx(2 * 200 * 0.9, rel=0.15)


def test_hosts_are_as_many_as_keep_processors_free() -> None:
    """Twice the logins take twice the hosts, and each has no more than its part."""
    plan = Fleet(rate=20_000)
    few, many = limits.sized(plan, COSTS), limits.sized(replace(plan, rate=40_000), COSTS)
    assert many.hosts in (2 * few.hosts, 2 * few.hosts - 1)
    busy = few.rate * limits.login_s(few, COSTS) / few.hosts / few.processors
    assert limits.TAKEN * 0.8 < busy <= limits.TAKEN


def test_the_limit_of_changes_is_where_servers_are_full() -> None:
    """More processes read each change, so a store bears fewer; the writers' lock does not care."""
    few, many = (limits.changes_most(replace(SMALL, hosts=hosts), COSTS) for hosts in (2, 20))
    assert few[0] == many[0] == pytest.approx(125)
    assert few[1] == pytest.approx(8 / (0.003 + 4 * 0.00151))
    assert many[1] < few[1]


def test_a_host_whose_processors_are_full_decides_what_they_bear() -> None:
    """Asymptotically: processors over processor time of a login; alone, the sum of its times."""
    whole_us = COSTS.client_us + COSTS.loop_us + COSTS.worker_us
    full = host.simulate(host.Host(in_flight=64), COSTS, 1.0)
    assert full.rate == pytest.approx(2e6 / whole_us, rel=0.03)
    alone = host.simulate(host.Host(in_flight=1), COSTS, 1.0)
    assert alone.latencies_s[0] == pytest.approx((whole_us + COSTS.wake_us) / 1e6)
    others = host.simulate(host.Host(in_flight=64, others=0.5), COSTS, 1.0)
    assert others.rate == pytest.approx(full.rate / 2, rel=0.05)


@functools.cache
def modelled() -> tuple[float, float]:
    """Return what the model says of two processes: logins a second, and microseconds of one with few beside it."""
    full, calm = (host.simulate(host.Host(in_flight=in_flight), COSTS) for in_flight in (32, 4))
    return full.rate, sum(calm.latencies_s) / len(calm.latencies_s) * 1e6


def measured(factor: float, others: float = 0.0) -> Measured:
    """Costs, and a real host that is so much faster than the model."""
    rate, mean_us = modelled()
    two = TwoProcesses(rate * factor, 20_000.0, mean_us / factor, 1000.0, 0.0)
    return Measured(COSTS, two, "a machine", "2026-12-01", "abc", others)


def test_a_model_that_is_wrong_is_found_out() -> None:
    """Within the promise nothing is missed, beyond it both judged figures are; a busy machine is named."""
    right, wrong = measured(1.1), measured(1.25)
    assert against.missed(against.compare(right)) == []
    assert len(against.missed(against.compare(wrong))) == 2
    assert against.busy(measured(1.0)) == ""
    assert against.busy(measured(1.0, others=0.4)) == "other programs took 40% of the processors meanwhile"


def test_costs_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A file that lacks a cost says which, and how to make it anew."""
    file = tmp_path / "costs.json"
    costs.write(measured(1.0), file)
    found = costs.read(file)
    assert all(
        getattr(found.costs, item.name) == pytest.approx(getattr(COSTS, item.name), abs=0.1) for item in fields(Costs)
    )
    kept = json.loads(file.read_text())
    del kept["costs"]["notify_us"]
    file.write_text(json.dumps(kept))
    with pytest.raises(BenchError, match="notify_us: unknown or missing; measure anew with `make scale`"):
        costs.read(file)
    assert costs.read().costs.loop_us > 0, "the file that is kept"


def test_the_page_says_where_its_numbers_are_from() -> None:
    """Each fleet has a row; a busy machine is a warning in bold."""
    found = Simulated(1.0, entered=10, decided=10, latencies_s=[0.001], continued_s=[0.002])
    made = [page.Case(f"fleet {number}", SMALL, found) for number in range(9)]
    text = page.write(measured(1.0), made)
    assert [f"| fleet {number} |" in text for number in range(9)] == [True] * 9
    assert "The machine was busy" not in text
    assert "**The machine was busy: other programs took 40% of the processors" in page.write(measured(1.0, 0.4), made)
