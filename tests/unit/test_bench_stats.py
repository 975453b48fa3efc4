"""Statistics and table of the benchmark."""

import pytest

from tests.load.report import HEAD, Refusal, Row, as_json, at_least, at_most, cells, number
from tests.load.stats import Spread, percentile, ratios, slope, spread


@pytest.mark.parametrize(
    ("values", "percent", "wanted"),
    [([5.0], 50, 5.0), ([1, 2, 3, 4], 50, 2), ([4, 3, 2, 1], 99, 4), (list(range(1, 101)), 99, 99), ([1, 2], 0, 1)],
)
def test_percentile_is_a_measured_value(values: list[float], percent: float, wanted: float) -> None:
    """A percentile is the nearest rank: one of the values, in whatever order they came."""
    assert percentile(values, percent) == wanted


def test_percentile_of_nothing_is_an_error() -> None:
    """No measurement gives no number."""
    with pytest.raises(ValueError, match="no value"):
        percentile([], 50)


def test_ratios_compare_round_with_round() -> None:
    """A round is divided by the one that ran beside it, not by the median of all."""
    assert ratios([10, 40, 30], [10, 20, 10]) == Spread(2.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_spread_shows_the_outermost_rounds() -> None:
    """The median stands beside lowest and highest."""
    assert spread([3, 1, 2, 9]) == Spread(2.5, 1, 9)


def test_slope_is_the_cost_of_one_more() -> None:
    """Points on a line give the line's slope, whatever its start."""
    assert slope([(1, 107), (3, 121), (10, 170)]) == pytest.approx(7)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.6712, "x", "0.67x"),
        (8312.4, "/s", "8,312/s"),
        (1.234, "ms", "1.23 ms"),
        (41.26, "MiB", "41.3 MiB"),
        (2000, "", "2,000"),
        (190.4, "us", "190 us"),
    ],
)
def test_numbers_carry_their_unit(value: float, unit: str, text: str) -> None:
    """A number is printed with the digits that its unit deserves."""
    assert number(value, unit) == text


@pytest.mark.parametrize(
    ("row", "state", "target"),
    [
        (Row("m", "w", 0.597, "x", target=at_least(0.6)), "missed", ">= 0.60x"),
        (Row("m", "w", 15.0, "ms", target=at_most(15)), "ok", "<= 15.0 ms"),
        (Row("m", "w", 15.0, "ms"), "", ""),
    ],
)
def test_a_target_is_judged_by_the_value_itself(row: Row, state: str, target: str) -> None:
    """0.597 prints as 0.60 and still misses 0.60."""
    assert row.state() == state
    assert len(cells(row)) == len(HEAD)
    assert cells(row)[4] == target


def test_json_tells_what_the_table_tells() -> None:
    """JSON has every row, whether its target was met, and every measure that gave no number."""
    rows = [Row.of("m", "w", Spread(2, 1, 3), "x", at_most(2.2), "why"), Row("m", "n", 7)]
    told = as_json({"cpu": "c"}, rows, [Refusal("r", "because")])
    assert told == {
        "machine": {"cpu": "c"},
        "rows": [
            {"measure": "m", "what": "w", "value": 2, "unit": "x", "low": 1, "high": 3}
            | {"target": {"at_most": 2.2}, "met": True, "note": "why"},
            {"measure": "m", "what": "n", "value": 7, "unit": ""},
        ],
        "not_measured": [{"measure": "r", "reason": "because"}],
    }
