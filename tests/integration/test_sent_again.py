"""A request that is sent again: the same decision from any replica, one execution at a time, and no second decision."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from google.protobuf.message import Message
from vestibule.v1 import decision_pb2 as pb
from vestibule.v1.runtime_service_pb2 import (
    ContinuePostLoginRequest,
    ContinuePostLoginResponse,
    ExecutePostLoginRequest,
    ExecutePostLoginResponse,
)

from sandbox.contract import tokens
from tests.calls import CONTINUE, METHOD, Refused, unary
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.suspensions import CHALLENGE, OTP, REDIRECT, event, keys_file, returned
from tests.fixtures.suspensions import SECRET as PAGE_SECRET
from tests.fixtures.tenants import ALLOW, LOOP, define
from tests.fixtures.waiting import PATIENCE_S, until

RANDOM = """\
import random
from datetime import datetime, timezone

def on_execute_post_login(event, api):
    api.id_token.set_custom_claim("https://a.example/random", random.getrandbits(48))
    api.id_token.set_custom_claim("https://a.example/now", datetime.now(timezone.utc).isoformat())
"""
REMEMBERS = "def on_execute_post_login(event, api):\n    api.multifactor.enable('any', allow_remember_browser=True)\n"
SECRET = "a-secret-of-a-tenant"
TELLS = f"""\
def on_execute_post_login(event, api):
    api.id_token.set_custom_claim("https://a.example/key", "{SECRET}")
"""
# A login that takes until its budget is used up; the machine may be busy, so nothing else is measured in it.
SLOW = ("--sandbox-action-timeout-ms", "500", "--sandbox-flow-timeout-ms", "500")


class Gateway:
    """Sends requests as bytes, so that they can be sent again."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._channel = grpc.insecure_channel(daemon.target, options=[("grpc.enable_retries", 0)])

    def close(self) -> None:
        self._channel.close()

    def begin(self, request: Message) -> grpc.Future[Any]:
        path = CONTINUE if isinstance(request, ContinuePostLoginRequest) else METHOD
        begun: grpc.Future[Any] = unary(self._channel, path).future(request.SerializeToString(), timeout=PATIENCE_S)
        return begun

    def send(self, request: Message) -> bytes:
        """Return the serialized answer. Raises: Refused."""
        return answer(self.begin(request))

    def decide(self, request: Message) -> ExecutePostLoginResponse:
        return ExecutePostLoginResponse.FromString(self.send(request))

    def refused(self, request: Message) -> Refused:
        with pytest.raises(Refused) as caught:
            self.send(request)
        return caught.value


def answer(call: grpc.Future[Any]) -> bytes:
    try:
        data: bytes = call.result()
    except grpc.RpcError as error:
        raise Refused(error) from None
    return data


def execute(tenant: str, request_id: str = "r-1", **members: Any) -> ExecutePostLoginRequest:
    return ExecutePostLoginRequest(tenant_id=tenant, request_id=request_id, event=event(**members))


def resume(tenant: str, continuation: bytes, request_id: str = "r-2", **members: Any) -> ContinuePostLoginRequest:
    return ContinuePostLoginRequest(
        tenant_id=tenant,
        request_id=request_id,
        event=event("otp", **members),
        continuation=continuation,
        completed=[OTP],
    )


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Two daemons with one store and one keys file."""
    root = tmp_path_factory.mktemp("again")
    keys = keys_file(root)
    with served(root, *keys) as first, served(root, *keys, store=first.path) as second:
        revision = first.publish(
            define("pages", REDIRECT, secrets={"KEY": PAGE_SECRET}),
            define("remembers", REMEMBERS),
            define("random", RANDOM),
            define("asks", CHALLENGE, RANDOM),
            define("tells", CHALLENGE, TELLS),
        )
        second.wait_for("catalog.reloaded", revision=revision)
        gateways = Gateway(first), Gateway(second)
        yield gateways
        for gateway in gateways:
            gateway.close()


def test_a_retry_on_another_replica_gives_the_same_decision(replicas: tuple[Gateway, Gateway]) -> None:
    """Randomness, clock and the decision's id are the same; another id or another content has others of its own."""
    one, other = replicas
    request = execute("random")

    def same_step() -> tuple[ExecutePostLoginResponse, ExecutePostLoginResponse] | None:
        # A step of the clock may end between two calls. It cannot end between two that see the same time.
        first, second, third = one.decide(request), other.decide(request), one.decide(request)
        return (first, second) if claims(first)["now"] == claims(third)["now"] else None

    first, second = until(same_step, "three calls within one step of the clock")
    assert claims(first) == claims(second)
    assert first.decision.decision_id == second.decision.decision_id
    others = [one.decide(execute("random", "r-9")), one.decide(execute("random", user__nickname="ada"))]
    ids = {first.decision.decision_id, *(response.decision.decision_id for response in others)}
    assert len(ids) == len({claims(response)["random"] for response in (first, *others)}) == 3


def test_the_log_names_decision_request_and_trace(replicas: tuple[Gateway, Gateway]) -> None:
    """What stands beside the answer finds the daemon's line, and the line finds the caller's trace."""
    one, _ = replicas
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with grpc.insecure_channel(one.daemon.target) as channel:
        request = execute("random", "r-trace").SerializeToString()
        call = unary(channel, METHOD).future(request, timeout=PATIENCE_S, metadata=(("traceparent", trace),))
        beside = dict(call.trailing_metadata())
    line = one.daemon.wait_for("login.decided", decision_id=beside["vestibule-decision-id"])
    assert (line["request_id"], line["traceparent"]) == ("r-trace", trace)
    assert (beside["vestibule-request-id"], beside["traceparent"]) == ("r-trace", trace)


def test_requests_without_an_id_are_never_the_same(replicas: tuple[Gateway, Gateway]) -> None:
    """The control: what a caller did not name is decided anew."""
    one, _ = replicas
    first, second = one.decide(execute("random", "")), one.decide(execute("random", ""))
    assert claims(first)["random"] != claims(second)["random"]
    assert first.decision.decision_id != second.decision.decision_id


def test_a_continuation_with_the_same_request_gets_the_same_answer(replicas: tuple[Gateway, Gateway]) -> None:
    """To the byte, from each replica, as often as it is sent; a request that differs in anything is refused."""
    one, other = replicas
    token = one.decide(execute("asks")).decision.suspension.continuation
    request = resume("asks", token)
    first = one.send(request)
    assert ContinuePostLoginResponse.FromString(first).decision.outcome == ALLOW
    assert [gateway.send(request) for gateway in (one, other, other, one)] == [first] * 4
    for changed in (
        resume("asks", token, "r-3"),
        resume("asks", token, user__nickname="ada"),
        resume("asks", token, ""),
    ):
        for gateway in replicas:
            assert gateway.refused(changed).reason == "CONTINUATION_USED"
    repeated = [gateway.daemon.metric("vestibule_continuations_total", result="repeated") for gateway in replicas]
    assert repeated == [2, 2]
    line = other.daemon.wait_for("login.repeated", request_id="r-2")
    decision_id = ContinuePostLoginResponse.FromString(first).decision.decision_id
    assert (line["answer"], line["decision_id"]) == ("stored", decision_id)


def test_without_an_id_a_continuation_is_good_once(replicas: tuple[Gateway, Gateway]) -> None:
    """A request that was not named cannot be told from a replay by another party."""
    one, other = replicas
    request = resume("asks", one.decide(execute("asks", "r-5")).decision.suspension.continuation, "")
    one.send(request)
    assert other.refused(request).reason == one.refused(request).reason == "CONTINUATION_USED"


def test_a_login_that_was_sent_twice_is_continued_once(replicas: tuple[Gateway, Gateway]) -> None:
    """Its continuations are one: what the first answer led to, the second cannot lead to as well."""
    one, other = replicas
    ids = iter(f"twice-{n}" for n in range(100))

    def continued_twice(first: str, second: str) -> bool:
        tokens = [
            gateway.decide(execute("asks", name)).decision.suspension.continuation
            for gateway, name in ((one, first), (other, second))
        ]
        one.send(resume("asks", tokens[0]))
        try:
            other.send(resume("asks", tokens[1]))
        except Refused as error:
            return error.reason != "CONTINUATION_USED"
        return True

    # A step of the clock may end between the two calls: then they are two logins to the store.
    until(lambda: not continued_twice(name := next(ids), name), "one continuation for two answers")
    # The control: two logins have two.
    assert continued_twice(next(ids), next(ids))


def test_the_store_sees_no_answer(replicas: tuple[Gateway, Gateway]) -> None:
    """What is kept may hold a tenant's secrets, so it is sealed. The control: the answer itself has the secret."""
    one, _ = replicas
    first = one.send(resume("tells", one.decide(execute("tells")).decision.suspension.continuation))
    assert SECRET.encode() in first
    store = one.daemon.path
    with sqlite3.connect(store) as connection:
        kept = [row[0] for row in connection.execute("SELECT answer FROM continuations WHERE answer IS NOT NULL")]
    connection.close()
    assert kept
    assert not any(SECRET.encode() in answer for answer in kept)


def test_tokens_of_a_page_are_good_with_a_clock_that_stands_back(replicas: tuple[Gateway, Gateway]) -> None:
    """What an action sends to a page is from the past, and what the page signs now is valid when the user is back."""
    one, _ = replicas
    for number in range(5):
        first = one.decide(execute("pages", f"p-{number}"))
        token = parse_qs(urlsplit(first.decision.suspension.redirect.url).query)["session_token"][0]
        said = tokens.verify(token, PAGE_SECRET)
        now_s = int(time.time())
        assert said["iat"] <= now_s < said["exp"]
        request = ContinuePostLoginRequest(
            tenant_id="pages", request_id="back", event=returned(nbf=now_s), continuation=continuation(first)
        )
        back = one.decide(request).decision
        assert not back.degraded, back.degraded_reasons
        assert back.outcome == ALLOW


def test_a_browser_that_was_seen_just_now_is_remembered(replicas: tuple[Gateway, Gateway]) -> None:
    """Though the clock of the login stands before that instant. The control: one that was seen too long ago."""
    one, _ = replicas
    now_s = int(time.time())
    for seen_s, status in (
        (now_s, pb.Multifactor.STATUS_REMEMBERED),
        (now_s - 9 * 86400, pb.Multifactor.STATUS_REQUIRED),
    ):
        request = execute("remembers", f"seen-{seen_s}")
        memory = request.gateway.remembered_browser
        memory.user_id, memory.provider = request.event.user.user_id, pb.PROVIDER_ANY
        memory.issued_at.FromSeconds(seen_s)
        memory.last_seen_at.FromSeconds(seen_s)
        assert one.decide(request).decision.multifactor.status == status


def continuation(response: ExecutePostLoginResponse) -> bytes:
    found: bytes = response.decision.suspension.continuation
    return found


@pytest.mark.long
def test_an_equal_request_waits_for_the_one_that_runs(tmp_path: Path) -> None:
    """One execution and two answers; a caller that leaves does not take the other's answer with it."""
    # A long wait in the queue is a long deadline, too: the machine may be busy.
    with served(tmp_path, *SLOW, "--pool-queue-wait-ms", "60000") as daemon:
        daemon.publish(define("slow", LOOP))
        gateway = Gateway(daemon)
        first = gateway.begin(execute("slow"))
        daemon.wait_in_flight(1)
        second = gateway.begin(execute("slow"))
        daemon.wait_in_flight(2)
        assert answer(first) == answer(second)
        assert daemon.metric("vestibule_logins_joined_total") == 1
        assert daemon.wait_for("login.repeated")["answer"] == "running"
        assert daemon.metric("vestibule_executions_total", verdict="timed_out") == 1

        leaves = gateway.begin(execute("slow", "r-2"))
        daemon.wait_in_flight(1)
        stays = gateway.begin(execute("slow", "r-2"))
        daemon.wait_in_flight(2)
        leaves.cancel()
        decision = ExecutePostLoginResponse.FromString(answer(stays)).decision
        assert decision.degraded
        gateway.close()


@pytest.mark.long
def test_a_daemon_that_dies_over_a_continuation_leaves_no_second_decision(tmp_path: Path) -> None:
    """Until its claim lapses the same request is to be tried again, and another one is refused; then it is decided."""
    keys = keys_file(tmp_path)
    with served(tmp_path, *keys) as survivor:
        doomed = Daemon(tmp_path, *keys, *SLOW, store=survivor.path)
        try:
            revision = doomed.publish(define("slow", CHALLENGE, LOOP))
            survivor.wait_for("catalog.reloaded", revision=revision)
            first, gateway = Gateway(doomed), Gateway(survivor)
            token = gateway.decide(execute("slow")).decision.suspension.continuation
            request = resume("slow", token)
            call = first.begin(request)
            doomed.running_worker()
            doomed.process.send_signal(signal.SIGKILL)
            doomed.process.wait(PATIENCE_S)
            with pytest.raises(Refused):
                answer(call)
            first.close()
            error = gateway.refused(request)
            assert (error.code, error.reason) == ("UNAVAILABLE", "CONTINUATION_RUNNING")
            assert error.details["RetryInfo"].retry_delay.seconds == 1
            assert gateway.refused(resume("slow", token, "r-3")).reason == "CONTINUATION_USED"
            lapse(survivor.path)
            decided = gateway.send(request)
            assert ContinuePostLoginResponse.FromString(decided).decision.degraded
            assert gateway.send(request) == decided
            assert gateway.refused(resume("slow", token, "r-3")).reason == "CONTINUATION_USED"
            gateway.close()
        finally:
            doomed.end()
            doomed.check()


def lapse(store: Path) -> None:
    """Let every claim lapse, as it does half a minute beyond its deadline."""
    with sqlite3.connect(store) as connection:
        done = connection.execute("UPDATE continuations SET claimed_until_ms = 1 WHERE claimed_until_ms IS NOT NULL")
        assert done.rowcount == 1
    connection.close()


def claims(response: ExecutePostLoginResponse) -> dict[str, Any]:
    found = response.decision.on_success.id_token_claims.fields
    return {name.rpartition("/")[2]: value.number_value or value.string_value for name, value in found.items()}
