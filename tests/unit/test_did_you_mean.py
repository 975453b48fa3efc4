"""The name that a misspelt one was meant to be."""

import time

import pytest

from sandbox.contract.did_you_mean import did_you_mean, nearest

KNOWN = ("allow_remember_browser", "allowRememberBrowser", "provider", "otp", "email", "user_id")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("alow_remember_browser", "allow_remember_browser"),
        ("alowRememberBrowser", "allowRememberBrowser"),
        ("Provider", "provider"),
        ("emial", "email"),
        ("userid", "user_id"),
        ("otpp", "otp"),
        ("something else", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_in_the_authors_own_style(name: str, meant: str) -> None:
    """Edits, case and underscores are forgiven; of two spellings the one in the author's own style is named."""
    assert nearest(name, KNOWN) == meant
    assert did_you_mean(name, KNOWN) == (f"; did you mean '{meant}'?" if meant else "")


def test_a_hostile_name_takes_no_more_than_a_long_one() -> None:
    """A megabyte is cut before it is compared with anything, and so is a table of names without end."""
    began = time.process_time()
    nearest("a" * 1_000_000, [f"{'a' * 60}{number}" for number in range(10_000)])
    assert time.process_time() - began < 2
