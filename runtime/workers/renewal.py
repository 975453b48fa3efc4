"""Says when a zygote is to be replaced by a new one. Must not know processes, workers or tenants.

All workers of a zygote have its addresses. An action that crashes a worker with each wrong guess learns them bit by
bit, so that they change after some crashes, and after some hours.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from runtime.ops.labels import RenewalReason

# Replicas that were started together do not renew together.
_SPREAD: Final = 0.1
# A new zygote takes a third of a second of a processor. Crashes alone must not have one made again and again.
PAUSE_S: Final = 5.0
_RETRY_S: Final = 60.0


class Renewal:
    """When the next zygote is due."""

    def __init__(
        self,
        after_s: float,
        crashes_max: int,
        clock: Callable[[], float],
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Begin without a zygote.

        Args:
            after_s: age at which a zygote is replaced, give or take a tenth; 0: never.
            crashes_max: crashes of workers after which it is; 0: never.
            clock: seconds, of the loop.
            spread: returns a number between two.
        """
        self._after_s = after_s
        self._crashes_max = crashes_max
        self._clock = clock
        self._spread = spread
        self._old_at_s: float | None = None
        self._not_before_s = 0.0
        self.crashes = 0
        """Of workers of the zygote that forks now."""

    def began(self) -> None:
        """Note a new zygote."""
        now_s = self._clock()
        self.crashes = 0
        self._old_at_s = now_s + self._after_s * self._spread(1 - _SPREAD, 1 + _SPREAD) if self._after_s else None
        self._not_before_s = now_s + PAUSE_S

    def failed(self) -> None:
        """Note that there was none to be had: the one before serves on, and another one is tried later."""
        now_s = self._clock()
        self._not_before_s = now_s + PAUSE_S
        if self._old_at_s is not None:
            self._old_at_s = max(self._old_at_s, now_s + _RETRY_S)

    def crashed(self) -> None:
        """Count a worker that crashed, or that its filter killed: either may be a wrong guess."""
        self.crashes += 1

    @property
    def exposed(self) -> bool:
        """Were there so many crashes that a tenant may soon know the addresses?"""
        return 0 < self._crashes_max <= self.crashes

    def due(self) -> RenewalReason | None:
        """Say why a zygote is to be made now; None when it is not."""
        now_s = self._clock()
        if self.exposed and now_s >= self._not_before_s:
            return RenewalReason.CRASHES
        if self._old_at_s is not None and now_s >= self._old_at_s:
            return RenewalReason.AGE
        return None
