"""The load kit's own sums: who logs in, what a release must reach, what a picture shows."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import pytest

from tests.load import elsewhere, mix, run, thresholds
from tests.load.mix import COLD, HOSTILE, SUSPENDED, WARM, Mix, logins
from tests.load.picture import Series
from tests.load.processes import BenchError
from tests.load.report import Row, at_least, at_most, cells

COUNT = 4000


def test_tenants_come_by_zipf() -> None:
    """The first tenant comes about twice as often as the second, and as often as all with an exponent of 0."""
    made = logins(Mix(tenants=10, zipf=1.0), COUNT)
    came = Counter(made.tenants[place] for place in made.order)
    assert 1.7 < came["load-0"] / came["load-1"] < 2.3
    assert 8 < came["load-0"] / came["load-9"] < 13
    even = Counter(logins(Mix(tenants=10, zipf=0.0), COUNT).order)
    assert max(even.values()) < 1.4 * min(even.values())


def test_shares_are_of_all_logins_and_wanted_as_they_are() -> None:
    """Each kind comes as often as its share says, a cold tenant once, and each must end as its tenant's flow says."""
    mixed = Mix(tenants=10, hostile=0.1, cold=0.2, suspended=0.3)
    made = logins(mixed, COUNT)
    came = Counter(made.kinds[place] for place in made.order)
    for kind, share in ((HOSTILE, 0.1), (COLD, 0.2), (SUSPENDED, 0.3), (WARM, 0.4)):
        assert came[kind] == pytest.approx(share * COUNT, rel=0.15)
    assert made.cold == came[COLD] == sum(tenant.startswith("load-cold-") for tenant in made.tenants)
    for kind, wanted, rest in zip(made.kinds, made.wanted, made.continued, strict=True):
        assert wanted == ("deny" if kind == HOSTILE else "mfa_required")
        assert bool(rest) == (kind == SUSPENDED)
    assert set(made.tenants) <= {tenant for tenant, _ in mix.tenants(mixed, made.cold)}
    assert logins(mixed, COUNT).order == made.order


def test_cold_tenants_of_a_later_run_are_others() -> None:
    """A tenant that came in an earlier run is not cold."""
    first = logins(Mix(cold=0.5), 100)
    second = logins(Mix(cold=0.5), 100, first_cold=first.cold)
    cold = [{t for t in made.tenants if t.startswith("load-cold-")} for made in (first, second)]
    assert all(cold)
    assert not cold[0] & cold[1]


def test_first_logins_are_the_first_of_their_tenants() -> None:
    """One call of each tenant that came."""
    made = logins(Mix(tenants=5), 50)
    assert len(made.firsts()) == len(set(made.order))
    assert 0 in made.firsts()


@pytest.mark.parametrize(
    ("mixed", "named"),
    [
        (Mix(hostile=1.1), "--hostile"),
        (Mix(hostile=0.5, cold=0.6), "more than 1 together"),
        (Mix(tenants=0), "--tenants"),
        (Mix(zipf=-1), "--zipf"),
        (Mix(cold=float("nan")), "--cold"),
    ],
)
def test_a_mix_that_cannot_be_is_named(mixed: Mix, named: str) -> None:
    """The fault names the flag."""
    assert named in mixed.fault()
    assert not Mix().fault()


def test_written_tenants_are_those_of_the_mix(tmp_path: Path) -> None:
    """A folder for each tenant, with as many actions as its flow has."""
    mixed = Mix(tenants=2, hostile=0.1, suspended=0.1)
    assert mix.write(tmp_path, mixed, cold=3) == len(list(tmp_path.iterdir()))
    assert {path.name for path in tmp_path.iterdir()} == {tenant for tenant, _ in mix.tenants(mixed, 3)}
    assert len(list((tmp_path / "load-0" / "actions").iterdir())) == 3
    hostile = (tmp_path / "load-hostile-loop" / "tenant.yaml").read_text()
    assert "on_error: deny" in hostile
    assert "timeout_ms: 20" in hostile


def flags(**given: object) -> argparse.Namespace:
    return argparse.Namespace(
        **{"count": 10, "seconds": 1.0, "in_flight": 1, "tenant": None, "write_tenants": None} | given
    )


@pytest.mark.parametrize(
    ("given", "rates", "named"),
    [
        ({"count": None}, (), "--count"),
        ({"count": 0}, (), "--count"),
        ({"count": 10**9}, (), "--count"),
        ({"seconds": None}, (), "--seconds"),
        ({"seconds": float("inf")}, (), "--seconds"),
        ({"seconds": float("nan")}, (), "--seconds"),
        ({"in_flight": 0}, (), "--in-flight"),
        ({}, (1.0, 2.0), "--rate"),
        ({}, (1e9,), "--rate"),
    ],
)
def test_a_load_elsewhere_has_bounds(given: dict[str, object], rates: tuple[float, ...], named: str) -> None:
    """Count and time must be given and bounded; nothing is sent without."""
    (fault,) = elsewhere.faults(flags(**given), Mix(), rates)
    assert str(fault).startswith(named)
    assert elsewhere.faults(flags(), Mix(), ()) == []


def test_own_tenants_have_no_shares() -> None:
    """Tenants of the user's own are what they are."""
    (fault,) = elsewhere.faults(flags(tenant=["acme"]), Mix(cold=0.1), ())
    assert "--tenant" in str(fault)


def test_the_thresholds_are_of_measures_there_are() -> None:
    """Each threshold of the file names a measure, and takes 95 % where it does not say otherwise."""
    found = thresholds.read()
    assert {one.measure for one in found} <= run.MEASURES.keys()
    assert {one.tolerance for one in found} == {0.95, 1.0}


ROWS = [
    Row("m", "rate", 0.96, "x"),
    Row("m", "time", 10.4, "ms"),
    Row("m", "spread", 1.2, "x", 1.0, 2.1),
    Row.absent("m", "Cerbos, 32 in flight", "no npm"),
]


@pytest.mark.parametrize(
    ("one", "missed"),
    [
        (thresholds.Threshold("m", "rate", at_least(1.0)), ""),
        (thresholds.Threshold("m", "rate", at_least(1.0), tolerance=1.0), "0.96x, promised >= 1.00x"),
        (thresholds.Threshold("m", "rate", at_least(1.02)), "95% of it 0.97x"),
        (thresholds.Threshold("m", "time", at_most(10.0)), ""),
        (thresholds.Threshold("m", "time", at_most(9.8)), "10.4 ms, promised <= 9.80 ms"),
        (thresholds.Threshold("m", "spread", at_most(1.5), high_below=2.0), "rounds up to 2.10x"),
        (thresholds.Threshold("m", "spread", at_most(1.5), high_below=2.2), ""),
        (thresholds.Threshold("m", "other", at_most(1.5)), "was not measured"),
        (thresholds.Threshold("m", "a : Cerbos", at_least(1.0)), "was not measured"),
    ],
)
def test_a_release_must_reach_95_percent(one: thresholds.Threshold, missed: str) -> None:
    """A row that misses is named with what it is and what was promised; so is one that a measure did not give."""
    verdict = thresholds.check(ROWS, [one], ["m"])
    assert (verdict.kept, len(verdict.missed), verdict.unchecked) == ((0, 1, []) if missed else (1, 0, []))
    assert missed in "".join(verdict.missed)


def test_what_cannot_be_compared_is_not_checked() -> None:
    """A peer that could not be had, and a measure that was not made, are said and fail nothing."""
    needs = thresholds.Threshold("m", "a : Cerbos", at_least(1.0), needs="Cerbos")
    other = thresholds.Threshold("n", "b", at_least(1.0))
    verdict = thresholds.check(ROWS, [needs, other], ["m"])
    assert verdict.missed == []
    assert verdict.unchecked == ["m: a : Cerbos: no npm", "n: b: the measure was not made"]


def test_thresholds_stand_beside_rows() -> None:
    """The table shows what the file promises; a row without a number shows why."""
    rows = thresholds.beside(ROWS, [thresholds.Threshold("m", "rate", at_least(1.0))])
    assert cells(rows[0])[4:6] == (">= 1.00x", "missed")
    assert cells(rows[3])[2:] == ("none", "", "", "", "no npm")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "write one"),
        ("[[threshold]]\nmeasure = 'm'\nwhat = 'w'\n", "at_least or at_most"),
        ("[[threshold]]\nmeasure = 'm'\nwhat = 'w'\nat_least = 1\nat_most = 1\n", "at_least or at_most"),
        ("[[threshold]]\nmeasure = 'm'\nat_least = 1\n", "what must be a text"),
        ("[[threshold]]\nmeasure = 'm'\nwhat = 'w'\nat_least = '1'\n", "at_least must be a number"),
        ("[[threshold]]\nmeasure = 'm'\nwhat = 'w'\nat_least = 1\ntolerance = 0\n", "tolerance"),
        ("[[threshold]]\nmeasure = 'm'\nwhat = 'w'\nat_lest = 1\n", "'at_lest'"),
        ("[[threshold]]\nmeasure = 'm'\nwhat = 'w'\nat_least = 1\n" * 2, "twice"),
        ("[[threshold\n", "thresholds.toml"),
    ],
)
def test_a_fault_of_the_file_is_named(text: str, named: str, tmp_path: Path) -> None:
    """The entry and its fault."""
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    with pytest.raises(BenchError, match=named):
        thresholds.read(path)


def test_a_picture_has_a_line_through_parts_of_the_time() -> None:
    """Each part's percentile stands at its middle; a part without a login has none."""
    series = Series("s", (0.0, 0.01, 12.0), (1000.0, 3000.0, 5000.0), ("warm",) * 3)
    assert series.slices(50) == ([0.05, pytest.approx(12.05)], [1.0, 5.0])
    assert series.slices(99) == ([0.05, pytest.approx(12.05)], [3.0, 5.0])
    assert Series("s", (), (), ()).slices(50) == ([], [])
