"""A caller: the scopes and the tenant that its credentials give it. Must not know what credentials look like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runtime.callers.errors import ScopeMissing, TenantNotAllowed

EVERY_TENANT: Final = "*"


class Scope(StrEnum):
    """What a caller may do. None includes another: a key has each scope that it was given, and no more."""

    EXECUTE = "execute"
    """Decide and continue logins."""
    READ = "read"
    """Read tenants' settings, versions and sources, and change nothing."""
    AUTHOR = "author"
    """Read and change tenants' flows."""
    OPERATOR = "operator"
    """Administer the deployment: read, hold tenants, read the audit trail."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a call. `name` is for the log; `tenant` is one tenant, or EVERY_TENANT."""

    name: str
    scopes: frozenset[Scope]
    tenant: str = EVERY_TENANT
    expires_at_s: float = math.inf
    """When its credentials end, in seconds since the epoch."""

    def may(self, tenant: str, *scopes: Scope) -> bool:
        """Tell whether the caller has one of these scopes for a tenant."""
        return self.tenant in (EVERY_TENANT, tenant) and not self.scopes.isdisjoint(scopes)

    def require(self, tenant: str, *scopes: Scope) -> None:
        """Do nothing when the caller has one of these scopes for a tenant. Raises: ScopeMissing, TenantNotAllowed."""
        if self.scopes.isdisjoint(scopes):
            raise ScopeMissing(scopes)
        if self.tenant not in (EVERY_TENANT, tenant):
            raise TenantNotAllowed(self.tenant)


ANYONE: Final = Caller("anyone", frozenset(Scope))
"""Who calls where no credentials are asked for: a process of this host, or what `insecure` lets in."""
