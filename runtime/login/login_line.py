"""What the `login.decided` line says of a decision: everything needed to explain it, and nothing of the event.

Knows decisions. Must not know when a line is written or how it is rendered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.ops.log import clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.core.model import Decision


def values(
    decision: Decision,
    step_wall_us: Sequence[int],
    step_cpu_us: Sequence[int],
    tenant: str,
    request_id: str,
    decision_id: str,
    revision: int,
    wall_us: int,
) -> dict[str, Any]:
    """Return the line's values; there is one time for each execution, in microseconds."""
    factor = decision.multifactor
    return {
        "tenant": tenant,
        "request_id": clip(request_id, 128),
        "decision_id": decision_id,
        "catalog_revision": revision,
        "outcome": decision.outcome,
        "provider": factor.provider if factor is not None else None,
        "origin": factor.origin if factor is not None else None,
        "denied": decision.access.kind if decision.access is not None else None,
        "suspended": decision.suspension.kind if decision.suspension is not None else None,
        "reasons": list(decision.degraded_reasons),
        "executions": [
            {"action": e.action, "verdict": e.verdict.name.lower(), "wall_us": step_us, "cpu_us": cpu_us}
            | ({"continued": True} if e.continued else {})
            | ({"earlier": True} if e.earlier else {})
            for e, step_us, cpu_us in zip(decision.executions, step_wall_us, step_cpu_us, strict=True)
        ],
        "contributions": [
            f"{c.action or 'tenant policy'}: {c.summary}{' (won)' if c.won else ''}" for c in decision.contributions
        ],
        "wall_ms": round(wall_us / 1000, 3),
    }
