"""Translates between the core's values and the public messages: decisions out, facts of an event in.

Must not know gRPC, processes or storage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_args

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2

from runtime.core.model import (
    FACTOR_NAMES,
    DenialReason,
    Ignored,
    Origin,
    Outcome,
    RememberMode,
    Status,
    StepKind,
)
from runtime.login import structs
from sandbox.contract import event_facts, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.struct_pb2 import Struct

    from runtime.core.model import Decision, Effects, Execution, FactorRequest, Step, Suspension, TokenChanges

T = TypeVar("T")
Fact = Callable[[event_pb2.PostLoginEvent], Any]


def numbers(enum: Any, prefix: str, names: Iterable[str]) -> dict[str, Any]:
    """Return the numbers of an enum's values, by their names in the core."""
    return {name: enum.Value(prefix + name.upper().replace("-", "_")) for name in names}


OUTCOMES: Final = numbers(pb.Outcome, "OUTCOME_", get_args(Outcome))
ORIGINS: Final = numbers(pb.Multifactor.Origin, "ORIGIN_", get_args(Origin))
STATUSES: Final = numbers(pb.Multifactor.Status, "STATUS_", get_args(Status))
MODES: Final = numbers(pb.Multifactor.RememberMode, "REMEMBER_MODE_", RememberMode)
_NAMED, _FAILURE = get_args(DenialReason)
REASONS: Final = numbers(pb.Denial.Reason, "REASON_", (*get_args(_NAMED), *_FAILURE))
STEPS: Final = numbers(pb.MfaSteps.Kind, "KIND_", get_args(StepKind))
IGNORED: Final = numbers(pb.IgnoredFactor.Reason, "REASON_", Ignored)
PROVIDERS: Final = numbers(pb.Provider, "PROVIDER_", vocabulary.PROVIDERS)
FACTORS: Final = numbers(pb.Factor, "FACTOR_", (*FACTOR_NAMES, "phone"))
FACTOR_TYPES: Final = {name: FACTORS[name] for name in vocabulary.FACTOR_TYPES}
"""Factors as challenges name them, and their numbers on the wire."""
PHONE_METHODS: Final = numbers(pb.PhoneMethod, "PHONE_METHOD_", ("sms", "voice", "both"))
COOKIE_MODES: Final = numbers(pb.CookieMode, "COOKIE_MODE_", ("persistent", "non-persistent"))
_SAML_WORDS: Final = {
    f"{name}_algorithm": numbers(enum, f"{name.upper()}_ALGORITHM_", words)
    for name, enum, words in (
        ("signature", pb.SamlResponse.SignatureAlgorithm, ("rsa-sha256", "rsa-sha1")),
        ("digest", pb.SamlResponse.DigestAlgorithm, ("sha256", "sha1")),
        ("encryption", pb.SamlResponse.EncryptionAlgorithm, ("aes256-gcm", "aes256-cbc")),
    )
}


class _Fact(Generic[T]):
    """A member of `Facts`, read from the event each time; the reader notes that it was read."""

    def __init__(self, of: Callable[[event_pb2.PostLoginEvent], T]) -> None:
        self.of = of
        self._name = of.__name__

    def __get__(self, reader: EventReader, owner: type[EventReader] | None = None) -> T:
        reader.read.add(self._name)
        return self.of(reader.message)


class EventReader:
    """`Facts` of a serialized event; `read` names those that were asked for.

    Unless its `message` is given, it is parsed when the first one is asked for.
    """

    __slots__ = ("_event", "_message", "read")

    def __init__(self, event: bytes, message: event_pb2.PostLoginEvent | None = None) -> None:
        self._event = event
        self._message = message
        self.read: set[str] = set()

    @property
    def message(self) -> event_pb2.PostLoginEvent:
        """The event, parsed."""
        if self._message is None:
            self._message = event_pb2.PostLoginEvent.FromString(self._event)
        return self._message

    protocol = _Fact(event_facts.protocol)
    prompt = _Fact(event_facts.prompt)
    acr_values = _Fact(event_facts.acr_values)
    risk_confidence = _Fact(event_facts.risk_confidence)
    enrolled = _Fact(event_facts.enrolled)
    email_verified = _Fact(event_facts.email_verified)


def facts(names: Iterable[str]) -> tuple[Fact, ...]:
    """Return what reads each of these members from a parsed event."""
    return tuple([vars(EventReader)[name].of for name in names])


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
        outcome=OUTCOMES[decision.outcome],
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
    if decision.multifactor is not None:
        _set_multifactor(message.multifactor, decision)
    denial = decision.denial
    if denial is not None:
        message.denial.reason = REASONS[denial.reason]
        message.denial.description = denial.description
        if denial.validation_code is not None:
            message.denial.validation_code = denial.validation_code
    for name in ("user_metadata", "app_metadata"):
        if members := getattr(decision, name):
            _set_struct(getattr(message.on_any_outcome, name), members)
    for name in ("id_token_claims", "access_token_claims"):
        if members := getattr(decision, name):
            _set_struct(getattr(message.on_success, name), members)
    if decision.effects is not None:
        _set_effects(message, decision.effects)
    if decision.suspension is not None:
        _set_suspension(message.suspension, decision.suspension)
    return message


def _set_multifactor(part: pb.Multifactor, decision: Decision) -> None:
    """Write a requirement and what is done about it; what pages need only when they are shown."""
    factor, resolution = decision.multifactor, decision.resolution
    if factor is None or decision.status is None:
        return
    part.status = STATUSES[decision.status]
    part.provider = PROVIDERS[factor.provider]
    part.origin = ORIGINS[factor.origin]
    if resolution is None:
        return
    part.notes.extend(resolution.notes)
    if resolution.lifetime_h:
        part.memory.lifetime.seconds = resolution.lifetime_h * 3600
        part.memory.idle_lifetime.seconds = resolution.idle_h * 3600
    if decision.status != "required":
        return
    part.challenge.extend([FACTORS[name] for name in resolution.challenge])
    part.enroll.extend([FACTORS[name] for name in resolution.enroll])
    for name in ("choice", "verify_email_first", "recovery_code_allowed", "forget_remembered_browser", "records_amr"):
        if getattr(resolution, name):
            setattr(part, name, True)
    part.remember = MODES[resolution.remember]
    if factor.provider_options is not None:
        part.provider_options.SetInParent()
        for name, value in factor.provider_options.items():
            if value is not None:
                setattr(part.provider_options, name, value)


def _set_struct(part: Struct, members: dict[str, Any]) -> None:
    """Set an unset Struct, also to nothing."""
    part.SetInParent()
    part.MergeFromString(structs.write(members))


def _set_suspension(part: pb.Suspension, suspension: Suspension) -> None:
    """Write everything but the continuation, which is sealed for each login."""
    part.action = suspension.action
    if suspension.kind == "mfa":
        part.mfa.steps.extend([_step(step) for step in suspension.steps])
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


def _step(step: Step) -> pb.MfaSteps.MfaStep:
    return pb.MfaSteps.MfaStep(
        kind=STEPS[step.kind],
        factors=[_option(factor) for factor in step.usable],
        choice=step.picker,
        ignored=[
            pb.IgnoredFactor(factor=FACTORS.get(name, 0), reason=IGNORED[reason]) for name, reason in step.ignored
        ],
    )


def _option(factor: FactorRequest) -> pb.FactorOption:
    option = pb.FactorOption(factor=FACTORS[factor.type], otp_fallback=factor.otp_fallback)
    if factor.preferred_method is not None:
        option.preferred_method = PHONE_METHODS[factor.preferred_method]
    return option


def _set_effects(message: pb.Decision, effects: Effects) -> None:
    if effects.session is not None:
        session = message.on_any_outcome.session
        _set_changes(session, effects.session)
        session.preserve_refresh_tokens = effects.session.preserve_refresh_tokens
        if effects.session.cookie_mode:
            session.cookie_mode = COOKIE_MODES[effects.session.cookie_mode]
    if effects.refresh_token is not None:
        _set_changes(message.on_any_outcome.refresh_token, effects.refresh_token)
    if effects.transaction_metadata:
        _set_struct(message.on_any_outcome.transaction_metadata, effects.transaction_metadata)
    for scope, added in effects.scopes.items():
        (message.on_success.scopes_added if added else message.on_success.scopes_removed).append(scope)
    if effects.primary_user_id:
        message.on_success.primary_user_id = effects.primary_user_id
    if effects.recorded_methods:
        message.on_success.recorded_methods.extend(effects.recorded_methods)
    if effects.saml_response:
        _set_saml_response(message.on_success.saml_response, effects.saml_response)


def _set_saml_response(part: pb.SamlResponse, members: dict[str, Any]) -> None:
    for name, value in members.items():
        if name == "attributes":
            _set_struct(part.attributes, value)
        elif name == "name_identifier_probes":
            part.name_identifier_probes.extend(value)
        elif name in _SAML_WORDS:
            setattr(part, name, _SAML_WORDS[name][value])
        else:
            setattr(part, name, value)


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
        report.error.file = execution.error.file
    if execution.continued:
        report.continued = True
    if execution.earlier:
        report.earlier = True
    return report
