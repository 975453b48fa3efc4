"""How a flow's values are written into the store's rows, and read from them.

It knows the text forms of settings and a flow's fingerprint. It must not know SQL. Called by `sqlite` and `suspended`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.catalog.base import Flow
from runtime.core.model import Experience, Merge, Policy, Settings


def settings_text(settings: Settings) -> str:
    """Write settings. Those that came later are written when they are on, so that older fingerprints stay."""
    members: dict[str, Any] = {
        "experience": settings.experience.value,
        "policy": settings.policy.value,
        "factors": settings.factors,
        "merge": settings.merge.value,
        "none_lifts_adaptive": settings.none_lifts_adaptive,
    }
    if settings.step_up:
        members["step_up"] = True
    if settings.exempt_refresh:
        members["exempt_refresh"] = True
    return json.dumps(members)


def settings_of(text: str) -> Settings:
    """Read settings. Raises: ValueError, KeyError, TypeError for what this version cannot read."""
    row = json.loads(text)
    return Settings(
        Experience(row["experience"]),
        Policy(row["policy"]),
        tuple(row["factors"]),
        Merge(row["merge"]),
        bool(row["none_lifts_adaptive"]),
        bool(row.get("step_up", False)),
        bool(row.get("exempt_refresh", False)),
    )


def digest(flow: Flow) -> bytes:
    """Fingerprint everything that an apply writes for a tenant, to tell a change from a repetition."""
    secrets = {action: dict(sorted(named.items())) for action, named in sorted(flow.secrets.items())}
    bindings = [(b.action, b.revision, b.on_error.value, b.timeout_us) for b in flow.bindings]
    return hashlib.sha256(json.dumps([settings_text(flow.settings), bindings, secrets]).encode()).digest()


def frozen(secrets: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """Make secrets read-only."""
    return MappingProxyType({action: MappingProxyType(dict(named)) for action, named in secrets.items()})


def source_of(sha256: str, source: str) -> str:
    """Return a source that is what its name says. Raises: ValueError."""
    if hashlib.sha256(source.encode()).hexdigest() != sha256:
        raise ValueError(f"revision {sha256} does not match its source")
    return source
