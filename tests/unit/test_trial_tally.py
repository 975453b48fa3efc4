"""A trial over a fleet: few logins are harmed in all, none is ended by chance, and little is written."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from runtime.core.trial_tally import CALM_EVERY_S, FIRST_EVERY_S, SHARE_EVERY_S, Counts, Side, Tally

RATE = 500
LATENCY_S = 0.02
"""Of a row that is written and what it answers."""


@dataclass
class Store:
    """Rows, as a store has them."""

    rows: dict[int, Counts] = field(default_factory=dict)
    ended_s: float | None = None
    writes: int = 0

    def others(self, replica: int) -> Counts:
        return sum((counts for at, counts in self.rows.items() if at != replica), Counts())


@dataclass
class Found:
    harmed: int
    ended_s: float | None
    writes: int
    """A second and replica."""


def fleet(
    replicas: int, percent: int, bad: float, usual: float, seed: int, seconds: float = 5.0, *, shared: bool = True
) -> Found:
    """Let replicas decide logins as they come, with a store that answers after a while."""
    chance, store = random.Random(seed), Store()
    tallies = [Tally(2) for _ in range(replicas)]
    busy = [False] * replicas
    harmed = 0
    # At an instant: a login, a row that is due, or its answer.
    events: list[tuple[float, int, str, int]] = [(at / RATE, at, "login", -1) for at in range(int(seconds * RATE))]
    heapq.heapify(events)
    numbers: Iterator[int] = iter(range(len(events), 10**9))

    def plan(at: int, now_s: float) -> None:
        wait_s = tallies[at].wait_s(now_s)
        if shared and wait_s is not None and not busy[at]:
            busy[at] = True
            heapq.heappush(events, (now_s + wait_s, next(numbers), "tell", at))

    def judge(at: int, now_s: float) -> None:
        if not tallies[at].over and tallies[at].leaves(5, 5):
            tallies[at].over = True
            store.ended_s = now_s if store.ended_s is None else store.ended_s

    while events:
        now_s, _, what, at = heapq.heappop(events)
        if what == "login":
            at = chance.randrange(replicas)
            on_trial = chance.random() * 100 < percent and not tallies[at].over
            denied = chance.random() < (bad if on_trial else usual)
            harmed += on_trial and denied
            tallies[at].count(on_trial=on_trial, denied=denied, degraded=False)
            if on_trial:
                judge(at, now_s)
            plan(at, now_s)
        elif what == "tell":
            tallies[at].told(tallies[at].here, now_s)
            store.rows[at] = tallies[at].here
            store.writes += 1
            heapq.heappush(events, (now_s + LATENCY_S, next(numbers), "answer", at))
        else:
            busy[at] = False
            if store.ended_s is not None:
                tallies[at].over = True
            tallies[at].others = store.others(at)
            judge(at, now_s)
            plan(at, now_s)
    return Found(harmed, store.ended_s, round(store.writes / seconds / replicas))


@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.parametrize("replicas", [3, 50])
def test_a_bad_version_harms_at_most_two_hundred_in_all(replicas: int, percent: int) -> None:
    """At 500 logins a second, however many replicas share them, and whatever is usual."""
    for seed in range(3):
        for usual in (0.0, 0.1):
            found = fleet(replicas, percent, 1.0, usual, seed, 2.0)
            assert found.ended_s is not None
            assert found.harmed <= 200


def test_replicas_that_tell_nothing_harm_more() -> None:
    """The control: alone, each of fifty learns it anew."""
    told, alone = (fleet(50, 50, 1.0, 0.0, 1, 4.0, shared=shared) for shared in (True, False))
    assert told.harmed <= 200 < alone.harmed


def test_a_version_that_is_half_bad_ends_too() -> None:
    """No replica of fifty has seen enough by itself."""
    found = fleet(50, 10, 0.5, 0.05, 2)
    assert found.ended_s is not None
    assert found.harmed <= 200


@pytest.mark.parametrize("usual", [0.02, 0.4])
def test_a_version_that_is_as_good_stays(usual: float) -> None:
    """Replicas that have seen a bad one are not the only ones that count."""
    for seed in range(6):
        assert fleet(50, 10, usual, usual, seed, 4.0).ended_s is None


def test_rows_are_few() -> None:
    """Some five a second and replica; where many logins are known and none is bad, one each two seconds."""
    assert fleet(3, 90, 0.02, 0.02, 1, 4.0).writes <= 1 / SHARE_EVERY_S + 1, "and the first ones"
    young = Tally(2)
    young.count(on_trial=True, denied=False, degraded=False)
    young.told(young.here, 10.0)
    young.count(on_trial=True, denied=False, degraded=False)
    assert young.wait_s(10.0) == pytest.approx(FIRST_EVERY_S)
    tally = Tally(2, others=Counts(trial=Side(5000)))
    assert tally.wait_s(10.0) is None
    tally.count(on_trial=False, denied=True, degraded=False)
    assert tally.wait_s(10.0) is None, "the other side alone is not worth a row"
    tally.count(on_trial=True, denied=False, degraded=False)
    assert tally.wait_s(10.0) == 0.0
    tally.told(tally.here, 10.0)
    assert tally.wait_s(10.1) is None
    tally.count(on_trial=True, denied=False, degraded=False)
    assert tally.wait_s(10.5) == pytest.approx(CALM_EVERY_S - 0.5)
    tally.count(on_trial=True, denied=False, degraded=True)
    assert tally.wait_s(10.1) == pytest.approx(SHARE_EVERY_S - 0.1)
    tally.over = True
    assert tally.wait_s(20.0) is None


def test_the_reason_counts_all() -> None:
    """What the others have said last is added to what was counted here."""
    tally = Tally(2, others=Counts(Side(6, denied=6), Side(30)))
    tally.count(on_trial=True, denied=True, degraded=False)
    assert tally.leaves(5, 5) == "7 of 7 logins on trial were denied, 0 of 30 others"
    assert Tally(2).leaves(5, 5) == ""
