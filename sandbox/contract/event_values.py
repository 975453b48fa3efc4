"""The closed vocabularies of the event: which words a member can have, by its path.

Types, schemas and the check of sources read it. Must not know views; paths are of snake_case names, and the items of a
list share the path of the list. A member that is not listed can be any text.
"""

from __future__ import annotations

from typing import Final

from sandbox.contract.calls.session import COOKIE_MODES
from sandbox.contract.policy_rule import PURPOSES, REASONS
from sandbox.contract.vocabulary import FACTOR_TYPES

CONFIDENCES: Final = ("low", "medium", "high", "neutral")

PROTOCOLS: Final = (
    "oidc-basic-profile",
    "oidc-ciba",
    "oidc-ciba-web-link",
    "oidc-implicit-profile",
    "oidc-hybrid-profile",
    "oauth2-device-code",
    "oauth2-resource-owner",
    "oauth2-resource-owner-jwt-bearer",
    "oauth2-password",
    "oauth2-webauthn",
    "oauth2-access-token",
    "oauth2-refresh-token",
    "oauth2-token-exchange",
    "samlp",
    "wsfed",
    "wstrust-usernamemixed",
)

METHOD_NAMES: Final = (
    "federated",
    "pwd",
    "passkey",
    "sms",
    "email",
    "phone_number",
    "mock",
    "mfa",
    # Not in the list of the reference; one of its samples compares with it.
    "webauthn-platform",
)
"""Beside these a method can have the URL of a page as its name: `api.authentication.record_method`."""

ENROLLED_TYPES: Final = (*FACTOR_TYPES, "duo")

_RISK: Final = "authentication.risk_assessment"
_ASSESSMENTS: Final = f"{_RISK}.assessments"

# Source: the post-login reference, sections 1.2, 1.3, 1.7 and 1.8.
VOCABULARIES: Final[dict[str, tuple[str, ...]]] = {
    "authentication.methods.name": METHOD_NAMES,
    "authentication.methods.type": ENROLLED_TYPES,
    f"{_RISK}.confidence": CONFIDENCES,
    f"{_ASSESSMENTS}.new_device.confidence": CONFIDENCES,
    f"{_ASSESSMENTS}.new_device.code": (
        "match",
        "partial_match",
        "no_match",
        "initial_login",
        "unknown_device",
        "no_device_history",
        "assessment_not_available",
    ),
    f"{_ASSESSMENTS}.new_device.details.device": ("known", "unknown"),
    f"{_ASSESSMENTS}.new_device.details.useragent": ("known", "unknown"),
    f"{_ASSESSMENTS}.impossible_travel.confidence": CONFIDENCES,
    f"{_ASSESSMENTS}.impossible_travel.code": (
        "minimal_travel_from_last_login",
        "travel_from_last_login",
        "substantial_travel_from_last_login",
        "impossible_travel_from_last_login",
        "invalid_travel",
        "missing_geoip",
        "anonymous_proxy",
        "unknown_location",
        "initial_login",
        "location_history_not_found",
        "assessment_not_available",
    ),
    f"{_ASSESSMENTS}.untrusted_ip.confidence": CONFIDENCES,
    f"{_ASSESSMENTS}.untrusted_ip.code": (
        "not_found_on_deny_list",
        "found_on_deny_list",
        "invalid_ip_address",
        "assessment_not_available",
    ),
    f"{_ASSESSMENTS}.untrusted_ip.details.category": ("abuse", "anonymizer", "datacenter", "reputation", "unroutable"),
    f"{_ASSESSMENTS}.phone_number.confidence": CONFIDENCES,
    f"{_ASSESSMENTS}.phone_number.code": (
        "ok",
        "requires_verification",
        "phone_number_not_provided",
        "assessment_not_available",
    ),
    f"{_ASSESSMENTS}.phone_number.details.line_type": (
        "FIXED_LINE",
        "MOBILE",
        "FIXED_LINE_OR_MOBILE",
        "TOLL_FREE",
        "PREMIUM_RATE",
        "SHARED_COST",
        "VOIP",
        "PERSONAL_NUMBER",
        "PAGER",
        "UAN",
        "UNKNOWN",
    ),
    f"{_ASSESSMENTS}.agent_detection.confidence": CONFIDENCES,
    f"{_ASSESSMENTS}.agent_detection.code": ("unknown", "verified_agent"),
    "refresh_token.access": ("offline", "online"),
    "session.cookie.mode": COOKIE_MODES,
    "transaction.protocol": PROTOCOLS,
    "transaction.response_mode": ("query", "fragment", "form_post", "web_message"),
    "user.enrolled_factors.type": ENROLLED_TYPES,
}

EXTENSIBLE: Final = frozenset(
    {path for path in VOCABULARIES if path.endswith(".code")}
    | {
        "authentication.methods.name",
        "authentication.methods.type",
        "transaction.protocol",
        "transaction.response_mode",
        "user.enrolled_factors.type",
    }
)
"""Members that identity providers have other words for: their type is any text. Source: the comments of event.proto."""

OWN_VOCABULARIES: Final[dict[str, tuple[str, ...]]] = {
    "policy.outcome": ("allow", "mfa_required"),
    "policy.reason": REASONS,
    "purpose": PURPOSES,
}
"""Those of members that are no fields of the event's message."""
