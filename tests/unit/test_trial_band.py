"""When a version on trial is given up: soon when it is bad, never by chance when it is as good as the other."""

import random

import pytest

from runtime.core.trial_band import leaves_band


def harmed(share: float, usual: float, seed: int, logins: int = 4000) -> tuple[int, int] | None:
    """Return after how many logins on trial, and bad ones, it is given up at 10 %; None if it never is."""
    chance = random.Random(seed)
    bad = count = other_bad = others = 0
    for _ in range(logins * 10):
        if chance.random() >= 0.1:
            others += 1
            other_bad += chance.random() < usual
            continue
        count += 1
        bad += chance.random() < share
        if leaves_band(bad, count, other_bad, others, 5):
            return count, bad
    return None


@pytest.mark.parametrize(("share", "usual"), [(1.0, 0.0), (1.0, 0.3), (0.5, 0.05), (0.25, 0.05), (0.2, 0.0)])
def test_a_bad_version_harms_few(share: float, usual: float) -> None:
    """At most 200 logins, and a version that denies everybody at most twenty, whatever is usual."""
    for seed in range(5):
        found = harmed(share, usual, seed)
        assert found is not None
        assert found[1] <= (20 if share == 1.0 else 200)


@pytest.mark.parametrize("usual", [0.0, 0.02, 0.1, 0.4])
def test_a_version_that_is_as_good_stays(usual: float) -> None:
    """It is not given up in twenty trials of a thousand logins each."""
    for seed in range(20):
        assert harmed(usual, usual, seed, logins=1000) is None


def test_a_little_worse_is_within_the_band() -> None:
    """Three points more of five: it stays. The control, with a band of one point, does not."""
    assert not leaves_band(130, 1000, 100, 1000, 5)
    assert leaves_band(2600, 20_000, 2000, 20_000, 1)


def test_nothing_bad_never_ends_it() -> None:
    assert not leaves_band(0, 0, 0, 0, 1)
    assert not leaves_band(0, 1000, 500, 1000, 1)
