"""Hooks of other products against a real daemon: over HTTP each dialect, over gRPC Envoy's checks, on both fronts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from vestibule.envoy.v1 import external_auth_pb2 as envoy

from runtime.doors.dialects.checks import METHOD, SERVICE
from tests.calls import unary
from tests.conformance.hook_cases import NAMES, case, door
from tests.conformance.test_envoy_checks import check
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.hooks import HookPort, body_of, signed, tenant
from tests.fixtures.waiting import PATIENCE_S
from tests.fronts import BOTH

SUSPENDED = "This login needs a step that cannot be shown here."
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FACTOR = "A second factor is required for this login."


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all, with a tenant that opens every door and one that opens none."""
    with served(tmp_path_factory.mktemp("daemon"), "--http-listen", "127.0.0.1:0") as made:
        acme = tenant()
        closed = tenant("closed")
        made.publish(acme, replace(closed, flow=replace(closed.flow, doors={})))
        yield made


@pytest.fixture(scope="module")
def port(daemon: Daemon) -> HookPort:
    return HookPort(daemon)


def text_of(dialect: str, data: bytes) -> str:
    """Return the text for the user in a refusal."""
    said = json.loads(data)
    if dialect == "kratos":
        return str(said["messages"][0]["messages"][0]["text"])
    if dialect == "hydra":
        return str(said["error_description"])
    return str(said["error"]["message"] if dialect == "supabase" else said["forwardedErrorMessage"])


def test_ada_is_let_in(port: HookPort) -> None:
    """Each product reads our answer as a yes, with the claims that the action set where it can take some."""
    assert port.ask("kratos", "ada").status == 204
    assert json.loads(port.ask("hydra", "ada").body)["session"]["access_token"] == {"team": "p", "plan": "gold"}
    assert json.loads(port.ask("supabase", "ada").body)["claims"]["plan"] == "gold"
    assert json.loads(port.ask("zitadel", "ada").body) == {"append_claims": [{"key": "plan", "value": "gold"}]}
    for dialect in ("cas-trigger", "cas-policy"):
        answer = port.ask(dialect, "ada")
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("dialect", ["kratos", "hydra", "supabase", "zitadel"])
@pytest.mark.parametrize(("who", "text"), [("mallory", "Payroll is closed."), ("eve", SUSPENDED)])
def test_mallory_and_eve_are_not(port: HookPort, dialect: str, who: str, text: str) -> None:
    """A denial and a suspension are refusals with a text for the user, in one line."""
    answer = port.ask(dialect, who)
    assert text_of(dialect, answer.body) == text
    assert answer.status == (403 if dialect in ("kratos", "hydra") else 200)


def test_cas_refuses_by_its_policy_and_asks_by_its_trigger(port: HookPort) -> None:
    """The trigger never answers an error, and names the provider of a factor that the decision offers."""
    for who in ("mallory", "eve", "bob"):
        assert port.ask("cas-policy", who).status == 403
    answers = {who: port.ask("cas-trigger", who) for who in ("mallory", "eve", "bob")}
    assert {answer.status for answer in answers.values()} == {200}
    assert {answers["mallory"].body, answers["eve"].body} == {b"mfa-duo"}
    assert answers["bob"].body == b"mfa-gauth"
    assert answers["bob"].headers["content-type"].startswith("text/plain")


def test_bob_needs_a_factor(port: HookPort) -> None:
    """A required factor is refused or claimed, as the tenant says, and passes where the session shows one."""
    for dialect in ("kratos", "hydra", "zitadel"):
        assert text_of(dialect, port.ask(dialect, "bob").body) == FACTOR
    assert json.loads(port.ask("supabase", "bob").body)["claims"]["mfa_required"] is True
    assert port.ask("kratos", "bob", **{"session.aal": "aal2"}).status == 204
    assert "mfa_required" not in json.loads(port.ask("supabase", "bob", **{"claims.aal": "aal2"}).body)["claims"]
    amr: dict[str, Any] = {"session.id_token.id_token_claims.amr": ["password", "totp"]}
    assert port.ask("hydra", "bob", **amr).status == 204


@pytest.mark.parametrize("dialect", NAMES)
def test_three_identical_retries_get_one_answer(port: HookPort, daemon: Daemon, dialect: str) -> None:
    """Equal calls are one login: one decision is counted, and its bytes are the answer to all."""
    before = daemon.metric("vestibule_decisions_total", outcome="deny")
    calls = daemon.metric("vestibule_hook_calls_total", dialect=dialect, result="deny")
    data = body_of(dialect, f"mallory of {dialect}")
    headers = signed(dialect, data)
    answers = [port.send(f"/doors/{dialect}/acme", data, headers) for _ in range(4)]
    assert len({(answer.status, answer.body) for answer in answers}) == 1
    assert daemon.metric("vestibule_decisions_total", outcome="deny") == before + 1
    assert daemon.metric("vestibule_hook_calls_total", dialect=dialect, result="deny") == calls + 4


@pytest.mark.parametrize("dialect", NAMES)
def test_who_is_not_authentic_gets_nothing(port: HookPort, daemon: Daemon, dialect: str) -> None:
    """A forged, a stale and an unsigned call, another tenant and a tenant without the door decide nothing."""
    before = daemon.metric("vestibule_decisions_total", outcome="allow")
    data = body_of(dialect, "ada")
    secret = "v1,whsec_" + "c2VjcmV0" * 4 if dialect == "supabase" else "another-secret-of-acme"
    sent = [("acme", signed(dialect, data, secret=secret)), ("acme", {})]
    sent += [("closed", signed(dialect, data)), ("nobody", signed(dialect, data))]
    if dialect in ("zitadel", "supabase"):
        genuine = case(dialect)["genuine"]
        sent += [("acme", signed(dialect, data, at_s=genuine["at"])), ("acme", genuine["headers"])]
    for name, headers in sent:
        answer = port.send(f"/doors/{dialect}/{name}", data, headers)
        if dialect == "cas-trigger" and name == "acme":
            assert (answer.status, answer.body) == (200, b"mfa-duo")
        else:
            assert answer.status == 401
    assert daemon.metric("vestibule_decisions_total", outcome="allow") == before
    assert daemon.metric("vestibule_callers_refused_total", reason="hook_not_authentic") >= 2


def test_bad_requests(port: HookPort) -> None:
    """An unknown dialect says which there are; a wrong verb, path, size, depth and a member twice have their status."""
    answer = port.send("/doors/kratoss/acme", b"{}", {})
    assert answer.status == 404
    assert "did you mean 'kratos'?" in json.loads(answer.body)["message"]
    assert port.send("/doors/kratos/acme", b"", {}, "GET").status == 405
    assert port.send("/doors/kratos", b"{}", {}).status == 404
    assert port.send("/doors/kratos/acme/more", b"{}", {}).status == 404
    for data, status in ((b"x" * (10 << 20), 413), (b"[" * 10_000, 400), (b'{"a":1,"a":1}', 400), (b"", 400)):
        assert port.send("/doors/kratos/acme", data, signed("kratos", data)).status == status
    twice = body_of("kratos", "ada").replace(b'"v": 1', b'"v": 1, "v": 1')
    assert port.send("/doors/kratos/acme", twice, signed("kratos", twice)).status == 400


def test_no_decision_in_time_closes(daemon: Daemon, port: HookPort) -> None:
    """An action that takes all of its budget leads to its on_error, and never to a yes."""
    answer = port.ask("zitadel", "slow")
    assert json.loads(answer.body)["forwardedStatusCode"] == 403


def test_a_tenant_says_what_a_factor_becomes(daemon: Daemon, port: HookPort) -> None:
    """What an apply changes counts for the next call."""
    daemon.publish(
        tenant("claims", hydra=door("hydra", mfa_required_as="claim"), kratos=door("kratos", mfa_required_as="native"))
    )
    session = json.loads(port.ask("hydra", "bob", "claims").body)["session"]
    assert session["access_token"]["mfa_required"] is True
    assert port.ask("kratos", "bob", "claims").status == 403
    assert port.ask("kratos", "bob", "claims", **{"user.second_factor": True}).status == 204


def test_the_callers_trace_is_in_the_log(daemon: Daemon, port: HookPort) -> None:
    """As gRPC's is; what is no trace is passed over."""
    for at, trace in enumerate(("nonsense", TRACE)):
        data = body_of("kratos", f"ada-{at}")
        answer = port.send("/doors/kratos/acme", data, signed("kratos", data) | {"traceparent": trace})
        assert answer.status == 204
    daemon.wait_for("login.decided", traceparent=TRACE)
    assert {line["traceparent"] for line in daemon.events("login.decided") if "traceparent" in line} == {TRACE}


# -- Envoy ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=BOTH)
def checks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A daemon on one of the fronts, asked as Envoy asks."""
    with served(tmp_path_factory.mktemp("envoy"), "--rpc-front", request.param) as made:
        made.publish(tenant())
        # The first login of a tenant compiles its actions, which may take longer than Envoy waits.
        made.call("acme")
        with grpc.insecure_channel(made.target) as channel:
            ask = unary(channel, f"/{SERVICE}/{METHOD}", envoy.CheckResponse.FromString)
            yield made, lambda found, timeout_s=PATIENCE_S: ask(found.SerializeToString(), timeout=timeout_s)


@pytest.mark.parametrize(
    ("claims", "code", "status"),
    [({"sub": "ada"}, 0, 0), ({"sub": "mallory"}, 7, 403), ({"sub": "bob"}, 16, 401), ({"sub": "eve"}, 7, 403),
     ({"sub": "bob", "amr": ["pwd", "mfa"]}, 0, 0)],
)  # fmt: skip
def test_checks(checks: Any, claims: dict[str, Any], code: int, status: int) -> None:
    """Envoy lets pass whom the tenant's flow lets in, challenges who needs a factor, refuses the others."""
    _, ask = checks
    answer = ask(check(claims))
    assert (answer.status.code, answer.denied_response.status.code) == (code, status)
    assert answer.dynamic_metadata["decision_id"]


def test_equal_checks_are_one_login(checks: Any) -> None:
    """A session's requests are answered from memory for a while; those of another one are not."""
    daemon, ask = checks
    before = daemon.metric("vestibule_decisions_total", outcome="allow")
    answers = []
    for path in ("/a", "/b", "/c"):
        found = check({"sub": "ada", "sid": "kept"})
        found.attributes.request.http.path = path
        answers.append(ask(found))
    assert answers == [answers[0]] * 3
    assert daemon.metric("vestibule_decisions_total", outcome="allow") == before + 1
    assert ask(check({"sub": "ada", "sid": "another"})) != answers[0]


def test_the_trace_of_a_checked_request_is_in_the_log(checks: Any) -> None:
    """The one that its sender, or Envoy, put among its headers."""
    daemon, ask = checks
    found = check({"sub": "ada", "sid": "traced"})
    found.attributes.request.http.headers["traceparent"] = TRACE
    decision = ask(found).dynamic_metadata["decision_id"]
    assert daemon.wait_for("login.decided", decision_id=decision)["traceparent"] == TRACE


def test_bad_checks(checks: Any) -> None:
    """What cannot be decided is an error, which Envoy closes on; it names what to change."""
    _, ask = checks
    nobody = check()
    nobody.attributes.context_extensions["tenant"] = "nobody"
    bare = check()
    bare.attributes.ClearField("context_extensions")
    huge = check()
    huge.attributes.request.http.headers["x"] = "x" * (2 << 20)
    for found, code, text in (
        (nobody, "UNAUTHENTICATED", "has no door envoy"),
        (bare, "INVALID_ARGUMENT", "context_extensions"),
        (huge, "INVALID_ARGUMENT", "with_request_body"),
        (envoy.CheckRequest(), "INVALID_ARGUMENT", "context_extensions"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            ask(found)
        assert (refused.value.code().name, text in (refused.value.details() or "")) == (code, True)
