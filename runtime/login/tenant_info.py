"""What a gateway may know of a tenant, so that it keeps no copy of its settings.

Knows flows and the public message. Must not know catalogs or who asks.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from vestibule.v1.runtime_service_pb2 import GetTenantResponse

from runtime.core.mfa import FACTORS as OFFERED
from runtime.core.model import FACTOR_NAMES, Experience, Policy, Settings
from runtime.login.messages import FACTORS, numbers

if TYPE_CHECKING:
    from runtime.catalog.base import Flow

_EXPERIENCES: Final = numbers(GetTenantResponse.Experience, "EXPERIENCE_", Experience)
_POLICIES: Final = numbers(GetTenantResponse.Policy, "POLICY_", Policy)
# What no provider offers, and is presented all the same where a tenant lists it.
_BESIDE: Final = ("recovery-code", "duo")


def describe(flow: Flow, catalog_revision: int, secret: bytes, *, ready: bool) -> bytes:
    """Return a serialized GetTenantResponse.

    secret: shared by replicas. The digest of a flow covers the values of its secrets; by itself it would let a caller
    try values out.
    """
    settings = flow.settings
    message = GetTenantResponse(
        tenant_id=flow.tenant,
        experience=_EXPERIENCES[settings.experience],
        factors=[FACTORS[name] for name in _presentable(settings)],
        policy=_POLICIES[settings.policy],
        flow_fingerprint=blake2b(flow.digest, key=secret, digest_size=16).hexdigest(),
        catalog_revision=catalog_revision,
        actions=[binding.action for binding in flow.bindings],
        ready=ready,
    )
    message.memory.lifetime.FromSeconds(settings.remember_lifetime_h * 3600)
    message.memory.idle_lifetime.FromSeconds(settings.remember_idle_h * 3600)
    return message.SerializeToString()


def _presentable(settings: Settings) -> list[str]:
    """List the tenant's factors, safest first, without those that its pages cannot show."""
    names = [name for name in FACTOR_NAMES if name in settings.factors]
    if settings.experience is Experience.CLASSIC:
        names = [name for name in names if name in (*OFFERED["any", Experience.CLASSIC], *_BESIDE)]
    return names
