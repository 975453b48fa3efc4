"""Events as Auth0's pages describe them, composed for the ways to log in: what an action reads of each."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.login import event_json, event_rules
from sandbox.action.event import Event, parse

_SKELETON: dict[str, Any] = {
    "secrets": {"KEY": "of another place"},
    "configuration": {},
    "client": {"client_id": "c1", "name": "All Applications", "metadata": {}},
    "connection": {"id": "con_1", "name": "Username-Password-Authentication", "strategy": "auth0"},
    "request": {"body": {}, "geoip": {}, "ip": "203.0.113.7", "method": "GET", "query": {}},
    "stats": {"logins_count": 1},
    "tenant": {"id": "acme"},
    "user": {
        "user_id": "auth0|5f7c8ec7c33c6c004bbafe82",
        "app_metadata": {},
        "created_at": "2024-03-01T08:00:00.123Z",
        "email_verified": False,
        "identities": [],
        "updated_at": "2024-03-01T08:00:00.123Z",
        "user_metadata": {},
    },
}

SAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the members that are always there": (
        {},
        {
            "secrets": {},
            "configuration": {},
            "authentication": None,
            "transaction": None,
            "user.created_at": "2024-03-01T08:00:00.123Z",
            "user.enrolled_factors": None,
            "user.multifactor": None,
            "user.identities": [],
            "user.attributes": {},
            "user.last_password_reset": None,
            "request.geoip.city_name": None,
            "facts": {},
        },
    ),
    "a passkey after an email, with a risk assessment": (
        {
            "authentication": {
                "methods": [
                    {"name": "mfa", "type": "email", "timestamp": "2018-11-13T20:20:39+00:00"},
                    {"name": "passkey", "timestamp": "2024-07-11T13:02:20.849Z"},
                    {"name": "https://acme.example/terms", "timestamp": "2024-07-11T13:02:21.000Z"},
                ],
                "riskAssessment": {
                    "version": "1",
                    "confidence": "low",
                    "assessments": {
                        "ImpossibleTravel": {"confidence": "low", "code": "substantial_travel_from_last_login"},
                        "PhoneNumber": {"confidence": "high", "code": "ok", "details": {"countryCode": 49}},
                    },
                    "supplemental": {"akamai": {"akamaiBot": {"botScore": 5, "botCategory": []}}},
                },
            },
            "security_context": {"ja3": None, "ja4": ""},
            "experiment": None,
        },
        {
            "authentication.methods.0.timestamp": "2018-11-13T20:20:39.000Z",
            "authentication.methods.1.timestamp": "2024-07-11T13:02:20.849Z",
            "authentication.methods.1.type": None,
            "authentication.riskAssessment.assessments.ImpossibleTravel.code": "substantial_travel_from_last_login",
            "authentication.riskAssessment.assessments.NewDevice": None,
            "authentication.riskAssessment.assessments.PhoneNumber.details.countryCode": 49,
            "authentication.riskAssessment.supplemental.akamai.akamaiBot.botCategory": [],
            "security_context.ja3": None,
            "security_context.ja4": "",
            "experiment": None,
        },
    ),
    "an enterprise user, with what the identity provider sent": (
        {
            "connection": {"id": "con_2", "name": "acme-saml", "strategy": "samlp", "metadata": {"region": "eu"}},
            "user": {
                "user_id": "samlp|acme-saml|ada",
                "groups": ["staff", "admins"],
                "http://schemas.example.com/claims/costcenter": "4711",
                "department": None,
                "manager": {"id": 7, "name": "Grace"},
                "identities": [
                    {
                        "connection": "acme-saml",
                        "isSocial": False,
                        "provider": "samlp",
                        "user_id": "acme-saml|ada",
                        "access_token": "never kept",
                    }
                ],
                "multifactor": ["guardian"],
                "last_password_reset": "2023-05-04T03:02:01.000Z",
            },
            "transaction": {
                "id": "t1",
                "acr_values": [],
                "locale": "en",
                "protocol": "samlp",
                "requested_scopes": [],
                "ui_locales": [],
                "metadata": {},
            },
            "session": {
                "id": "s1",
                "authenticated_at": "2024-07-11T13:02:20.849Z",
                "clients": [{"client_id": "c1"}, {"client_id": "c2"}],
                "cookie": {"mode": "non-persistent"},
                "device": {"last_ip": "::ffff:203.0.113.7"},
            },
        },
        {
            "user.attributes": {
                "groups": ["staff", "admins"],
                "http://schemas.example.com/claims/costcenter": "4711",
                "department": None,
                "manager": {"id": 7, "name": "Grace"},
            },
            "user.groups.1": "admins",
            "user.manager.name": "Grace",
            "user.department": None,
            "user.multifactor": ["guardian"],
            "user.last_password_reset": "2023-05-04T03:02:01.000Z",
            "user.identities.0.isSocial": False,
            "transaction.acr_values": [],
            "transaction.prompt": None,
            "transaction.response_type": None,
            "session.clients.1.client_id": "c2",
            "session.cookie.mode": "non-persistent",
            "session.authenticated_at": "2024-07-11T13:02:20.849Z",
            "session.expires_at": None,
            "session.device.last_ip": "203.0.113.7",
        },
    ),
    "the exchange of a refresh token": (
        {
            "client": {
                "client_id": "c1",
                "refresh_token": {"policies": [{"audience": "https://api.example.com", "scope": ["read"]}, {}]},
            },
            "refresh_token": {
                "id": "rt_1",
                "created_at": "2024-07-01T00:00:00.000Z",
                "expires_at": "2024-08-01T00:00:00.000Z",
                "idle_expires_at": None,
                "resource_servers": [{"audience": "https://api.example.com", "scopes": "read write"}],
                "rotating": False,
                "metadata": {"device": "phone"},
            },
            "transaction": {"protocol": "oauth2-refresh-token", "requested_scopes": ["read"]},
        },
        {
            "client.refresh_token.policies.0.scope": ["read"],
            "client.refresh_token.policies.1.scope": None,
            "refresh_token.created_at": "2024-07-01T00:00:00.000Z",
            "refresh_token.idle_expires_at": None,
            "refresh_token.last_exchanged_at": None,
            "refresh_token.resource_servers.0.scopes": "read write",
            "refresh_token.rotating": False,
            "transaction.requested_scopes": ["read"],
        },
    ),
    "a token exchange with an actor, and rich authorization requests": (
        {
            "transaction": {
                "protocol": "oauth2-token-exchange",
                "actor": {"sub": "agent", "act": {"sub": "other"}},
                "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "requested_authorization_details": [
                    {"type": "payment", "amount": 12.5, "currency": "EUR"},
                    {"type": "account"},
                ],
                "target_scopes": [],
                "ui": {"brand": "b"},
            },
            "session_transfer_token": {"client_id": "native", "scope": [], "request": {"ip": "192.0.2.1"}},
        },
        {
            "transaction.actor": {"sub": "agent", "act": {"sub": "other"}},
            "transaction.requested_authorization_details": [
                {"type": "payment", "amount": 12.5, "currency": "EUR"},
                {"type": "account"},
            ],
            "transaction.target_scopes": [],
            "transaction.attributes": {"ui": {"brand": "b"}},
            "transaction.ui.brand": "b",
            "session_transfer_token.scope": [],
        },
    ),
    "a form that was filled in, of a user who has factors": (
        {
            "prompt": {"id": "ap_1", "fields": {"phone": "+49"}, "vars": {}},
            "user": {
                "user_id": "u",
                "enrolledFactors": [
                    {"type": "phone", "options": {"preferredMethod": "sms"}},
                    {"type": "a-factor-of-next-year"},
                ],
            },
            "anonymous_session": {"user_id": "anon", "created_at": "2024-07-01T00:00:00Z"},
        },
        {
            "prompt.fields": {"phone": "+49"},
            "user.enrolledFactors.0.options": {"preferredMethod": "sms"},
            "user.enrolledFactors.1.type": "a-factor-of-next-year",
            "anonymous_session.created_at": "2024-07-01T00:00:00.000Z",
            "anonymous_session.expires_at": None,
        },
    ),
}


def read(view: Any, path: str) -> Any:
    """Follow a path; unlike `event.get` it tells None from nothing."""
    for name in path.split("."):
        view = view[int(name)] if isinstance(view, tuple | list) else view[name]
    return view


@pytest.mark.parametrize("name", SAMPLES)
def test_an_action_reads_what_auth0_sends(name: str) -> None:
    """By either spelling, from the JSON to the view."""
    members, wanted = SAMPLES[name]
    message = event_json.from_json(_SKELETON | members)
    event_rules.hold(message, "acme")
    event = Event(parse(message.SerializeToString()), {})
    assert {path: read(event, path) for path in wanted} == wanted


def test_no_secret_and_no_token_of_the_json_is_kept() -> None:
    """What an action must not see from a gateway is left out, however it got into the JSON."""
    for members, _ in SAMPLES.values():
        data = event_json.from_json(_SKELETON | members).SerializeToString()
        assert b"of another place" not in data
        assert b"never kept" not in data
