"""A hook dialect that a tenant opens. Must not know how its section of a tenant.yaml is read.

Must not import pydantic: what has no door has no need of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

# What a second factor becomes at a door: the login is refused, it gets a claim that applications check, or the product
# itself asks for the factor.
MfaRequiredAs = Literal["deny", "claim", "native"]


@dataclass(frozen=True, slots=True)
class HookDoor:
    """One dialect that a tenant opens. `options` are the other members of its section, by name."""

    dialect: str
    mfa_required_as: MfaRequiredAs
    secrets: tuple[str, ...] = field(default=(), repr=False)
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


NO_DOORS: Final[Mapping[str, HookDoor]] = MappingProxyType({})
