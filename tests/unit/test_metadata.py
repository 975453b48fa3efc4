"""The trace of a caller: taken as the W3C writes it, passed over as anything else."""

from __future__ import annotations

import pytest

from runtime.calls.metadata import beside, taken

IDS = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("said", [f"00-{IDS}", f"01-{IDS}", f"fe-{IDS}-more", f"cc-{IDS}-"])
def test_a_trace_is_taken(said: str) -> None:
    """A later version may say more behind the flags."""
    assert taken(said) == said


@pytest.mark.parametrize(
    "said",
    [
        "",
        IDS,
        f"ff-{IDS}",
        f"00-{IDS}-more",
        f"01-{IDS}more",
        f"0-{IDS}",
        f"00-{IDS}\n",
        f" 00-{IDS}",
        f"00-{IDS.upper()}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        f"01-{IDS}-{'x' * 201}",
        f"01-{IDS}-a b",
        f"00-{IDS[:-1]}",
    ],
)
def test_what_is_none_is_passed_over(said: str) -> None:
    """No error: the login has nothing to do with it."""
    assert taken(said) == ""


def test_what_is_empty_stands_nowhere() -> None:
    """An error has no decision, and a request that could not be read no id."""
    assert beside("", "", "") == ()
    assert beside("r", "", "") == (("vestibule-request-id", "r"),)
    assert [key for key, _ in beside("r", "d", "t")] == ["vestibule-decision-id", "vestibule-request-id", "traceparent"]
