"""One layer of the lock-down, as it is reported.

Knows nothing else, so that everybody may import it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """`detail` says how far the layer reaches, or why it does not hold."""

    name: str
    active: bool
    detail: str
