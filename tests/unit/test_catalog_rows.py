"""How settings are written into the store and read from it."""

import json
from dataclasses import fields, replace

import pytest

from runtime.catalog import rows
from runtime.core.model import CacheScope, Experience, Merge, Policy, Settings

CHANGED = Settings(
    Experience.CLASSIC,
    Policy.ADAPTIVE,
    ("otp",),
    Merge.STRICTEST,
    none_lifts_adaptive=False,
    step_up=True,
    exempt_refresh=True,
    remember_satisfies_adaptive=True,
    remember_lifetime_h=48,
    remember_idle_h=24,
    cache=CacheScope.SHARED,
)


@pytest.mark.parametrize("name", [member.name for member in fields(Settings)])
def test_every_setting_is_kept(name: str) -> None:
    """Each setting comes back as it was written, alone and beside the others, and changes what is written."""
    one = replace(Settings(), **{name: getattr(CHANGED, name)})
    assert getattr(CHANGED, name) != getattr(Settings(), name)
    assert rows.settings_of(rows.settings_text(one)) == one
    assert rows.settings_text(one) != rows.settings_text(Settings())
    assert rows.settings_of(rows.settings_text(CHANGED)) == CHANGED


def test_older_settings_are_read_and_keep_their_fingerprint() -> None:
    """A row of a version that knew fewer settings means their defaults, and is written in the same words."""
    old = {"experience": "new", "policy": "always", "factors": ["otp"], "merge": "last_call"}
    text = json.dumps({**old, "none_lifts_adaptive": False})
    found = rows.settings_of(text)
    assert found == Settings(policy=Policy.ALWAYS, factors=("otp",), none_lifts_adaptive=False)
    assert rows.settings_text(found) == text
