"""The golden cases of Envoy's checks: bytes of Envoy's own messages in, and bytes that they read out."""

from typing import Any

import pytest
from vestibule.envoy.v1 import external_auth_pb2 as pb

from runtime.catalog.hook_door import HookDoor
from runtime.doors.dialects import envoy
from runtime.doors.dialects.base import AskedLogin
from runtime.doors.dialects.ruling import rule
from runtime.errors import InvalidRequest
from runtime.login import event_json
from tests.conformance.hook_cases import OUTCOMES, case, decision

CASE = case("envoy")


def from_hex(text: str) -> bytes:
    return bytes.fromhex("".join(text.split()))


def check(claims: dict[str, Any] | None = None, accept: str = "") -> pb.CheckRequest:
    """Return the genuine check, with other claims."""
    found = pb.CheckRequest.FromString(from_hex(CASE["wire"]))
    payload: Any = found.attributes.metadata_context.filter_metadata[envoy.JWT]["payload"]
    payload.update({name: value for name, value in (claims or {}).items() if value is not None})
    for name, value in (claims or {}).items():
        if value is None:
            del payload.fields[name]
    if accept:
        found.attributes.request.http.headers["accept"] = accept
    return found


def door(**changed: Any) -> HookDoor:
    given = CASE["door"] | changed
    return HookDoor("envoy", given["mfa_required_as"], (), given["options"])


def ask(found: pb.CheckRequest, door: HookDoor) -> AskedLogin:
    return envoy.to_login(found, door, CASE["now"])


def test_what_envoys_own_bytes_ask_about() -> None:
    """Envoy's message is read as far as we need it, and what it asks about is an event that the daemon takes."""
    found = check()
    asked = ask(found, door())
    assert envoy.tenant_of(found) == "acme"
    assert asked.event == CASE["asked"]
    assert (asked.second_factor, asked.hint) == (False, False)
    assert event_json.from_json(asked.event).client.client_id == "web"


@pytest.mark.parametrize("wanted", CASE["replies"], ids=[reply["decision"] for reply in CASE["replies"]])
def test_answers_are_what_envoy_reads(wanted: dict[str, Any]) -> None:
    """An answer has the bytes that Envoy's own messages give it."""
    asked = ask(check(), door())
    reply = envoy.reply(door(), asked, rule(decision(wanted["decision"]), door(), asked))
    assert reply == pb.CheckResponse.FromString(from_hex(wanted["wire"]))
    assert reply.SerializeToString(deterministic=True) == from_hex(wanted["wire"])


@pytest.mark.parametrize("wanted", CASE["outcomes"])
def test_outcomes(wanted: dict[str, Any]) -> None:
    """A required factor passes only with a token that shows one, young enough; nothing else becomes OK."""
    given = door(**{name: wanted[name] for name in ("options", "mfa_required_as") if name in wanted})
    asked = ask(check(wanted.get("claims"), wanted.get("accept", "")), given)
    reply = envoy.reply(given, asked, rule(decision(wanted["decision"]), given, asked))
    headers = {option.header.key: option.header.value for option in reply.denied_response.headers}
    assert (reply.status.code, reply.denied_response.status.code) == (wanted["code"], wanted.get("status", 0))
    assert headers.get("location") == wanted.get("location")
    assert reply.HasField("ok_response") == (wanted["code"] == 0)


def test_every_outcome_has_a_case() -> None:
    """Each outcome of a decision is among the cases."""
    assert {wanted["decision"] for wanted in [*CASE["replies"], *CASE["outcomes"]]} == OUTCOMES


@pytest.mark.parametrize("wanted", CASE["malformed"])
def test_a_check_without_a_user_is_refused(wanted: dict[str, Any]) -> None:
    """Without a verified subject there is nothing to decide."""
    with pytest.raises(InvalidRequest):
        ask(check(wanted["claims"]), door())


def test_a_check_without_a_token_or_a_tenant_is_refused() -> None:
    """What Envoy's configuration must give is named when it is missing; two tokens are none."""
    bare = check()
    bare.attributes.metadata_context.filter_metadata.clear()
    with pytest.raises(InvalidRequest, match="payload_in_metadata"):
        ask(bare, door())
    bare.attributes.context_extensions.clear()
    with pytest.raises(InvalidRequest, match=r"context_extensions: \{tenant: NAME\}"):
        envoy.tenant_of(bare)
    two = check()
    two.attributes.metadata_context.filter_metadata[envoy.JWT].update({"other": {"sub": "mallory"}})
    with pytest.raises(InvalidRequest, match="2 tokens"):
        ask(two, door())


def test_a_clients_headers_say_nothing_of_the_user() -> None:
    """Headers are the client's own: none of them changes who is asked about, or whether a factor was shown."""
    found = check()
    plain = ask(found, door())
    for name in ("authorization", "x-vestibule-decision-id", "x-user", "x-acr", "tenant"):
        found.attributes.request.http.headers[name] = "mallory"
    assert ask(found, door()) == plain
