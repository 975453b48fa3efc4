"""vestibule-client: when a call is made again, how the daemon is reached, and what a login without an answer gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule_client import (
    DENY,
    AllowWithoutDecision,
    AnswerMfaRequired,
    Client,
    Failure,
    IssueTokens,
    NoAnswer,
    Refuse,
    RequestRefused,
    RequireMfa,
    Retries,
    ShowFactors,
    Tls,
)
from vestibule_client.attempts import Attempt, Pause, plan
from vestibule_client.channel import metadata, way_to
from vestibule_client.fallback import BACK_CHANNEL, step_without_answer

from runtime.core.mfa import BACK_CHANNEL_PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
Status = grpc.StatusCode
BROKEN = Failure(status=Status.UNAVAILABLE)
LATER = Failure(status=Status.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=0.3)
SLOW = Failure(status=Status.DEADLINE_EXCEEDED)


def walk(heard: Sequence[Any], retries: Retries | None = None, *, takes_s: float = 0.0) -> tuple[list[Any], Any]:
    """Carry a plan of 5 s out, on a clock of its own; return its steps, and the response or the error."""
    clock = [0.0]
    steps: list[Any] = []
    going = plan(retries or Retries(), 5.0, now=lambda: clock[0], jitter=lambda: 1.0)
    answers = iter(heard)
    say: Any = None
    while True:
        try:
            step = going.send(say)
        except StopIteration as end:
            return steps, end.value
        except (NoAnswer, RequestRefused) as error:
            return steps, error
        steps.append(step)
        if isinstance(step, Pause):
            clock[0] += step.seconds
            say = None
        else:
            say = next(answers)
            clock[0] += step.timeout_s if say is SLOW else takes_s


def test_an_answer_needs_one_attempt() -> None:
    """The whole deadline is there for the first attempt."""
    assert walk(["yes"]) == ([Attempt(5.0)], "yes")


def test_a_delay_that_the_daemon_names_is_kept() -> None:
    """RetryInfo says when; the time that is left is the deadline of the next attempt."""
    steps, end = walk([LATER, "yes"])
    assert steps == [Attempt(5.0), Pause(0.3), Attempt(4.7)]
    assert end == "yes"


def test_a_broken_connection_is_tried_after_delays_that_double() -> None:
    """Four attempts by default, then there is no answer."""
    steps, end = walk([BROKEN] * 4)
    assert [step.seconds for step in steps if isinstance(step, Pause)] == [0.05, 0.1, 0.2]
    assert isinstance(end, NoAnswer)
    assert end.attempts == 4
    longest = walk([BROKEN] * 9, Retries(attempts=9, longest_delay_s=0.2))[0]
    assert max(step.seconds for step in longest if isinstance(step, Pause)) == 0.2


@pytest.mark.parametrize(
    "failure",
    [
        SLOW,
        Failure(status=Status.RESOURCE_EXHAUSTED),
        Failure(status=Status.INTERNAL, reason="INTERNAL"),
        Failure(status=Status.UNAVAILABLE, reason="DRAINING", retry_after_s=9.0),
    ],
)
def test_what_another_attempt_cannot_help_is_not_repeated(failure: Failure) -> None:
    """The deadline has passed, the message is too large, the daemon is at fault, or the delay is too long."""
    steps, end = walk([failure])
    assert steps == [Attempt(5.0)]
    assert isinstance(end, NoAnswer)


@pytest.mark.parametrize(
    "status",
    [Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.UNAUTHENTICATED, Status.PERMISSION_DENIED, Status.UNIMPLEMENTED],
)
def test_a_refused_request_is_not_repeated(status: grpc.StatusCode) -> None:
    """It is wrong, and stays wrong, even if a delay is named."""
    steps, end = walk([Failure(status=status, retry_after_s=0.1)])
    assert steps == [Attempt(5.0)]
    assert isinstance(end, RequestRefused)


def test_a_shorter_deadline_for_an_attempt_leaves_time_for_another() -> None:
    """An attempt that hears nothing is given up early, and another is made at once."""
    steps, end = walk([SLOW, SLOW, "yes"], Retries(attempt_s=2.0))
    assert steps == [Attempt(2.0), Pause(0.0), Attempt(2.0), Pause(0.0), Attempt(1.0)]
    assert end == "yes"
    assert isinstance(walk([SLOW, SLOW, SLOW], Retries(attempt_s=2.0))[1], NoAnswer)


# -- the way -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:50051", "127.9.0.1:1", "[::1]:50051", "localhost:50051", "unix:/run/v.sock", "unix-abstract:v"],
)
def test_this_machine_is_called_in_plain_text(target: str) -> None:
    """No network can listen to loopback and unix sockets."""
    assert way_to(target, None, insecure=False).credentials is None


@pytest.mark.parametrize(
    "target", ["vestibule.example:443", "192.0.2.1:50051", "[2001:db8::1]:50051", "localhost.example:1"]
)
def test_another_machine_is_called_with_tls(target: str) -> None:
    """Unless the gateway says `insecure` in so many words."""
    assert way_to(target, None, insecure=False).credentials is not None
    assert way_to(target, None, insecure=True).credentials is None


def test_contradictions_are_named() -> None:
    """A wrong option is refused when the client is made, with its name and the remedy."""
    with pytest.raises(ValueError, match=r"^insecure: contradicts tls"):
        Client("a.example:1", tls=Tls(), insecure=True)
    with pytest.raises(ValueError, match=r"^tls: certificate and key belong together"):
        Client("a.example:1", tls=Tls(certificate=b"x"))
    with pytest.raises(ValueError, match=r"^target: is empty"):
        Client("")
    with pytest.raises(ValueError, match=r"^deadline_s: is 0"):
        Client("127.0.0.1:1", deadline_s=0)
    with pytest.raises(ValueError, match=r"^fallback: RequireMfa needs a factor"):
        RequireMfa()


def test_a_key_is_asked_for_at_each_call() -> None:
    """So that a new one is used without a new client."""
    keys = iter(["one", "two"])
    assert metadata(lambda: next(keys)) == (("authorization", "Bearer one"),)
    assert metadata("mine") == (("authorization", "Bearer mine"),)
    assert metadata(None) == ()


def test_a_key_is_read_as_a_file_has_it() -> None:
    """With its line feed. What cannot be a key is an error of the caller, never a login without an answer."""
    assert metadata("vk_a_b\n") == (("authorization", "Bearer vk_a_b"),)
    for none in ("", " \n", "vk_a\nvk_b", "vk_\u00e9"):
        with pytest.raises(ValueError, match=r"^api_key: "):
            Client("127.0.0.1:1", api_key=none)
        with pytest.raises(ValueError, match=r"^api_key: "):
            metadata(lambda none=none: none)


def test_what_is_wrong_with_a_field_is_said_once() -> None:
    """The daemon says it in the message, and again in the details for programs."""
    fault = {"event.user.user_id": "is absent"}
    failure = Failure(status=Status.INVALID_ARGUMENT, message="event.user.user_id: is absent", fields=fault)
    assert str(RequestRefused(failure, 1)) == "INVALID_ARGUMENT: event.user.user_id: is absent"
    other = Failure(status=Status.INVALID_ARGUMENT, message="two faults", fields=fault)
    assert str(RequestRefused(other, 1)) == "INVALID_ARGUMENT: two faults; event.user.user_id: is absent"


def test_what_is_no_factor_is_named() -> None:
    """Before anything is sent."""
    with Client("127.0.0.1:1") as client, pytest.raises(ValueError, match=r"^completed\[1\]: 'otp' is no factor"):
        client.resume("acme", {}, b"c", ["FACTOR_SMS", "otp"])


# -- without an answer -------------------------------------------------------------------------------------------------

BROWSER = {"transaction": {"protocol": "oidc-basic-profile"}}
SILENT = {"request": {"query": {"prompt": "none"}}}
OTP = RequireMfa(challenge=(pb.FACTOR_OTP,))


@pytest.mark.parametrize("event", [BROWSER, PostLoginEvent(), {}])
def test_a_login_without_an_answer_is_refused(event: Any) -> None:
    """Fail closed is the default."""
    step = step_without_answer(DENY, event)
    assert isinstance(step, Refuse)
    assert (step.oauth_error, step.http_status) == ("temporarily_unavailable", 503)


def test_tokens_without_a_decision_are_asked_for_in_so_many_words() -> None:
    """The other two choices: a factor of every user, or tokens."""
    assert isinstance(step_without_answer(AllowWithoutDecision(), BROWSER), IssueTokens)
    shown = step_without_answer(OTP, BROWSER)
    assert isinstance(shown, ShowFactors)
    assert shown.mfa.challenge == (pb.FACTOR_OTP,)


def test_a_factor_without_pages_is_answered_by_token_or_refused() -> None:
    """A back channel gets mfa_required; an application that forbids pages gets interaction_required."""
    message = PostLoginEvent()
    message.transaction.protocol = "oauth2-password"
    assert isinstance(step_without_answer(OTP, message), AnswerMfaRequired)
    assert isinstance(
        step_without_answer(OTP, {"transaction": {"protocol": "oauth2-refresh-token"}}), AnswerMfaRequired
    )
    silent = step_without_answer(OTP, SILENT)
    assert isinstance(silent, Refuse)
    assert silent.oauth_error == "interaction_required"


def test_the_clients_know_the_protocols_without_pages() -> None:
    """They are those of the daemon, in both clients."""
    assert BACK_CHANNEL == BACK_CHANNEL_PROTOCOLS
    text = (ROOT / "deploy/clients/node/dist/fallback.js").read_text()
    assert set(re.findall(r'"((?:oauth2|oidc|wstrust)-[a-z0-9-]+)"', text)) == BACK_CHANNEL_PROTOCOLS
    page = (ROOT / "proto/README.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("| `transaction.protocol` |")]
    assert set(re.findall(r"`((?:oauth2|oidc|wstrust)-[a-z0-9-]+)`", row)) == BACK_CHANNEL_PROTOCOLS


@pytest.mark.parametrize(
    "event", [{"transaction": 1, "request": [2]}, {"request": {"query": "x"}}, {"transaction": None}]
)
def test_an_event_of_another_shape_is_no_fault_here(event: Any) -> None:
    """The daemon says what is wrong with it; the fallback only looks for two members."""
    assert isinstance(step_without_answer(OTP, event), ShowFactors)
