"""Translates between the core's values and the public messages: decisions out, facts of an event in.

Knows protobuf and the core's values. Must not know gRPC, processes or storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2

from runtime.core.model import FACTOR_NAMES
from runtime.login import structs
from sandbox.contract import vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.struct_pb2 import Struct

    from runtime.core.model import Decision, Effects, Execution, Step, Suspension, TokenChanges

_OUTCOMES: Final = {
    "allow": pb.OUTCOME_ALLOW,
    "mfa_required": pb.OUTCOME_MFA_REQUIRED,
    "deny": pb.OUTCOME_DENY,
    "suspend": pb.OUTCOME_SUSPEND,
}
_ORIGINS: Final = {
    "action": pb.Multifactor.ORIGIN_ACTION,
    "policy": pb.Multifactor.ORIGIN_POLICY,
    "on_error": pb.Multifactor.ORIGIN_ON_ERROR,
}
_KINDS: Final = {
    "denied": pb.Access.KIND_DENIED,
    "validation_error": pb.Access.KIND_VALIDATION_ERROR,
    "on_error": pb.Access.KIND_ON_ERROR,
    "session_revoked": pb.Access.KIND_SESSION_REVOKED,
    "refresh_token_revoked": pb.Access.KIND_REFRESH_TOKEN_REVOKED,
    "mfa_failed": pb.Access.KIND_MFA_FAILED,
    "interaction_required": pb.Access.KIND_INTERACTION_REQUIRED,
}
_STEPS: Final = {"challenge": pb.MfaQueue.KIND_CHALLENGE, "enroll": pb.MfaQueue.KIND_ENROLL}


def _numbers(enum: Any, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: enum.Value(prefix + name.upper().replace("-", "_")) for name in names}


_PROVIDERS: Final = _numbers(pb.Provider, "PROVIDER_", vocabulary.PROVIDERS)
_FACTORS: Final = _numbers(pb.Factor, "FACTOR_", FACTOR_NAMES)
FACTOR_TYPES: Final = _numbers(pb.FactorType, "FACTOR_TYPE_", vocabulary.FACTOR_TYPES)
"""Factors as challenges name them, and their numbers on the wire."""


FACTS: Final[dict[str, Callable[[event_pb2.PostLoginEvent], Any]]] = {
    "protocol": lambda e: e.transaction.protocol if e.transaction.HasField("protocol") else None,
    "prompt": lambda e: _prompt(e),
    "acr_values": lambda e: _acr_values(e),
    "risk_confidence": lambda e: e.authentication.risk_assessment.confidence or None,
    "enrolled": lambda e: _enrolled(e),
    "email_verified": lambda e: e.user.email_verified,
}
"""How each member of `Facts` is read from an event."""


def _prompt(event: event_pb2.PostLoginEvent) -> tuple[str, ...]:
    """Return the transaction's instructions and the request's own, since actions may ask for either."""
    query = event.request.query.fields
    # A look-up of what is not there would add it.
    said = query["prompt"].string_value if "prompt" in query else ""
    return tuple([word for text in (*event.transaction.prompt, said) for word in text.split()])


def _acr_values(event: event_pb2.PostLoginEvent) -> tuple[str, ...]:
    """Return the transaction's classes and the request's own, each class once for itself."""
    texts = list(event.transaction.acr_values)
    query = event.request.query.fields
    if "acr_values" in query:
        value = query["acr_values"]
        # A parameter that was sent twice may come as a list.
        texts += [item.string_value for item in value.list_value.values] or [value.string_value]
    return tuple([word for text in texts for word in text.split()])


def _enrolled(event: event_pb2.PostLoginEvent) -> tuple[str, ...] | None:
    enrolled = tuple(factor.type for factor in event.user.enrolled_factors)
    return enrolled if enrolled or "user.enrolled_factors" in event.empty_lists else None


class EventReader:
    """`Facts` of a serialized event, parsed when the first one is asked for; notes which ones were."""

    __slots__ = ("_event", "_message", "read")

    def __init__(self, event: bytes) -> None:
        self._event = event
        self._message: event_pb2.PostLoginEvent | None = None
        self.read: set[str] = set()

    @property
    def message(self) -> event_pb2.PostLoginEvent:
        """The event, parsed."""
        if self._message is None:
            self._message = event_pb2.PostLoginEvent.FromString(self._event)
        return self._message

    def get(self, name: str) -> Any:
        """Read one member."""
        self.read.add(name)
        return FACTS[name](self.message)

    @property
    def protocol(self) -> str | None:
        """The transaction's protocol."""
        value: str | None = self.get("protocol")
        return value

    @property
    def prompt(self) -> tuple[str, ...]:
        """OIDC prompt instructions."""
        value: tuple[str, ...] = self.get("prompt")
        return value

    @property
    def acr_values(self) -> tuple[str, ...]:
        """Requested authentication context classes."""
        value: tuple[str, ...] = self.get("acr_values")
        return value

    @property
    def risk_confidence(self) -> str | None:
        """The risk assessment's overall confidence."""
        value: str | None = self.get("risk_confidence")
        return value

    @property
    def enrolled(self) -> tuple[str, ...] | None:
        """Types of the user's factors; None when the gateway did not say."""
        value: tuple[str, ...] | None = self.get("enrolled")
        return value

    @property
    def email_verified(self) -> bool:
        """Was the user's address verified?"""
        value: bool = self.get("email_verified")
        return value


def set_duration(duration: Duration, us: int) -> None:
    """Set a duration to microseconds; the library's own way costs four times as much."""
    if us < 1_000_000:
        duration.nanos = us * 1000
        duration.seconds = 0
    else:
        duration.seconds, rest_us = divmod(us, 1_000_000)
        duration.nanos = rest_us * 1000


def encode(decision: Decision, decision_id: str, catalog_revision: int, wall_us: int) -> pb.Decision:
    """Build the public message of a decision."""
    message = pb.Decision(
        outcome=_OUTCOMES[decision.outcome],
        degraded=decision.degraded,
        decision_id=decision_id,
        catalog_revision=catalog_revision,
        contributions=[
            pb.Contribution(action=c.action, operation=c.op, won=c.won, summary=c.summary)
            for c in decision.contributions
        ],
        executions=[_report(execution) for execution in decision.executions],
    )
    set_duration(message.wall_time, wall_us)
    if decision.degraded_reasons:
        message.degraded_reasons.extend(decision.degraded_reasons)
    factor = decision.multifactor
    if factor is not None:
        part = message.multifactor
        part.provider = _PROVIDERS[factor.provider]
        part.origin = _ORIGINS[factor.origin]
        if factor.allow_remember_browser is not None:
            part.allow_remember_browser = factor.allow_remember_browser
        if factor.factors:
            part.factors.extend([_FACTORS[name] for name in factor.factors])
        if factor.ignore_remembered_browser:
            part.ignore_remembered_browser = True
        if factor.provider_options is not None:
            part.provider_options.SetInParent()
            for name, value in factor.provider_options.items():
                if value is not None:
                    setattr(part.provider_options, name, value)
    access = decision.access
    if access is not None:
        message.access.reason = access.reason
        message.access.kind = _KINDS[access.kind]
        if access.code is not None:
            message.access.code = access.code
    if decision.user_metadata:
        _set_struct(message.side_effects.user_metadata, decision.user_metadata)
    if decision.app_metadata:
        _set_struct(message.side_effects.app_metadata, decision.app_metadata)
    if decision.id_token_claims:
        _set_struct(message.side_effects.id_token_claims, decision.id_token_claims)
    if decision.access_token_claims:
        _set_struct(message.side_effects.access_token_claims, decision.access_token_claims)
    if decision.effects is not None:
        _set_effects(message.side_effects, decision.effects)
    if decision.suspension is not None:
        _set_suspension(message.suspension, decision.suspension)
    return message


def _set_struct(part: Struct, members: dict[str, Any]) -> None:
    """Set an unset Struct, also to nothing."""
    part.SetInParent()
    part.MergeFromString(structs.write(members))


def _set_suspension(part: pb.Suspension, suspension: Suspension) -> None:
    """Write everything but the continuation, which is sealed for each login."""
    part.action = suspension.action
    if suspension.kind == "mfa":
        part.mfa.steps.extend([_step(step) for step in suspension.steps])
        part.mfa.mfa_required_token = suspension.by_token
        part.mfa.hide_remember_browser = suspension.hide_remember_browser
        part.mfa.verify_email_first = suspension.verify_email_first
    elif suspension.kind == "redirect":
        part.redirect.url = suspension.url
    else:
        part.prompt.id = suspension.prompt_id
        if suspension.fields is not None:
            _set_struct(part.prompt.fields, suspension.fields)
        if suspension.vars is not None:
            _set_struct(part.prompt.vars, suspension.vars)


def _step(step: Step) -> pb.MfaQueue.MfaStep:
    return pb.MfaQueue.MfaStep(
        kind=_STEPS[step.kind],
        factors=[
            pb.FactorRequest(
                type=FACTOR_TYPES[factor.type],
                preferred_method=factor.preferred_method,
                otp_fallback=factor.otp_fallback,
            )
            for factor in step.usable
        ],
        choice=step.picker,
        ignored=[
            pb.IgnoredFactor(type=FACTOR_TYPES.get(name, 0), reason=reason.value) for name, reason in step.ignored
        ],
    )


def _set_effects(part: pb.SideEffects, effects: Effects) -> None:
    for scope, added in effects.scopes.items():
        (part.scopes_added if added else part.scopes_removed).append(scope)
    if effects.session is not None:
        _set_changes(part.session, effects.session)
        part.session.preserve_refresh_tokens = effects.session.preserve_refresh_tokens
        if effects.session.cookie_mode:
            part.session.cookie_mode = effects.session.cookie_mode
    if effects.refresh_token is not None:
        _set_changes(part.refresh_token, effects.refresh_token)
    if effects.transaction_metadata:
        _set_struct(part.transaction_metadata, effects.transaction_metadata)
    if effects.saml_response:
        _set_struct(part.saml_response, effects.saml_response)
    if effects.primary_user_id:
        part.primary_user_id = effects.primary_user_id
    if effects.recorded_methods:
        part.recorded_methods.extend(effects.recorded_methods)


def _set_changes(part: pb.SessionChanges | pb.RefreshTokenChanges, changes: TokenChanges) -> None:
    part.SetInParent()
    part.revoke = changes.revoked
    if changes.expires_at_ms:
        part.expires_at.FromMilliseconds(changes.expires_at_ms)
    if changes.idle_expires_at_ms:
        part.idle_expires_at.FromMilliseconds(changes.idle_expires_at_ms)
    part.evict_metadata = changes.evict_metadata
    if changes.metadata:
        _set_struct(part.metadata, changes.metadata)


def _report(execution: Execution) -> pb.ExecutionReport:
    report = pb.ExecutionReport(
        action=execution.action,
        revision_sha256=execution.revision,
        verdict=execution.verdict.value,  # type: ignore[arg-type]  # the numbers are equal; a test says so
    )
    set_duration(report.wall_time, execution.wall_us)
    set_duration(report.cpu_time, execution.cpu_us)
    if execution.output:
        report.output = execution.output
        report.output_truncated = execution.output_truncated
    if execution.error is not None:
        report.error.type = execution.error.type
        report.error.message = execution.error.message
        report.error.line = execution.error.line
    if execution.continued:
        report.continued = True
    if execution.earlier:
        report.earlier = True
    return report
