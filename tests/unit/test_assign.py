"""The pass that decides which login gets which worker: what it says for a state, and what holds under any events."""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict, deque
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.ops.labels import KillReason
from runtime.workers.assign import SPAWNS_AT_ONCE, Assignment, Limits, Slot, Supply, Waiter, assign

LIMITS = Limits(workers=100, per_tenant=2, queue_per_tenant=3, blanks=0)
EMPTY = Supply(blanks=(), idle=(), leased=0, spawning=0)


class Future:
    """What a login waits on: done when it has a worker, was refused or has left."""

    def __init__(self) -> None:
        self.ended = ""

    def done(self) -> bool:
        return bool(self.ended)


class _Worker:
    """What the pass sees of one."""

    def __init__(self, flow: bytes = b"", tenant: str | None = None, memory_bytes: int = 2) -> None:
        self.flow, self.tenant, self.memory = flow, tenant, SimpleNamespace(bytes=memory_bytes)
        self.retiring = False


Worker: Any = _Worker


def slot(tenant: str, *waiting: bytes, idle: tuple[Any, ...] = (), workers: int = 0) -> Slot:
    """A tenant with logins that wait, by their flow, and workers."""
    made = Slot(tenant)
    made.waiters += [Waiter(flow, Future()) for flow in waiting]  # type: ignore[arg-type]  # a stand-in
    made.idle += idle
    made.workers = workers + len(idle)
    return made


def blanks(count: int) -> list[Any]:
    return [Worker() for _ in range(count)]


def leased(found: Assignment) -> list[tuple[str, Any]]:
    return [(slot.tenant, worker) for slot, _, worker in found.leases]


def test_an_idle_worker_of_its_flow_serves_the_login_that_has_waited_longest() -> None:
    """The worker that ran last is taken first; a worker of another flow is not taken at all."""
    old, one, two = Worker(b"old"), Worker(b"new"), Worker(b"new")
    acme = slot("acme", b"new", b"new", idle=(old, one, two))
    found = assign([acme], [], {}, replace(EMPTY, idle=acme.idle), replace(LIMITS, per_tenant=4))
    assert leased(found) == [("acme", two), ("acme", one)]
    assert found.turns == []


def test_tenants_take_turns_for_blank_workers() -> None:
    """One with many waiting logins stands behind the others again after each blank worker that it gets."""
    greedy, quiet = slot("greedy", b"", b"", b""), slot("quiet", b"")
    found = assign([greedy, quiet], [], {}, replace(EMPTY, blanks=blanks(2)), replace(LIMITS, per_tenant=3))
    assert [tenant for tenant, _ in leased(found)] == ["greedy", "quiet"]
    assert found.turns == [greedy]
    assert found.spawn == 1


def test_a_tenant_at_its_limit_gets_no_blank_worker() -> None:
    """Its logins wait for its own workers, and nothing is made for them."""
    acme = slot("acme", b"", b"", workers=2)
    found = assign([acme], [], {}, replace(EMPTY, blanks=blanks(1), leased=2), LIMITS)
    assert (found.leases, found.turns, found.spawn) == ([], [], 0)


def test_at_its_limit_a_worker_of_another_flow_makes_room() -> None:
    """The one of its idle workers that ran longest ago is killed, as outdated."""
    first, second = Worker(b"old"), Worker(b"old")
    acme = slot("acme", b"new", idle=(first, second))
    found = assign([acme], [], {}, replace(EMPTY, idle=acme.idle), LIMITS)
    assert found.kills == [(first, KillReason.OUTDATED)]


def test_a_paused_tenant_gets_its_own_workers_only() -> None:
    """Neither a blank worker nor a successor, and nothing is made for it."""
    own = Worker(b"a")
    acme = slot("acme", b"a", b"a", idle=(own,))
    acme.paused = True
    found = assign([acme], [], {acme: b"a"}, replace(EMPTY, idle=acme.idle, blanks=blanks(2)), LIMITS)
    assert leased(found) == [("acme", own)]
    assert (found.turns, found.loads, found.spawn) == ([], [], 0)


def test_logins_beyond_the_queue_are_refused() -> None:
    """Those that came last; one that has left takes no place."""
    acme = slot("acme", b"", b"", b"", b"", b"", workers=2)
    acme.waiters[0].future.ended = "left"  # type: ignore[attr-defined]  # a stand-in
    found = assign([acme], [], {}, replace(EMPTY, leased=2), LIMITS)
    assert found.refused == [(acme, acme.waiters[4])]


def test_successors_get_what_no_login_waits_for() -> None:
    """A blank worker that no login wants is bound to a tenant ahead of its next login; one of the flow is enough."""
    acme, bank, club = slot("acme"), slot("bank", b"b"), slot("club", idle=(Worker(b"c"),))
    wanted = {acme: b"a", club: b"c"}
    found = assign([bank], [], wanted, replace(EMPTY, blanks=blanks(1)), LIMITS)
    assert leased(found)[0][0] == "bank"
    assert (found.loads, found.successors, found.spawn) == ([], {acme: b"a"}, 1)
    found = assign([], [], found.successors, replace(EMPTY, blanks=(blank := blanks(1))), LIMITS)
    assert found.loads == [(acme, b"a", blank[0])]
    assert found.successors == {}


def test_a_tenant_that_may_have_no_more_gets_no_successor() -> None:
    """One successor is being loaded, its workers lied, or it is at its limit with the one that its login gets now."""
    loading, paused, full = slot("loading"), slot("paused"), slot("full", b"", workers=1)
    loading.loading = paused.paused = True
    wanted = {loading: b"a", paused: b"b", full: b"c"}
    found = assign([full], [], wanted, replace(EMPTY, blanks=blanks(4), leased=1), LIMITS)
    assert [tenant for tenant, _ in leased(found)] == ["full"]
    assert (found.loads, found.successors) == ([], {})


def test_a_paused_tenant_keeps_its_workers() -> None:
    """No worker of another flow makes room for a login that could get no other one."""
    acme = slot("acme", b"new", idle=(Worker(b"old"), Worker(b"old")))
    acme.paused = True
    assert assign([acme], [], {}, replace(EMPTY, idle=acme.idle), LIMITS).kills == []


def test_a_worker_that_is_leased_now_is_not_evicted() -> None:
    """Nor is one that is killed for another reason killed twice: the next one goes."""
    own, old, other = Worker(b"a"), Worker(b"old"), Worker(b"x")
    acme, bank = slot("acme", b"a", idle=(own,)), slot("bank", b"b", idle=(old,), workers=1)
    found = assign([acme, bank], [], {}, replace(EMPTY, idle=(own, old, other), leased=1, over_bytes=1), LIMITS)
    assert leased(found) == [("acme", own)]
    assert found.kills == [(old, KillReason.OUTDATED), (other, KillReason.EVICTED)]


def test_the_longest_idle_make_room_for_logins_that_wait() -> None:
    """At the limit of all workers as many are evicted as are made; blank workers and successors evict no worker."""
    idle: list[Any] = [Worker(b"x") for _ in range(3)]
    limits = replace(LIMITS, workers=3, blanks=2)
    supply = replace(EMPTY, idle=idle)
    found = assign([slot("acme", b"")], [], {slot("club"): b"c"}, supply, limits)
    assert found.kills == [(idle[0], KillReason.EVICTED)]
    assert found.spawn == 1
    assert assign([], [], {slot("club"): b"c"}, supply, limits).kills == []


def test_full_memory_evicts_the_longest_idle_and_stops_spawning() -> None:
    """Busy workers stay, and so do idle ones for which there is room; with none idle, nothing is made."""
    idle = [Worker(b"x", memory_bytes=10) for _ in range(4)]
    found = assign([], [], {}, replace(EMPTY, idle=idle, over_bytes=15), LIMITS)
    assert found.kills == [(idle[0], KillReason.EVICTED), (idle[1], KillReason.EVICTED)]
    found = assign([slot("acme", b"")], [], {}, replace(EMPTY, leased=5, over_bytes=0), LIMITS)
    assert (found.kills, found.spawn) == ([], 0)


def test_spares_are_kept_ready_and_let_go() -> None:
    """As many as configured and one for each tenant that waits, some at a time; what is too much goes when asked."""
    limits = replace(LIMITS, blanks=20)
    assert assign([], [], {}, EMPTY, limits).spawn == SPAWNS_AT_ONCE
    assert assign([], [], {}, replace(EMPTY, spawning=5), limits).spawn == SPAWNS_AT_ONCE - 5
    assert assign([], [], {}, replace(EMPTY, may_spawn=False), limits).spawn == 0
    ready = blanks(3)
    supply = replace(EMPTY, blanks=ready)
    assert assign([], [], {}, supply, replace(LIMITS, blanks=1)).kills == []
    found = assign([], [], {}, replace(supply, trim=True), replace(LIMITS, blanks=1))
    assert found.kills == [(ready[0], KillReason.RECYCLED), (ready[1], KillReason.RECYCLED)]


class House:
    """Everything that the pass decides about, with events; what it says is done at once, as the pool does it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.slots = {name: Slot(name) for name in ("acme", "bank", "club")}
        self.blanks: deque[Any] = deque()
        self.idle: OrderedDict[Any, None] = OrderedDict()
        self.leased: dict[Any, Slot] = {}
        self.turns: list[Slot] = []
        self.successors: dict[Slot, bytes] = {}
        self.spawning = 0
        self.memory_full = False
        self.owners: dict[Any, str] = {}

    def workers(self) -> list[Any]:
        return [*self.blanks, *self.idle, *self.leased]

    def settle(self, *changed: Slot, trim: bool = False) -> None:
        """Decide and do until nothing changes."""
        over_bytes = 1 if self.memory_full else -1
        supply = Supply(self.blanks, self.idle, len(self.leased), self.spawning, over_bytes=over_bytes, trim=trim)
        before, turns = list(self.blanks), list(self.turns)
        found = assign(changed, self.turns, self.successors, supply, self.limits)
        self._is_fair(found, before, turns)
        self.turns, self.successors = found.turns, found.successors
        for slot, waiter, worker in found.leases:
            slot.waiters.remove(waiter)
            self._take(worker, slot, waiter.flow)
            waiter.future.ended = "served"  # type: ignore[attr-defined]  # a stand-in
        for slot, flow, worker in found.loads:
            self._take(worker, slot, flow)
            slot.loading = True
        for slot, waiter in found.refused:
            slot.waiters.remove(waiter)
            waiter.future.ended = "refused"  # type: ignore[attr-defined]  # a stand-in
        touched = [self.gone(worker) for worker, _ in found.kills]
        if found.spawn:
            self.spawning += found.spawn
            wanted = self.limits.blanks + len(self.turns) + len(self.successors)
            assert len(self.blanks) + self.spawning <= wanted, "more are made than anything waits for"
        if touched:
            self.settle(*filter(None, touched))
        self.holds()

    def _is_fair(self, found: Assignment, blanks: list[Any], turns: list[Slot]) -> None:
        """A tenant that stood in turn is served before any tenant is served again."""
        served = Counter(slot.tenant for slot, _, worker in found.leases if worker in blanks)
        for slot in turns:
            if slot in found.turns and slot.tenant not in served:
                assert max(served.values(), default=0) <= 1

    def _take(self, worker: Any, slot: Slot, flow: bytes) -> None:
        if worker in self.blanks:
            assert not slot.paused
            self.blanks.remove(worker)
            worker.tenant, worker.flow = slot.tenant, flow
            slot.workers += 1
        else:
            slot.idle.remove(worker)
            del self.idle[worker]
        assert self.owners.setdefault(worker, slot.tenant) == slot.tenant, "a worker serves two tenants"
        assert worker.flow == flow
        self.leased[worker] = slot

    def gone(self, worker: Any) -> Slot | None:
        """Let a worker die, wherever it is."""
        if worker.tenant is None:
            self.blanks.remove(worker)
            return None
        slot = self.slots[worker.tenant]
        slot.workers -= 1
        if worker in self.idle:
            del self.idle[worker]
            slot.idle.remove(worker)
        elif worker in self.leased:
            del self.leased[worker]
            slot.loading = False
        return slot

    def holds(self) -> None:
        """Check what must hold after each pass."""
        assert len(self.workers()) + self.spawning <= self.limits.workers
        for slot in self.slots.values():
            assert slot.workers <= self.limits.per_tenant
            waiting = [waiter for waiter in slot.waiters if not waiter.future.done()]
            assert len(waiting) <= self.limits.queue_per_tenant
            assert not {waiter.flow for waiter in waiting} & {worker.flow for worker in slot.idle}
            if waiting and not slot.paused and slot not in self.turns:
                # Each of its workers is with a login or being loaded, and its end is the next one's turn.
                assert slot.workers >= self.limits.per_tenant
                assert not slot.idle
        assert not ((self.turns or self.successors) and self.blanks)
        if self.turns and not self.spawning:
            assert not self.idle, "a login waits although an idle worker could make room"
            assert self.memory_full or len(self.leased) >= self.limits.workers


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["login", "login", "login", "ready", "ready", "release", "release", "die", "leave", "retire",
                         "pause", "deploy", "memory", "trim"]),
        st.integers(0, 2),
        st.integers(0, 1000),
    ),
    min_size=20,
    max_size=80,
)  # fmt: skip


@given(
    limits=st.builds(
        Limits,
        workers=st.integers(1, 6),
        per_tenant=st.integers(1, 3),
        queue_per_tenant=st.integers(0, 3),
        blanks=st.integers(0, 2),
    ),
    events=EVENTS,
)
def test_no_events_lose_a_login_or_break_a_limit(limits: Limits, events: list[tuple[str, int, int]]) -> None:
    """Whatever happens in whatever order; and once nothing fails any more, every login that waits is served."""
    house = House(limits)
    house.settle()
    versions = itertools.count()
    flows = dict.fromkeys(house.slots, b"0")
    for event, tenant, number in events:
        slot = list(house.slots.values())[tenant]
        busy = list(house.leased)
        if event == "login":
            slot.waiters.append(Waiter(flows[slot.tenant], Future()))  # type: ignore[arg-type]  # a stand-in
            house.settle(slot)
        elif event == "ready" and house.spawning:
            house.spawning -= 1
            if number % 4:
                house.blanks.append(Worker())
            house.settle()
        elif event in ("release", "retire") and busy:
            release(house, busy[number % len(busy)], retire=event == "retire")
        elif event == "die" and house.workers():
            touched = house.gone(house.workers()[number % len(house.workers())])
            house.settle(*([touched] if touched else []))
        elif event == "leave" and slot.waiters:
            slot.waiters[number % len(slot.waiters)].future.ended = "left"  # type: ignore[attr-defined]  # a stand-in
            if number % 2:
                slot.waiters = deque(waiter for waiter in slot.waiters if not waiter.future.done())
                house.settle(slot)
        elif event == "pause":
            slot.paused = not slot.paused
            house.settle(slot)
        elif event == "deploy":
            flows[slot.tenant] = b"%d" % next(versions)
        elif event == "memory":
            house.memory_full = not house.memory_full
            house.settle()
        elif event == "trim":
            house.settle(trim=True)
    calm_down(house)


def release(house: House, worker: Any, *, retire: bool) -> None:
    """Give a worker back, or let its successor come after it."""
    slot = house.leased[worker]
    if retire:
        house.successors[slot] = worker.flow
        house.gone(worker)
    else:
        del house.leased[worker]
        slot.loading = False
        slot.idle.append(worker)
        house.idle[worker] = None
    house.settle(slot)


def calm_down(house: House) -> None:
    """Let every pause end, every worker be made and every login be served and give its worker back."""
    house.memory_full = False
    for slot in house.slots.values():
        slot.paused = False
    house.settle(*house.slots.values())
    for _ in range(60):
        while house.spawning:
            house.spawning -= 1
            house.blanks.append(Worker())
            house.settle()
        for worker in list(house.leased):
            release(house, worker, retire=False)
    assert not any(waiter for slot in house.slots.values() for waiter in slot.waiters if not waiter.future.done())
    assert house.turns == []
    assert len(house.blanks) + len(house.idle) <= house.limits.workers
