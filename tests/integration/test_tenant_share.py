"""Nine tenants that loop, with as many logins as they can begin, do not take the last place of a real daemon."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.calls import Refused, result
from tests.fixtures.daemons import served
from tests.fixtures.tenants import GATE, LOOP, MFA, define
from tests.fixtures.waiting import until
from tests.fronts import STOCK_LATER

pytestmark = pytest.mark.long

MAX_IN_FLIGHT = 20
HOGS = tuple(f"loops-{at}" for at in range(9))


def told(login: grpc.Future[Any]) -> str:
    """Say how a login of a looping tenant ended."""
    try:
        return "degraded" if result(login).degraded else "decided"
    except Refused as refused:
        return refused.reason + (", to be tried again" if "RetryInfo" in refused.details else "")


@pytest.mark.parametrize("front", STOCK_LATER)
@pytest.mark.parametrize("share", ["0.1", "1"], ids=["", "control"])
def test_looping_tenants_leave_places_to_others(tmp_path: Path, share: str, front: str) -> None:
    """Each has its share; a quiet tenant is decided. The control: without a share it is refused."""
    flags: tuple[str, ...] = ("--limits-max-in-flight", str(MAX_IN_FLIGHT), "--limits-tenant-share", share)
    flags += ("--rpc-front", front, "--pool-workers-per-tenant", "1", "--pool-queue-wait-ms", "20000")
    with served(tmp_path, *flags, blank=1) as daemon:
        daemon.publish(*(define(name, LOOP, timeout_ms=600) for name in HOGS), define("quiet", GATE))
        assert daemon.call("quiet").outcome == MFA
        logins = [daemon.begin(name) for _ in range(4) for name in HOGS]
        most = MAX_IN_FLIGHT if share == "1" else 2 * len(HOGS)
        until(lambda: daemon.metric("vestibule_logins_in_flight") == most, "the loops have their places")
        if share == "1":
            with pytest.raises(Refused) as refused:
                daemon.call("quiet")
            assert refused.value.reason == "TOO_MANY_IN_FLIGHT"
        else:
            assert daemon.call("quiet").outcome == MFA
            shed = partial(daemon.metric, "vestibule_sheds_total", reason="tenant_in_flight")
            until(lambda: shed() == 2 * len(HOGS), "what is beyond a share is refused")
        over = "TOO_MANY_IN_FLIGHT" if share == "1" else "TENANT_TOO_MANY_IN_FLIGHT"
        assert {told(login) for login in logins} == {"degraded", f"{over}, to be tried again"}
