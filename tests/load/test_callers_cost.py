"""What it costs a login that its caller is known: a few microseconds of the some hundreds that a login takes."""

import time
import timeit
from types import MappingProxyType
from typing import Final

import pytest

from runtime.callers import key_text
from runtime.callers.caller import Scope
from runtime.callers.callers import Callers
from runtime.callers.certificates import parse
from runtime.catalog.api_keys import ApiKey, ApiKeys
from tests.fixtures.certificates import issue

pytestmark = pytest.mark.load

# One in a hundred of what the daemon takes for a login.
MOST_US: Final = 4.0
_CALLS, _TIMES = 100, 1_000


@pytest.mark.parametrize("kind", ["key", "certificate"])
def test_a_known_caller_costs_little(kind: str) -> None:
    """The best of many runs, because others use the machine too."""
    made = key_text.generate()
    digest, ends = key_text.digest(made.secret), int(time.time()) + 3600
    keys = ApiKeys(b"1", MappingProxyType({made.key_id: ApiKey(made.key_id, digest, "", ("execute",), "a", 0, ends)}))
    rules = parse("dns:gateway execute a", "rules")
    callers = Callers(True, lambda: keys, lambda: rules)
    sent = (f"Bearer {made}", None) if kind == "key" else (None, issue("x", dns=("gateway",)).pem)

    def once() -> None:
        callers.identify(*sent).require("a", Scope.EXECUTE)

    best_us = min(timeit.repeat(once, number=_CALLS, repeat=_TIMES)) / _CALLS * 1e6
    print(f"{kind}: {best_us:.2f} us")
    assert best_us < MOST_US
