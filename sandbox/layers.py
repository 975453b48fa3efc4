"""One layer of the lock-down, as it is reported.

Knows nothing else, so that everybody may import it. Made by `sandbox.namespaces` and `sandbox.lockdown`, sent to the
daemon by `sandbox.worker`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """`detail` says how far the layer reaches, or why it does not hold."""

    name: str
    active: bool
    detail: str
