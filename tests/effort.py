"""How hard property tests try: the hypothesis profiles `dev`, `ci` and `long`, chosen by `--hypothesis-profile`."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

EXAMPLES = 40
"""Of a property that does not say how many, before the profile multiplies it."""

TIMES = {
    "dev": 0.25,  # pytest by hand: new examples each time, and a failing one is tried again first
    "ci": 0.25,  # `make test`: the same examples each time, so that a failure comes from the change under test
    # `make test-long`: twenty times as many, the same each time. `make fuzz` sets the factor, and tries new ones.
    "long": 0.25 * int(os.environ.get("FUZZ_FACTOR", "20")),
}
"""What a profile multiplies the examples of a property by."""

_SAME = {"ci"} if "FUZZ_FACTOR" in os.environ else {"ci", "long"}


def register_profiles() -> None:
    """Make the profiles known, and use `dev`. No example has a deadline: a busy machine is no reason to fail."""
    for name in TIMES:
        always: dict[str, Any] = {"derandomize": True, "database": None} if name in _SAME else {}
        settings.register_profile(
            name, max_examples=_scaled(name, EXAMPLES), deadline=None, suppress_health_check=list(HealthCheck), **always
        )
    settings.load_profile("dev")


def profile() -> str:
    """Name the profile in use."""
    name: str = settings.get_current_profile_name()
    return name


def scaled(examples: int) -> int:
    """Multiply a number of examples as the profile in use does."""
    return _scaled(profile(), examples)


def effort(examples: int, **others: Any) -> settings:
    """Return the settings of a property with so many examples, multiplied as the profile in use does."""
    return settings(max_examples=scaled(examples), **others)


def _scaled(name: str, examples: int) -> int:
    return max(1, round(examples * TIMES[name]))
