"""The facts of an event as values, for tests of the pure core."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventFacts:
    """`runtime.core.model.Facts` as values."""

    protocol: str | None = None
    prompt: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    risk_confidence: str | None = None
    enrolled: tuple[str, ...] | None = None
    email_verified: bool = False
