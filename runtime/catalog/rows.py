"""How a flow's values are written into the store's rows, and read from them.

It knows the text forms of settings and a flow's fingerprint. It must not know SQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.catalog.base import Flow
from runtime.core.model import Experience, Merge, Policy, Settings

_DEFAULT = Settings()
_LATER = ("step_up", "exempt_refresh", "remember_satisfies_adaptive", "remember_lifetime_h", "remember_idle_h")


def settings_text(settings: Settings) -> str:
    """Write settings. Those that came later are written when a tenant sets them, so that older fingerprints stay."""
    members: dict[str, Any] = {
        "experience": settings.experience.value,
        "policy": settings.policy.value,
        "factors": settings.factors,
        "merge": settings.merge.value,
        "none_lifts_adaptive": settings.none_lifts_adaptive,
    }
    for name in _LATER:
        if (value := getattr(settings, name)) != getattr(_DEFAULT, name):
            members[name] = value
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
        **{name: type(getattr(_DEFAULT, name))(row[name]) for name in _LATER if name in row},
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
