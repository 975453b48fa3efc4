"""Translates between the core's values and the public messages: decisions out, facts of an event in.

Knows protobuf and the core's values. Must not know gRPC, processes or storage. Called by the flow runner and the
commands that print a decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2

from runtime.core.model import FACTOR_NAMES, PROVIDERS, EventFacts

if TYPE_CHECKING:
    from runtime.core.model import Decision, Execution

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
}


def _numbers(enum: Any, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: enum.Value(prefix + name.upper().replace("-", "_")) for name in names}


_PROVIDERS: Final = _numbers(pb.Provider, "PROVIDER_", PROVIDERS)
_FACTORS: Final = _numbers(pb.Factor, "FACTOR_", FACTOR_NAMES)


def facts(event: event_pb2.PostLoginEvent) -> EventFacts:
    """Read the few members of an event that settings and policy may ask for."""
    transaction = event.transaction
    user = event.user
    risk = event.authentication.risk_assessment
    enrolled = tuple(factor.type for factor in user.enrolled_factors)
    return EventFacts(
        protocol=transaction.protocol if transaction.HasField("protocol") else None,
        prompt=tuple(transaction.prompt),
        acr_values=tuple(transaction.acr_values),
        risk_confidence=risk.confidence or None,
        enrolled=enrolled if enrolled or "user.enrolled_factors" in event.empty_lists else None,
        email_verified=user.email_verified,
    )


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
    message.wall_time.FromMicroseconds(wall_us)
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
        message.side_effects.user_metadata.update(decision.user_metadata)
    if decision.app_metadata:
        message.side_effects.app_metadata.update(decision.app_metadata)
    if decision.id_token_claims:
        message.side_effects.id_token_claims.update(decision.id_token_claims)
    if decision.access_token_claims:
        message.side_effects.access_token_claims.update(decision.access_token_claims)
    return message


def _report(execution: Execution) -> pb.ExecutionReport:
    report = pb.ExecutionReport(
        action=execution.action,
        revision_sha256=execution.revision,
        verdict=execution.verdict.value,  # type: ignore[arg-type]  # the numbers are equal; a test says so
    )
    report.wall_time.FromMicroseconds(execution.wall_us)
    report.cpu_time.FromMicroseconds(execution.cpu_us)
    if execution.output:
        report.output = execution.output
        report.output_truncated = execution.output_truncated
    if execution.error is not None:
        report.error.type = execution.error.type
        report.error.message = execution.error.message
        report.error.line = execution.error.line
    return report
