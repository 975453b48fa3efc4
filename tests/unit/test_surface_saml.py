"""The setters of a SAML response: limits at the call, and what reaches the gateway."""

from typing import Any

import pytest
from google.protobuf import json_format
from vestibule.v1 import event_pb2

from runtime.core import effects
from runtime.core.aggregate import aggregate
from runtime.core.model import Command, Effects, Execution, OnError, Settings, Verdict
from runtime.login import messages
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import surface
from tests.event_facts import EventFacts


@pytest.fixture
def recorder() -> CommandRecorder:
    return CommandRecorder(Event(event_pb2.PostLoginEvent(), {}))


@pytest.fixture
def api(recorder: CommandRecorder) -> Any:
    return make_api(recorder)


def decide(recorder: CommandRecorder) -> dict[str, Any]:
    texts = recorder.encoded()
    commands = tuple(Command(op, args) for (op, _), args in zip(texts, surface.parse_all(texts), strict=True))
    ran = Execution("a", "0" * 64, OnError.REQUIRE_MFA, Verdict.COMPLETED, commands)
    message = messages.encode(aggregate([ran], Settings(), EventFacts()), "d", 1, 1)
    found: dict[str, Any] = json_format.MessageToDict(message.on_success.saml_response)
    return found


def test_the_gateway_is_given_what_was_set(api: Any, recorder: CommandRecorder) -> None:
    """The last value of a member wins; attributes are one member, and None in it removes."""
    api.saml_response.set_audience("urn:a").samlResponse.setAudience("urn:b")
    api.saml_response.set_lifetime_in_seconds(60).saml_response.set_sign_response(True)
    api.saml_response.set_name_identifier_probes(("a", "b"))
    api.saml_response.set_attribute("x", ["1", 2, True]).saml_response.set_attribute("y", None)
    assert decide(recorder) == {
        "audience": "urn:b",
        "lifetimeInSeconds": 60,
        "signResponse": True,
        "nameIdentifierProbes": ["a", "b"],
        "attributes": {"x": ["1", 2, True], "y": None},
    }


@pytest.mark.parametrize(
    ("name", "value", "kind", "text"),
    [
        ("audience", "x" * 2049, ValueError, "2048"),
        ("recipient", 5, TypeError, "got 5"),
        ("destination", "é" * 1025, ValueError, "2048 bytes; got 2050 bytes"),
        ("create_upn_claim", "false", TypeError, "True or False"),
        ("signature_algorithm", "md5", ValueError, "one of rsa-sha256, rsa-sha1"),
        ("digest_algorithm", "md5", ValueError, "one of sha256, sha1"),
        ("encryption_algorithm", "des", ValueError, "one of aes256-gcm, aes256-cbc"),
        ("lifetime_in_seconds", 0, ValueError, "a whole number from 1"),
        ("lifetime_in_seconds", 1.5, TypeError, "a whole number from 1"),
        ("lifetime_in_seconds", True, TypeError, "a whole number from 1"),
        ("name_identifier_format", "x" * 513, ValueError, "512"),
        ("name_identifier_probes", ["x"] * 11, ValueError, "a list of 1 to 10"),
        ("name_identifier_probes", ["x" * 513], ValueError, "value[0] must be"),
        ("name_identifier_probes", "x", TypeError, "a list of 1 to 10"),
        ("key", "x" * 4097, ValueError, "4096"),
        ("cert", "", ValueError, "4096"),
    ],
)
def test_limits_are_named_at_the_call(
    api: Any, recorder: CommandRecorder, name: str, value: Any, kind: type[Exception], text: str
) -> None:
    """A value beyond a limit raises, names it, and records nothing."""
    with pytest.raises(kind) as caught:
        getattr(api.saml_response, f"set_{name}")(value)
    assert text in str(caught.value)
    assert str(caught.value).startswith(f"api.saml_response.set_{name}: value")
    assert recorder.commands == []


def test_an_attribute_is_small(api: Any) -> None:
    """A name has at most 1 kB, a value 2 kB, all of them together 10 kB; a replaced value counts once."""
    for name, value in (("n" * 1025, 1), ("n", "v" * 2049), ("n", ["v" * 1100] * 2)):
        with pytest.raises(ValueError, match=r"api\.saml_response\.set_attribute: "):
            api.saml_response.set_attribute(name, value)
    with pytest.raises(TypeError, match="set_attribute: value"):
        api.saml_response.set_attribute("n", {"a": 1})
    for _ in range(9):
        api.saml_response.set_attribute("same", "v" * 2000)
    for name in "abcd":
        api.saml_response.set_attribute(name, "v" * 2000)
    with pytest.raises(ValueError, match="SAML attributes of one login must be at most 10240 bytes as JSON"):
        api.saml_response.set_attribute("e", "v" * 2000)


def test_a_key_shows_in_no_repr(api: Any, recorder: CommandRecorder) -> None:
    """A private key goes to the gateway; a decision that is printed does not show it."""
    api.saml_response.set_key("-----BEGIN PRIVATE KEY-----")
    _, args = recorder.commands[0]
    gathered = Effects()
    effects.apply(gathered, "saml_response.set_key", args)
    assert "PRIVATE" not in repr(gathered)
