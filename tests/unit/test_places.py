"""Places of logins in flight: all of them have an end, and each tenant's share has one before it."""

from __future__ import annotations

import pytest

from runtime.calls.admission import Places
from runtime.config.effective import Config
from runtime.errors import TenantInFlight, TooManyInFlight


def fill(places: Places, tenant: str) -> int:
    """Take places until one is refused; return how many."""
    for taken in range(10_000):
        try:
            places.check()
            places.take(tenant)
        except (TenantInFlight, TooManyInFlight):
            return taken
    raise AssertionError("there is no end")


def test_nine_tenants_cannot_take_every_place() -> None:
    """With the defaults a tenth is left, and the tenth tenant has it. The control: without a share one takes all."""
    limits = Config().limits
    places = Places(limits.max_in_flight, limits.tenant_share)
    taken = [fill(places, f"loops-{at}") for at in range(9)]
    assert taken == [51] * 9
    assert fill(places, "quiet") == 51
    control = Places(limits.max_in_flight, 1.0)
    assert fill(control, "loops") == limits.max_in_flight
    assert fill(control, "quiet") == 0


def test_the_refusal_says_whose_fault_it_is() -> None:
    """A tenant over its share reads so, all the others that every place is taken."""
    places = Places(3, 0.7)
    assert fill(places, "acme") == 2
    with pytest.raises(TenantInFlight, match=r"2 logins of tenant acme .* limits\.tenant_share"):
        places.take("acme")
    places.take("bank")
    with pytest.raises(TooManyInFlight, match="3 logins are being decided"):
        places.check()


def test_one_place_at_least_and_what_is_given_back_can_be_taken() -> None:
    """The smallest share is a login; nothing is remembered of a tenant without one."""
    places = Places(5, 0.001)
    for _ in range(3):
        assert fill(places, "acme") == 1
        places.give_back("acme")
    assert places.by_tenant == {}
