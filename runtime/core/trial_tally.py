"""What the logins of one trial led to, here and as far as is known in the whole fleet, and when to tell the others.

Pure: instants are given. Must not know where counts are shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from runtime.core.trial_band import leaves_band

FIRST_EVERY_S: Final = 0.1
"""How often a daemon tells the others what it counted, at most, while few are known of a trial."""
SHARE_EVERY_S: Final = 0.2
"""How often afterwards."""
CALM_EVERY_S: Final = 2.0
"""How often once many are known, and while none of its own is bad: such a trial may last for days."""
_FEW: Final = 200
_MANY: Final = 2000


@dataclass(frozen=True, slots=True)
class Side:
    """Logins that one of the two versions decided."""

    count: int = 0
    denied: int = 0
    degraded: int = 0

    def __add__(self, other: Side) -> Side:
        return Side(self.count + other.count, self.denied + other.denied, self.degraded + other.degraded)


@dataclass(frozen=True, slots=True)
class Counts:
    """Both sides: logins on trial, and those of the tenant's own version."""

    trial: Side = Side()
    own: Side = Side()

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.trial + other.trial, self.own + other.own)


@dataclass(slots=True)
class Tally:
    """One daemon's part of a trial.

    It tells good logins as well as bad ones, and as soon: were only bad ones told, a version would look worse than it
    is in a fleet of which each daemon sees few.
    """

    number: int
    here: Counts = Counts()
    """All that this daemon has counted."""
    others: Counts = Counts()
    """What the other daemons have said last."""
    over: bool = False
    """The tenant's own version decides again."""
    _told: Counts = field(default_factory=Counts)
    _told_s: float = float("-inf")

    def count(self, *, on_trial: bool, denied: bool, degraded: bool) -> None:
        """Count a login."""
        one = Side(1, int(denied), int(degraded))
        self.here += Counts(trial=one) if on_trial else Counts(own=one)

    def wait_s(self, now_s: float) -> float | None:
        """Return in how many seconds the others are to be told; None while there is nothing new on trial."""
        here, told = self.here.trial, self._told.trial
        if here == told or self.over:
            return None
        bad = (here.denied, here.degraded) != (told.denied, told.degraded)
        known = here.count + self.others.trial.count
        every_s = FIRST_EVERY_S if known < _FEW else SHARE_EVERY_S if bad or known < _MANY else CALM_EVERY_S
        return max(0.0, self._told_s + every_s - now_s)

    def told(self, counts: Counts, now_s: float) -> None:
        """Note that these counts are being told."""
        self._told, self._told_s = counts, now_s

    def leaves(self, denied_points: int, degraded_points: int) -> str:
        """Say why the trial is over, by the counts of all daemons that are known; nothing while it is not."""
        trial, own = self.here.trial + self.others.trial, self.here.own + self.others.own
        for what, points in (("denied", denied_points), ("degraded", degraded_points)):
            bad, usual = getattr(trial, what), getattr(own, what)
            if leaves_band(bad, trial.count, usual, own.count, points):
                return f"{bad} of {trial.count} logins on trial were {what}, {usual} of {own.count} others"
        return ""
