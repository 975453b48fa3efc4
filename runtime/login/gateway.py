"""Reads the gateway's side of a login, and what of it a resolution depends on.

Knows the message of the gateway's side. Must not know answers, workers or gRPC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vestibule.v1.runtime_service_pb2 import GatewayContext

from runtime.core.remembered import RememberedBrowser
from runtime.core.resolution import EXCHANGE, Gateway
from runtime.login import messages
from runtime.login.messages import PROVIDERS

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from vestibule.v1.event_pb2 import PostLoginEvent

    from runtime.login.messages import EventReader


_PROVIDER_NAMES: Final = {number: name for name, number in PROVIDERS.items()}


def side(event: EventReader, gateway: bytes | None, now_ms: int) -> Gateway:
    """Read the gateway's side of a login. Without a GatewayContext, each member has its default."""
    message = event.message
    context = GatewayContext.FromString(gateway or b"")
    memory = None
    if context.HasField("remembered_browser"):
        said = context.remembered_browser
        memory = RememberedBrowser(
            said.user_id,
            _PROVIDER_NAMES.get(said.provider, ""),
            _ms(said.issued_at),
            _ms(said.last_seen_at),
            said.email_only,
        )
    return Gateway(
        now_ms,
        message.user.user_id,
        memory,
        context.mfa_grant_allowed if context.HasField("mfa_grant_allowed") else None,
        context.customize_mfa if context.HasField("customize_mfa") else None,
        has_email=bool(message.user.email),
        webauthn=context.webauthn if context.HasField("webauthn") else True,
        organization=message.HasField("organization"),
        actor=context.actor or _names_actor(message),
        duo_remembers_when_unset=context.duo_remembers_when_unset,
    )


# What a resolution reads of the event beside what is in Gateway; a test holds this list to what it reads.
CONSULTED: Final = ("protocol", "prompt", "enrolled", "email_verified")
_PROTOCOL, _PROMPT, _ENROLLED, _VERIFIED = messages.facts(CONSULTED)


def depends_on(event: PostLoginEvent, gateway: bytes | None) -> tuple[Any, ...] | None:
    """Return what a resolution depends on: where it is equal, so is the resolution of one requirement.

    None where a browser is remembered, since then it depends on the time too.
    """
    if gateway and GatewayContext.FromString(gateway).HasField("remembered_browser"):
        return None
    protocol = _PROTOCOL(event)
    # The only protocol where these two count; they take long to read.
    third = protocol == EXCHANGE and (event.HasField("organization"), _names_actor(event))
    has_email = bool(event.user.email)
    return gateway, protocol, _PROMPT(event), _ENROLLED(event), _VERIFIED(event), has_email, third


def _names_actor(event: PostLoginEvent) -> bool:
    """Tell whether another party acts for the user, whatever the gateway says of it beside the event."""
    transaction = event.transaction
    return bool(transaction.actor.fields or transaction.actor_token_type or event.session.actor.fields)


def _ms(instant: Timestamp) -> int:
    # Not the library's: that raises for an instant out of range, and here such a memory is only too old or too new.
    return instant.seconds * 1000 + instant.nanos // 1_000_000
