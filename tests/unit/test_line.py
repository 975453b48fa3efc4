"""A line of `vestibule run --events`: what makes it one, and what it may carry besides."""

import json
from typing import Any

import pytest
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import GatewayContext

from runtime.errors import InvalidRequest
from runtime.offline.event_line import Line

EVENT: dict[str, Any] = {"user": {"user_id": "auth0|1"}, "client": {"client_id": "app"}}


def line(data: Any, secrets_of: str | None = "gate") -> Line:
    return Line(json.dumps(data), secrets_of=secrets_of)


def test_members_of_your_own_are_passed_over() -> None:
    """A pipeline's own id beside `event` changes nothing: the event is still the member, not the whole line."""
    assert line({"event": EVENT, "id": 7}).message.user.user_id == "auth0|1"
    assert line({"event": EVENT, "id": 7}).event == line(EVENT).event


@pytest.mark.parametrize(
    ("typo", "meant"), [("sed", "seed"), ("secret", "secrets"), ("Now", "now"), ("events", "event")]
)
def test_a_misspelt_member_is_refused(typo: str, meant: str) -> None:
    """What was meant to be one of ours is named, with the one that was meant."""
    with pytest.raises(InvalidRequest, match=f"^{typo}: .*did you mean {meant}"):
        line({"event": EVENT, typo: 1})


def test_a_secret_that_is_no_string_is_named() -> None:
    """The place of the fault is the secret's name; with the action's where secrets are given by action."""
    with pytest.raises(InvalidRequest, match=r"^secrets\.KEY: must be a string"):
        line({"event": EVENT, "secrets": {"KEY": 1}})
    with pytest.raises(InvalidRequest, match=r"^secrets\.gate\.KEY: must be a string"):
        line({"event": EVENT, "secrets": {"gate": {"KEY": 1}}}, secrets_of=None)
    with pytest.raises(InvalidRequest, match=r"^secrets: .*'gate' is none"):
        line({"event": EVENT, "secrets": {"gate": "x"}}, secrets_of=None)


@pytest.mark.parametrize(
    "now",
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z", 9_000_000_000, 1e10, -1, True],
)
def test_an_instant_that_no_clock_shows_is_refused(now: object) -> None:
    """One line of many must not end them all: what cannot be sent to a worker is no instant."""
    with pytest.raises(InvalidRequest, match=r"^now: "):
        line({"event": EVENT, "now": now})
    assert line({"event": EVENT, "now": "1970-01-01T00:00:00Z"}).now_ns == 0
    assert line({"event": EVENT, "now": 8_999_999_999}).now_ns < 1 << 63


@pytest.mark.parametrize("secrets", [{"KEY": "\ud800"}, {"\udfff": "x"}])
def test_a_secret_that_is_no_text_is_refused(secrets: dict[str, str]) -> None:
    """Half of a surrogate pair cannot be sent to a worker; it ends its line and no other."""
    with pytest.raises(InvalidRequest, match=r"^secrets: .*surrogate"):
        line({"event": EVENT, "secrets": secrets})


@pytest.mark.parametrize("gateway", [{"\ud800": True}, {"actor": True, "x": ["\udc00"]}])
def test_half_of_a_surrogate_pair_of_the_gateway_is_refused(gateway: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"^gateway: holds half of a surrogate pair"):
        line({"event": EVENT, "gateway": gateway})


def test_control_a_name_that_is_text_is_refused_by_the_library() -> None:
    with pytest.raises(InvalidRequest, match=r"^gateway: is no vestibule\.v1\.GatewayContext"):
        line({"event": EVENT, "gateway": {"\u00e9": True}})


def test_what_the_gateway_knows_is_read() -> None:
    """`gateway` is the public message as ProtoJSON; anything else is refused, and absent is not empty."""
    assert line({"event": EVENT}).gateway is None
    assert line({"event": EVENT, "gateway": {}}).gateway == b""
    said = line({"event": EVENT, "gateway": {"mfaGrantAllowed": False}}).gateway
    assert said is not None
    assert GatewayContext.FromString(said).HasField("mfa_grant_allowed")
    wrong: Any
    for wrong in ([], {"mfaGrantAllowed": "no"}, {"cookie": {}}):
        with pytest.raises(InvalidRequest, match=r"^gateway: "):
            line({"event": EVENT, "gateway": wrong})


def test_completed_factors_have_the_names_of_challenges() -> None:
    """A line that continues a suspended flow lists them; an empty list continues after a page."""
    assert line({"event": EVENT}).completed is None
    assert line({"event": EVENT, "completed": []}, None).completed == ()
    wanted = (pb.FACTOR_OTP, pb.FACTOR_PUSH_NOTIFICATION)
    assert line({"event": EVENT, "completed": ["otp", "push-notification"]}, None).completed == wanted
    wrong: Any
    for wrong in ("otp", ["sms"], [1], {}):
        with pytest.raises(InvalidRequest, match=r"^completed: .*otp"):
            line({"event": EVENT, "completed": wrong}, None)
    with pytest.raises(InvalidRequest, match=r"^completed: .*handler on_continue_post_login"):
        line({"event": EVENT, "completed": []})


def test_a_misspelt_member_of_the_event_is_refused() -> None:
    """All of them at once; what is like nothing is a later version's, and what a provider added is the user's own."""
    event = EVENT | {"user": {"user_id": "u", "emial": "x", "shoe_size": 44}, "stat": {}, "novelty": 1}
    with pytest.raises(InvalidRequest) as refused:
        line(event)
    assert str(refused.value) == (
        "event.user.emial: is no member of event.user; did you mean email? What a provider added goes into "
        "event.user.attributes; event.stat is no member of event; did you mean stats?"
    )
    own = EVENT | {"user": {"user_id": "u", "attributes": {"emial": 1}}}
    assert line(own).message.user.attributes["emial"] == 1


def test_a_line_takes_what_it_does_not_say_from_the_command() -> None:
    """Clock and seed as they are, secrets name by name."""
    defaults = {"now": "2026-01-31T12:00:00Z", "seed": 7, "secrets": {"KEY": "k", "OTHER": "o"}}
    said = Line(json.dumps({"event": EVENT, "secrets": {"KEY": "own"}}), secrets_of="gate", defaults=defaults)
    assert said.secrets == {"gate": {"KEY": "own", "OTHER": "o"}}
    assert (said.now_ns, said.seed) == (1_769_860_800 * 10**9, line({"event": EVENT, "seed": 7}).seed)
    assert Line(json.dumps({"event": EVENT, "now": 5}), secrets_of="gate", defaults=defaults).now_ns == 5 * 10**9
