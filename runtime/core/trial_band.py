"""Whether a version on trial does worse than the other logins of its tenant, by more than its band. Pure."""

from __future__ import annotations

from math import sqrt
from typing import Final

# How sure it must be, in standard deviations: it is asked again after each login, and a version that is as good as the
# other must not end by chance.
_SURE: Final = 4.0
_SURE_OF_USUAL: Final = 2.0
# Fewer others do not say what is usual: then more logins on trial are waited for.
_KNOWN: Final = 10
_FEW: Final = 4
_MANY: Final = 40


def leaves_band(bad: int, count: int, other_bad: int, other_count: int, points: int) -> bool:
    """Tell whether `bad` of `count` logins on trial are more than those of the others allow, and `points` percent.

    Both shares are taken at what their counts allow in favour of the trial (Wilson's interval), so that a version of
    which every login is bad ends with the fifth or so, and one that is a little worse when it has shown so.
    """
    known = other_count >= _KNOWN
    if not bad or count < (_FEW if known else _MANY):
        return False
    usual = _bound(other_bad, other_count, _SURE_OF_USUAL) if known else 0.0
    return _bound(bad, count, -_SURE) > usual + points / 100


def _bound(bad: int, count: int, deviations: float) -> float:
    """Return the end of Wilson's interval of a share, above for positive deviations. Source: Wilson, 1927."""
    share, z2 = bad / count, deviations * deviations
    spread = deviations * sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return (share + z2 / (2 * count) + spread) / (1 + z2 / count)
