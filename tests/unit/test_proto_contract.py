"""The committed contract: generated code, buf's rules, Auth0's own JSON, the reference's rows, the surface table."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from vestibule.v1 import decision_pb2, event_pb2

from runtime.core import mfa, model
from runtime.login import event_json
from sandbox.contract import event_fields, surface
from sandbox.contract.event_fields import is_instant, wrapped
from sandbox.contract.kinds import BOOL
from sandbox.contract.vocabulary import FACTOR_TYPES, PROVIDERS, SAML_MEMBERS

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"


# Section 1 of the post-login reference, row by row: path, kind, presence.
# Kinds: s string, b bool, n number, d dict (Struct), o object, []x list of x. Presence: R always there, O optional.
ROWS = """
agent o O
agent.agent_id s R
agent.agent_metadata d R
agent.name s R
authentication o O
authentication.methods []o R
authentication.methods.name s R
authentication.methods.timestamp s R
authentication.methods.type s O
authentication.riskAssessment o O
authentication.riskAssessment.version s R
authentication.riskAssessment.confidence s R
authentication.riskAssessment.assessments o R
authentication.riskAssessment.assessments.NewDevice o O
authentication.riskAssessment.assessments.NewDevice.confidence s R
authentication.riskAssessment.assessments.NewDevice.code s R
authentication.riskAssessment.assessments.NewDevice.details o O
authentication.riskAssessment.assessments.NewDevice.details.device s O
authentication.riskAssessment.assessments.NewDevice.details.useragent s O
authentication.riskAssessment.assessments.ImpossibleTravel o O
authentication.riskAssessment.assessments.ImpossibleTravel.confidence s R
authentication.riskAssessment.assessments.ImpossibleTravel.code s R
authentication.riskAssessment.assessments.UntrustedIP o O
authentication.riskAssessment.assessments.UntrustedIP.confidence s R
authentication.riskAssessment.assessments.UntrustedIP.code s R
authentication.riskAssessment.assessments.UntrustedIP.details o O
authentication.riskAssessment.assessments.UntrustedIP.details.ip s O
authentication.riskAssessment.assessments.UntrustedIP.details.matches s O
authentication.riskAssessment.assessments.UntrustedIP.details.source s O
authentication.riskAssessment.assessments.UntrustedIP.details.category s O
authentication.riskAssessment.assessments.PhoneNumber o O
authentication.riskAssessment.assessments.PhoneNumber.code s R
authentication.riskAssessment.assessments.PhoneNumber.confidence s R
authentication.riskAssessment.assessments.PhoneNumber.details o O
authentication.riskAssessment.assessments.PhoneNumber.details.lineType s O
authentication.riskAssessment.assessments.PhoneNumber.details.isValid b O
authentication.riskAssessment.assessments.PhoneNumber.details.countryCode n O
authentication.riskAssessment.assessments.PhoneNumber.details.number s O
authentication.riskAssessment.assessments.AgentDetection o O
authentication.riskAssessment.assessments.AgentDetection.code s R
authentication.riskAssessment.assessments.AgentDetection.confidence s R
authentication.riskAssessment.assessments.AgentDetection.details o O
authentication.riskAssessment.assessments.AgentDetection.details.provider s O
authentication.riskAssessment.supplemental o O
authentication.riskAssessment.supplemental.akamai o O
authentication.riskAssessment.supplemental.akamai.akamaiBot o O
authentication.riskAssessment.supplemental.akamai.akamaiBot.type s O
authentication.riskAssessment.supplemental.akamai.akamaiBot.action s O
authentication.riskAssessment.supplemental.akamai.akamaiBot.botScoreResponseSegment s O
authentication.riskAssessment.supplemental.akamai.akamaiBot.botnetId s O
authentication.riskAssessment.supplemental.akamai.akamaiBot.botCategory []s O
authentication.riskAssessment.supplemental.akamai.akamaiBot.botScore n O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk o O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.action s O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.emailDomain s O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.ouid s O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.requestid s O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.username s O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.uuid s O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.allow n O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.score n O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.status n O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.general d O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.risk d O
authentication.riskAssessment.supplemental.akamai.akamaiUserRisk.trust d O
authorization o O
authorization.roles []s R
client o R
client.client_id s R
client.name s R
client.metadata d R
client.refresh_token o O
client.refresh_token.policies []o O
client.refresh_token.policies.audience s O
client.refresh_token.policies.scope []s O
client.authentication o O
client.authentication.type s O
client.authentication.certificate o O
client.authentication.certificate.raw s O
client.authentication.certificate.subject s O
client.authentication.certificate.subjectAltName s O
client.authentication.certificate.thumbprint256 s O
client.external_client_id s O
client.external_metadata_type s O
anonymous_session o O
anonymous_session.user_id s O
anonymous_session.session_id s O
anonymous_session.created_at s O
anonymous_session.expires_at s O
anonymous_session.metadata d O
connection o R
connection.id s R
connection.name s R
connection.strategy s R
connection.metadata d O
custom_domain o O
custom_domain.domain s R
custom_domain.domain_metadata d R
experiment o O
experiment.experiment_id s O
experiment.variation_id s O
experiment.variation_name s O
experiment.variation_description s O
experiment.config d R
experiment.is_control b O
organization o O
organization.id s R
organization.name s R
organization.display_name s R
organization.metadata d R
prompt o O
prompt.id s R
prompt.fields d O
prompt.vars d O
resource_server o O
resource_server.identifier s R
security_context o O
security_context.ja3 s O
security_context.ja4 s O
stats o R
stats.logins_count n R
tenant o R
tenant.id s R
refresh_token o O
refresh_token.id s R
refresh_token.client_id s O
refresh_token.created_at s R
refresh_token.expires_at s O
refresh_token.idle_expires_at s O
refresh_token.last_exchanged_at s O
refresh_token.device o O
refresh_token.device.initial_asn s O
refresh_token.device.initial_ip s O
refresh_token.device.initial_user_agent s O
refresh_token.device.last_asn s O
refresh_token.device.last_ip s O
refresh_token.device.last_user_agent s O
refresh_token.metadata d O
refresh_token.resource_servers []o O
refresh_token.resource_servers.audience s O
refresh_token.resource_servers.scopes s O
refresh_token.rotating b O
refresh_token.session_id s O
refresh_token.session_transfer o O
refresh_token.session_transfer.parent_refresh_token o O
refresh_token.session_transfer.parent_refresh_token.id s O
refresh_token.user_id s O
refresh_token.access s O
request o R
request.asn s O
request.body d R
request.geoip o R
request.geoip.cityName s O
request.geoip.continentCode s O
request.geoip.countryCode s O
request.geoip.countryCode3 s O
request.geoip.countryName s O
request.geoip.subdivisionCode s O
request.geoip.subdivisionName s O
request.geoip.timeZone s O
request.geoip.latitude n O
request.geoip.longitude n O
request.hostname s O
request.ip s R
request.language s O
request.method s R
request.query d R
request.user_agent s O
session o O
session.id s R
session.actor d O
session.authenticated_at s O
session.created_at s O
session.updated_at s O
session.expires_at s O
session.idle_expires_at s O
session.last_interacted_at s O
session.clients []o O
session.clients.client_id s R
session.cookie o O
session.cookie.mode s O
session.device o O
session.device.initial_asn s O
session.device.initial_ip s O
session.device.initial_user_agent s O
session.device.last_asn s O
session.device.last_ip s O
session.device.last_user_agent s O
session.metadata d O
session.session_transfer o O
session.session_transfer.parent_refresh_token o O
session.session_transfer.parent_refresh_token.id s O
session.session_transfer.parent_refresh_token.metadata d O
session.user_id s O
session_transfer_token o O
session_transfer_token.client_id s R
session_transfer_token.scope []s R
session_transfer_token.request o R
session_transfer_token.request.ip s R
session_transfer_token.request.asn s O
session_transfer_token.request.user_agent s O
session_transfer_token.request.geoip o O
session_transfer_token.request.geoip.cityName s O
transaction o O
transaction.id s O
transaction.acr_values []s O
transaction.actor d O
transaction.actor_token_type s O
transaction.subject_token_type s O
transaction.correlation_id s O
transaction.linking_id s O
transaction.locale s O
transaction.login_hint s O
transaction.metadata d R
transaction.prompt []s O
transaction.protocol s O
transaction.redirect_uri s O
transaction.requested_authorization_details []d O
transaction.requested_scopes []s O
transaction.response_mode s O
transaction.response_type []s O
transaction.state s O
transaction.ui_locales []s O
transaction.target_scopes []s O
user o R
user.user_id s R
user.created_at s R
user.updated_at s R
user.email s O
user.email_verified b R
user.name s O
user.given_name s O
user.family_name s O
user.nickname s O
user.username s O
user.picture s O
user.phone_number s O
user.phone_verified b O
user.last_password_reset s O
user.app_metadata d R
user.user_metadata d R
user.enrolledFactors []o O
user.enrolledFactors.type s R
user.enrolledFactors.options d O
user.multifactor []s O
user.identities []o R
user.identities.connection s O
user.identities.provider s O
user.identities.user_id s O
user.identities.isSocial b O
user.identities.profileData d O
"""
TABLE = [tuple(row.split()) for row in ROWS.split("\n") if row]

_TYPES = {
    FieldDescriptor.TYPE_STRING: "s",
    FieldDescriptor.TYPE_BOOL: "b",
    FieldDescriptor.TYPE_DOUBLE: "n",
    FieldDescriptor.TYPE_INT32: "n",
    FieldDescriptor.TYPE_INT64: "n",
}


def kind_of(field: Any) -> str:
    listed = wrapped(field) or field
    if listed.message_type is None:
        kind = _TYPES[listed.type]
    else:
        kind = {"google.protobuf.Struct": "d", "google.protobuf.Timestamp": "s"}.get(listed.message_type.full_name, "o")
    return f"[]{kind}" if listed.is_repeated else kind


def find(path: str) -> tuple[Any, str]:
    """Return the field at a path of JSON or proto names, and its path in snake_case."""
    message: Any = event_pb2.PostLoginEvent.DESCRIPTOR
    names: list[str] = []
    field = None
    for name in path.split("."):
        fields = {spelling: f for f in message.fields for spelling in (f.name, f.json_name)}
        assert name in fields, f"{path}: no member {name}"
        field = fields[name]
        names.append(field.name)
        message = (wrapped(field) or field).message_type
    return field, ".".join(names)


@pytest.mark.parametrize(("path", "kind", "presence"), TABLE, ids=[row[0] for row in TABLE])
def test_every_row_of_the_reference_is_a_field(path: str, kind: str, presence: str) -> None:
    """Each documented member exists under its documented name, with its type and its presence."""
    field, snake = find(path)
    assert kind_of(field) == kind
    if kind.startswith("[]"):
        assert (wrapped(field) is not None) == (presence == "O")
    elif is_instant(field):
        assert (snake in event_fields.REQUIRED_INSTANTS) == (presence == "R")
    elif kind in "do":
        assert (snake in event_fields.REQUIRED_OBJECTS) == (presence == "R")
    else:
        assert field.has_presence == (presence == "O")


def test_every_field_is_a_row_of_the_reference() -> None:
    """No member was made up: what is here and not in the table repeats a message that is listed elsewhere."""
    listed = {find(row[0])[1] for row in TABLE}
    found: set[str] = set()
    todo: list[tuple[str, Any]] = [("", event_pb2.PostLoginEvent.DESCRIPTOR)]
    while todo:
        prefix, message = todo.pop()
        for field in message.fields:
            found.add(prefix + field.name)
            if kind_of(field).endswith("o"):
                todo.append((f"{prefix}{field.name}.", (wrapped(field) or field).message_type))
    extra = {path for path in found - listed if not path.startswith("session_transfer_token.request.geoip.")}
    # Ours: what the gateway looked up, and what Auth0 has beside the named members of its open objects.
    # The message of a parent refresh token is shared by session (documented with metadata) and refresh_token.
    assert extra == {
        "facts",
        "transaction.attributes",
        "user.attributes",
        "refresh_token.session_transfer.parent_refresh_token.metadata",
    }


# In the shape of the reference's sample: mixed spellings, members this version does not know, absent optionals.
SAMPLE: dict[str, Any] = {
    "secrets": {"KEY": "never read"},
    "configuration": {},
    "client": {"client_id": "AaiyAPdpYdesoKnqjj8HJqRn4T5titww", "name": "My App", "metadata": {"tier": "gold"}},
    "connection": {"id": "con_1", "name": "Username-Password-Authentication", "strategy": "auth0"},
    "request": {
        "body": {},
        "geoip": {"cityName": "Bellevue", "countryCode": "US", "latitude": 47.61793, "timeZone": "America/Los_Angeles"},
        "hostname": "login.example.com",
        "ip": "13.33.86.47",
        "language": "en",
        "method": "GET",
        "query": {"protocol": "oauth2", "scope": "openid profile", "prompt": "login"},
        "user_agent": "curl/7.64.1",
    },
    "stats": {"logins_count": 5},
    "tenant": {"id": "my-tenant"},
    "authentication": {
        "methods": [
            {"name": "mfa", "type": "email", "timestamp": "2018-11-13T20:20:39+00:00"},
            {"name": "passkey", "timestamp": "2024-07-11T13:02:20.849Z"},
        ],
        "riskAssessment": {
            "confidence": "low",
            "version": "1",
            "assessments": {
                "UntrustedIP": {
                    "confidence": "low",
                    "code": "found_on_deny_list",
                    "details": {"ip": "1.1.1.1", "matches": "1.1.1.1/32", "category": "abuse"},
                },
                "NewDevice": {
                    "confidence": "low",
                    "code": "no_match",
                    "details": {"device": "unknown", "useragent": "unknown"},
                },
                "ImpossibleTravel": {"confidence": "low", "code": "impossible_travel_from_last_login"},
                "PhoneNumber": {"confidence": "high", "code": "ok", "details": {"lineType": "MOBILE", "isValid": True}},
                "AgentDetection": {"confidence": "neutral", "code": "unknown"},
            },
            "supplemental": {"akamai": {"akamaiBot": {"botScore": 5, "botCategory": ["x"]}}},
        },
    },
    "authorization": {"roles": ["admin"]},
    "organization": {"id": "org_1", "name": "acme", "display_name": "ACME", "metadata": {"factors": "otp"}},
    "transaction": {
        "acr_values": [],
        "protocol": "oidc-basic-profile",
        "requested_scopes": ["openid"],
        "response_type": ["code"],
        "ui_locales": [],
        "requested_authorization_details": [{"type": "payment", "amount": 12.5}],
        "metadata": {"key": 1},
        "some_new_member": [1],
    },
    "user": {
        "user_id": "auth0|5f7c8ec7c33c6c004bbafe82",
        "created_at": "2018-11-13T20:20:39.000Z",
        "updated_at": "2018-11-13T20:20:39.000Z",
        "email": "j+smith@example.com",
        "email_verified": True,
        "app_metadata": {},
        "user_metadata": {"use_mfa": True},
        "enrolledFactors": [{"type": "phone", "options": {"preferredMethod": "sms"}}],
        "identities": [
            {
                "connection": "Username-Password-Authentication",
                "isSocial": False,
                "provider": "auth0",
                "user_id": "5f7c",
            }
        ],
        "multifactor": ["guardian"],
        "an_idp_attribute": {"x": 1},
    },
    "experiment": None,
}


def snake(value: Any, message: Any) -> Any:
    """Spell every member of a sample in snake_case; free data stays as it is."""
    if isinstance(value, list):
        return [snake(item, message) for item in value]
    if not isinstance(value, dict) or message is None or message.full_name.startswith("google."):
        return value
    fields = {f.json_name: f for f in message.fields} | {f.name: f for f in message.fields}
    return {
        (fields[name].name if name in fields else name): snake(
            item, (wrapped(fields[name]) or fields[name]).message_type if name in fields else None
        )
        for name, item in value.items()
    }


def test_auth0s_json_parses_in_both_spellings() -> None:
    """The reference's shape and its pure snake_case twin are the same event, and nothing known is lost."""
    twin = snake(SAMPLE, event_pb2.PostLoginEvent.DESCRIPTOR)
    assert twin["user"]["enrolled_factors"]
    assert twin["authentication"]["risk_assessment"]["assessments"]["untrusted_ip"]["details"]["ip"] == "1.1.1.1"
    first, second = (event_json.from_json(sample) for sample in (SAMPLE, twin))
    assert first == second
    assert first.authentication.risk_assessment.assessments.new_device.details.useragent == "unknown"
    assert first.user.enrolled_factors.values[0].options["preferredMethod"] == "sms"
    assert first.authentication.methods[0].timestamp.ToJsonString() == "2018-11-13T20:20:39Z"
    assert json_format.MessageToDict(first.user.attributes) == {"an_idp_attribute": {"x": 1}}
    assert json_format.MessageToDict(first.transaction.attributes) == {"some_new_member": [1]}
    assert first.transaction.HasField("ui_locales")
    assert not first.transaction.HasField("prompt")
    assert first.user.identities[0].is_social is False
    assert first.stats.logins_count == 5
    assert not first.HasField("experiment")


def names(enum: Any, prefix: str) -> set[str]:
    return {
        name.removeprefix(prefix).lower().replace("_", "-")
        for name, _ in enum.items()
        if not name.endswith("UNSPECIFIED")
    }


def test_enums_agree_with_the_tables() -> None:
    """The public enums name what the surface and the core name, no more and no less."""
    assert names(decision_pb2.Provider, "PROVIDER_") == set(PROVIDERS)
    assert names(decision_pb2.Factor, "FACTOR_") == {*model.FACTOR_NAMES, *FACTOR_TYPES}
    assert {factor for row in mfa.FACTORS.values() for factor in row} <= set(model.FACTOR_NAMES)
    assert {v.name.lower(): v.value for v in model.Verdict} == {
        name.removeprefix("VERDICT_").lower(): number for name, number in decision_pb2.Verdict.items() if number
    }


def test_provider_options_are_those_of_the_table() -> None:
    """The message of Duo's options has the members that the call accepts."""
    options = surface.CALLS["multifactor.enable"].by_name["provider_options"].kind
    assert {field.name for field in decision_pb2.ProviderOptions.DESCRIPTOR.fields} == set(options.members)  # type: ignore[attr-defined]  # it is a record by its name


def test_a_saml_response_has_a_field_for_each_setter() -> None:
    """The message and the setters' table are equal, member by member, and so are their closed words."""
    fields = decision_pb2.SamlResponse.DESCRIPTOR.fields_by_name
    assert set(fields) == {"attributes", *SAML_MEMBERS}
    for name in SAML_MEMBERS:
        kind = surface.CALLS[f"saml_response.set_{name}"].by_name["value"].kind
        field = fields[name]
        if field.enum_type is not None:
            words = names(field.enum_type.values_by_name, f"{name.upper()}_")
            assert words == set(kind.wants.removeprefix("one of ").split(", ")), name
            assert not field.has_presence
        else:
            wanted = {"lifetime_in_seconds": field.TYPE_INT32}.get(
                name, field.TYPE_BOOL if kind is BOOL else field.TYPE_STRING
            )
            assert field.type == wanted, name
            assert field.is_repeated if name == "name_identifier_probes" else field.has_presence


def test_denials_cover_the_calls_that_deny_and_every_failure() -> None:
    """Each call that refuses a login has a reason, a failed action has one, and so has each factor that fails."""
    calls = {"denied", "validation-error", "session-revoked", "refresh-token-revoked"}
    failures = {failure.value.replace("_", "-") for failure in model.Failure}
    assert names(decision_pb2.Denial.Reason, "REASON_") == calls | {"on-error"} | failures
    assert len([call for call in surface.SURFACE if call.ends == "deny"]) == 4
