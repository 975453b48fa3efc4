"""The side lane: who is kept in it, from when and for how long, by a clock that the test moves."""

from __future__ import annotations

from runtime.workers.fairness import Lane

# One tenth of two processors: a fifth of a second for each second.
SHARE = 0.1
RATE = 0.2


def lane(cpus: int = 2, share: float = SHARE) -> Lane:
    found = Lane(range(cpus), share)
    found.arrived("quiet")
    found.arrived("busy")
    return found


def test_the_lane_is_the_second_half_of_the_processors() -> None:
    """The half that is kept free is never the smaller one."""
    assert Lane((0, 1), SHARE).cpus == (1,)
    assert Lane((0, 2, 4, 6), SHARE).cpus == (4, 6)
    assert Lane((3, 5, 7), SHARE).cpus == (7,)


def test_who_runs_on_and_on_is_kept_in_the_lane() -> None:
    """Five seconds' worth of its share may be spent ahead, and no more; nobody else is held."""
    it = lane()
    it.spent("busy", 5 * RATE - 0.01, 100.0)
    assert not it.holds("busy", 100.0)
    it.spent("busy", 0.02, 100.0)
    assert it.holds("busy", 100.0)
    assert not it.holds("quiet", 100.0)
    assert it.held == 1


def test_who_stays_within_its_share_is_never_held() -> None:
    """An action that is slow and honest, second after second, has the whole machine as long as it takes its share."""
    it = lane()
    for second in range(100):
        it.arrived("quiet")
        it.arrived("busy")
        it.spent("busy", RATE, 100.0 + second)
        assert not it.holds("busy", 100.0 + second)


def test_it_leaves_when_its_debt_is_paid() -> None:
    """However long it ran, twenty seconds without a long execution are enough; until then it stays in."""
    it = lane()
    it.spent("busy", 1000.0, 100.0)
    for later in range(20):
        it.arrived("quiet")
        assert it.holds("busy", 100.0 + later)
    it.arrived("quiet")
    assert not it.holds("busy", 120.0)
    it.settle(120.0)
    assert it.held == 0


def test_a_tenant_that_is_alone_is_not_held() -> None:
    """Nobody is disturbed, so nothing is kept free; as soon as somebody else logs in, it is."""
    it = Lane((0, 1), SHARE)
    it.arrived("busy")
    it.spent("busy", 5.0, 100.0)
    assert not it.holds("busy", 100.0)
    it.arrived("quiet")
    it.spent("busy", 0.1, 100.5)
    assert it.holds("busy", 100.5)
    # The other one came, and did not come again.
    it.arrived("busy")
    assert it.holds("busy", 101.5)
    it.arrived("busy")
    it.arrived("busy")
    assert not it.holds("busy", 102.5)


def test_one_processor_has_no_lane() -> None:
    """There is nowhere else to be; nor where the share is 0."""
    for closed in (lane(cpus=1), lane(share=0.0)):
        assert not closed.open
        closed.spent("busy", 1000.0, 100.0)
        assert not closed.holds("busy", 100.0)


def test_who_owes_nothing_is_forgotten() -> None:
    """The memory of a tenant's long executions ends with its debt."""
    it = lane()
    for number in range(1000):
        it.spent(f"tenant-{number}", 0.01, 100.0)
    it.settle(105.0)
    assert not it._accounts
