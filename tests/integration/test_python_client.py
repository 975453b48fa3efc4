"""vestibule-client on the wire: both ways of waiting, retries, TLS, mutual TLS, keys, a unix socket, no answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.event_pb2 import PostLoginEvent
from vestibule.v1.runtime_service_pb2 import (
    VIEW_FULL,
    ExecutePostLoginRequest,
    GatewayContext,
    RememberedBrowser,
)
from vestibule_client import (
    AllowWithoutDecision,
    AsyncClient,
    Client,
    Decided,
    IssueTokens,
    NoAnswer,
    Refuse,
    RequestRefused,
    Retries,
    ShowSteps,
    Tls,
)
from vestibule_client.conformance.cases import Answer, Case
from vestibule_client.conformance.daemon import ScriptedDaemon

from tests.fixtures.certificates import Certificate, issue

EVENT = {"user": {"user_id": "auth0|1", "groups": ["a"], "n": None}, "client": {"client_id": "portal"}}
ALLOWED = Answer(decision=pb.Decision(outcome=pb.OUTCOME_ALLOW))
SUSPENDED = pb.Decision(outcome=pb.OUTCOME_SUSPEND)
SUSPENDED.suspension.continuation = b"c1"
SUSPENDED.suspension.mfa.steps.add(kind=pb.MfaSteps.KIND_CHALLENGE).factors.add(factor=pb.FACTOR_OTP)

Ask = Callable[..., Any]
"""Calls a method of a client of its own: ask(target, name, *arguments, options={...})."""


def ask_waiting(target: str, name: str, *arguments: Any, options: dict[str, Any] | None = None, **named: Any) -> Any:
    with Client(target, **(options or {})) as client:
        return getattr(client, name)(*arguments, **named)


def ask_awaiting(target: str, name: str, *arguments: Any, options: dict[str, Any] | None = None, **named: Any) -> Any:
    async def asked() -> Any:
        async with AsyncClient(target, **(options or {})) as client:
            return await getattr(client, name)(*arguments, **named)

    return asyncio.run(asked())


@pytest.fixture(params=[ask_waiting, ask_awaiting], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Either client."""
    return cast("Ask", request.param)


@pytest.fixture
def daemon() -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon()
    yield daemon
    daemon.stop()


def scripted(daemon: ScriptedDaemon, *answers: Answer) -> ScriptedDaemon:
    daemon.begin(Case(name="", description="", event={}, daemon=answers, turns=()), "acme")
    return daemon


def test_a_login_is_decided_and_continued(ask: Ask, daemon: ScriptedDaemon) -> None:
    """Plain JSON in, a step out; the continuation and what satisfied its steps go back."""
    scripted(
        daemon,
        Answer(decision=SUSPENDED),
        Answer(
            method="ContinuePostLogin",
            decision=ALLOWED.decision,
            expect={"completed": ["FACTOR_OTP"], "continuation": "c1"},
        ),
    )
    suspended: Decided = ask(daemon.target, "decide", "acme", EVENT)
    assert isinstance(suspended.step, ShowSteps)
    assert suspended.decision is not None
    assert suspended.decision.decision_id == "d-1"
    continuation = suspended.step.resume.continuation
    allowed: Decided = ask(daemon.target, "resume", "acme", EVENT, continuation, [pb.FACTOR_OTP])
    assert isinstance(allowed.step, IssueTokens)
    assert allowed.request_id != suspended.request_id
    assert daemon.end() == []


def test_a_message_and_the_gateways_facts_are_sent_as_they_are(ask: Ask, daemon: ScriptedDaemon) -> None:
    """So are the id of the login, and the view."""
    event = PostLoginEvent()
    event.request.query["a"] = "b"
    gateway = GatewayContext(remembered_browser=RememberedBrowser(user_id="u"), webauthn=False)
    scripted(
        daemon,
        Answer(
            decision=ALLOWED.decision,
            expect={"query": {"a": "b"}, "gateway": {"remembered_browser": {"user_id": "u"}, "webauthn": False}},
        ),
    )
    options = {"view": VIEW_FULL}
    decided = ask(daemon.target, "decide", "acme", event, request_id="r-1", gateway=gateway, options=options)
    assert decided.request_id == "r-1"
    assert daemon.end() == []


def test_retries_send_the_same_request_after_the_delay(ask: Ask, daemon: ScriptedDaemon) -> None:
    """The delay is the daemon's, and the request the same to the byte."""
    later = {"status": "RESOURCE_EXHAUSTED", "reason": "OVERLOADED", "retry_after_s": 0.15}
    scripted(daemon, Answer(error=later), Answer(decision=ALLOWED.decision, retry=True, after_s=0.15))
    assert isinstance(ask(daemon.target, "decide", "acme", EVENT).step, IssueTokens)
    assert daemon.end() == []


def test_the_calls_of_the_contract_say_why_there_is_no_decision(ask: Ask, daemon: ScriptedDaemon) -> None:
    """What `decide` turns into a step is an error with its reason, its fields and the number of attempts there."""
    request = ExecutePostLoginRequest(tenant_id="acme", request_id="r", event=PostLoginEvent())
    scripted(daemon, Answer(error={"status": "INVALID_ARGUMENT", "reason": "INVALID_EVENT", "message": "no user"}))
    with pytest.raises(RequestRefused, match=r"^INVALID_ARGUMENT INVALID_EVENT: no user$") as refused:
        ask(daemon.target, "execute_post_login", request)
    assert (refused.value.failure.reason, refused.value.attempts) == ("INVALID_EVENT", 1)
    later = {"status": "UNAVAILABLE", "reason": "DRAINING", "retry_after_s": 0.01}
    scripted(daemon, *[Answer(error=later, retry=at > 0) for at in range(3)])
    with pytest.raises(NoAnswer) as unanswered:
        ask(daemon.target, "execute_post_login", request, options={"retries": Retries(attempts=3)})
    assert (unanswered.value.failure.reason, unanswered.value.attempts) == ("DRAINING", 3)


def test_no_daemon_is_no_answer_within_the_deadline(ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The login is refused, unless the gateway chose otherwise; the log says why."""
    nobody = f"unix:{tmp_path}/none.sock"
    with caplog.at_level(logging.WARNING, "vestibule_client"):
        refused = ask(nobody, "decide", "acme", EVENT, options={"deadline_s": 0.5})
    assert isinstance(refused.step, Refuse)
    assert refused.step.oauth_error == "temporarily_unavailable"
    assert isinstance(refused.error, NoAnswer)
    assert f"no decision for request {refused.request_id}: " in caplog.text
    allowing = {"deadline_s": 0.5, "fallback": AllowWithoutDecision()}
    assert isinstance(ask(nobody, "decide", "acme", EVENT, options=allowing).step, IssueTokens)
    # A login that is continued was in the middle of a requirement: it is refused.
    assert isinstance(ask(nobody, "resume", "acme", EVENT, b"c", options=allowing).step, Refuse)


def test_a_refused_request_is_never_allowed(ask: Ask, daemon: ScriptedDaemon) -> None:
    """A user who can make the event unreadable gets past no fallback."""
    scripted(daemon, Answer(error={"status": "INVALID_ARGUMENT", "reason": "INVALID_EVENT"}))
    decided = ask(daemon.target, "decide", "acme", EVENT, options={"fallback": AllowWithoutDecision()})
    assert isinstance(decided.step, Refuse)
    assert isinstance(decided.error, RequestRefused)


def test_an_event_that_is_not_json_is_named(ask: Ask, daemon: ScriptedDaemon) -> None:
    """A gateway that sends an object of its own learns of it before the call."""
    with pytest.raises(ValueError, match=r"^event: holds what JSON has no word for"):
        ask(daemon.target, "decide", "acme", {"user": object()})


def test_a_tenant_is_asked_about(ask: Ask, daemon: ScriptedDaemon) -> None:
    """A daemon without the call refuses it; the kit's has none."""
    with pytest.raises(RequestRefused, match=r"^UNIMPLEMENTED"):
        ask(daemon.target, "get_tenant", "acme")


# -- the way -----------------------------------------------------------------------------------------------------------


def test_a_unix_socket_and_a_key(ask: Ask, tmp_path: Path) -> None:
    """The key is sent as a bearer token."""
    daemon = ScriptedDaemon(f"unix:{tmp_path}/v.sock")
    try:
        scripted(daemon, Answer(decision=ALLOWED.decision, expect={"authorization": "Bearer vk_mine"}))
        assert isinstance(ask(daemon.target, "decide", "acme", EVENT, options={"api_key": "vk_mine"}).step, IssueTokens)
        assert daemon.end() == []
    finally:
        daemon.stop()


@pytest.fixture(scope="module")
def authority() -> Certificate:
    return issue("authority", authority=True)


@pytest.fixture(scope="module")
def secured(authority: Certificate) -> Iterator[ScriptedDaemon]:
    """A daemon that shows a certificate of the authority, and asks clients for one."""
    own = issue("vestibule", by=authority, dns=("vestibule.example",))
    credentials = grpc.ssl_server_credentials([(own.key, own.pem)], authority.pem, require_client_auth=True)
    daemon = ScriptedDaemon(credentials=credentials)
    yield daemon
    daemon.stop()


def test_mutual_tls(ask: Ask, secured: ScriptedDaemon, authority: Certificate, tmp_path: Path) -> None:
    """Both sides show certificates, from files or from memory."""
    mine = issue("gateway", by=authority)
    certificate, key = mine.write(tmp_path, "gateway")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    for tls in (
        Tls(ca=tmp_path / "ca.pem", certificate=certificate, key=str(key)),
        Tls(ca=authority.pem, certificate=mine.pem, key=mine.key, server_name="vestibule.example"),
    ):
        scripted(secured, ALLOWED)
        assert isinstance(ask(secured.target, "decide", "acme", EVENT, options={"tls": tls}).step, IssueTokens)
        assert secured.end() == []


@pytest.mark.parametrize("fault", ["no certificate", "another authority", "another name", "plain text"])
def test_control_without_the_right_certificates_there_is_no_call(
    ask: Ask, secured: ScriptedDaemon, authority: Certificate, fault: str
) -> None:
    """Each side refuses the other: nothing is sent, and the login is refused in time."""
    mine, stranger = issue("gateway", by=authority), issue("stranger", authority=True)
    tls = {
        "no certificate": Tls(ca=authority.pem),
        "another authority": Tls(ca=stranger.pem, certificate=mine.pem, key=mine.key),
        "another name": Tls(ca=authority.pem, certificate=mine.pem, key=mine.key, server_name="other.example"),
        "plain text": None,
    }[fault]
    scripted(secured, ALLOWED)
    decided = ask(secured.target, "decide", "acme", EVENT, options={"tls": tls, "deadline_s": 0.5})
    assert isinstance(decided.step, Refuse)
    assert isinstance(decided.error, NoAnswer)
    assert secured.end() == ["the gateway made no call of ExecutePostLogin for the answer OUTCOME_ALLOW"]
