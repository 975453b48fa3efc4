"""A gateway's part in suspended logins, for tests: events of one user's login, and the actions that suspend it.

Knows what a gateway and a page elsewhere do. Must not know continuations.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1 import event_pb2

from runtime.catalog.base import Definition
from runtime.continuation import keys
from runtime.core.model import Settings
from runtime.login import event_json
from tests.daemon_rig import Daemon, Refused

OTP, EMAIL, PHONE = pb.FACTOR_TYPE_OTP, pb.FACTOR_TYPE_EMAIL, pb.FACTOR_TYPE_PHONE
SUSPEND = pb.OUTCOME_SUSPEND

CHALLENGE = """\
def on_execute_post_login(event, api):
    api.id_token.set_custom_claim("https://a.example/asked", True)
    api.transaction.set_metadata("challenged", "yes")
    api.authentication.challenge_with({"type": "otp"})
"""
AFTER = """\
def on_execute_post_login(event, api):
    factors = [method.type for method in event.authentication.methods if method.name == "mfa"]
    api.id_token.set_custom_claim("https://a.example/methods", factors)
    api.id_token.set_custom_claim("https://a.example/seen", event.transaction.metadata.get("challenged"))
"""
REDIRECT = """\
def on_execute_post_login(event, api):
    token = api.redirect.encode_token(secret=event.secrets["KEY"], payload={"plan": "gold"})
    api.redirect.send_user_to("https://a.example/terms?lang=en", query={"session_token": token})

def on_continue_post_login(event, api):
    claims = api.redirect.validate_token(secret=event.secrets["KEY"])
    api.id_token.set_custom_claim("https://a.example/accepted", claims["accepted"])
    api.authentication.record_method("https://a.example/terms")
"""
PROMPT = """\
def on_execute_post_login(event, api):
    api.prompt.render("ap_1", fields={"phone": "+49"}, vars={"n": 1})

def on_continue_post_login(event, api):
    api.user.set_user_metadata("phone", event.prompt.fields["phone"])
"""
PLAIN = 'def on_execute_post_login(event, api):\n    api.id_token.set_custom_claim("https://a.example/{0}", "{0}")\n'
SECRET = "k" * 32


def event(*methods: str, **members: Any) -> event_pb2.PostLoginEvent:
    """Make the event of ada's login, after these second factors."""
    return event_json.from_json(event_data(*methods, **members))


def event_data(*methods: str, **members: Any) -> dict[str, Any]:
    """Make the same as JSON. A member's name has `__` where its path has a dot."""
    data: dict[str, Any] = {
        "user": {
            "user_id": "auth0|1",
            "email": "ada@example.com",
            "email_verified": True,
            "enrolledFactors": [{"type": "otp"}, {"type": "phone"}],
        },
        "client": {"client_id": "app"},
        "transaction": {"id": "t-1", "protocol": "oidc-basic-profile", "metadata": {}},
        "request": {"hostname": "login.a.example", "ip": "192.0.2.7", "query": {}, "body": {}},
        "authentication": {
            "methods": [{"name": "pwd", "timestamp": "2026-01-01T00:00:00Z"}]
            + [{"name": "mfa", "type": kind, "timestamp": "2026-01-01T00:00:01Z"} for kind in methods]
        },
    }
    for path, value in members.items():
        part = data
        *parents, last = path.split("__")
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = value
    return data


def all_factors(definition: Definition) -> Definition:
    """Let a tenant use every factor that an action can ask for."""
    factors = ("otp", "sms", "voice", "email", "recovery-code", "webauthn-roaming", "push-notification")
    return replace(definition, flow=replace(definition.flow, settings=Settings(factors=factors)))


def keys_file(folder: Path, *ring: bytes) -> tuple[str, str]:
    """Write a keys file and return the flag that names it."""
    path = folder / "keys"
    path.write_text(keys.text(ring or (keys.generate(),)))
    path.chmod(0o600)
    return "--continuation-keys-file", str(path)


def claims(decision: pb.Decision) -> dict[str, Any]:
    """Return the ID token's claims by the last part of their names."""
    found = json_format.MessageToDict(decision.side_effects.id_token_claims)
    return {name.rpartition("/")[2]: value for name, value in found.items()}


def signed(claims: dict[str, Any], secret: str = SECRET) -> str:
    """Sign a token as a page elsewhere does, with any JWT library: HS256."""

    def part(data: bytes) -> str:
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(b'{"alg":"HS256","typ":"JWT"}')
    text = f"{head}.{part(json.dumps(claims).encode())}"
    return f"{text}.{part(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


def returned(**extra: Any) -> event_pb2.PostLoginEvent:
    """Make the event of ada's return from the page, with the token that the page signed."""
    now_s = int(time.time())
    said = {"iss": "login.a.example", "sub": "auth0|1", "iat": now_s, "exp": now_s + 60, "state": "s-1"}
    query = {"session_token": signed(said | {"accepted": True} | extra), "state": "s-1"}
    return event(request__query=query)


def verdicts(decision: pb.Decision) -> list[tuple[str, str, bool, bool]]:
    return [
        (e.action, pb.Verdict.Name(e.verdict).removeprefix("VERDICT_").lower(), e.continued, e.earlier)
        for e in decision.executions
    ]


def refusal(daemon: Daemon, *args: Any, **kwargs: Any) -> Refused:
    """Go on in vain, and return why."""
    with pytest.raises(Refused) as caught:
        daemon.resume(*args, **kwargs)
    return caught.value


def suspended(daemon: Daemon, name: str = "acme", sent: event_pb2.PostLoginEvent | None = None) -> bytes:
    """Begin a login that is suspended, and return its continuation."""
    decision = daemon.call(name, sent or event())
    assert decision.outcome == SUSPEND, decision
    return decision.suspension.continuation
