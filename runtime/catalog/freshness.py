"""Whether a catalog can read what it follows: why not, how old its snapshot is, and that it is said once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from runtime.catalog.base import OnChange

# How often the log says that an old snapshot serves.
_STALE_S: Final = 60.0


class Freshness:
    """One catalog's. Reports `catalog.failed` once a trouble, `catalog.stale` while it lasts, `catalog.recovered`."""

    def __init__(self, on_change: OnChange, clock: Callable[[], float], revision: Callable[[], int]) -> None:
        self._on_change = on_change
        self._clock = clock
        self._revision = revision
        # Why the newest attempt failed; empty when it did not.
        self.reason = "not started"
        # When an attempt last succeeded, seconds since the epoch; 0: none has.
        self.last_success_s = 0.0
        # The trouble that was reported last; empty once the catalog has recovered from it.
        self._reported = ""
        self._told_s = 0.0

    @property
    def loaded(self) -> bool:
        """Whether any attempt has succeeded."""
        return self.last_success_s > 0

    def notes(self) -> list[str]:
        """Say how old the snapshot is that serves, while there is trouble."""
        if not self.reason or not self.loaded:
            return []
        return [f"serving revision {self._revision()}, read {self._age_s():.0f} s ago: {self.reason}"]

    def succeeded(self) -> None:
        """Note an attempt that has succeeded."""
        self.last_success_s = self._clock()

    def well(self) -> None:
        """End a trouble, once what was read is in effect."""
        self.reason = ""
        if self._reported:
            self._reported = ""
            self._on_change("catalog.recovered", {"revision": self._revision()})

    def failed(self, reason: str, faults: Sequence[str] = ()) -> None:
        """Note an attempt that has failed, and why; `faults` are for the log when there are more than one line has."""
        self.reason = reason
        # Of one trouble the quoted words may differ from one attempt to the next.
        trouble = "\n".join([reason.partition(" (")[0], *faults])
        every: dict[str, Any] = {"faults": list(faults)} if faults else {}
        if trouble != self._reported:
            self._reported, self._told_s = trouble, self._clock()
            self._on_change("catalog.failed", {"reason": reason, "revision": self._revision(), **every})
        elif self.loaded and self._clock() - self._told_s >= _STALE_S:
            self._told_s = self._clock()
            fields = {"reason": reason, "revision": self._revision(), "age_s": round(self._age_s())}
            self._on_change("catalog.stale", fields)

    def _age_s(self) -> float:
        return max(0.0, self._clock() - self.last_success_s)
