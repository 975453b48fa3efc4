"""Resolves a required factor for the gateway that asked, beside the answer that may be a remembered one.

Knows the messages of the gateway's side of a login and of a resolution. Must not know answers, workers or gRPC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import GatewayContext

from runtime.core.model import Failure
from runtime.core.remembered import RememberedBrowser, RememberMode
from runtime.core.resolution import Gateway, ResolutionKind, resolve
from runtime.login.messages import FACTORS, PROVIDERS, numbers

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from vestibule.v1.event_pb2 import PostLoginEvent

    from runtime.core.model import Multifactor, Settings
    from runtime.core.resolution import Resolution
    from runtime.login.messages import EventReader


_KINDS: Final = numbers(pb.Resolution.Kind, "KIND_", ResolutionKind)
# The others are of challenge and enrolment commands.
_FAILURES: Final = numbers(
    pb.Resolution.Failure,
    "FAILURE_",
    [name for name in Failure if f"FAILURE_{name.upper()}" in pb.Resolution.Failure.keys()],  # noqa: SIM118 - no mapping
)
_MODES: Final = numbers(pb.Resolution.RememberMode, "REMEMBER_MODE_", RememberMode)
_PROVIDER_NAMES: Final = {number: name for name, number in PROVIDERS.items()}


def resolution(
    multifactor: Multifactor | None, settings: Settings, event: EventReader, gateway: bytes, now_ms: int
) -> pb.Resolution | None:
    """Return what the gateway does about a required factor; None when none is required.

    It depends on the time and on this login, so it is no part of an answer that is remembered.

    Args:
        multifactor: the decision's.
        settings: the tenant's.
        event: of a PostLoginEvent that was parsed before.
        gateway: a serialized GatewayContext that was parsed before.
        now_ms: since the epoch.
    """
    if multifactor is None or multifactor.provider == "none":
        return None
    answer = resolve(multifactor, settings, event, side(event, gateway, now_ms))
    if answer is None:
        return None
    message = pb.Resolution()
    _write(message, answer)
    return message


def side(event: EventReader, gateway: bytes | None, now_ms: int) -> Gateway:
    """Read the gateway's side of a login. Without a GatewayContext, what only the gateway knows is unknown."""
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


def _names_actor(event: PostLoginEvent) -> bool:
    """Tell whether another party acts for the user, whatever the gateway says of it beside the event."""
    transaction = event.transaction
    return bool(transaction.actor.fields or transaction.actor_token_type or event.session.actor.fields)


def _ms(instant: Timestamp) -> int:
    # Not the library's: that raises for an instant out of range, and here such a memory is only too old or too new.
    return instant.seconds * 1000 + instant.nanos // 1_000_000


def _write(message: pb.Resolution, answer: Resolution) -> None:
    message.kind = _KINDS[answer.kind]
    if answer.failure is not None:
        message.failure = _FAILURES[answer.failure]
    message.challenge.extend([FACTORS[name] for name in answer.challenge])
    message.choice = answer.choice
    message.enroll.extend([FACTORS[name] for name in answer.enroll])
    message.enrollment_required = answer.enrollment_required
    message.verify_email_first = answer.verify_email_first
    message.recovery_code_allowed = answer.recovery_code_allowed
    message.remember = _MODES[answer.remember]
    if answer.remembered_until_ms:
        message.remembered_until.FromMilliseconds(answer.remembered_until_ms)
    message.forget_remembered_browser = answer.forget_remembered_browser
    message.records_amr = answer.records_amr
    message.notes.extend(answer.notes)
