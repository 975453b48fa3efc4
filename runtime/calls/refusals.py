"""Log which logins were refused and why: for each tenant and reason a line at once, then one a minute with a count."""

import time
from collections.abc import Callable
from typing import Final

from runtime.ops.log import Log, clip
from runtime.ops.throttle import Throttle

# Of each reason, so that names made up by one caller crowd out no line of another reason.
TENANTS_A_REASON: Final = 50
_NAME_CHARS: Final = 64


class Refusals:
    """Counts refused logins. Belongs to one event loop."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._reasons: dict[str, Throttle[str]] = {}

    def refused(self, tenant: str, reason: str, code: str, request_id: str, error: str) -> None:
        """Note one refused login. All but `reason` and `code` may be the caller's text; empty if it was not read."""
        if reason not in self._reasons:
            self._reasons[reason] = Throttle(1, TENANTS_A_REASON, self._clock)
        name = clip(tenant, _NAME_CHARS)
        if self._reasons[reason].passes(name):
            ids = {"request_id": clip(request_id, 128), "error": clip(error)}
            self._log.info("login.refused", tenant=name, reason=reason, count=1, code=code, **ids)

    def report(self, *, everything: bool = False) -> None:
        """Write the counts of each tenant and reason whose minute is over, or all. Call it about every second."""
        for reason, throttle in self._reasons.items():
            for name, count in throttle.due(everything=everything):
                others = {"other_tenants": True} if name is None else {}
                self._log.info("login.refused", tenant=name, **others, reason=reason, count=count)
