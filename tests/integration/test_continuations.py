"""Continuations, whole: bound to their login, good once, on any replica, after a restart and after a redeploy."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from vestibule.v1 import decision_pb2 as pb

from runtime.calls.calls import longest_login_s
from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from runtime.config.effective import Config
from runtime.continuation import keys, token
from tests.calls import Refused, result
from tests.fixtures.daemons import Daemon, Login, Serve, Tenant
from tests.fixtures.suspensions import (
    AFTER,
    CHALLENGE,
    OTP,
    PHONE,
    PLAIN,
    PROMPT,
    claims,
    event,
    keys_file,
    refusal,
    suspended,
    verdicts,
)
from tests.fixtures.tenants import ALLOW, LOOP, MFA, define
from tests.fixtures.waiting import until

pytestmark = pytest.mark.long


class TestRefusals:
    def test_what_is_none_of_ours_is_reported(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """Absent, cut, changed, foreign and oversized tokens are INVALID_ARGUMENT by field, and no flow runs."""
        tenant(CHALLENGE, AFTER)
        good = suspended(daemon, name)
        changed = bytearray(good)
        changed[len(good) // 2] ^= 1
        foreign = good[:1] + b"\0\0\0\0" + good[5:]
        cases = {
            b"": "is absent",
            good[:20]: "is cut short",
            bytes(changed): "was changed since it was sealed",
            foreign: "a key that this daemon does not have (id 00000000)",
            b"\x07" + good[1:]: "is of a form that this daemon does not know",
            good + bytes(token.MAX_BYTES): "are no continuation",
        }
        for sent, told in cases.items():
            error = refusal(daemon, name, event("otp"), sent, [OTP])
            assert (error.code, error.reason) == ("INVALID_ARGUMENT", "CONTINUATION_INVALID")
            (violation,) = error.details["BadRequest"].field_violations
            assert violation.field == "continuation"
            assert told in violation.description
        assert daemon.resume(name, event("otp"), good, [OTP]).outcome == ALLOW

    def test_another_login_cannot_use_it(self, daemon: Daemon, name: str) -> None:
        """Another tenant, user, client and so on gets which it is; the login itself can still be continued."""
        daemon.publish(define(name, CHALLENGE), define("beta", CHALLENGE))
        good = suspended(daemon, name)
        cases: dict[str, tuple[str, Any]] = {
            "tenant": ("beta", event("otp")),
            "user": (name, event("otp", user__user_id="auth0|2")),
            "transaction": (name, event("otp", transaction__id="t-2")),
            "client": (name, event("otp", client__client_id="another")),
            "protocol": (name, event("otp", transaction__protocol="oauth2-password")),
        }
        for what, (name, sent) in cases.items():
            error = refusal(daemon, name, sent, good, [OTP])
            assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONTINUATION_MISMATCH")
            assert error.details["ErrorInfo"].metadata == {"mismatch": what}
            assert f"of another {what}" in error.message
        assert daemon.resume(name, event("otp"), good, [OTP]).outcome == ALLOW

    def test_a_factor_cannot_be_left_out_or_replaced(self, daemon: Daemon, name: str) -> None:
        """Too few, too many and other factors are refused by field; the continuation is not used up by that."""
        daemon.publish(define(name, CHALLENGE), define("forms", PROMPT))
        good = suspended(daemon, name)
        for numbers, field in (([], "completed"), ([OTP, OTP], "completed"), ([PHONE], "completed[0]")):
            error = refusal(daemon, name, event("otp"), good, numbers)
            assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
            assert error.details["BadRequest"].field_violations[0].field == field
        form = suspended(daemon, "forms")
        assert "send none" in refusal(daemon, "forms", event(prompt={"id": "ap_1"}), form, [OTP]).message
        assert daemon.resume(name, event("otp"), good, [OTP]).outcome == ALLOW

    def test_it_expires(self, serve: Serve) -> None:
        """After its lifetime a continuation is refused, with the instant at which it expired."""
        daemon = serve("--continuation-lifetime-s", "1")
        daemon.publish(define("acme", CHALLENGE))
        good = suspended(daemon)
        time.sleep(1.1)
        error = refusal(daemon, "acme", event("otp"), good, [OTP])
        assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONTINUATION_EXPIRED")
        assert "begin the login again" in error.message

    def test_a_removed_tenant_is_unknown_until_it_is_applied_again(self, serve: Serve) -> None:
        """Its suspended logins are refused with it; applied again with another flow, they continue their own."""
        daemon = serve()
        daemon.publish(define("acme", CHALLENGE, PLAIN.format("old")))
        good = suspended(daemon)
        revision = applies.apply(SqliteDatabase(daemon.path), [define("beta", CHALLENGE)], prune=True).revision
        daemon.wait_for("catalog.reloaded", revision=revision)
        error = refusal(daemon, "acme", event("otp"), good, [OTP])
        assert (error.code, error.reason) == ("NOT_FOUND", "UNKNOWN_TENANT")
        daemon.publish(define("acme", PLAIN.format("new")))
        decision = daemon.resume("acme", event("otp"), good, [OTP])
        assert [execution.action for execution in decision.executions] == ["a0", "a1"]
        assert "https://a.example/old" in str(decision)

    def test_a_flow_that_is_not_kept_is_gone(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """When the store has lost what was deployed before, the login says so and does not run another flow."""
        tenant(CHALLENGE, PLAIN.format("old"))
        good = suspended(daemon, name)
        tenant(CHALLENGE, PLAIN.format("new"))
        with sqlite3.connect(daemon.path) as connection:
            connection.execute("DELETE FROM superseded")
        connection.close()
        error = refusal(daemon, name, event("otp"), good, [OTP])
        assert (error.code, error.reason) == ("FAILED_PRECONDITION", "FLOW_GONE")
        assert error.details["ErrorInfo"].metadata == {"tenant_id": name}

    def test_a_state_too_large_is_a_failed_action(self, tenant: Tenant, login: Login) -> None:
        """What does not fit into a token is not cut: the action failed, and its on_error decides."""
        big = (
            "def on_execute_post_login(event, api):\n"
            "    api.id_token.set_custom_claim('https://a.example/big', 'x' * 70000)\n"
            "    api.authentication.challenge_with({'type': 'otp'})\n"
        )
        tenant(big, PLAIN.format("next"))
        decision = login(event())
        assert decision.outcome == MFA
        assert decision.degraded
        assert [row[1] for row in verdicts(decision)] == ["exhausted", "completed"]
        assert decision.executions[0].error.type == "SuspensionTooLarge"
        assert claims(decision) == {"next": "next"}


class TestOnce:
    def test_a_replay_is_refused(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """A continuation that led to a decision leads to no other one, and every suspension of a flow is its own."""
        tenant(CHALLENGE, PROMPT)
        first = suspended(daemon, name)
        second = daemon.resume(name, event("otp"), first, [OTP]).suspension.continuation
        for _ in range(2):
            error = refusal(daemon, name, event("otp"), first, [OTP])
            assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONTINUATION_USED")
        assert daemon.resume(name, event("otp", prompt={"id": "ap_1", "fields": {"phone": "1"}}), second).outcome

    def test_of_concurrent_uses_one_wins(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """Sixteen calls at once: one decision, and fifteen refusals."""
        tenant(CHALLENGE, AFTER)

        def counted() -> list[float]:
            return [
                daemon.metric("vestibule_suspensions_total", kind="mfa"),
                daemon.metric("vestibule_continuations_total", result="continued"),
                daemon.metric("vestibule_continuations_total", result="used"),
                daemon.metric(
                    "grpc_server_handled_total", grpc_method="ContinuePostLogin", grpc_code="FAILED_PRECONDITION"
                ),
            ]

        before = counted()
        good = suspended(daemon, name)
        calls = [daemon.begin_resuming(name, event("otp"), good, [OTP]) for _ in range(16)]
        outcomes = []
        for call in calls:
            try:
                outcomes.append(pb.Outcome.Name(result(call).outcome))
            except Refused as error:
                outcomes.append(error.reason)
        assert sorted(outcomes) == ["CONTINUATION_USED"] * 15 + ["OUTCOME_ALLOW"]
        assert [new - old for new, old in zip(counted(), before, strict=True)] == [1, 1, 15, 15]
        first, last = (line for line in daemon.events("login.decided") if line["tenant"] == name)
        assert (first["suspended"], last["suspended"]) == ("mfa", None)
        assert [row.get("earlier", False) for row in last["executions"]] == [True, False]

    def test_a_leg_without_a_decision_can_be_tried_again(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """A caller that goes away before there is a decision has used nothing up."""
        tenant(CHALLENGE, LOOP, timeout_ms=1000)
        good = suspended(daemon, name)
        call = daemon.begin_resuming(name, event("otp"), good, [OTP])
        daemon.running_worker()
        call.cancel()

        def again() -> pb.Decision | str:
            try:
                return daemon.resume(name, event("otp"), good, [OTP])
            except Refused as error:
                # The claim is given back when the daemon has heard of it.
                return "" if error.reason == "CONTINUATION_USED" else error.reason

        decision = until(again, "a second try", every_s=0.1)
        assert [row[1] for row in verdicts(decision)] == ["completed", "timed_out"]

    def test_a_store_that_cannot_be_written_lets_nothing_continue(self, serve: Serve) -> None:
        """While it is locked the answer is UNAVAILABLE; afterwards the same continuation is good."""
        daemon = serve()
        daemon.tolerated.add("catalog.failed")
        daemon.publish(define("acme", CHALLENGE))
        good = suspended(daemon)
        holder = sqlite3.connect(daemon.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        error = refusal(daemon, "acme", event("otp"), good, [OTP])
        assert (error.code, error.reason) == ("UNAVAILABLE", "CATALOG_UNAVAILABLE")
        assert "RetryInfo" in error.details
        assert suspended(daemon)
        holder.close()
        assert daemon.resume("acme", event("otp"), good, [OTP]).outcome == ALLOW


class TestAnyReplica:
    def test_another_replica_continues(self, serve: Serve, tmp_path: Path) -> None:
        """With the same keys and store a second daemon continues what the first suspended, and a replay is seen."""
        flags = keys_file(tmp_path)
        first = serve(*flags)
        first.publish(define("acme", CHALLENGE, AFTER))
        second = serve(*flags, store=first.path)
        good = suspended(first)
        assert claims(second.resume("acme", event("otp"), good, [OTP]))["methods"] == ["otp"]
        for daemon in (first, second):
            assert refusal(daemon, "acme", event("otp"), good, [OTP]).reason == "CONTINUATION_USED"

    def test_without_a_keys_file_it_does_not(self, serve: Serve) -> None:
        """The control: daemons with keys of their own do not read each other's tokens, and said so at their start."""
        first = serve()
        first.publish(define("acme", CHALLENGE, AFTER))
        second = serve(store=first.path)
        assert second.wait_for("continuation.key_made")["level"] == "warning"
        error = refusal(second, "acme", event("otp"), suspended(first), [OTP])
        assert "does not have" in error.message

    def test_a_restart_loses_no_login(self, serve: Serve, tmp_path: Path) -> None:
        """A daemon that was killed continues it after its start, knows what was used, and finds a replaced flow."""
        flags = keys_file(tmp_path)
        first = serve(*flags)
        first.publish(define("acme", CHALLENGE, AFTER), define("forms", PROMPT, PLAIN.format("old")))
        used, good, form = suspended(first), suspended(first), suspended(first, "forms")
        first.resume("acme", event("otp"), used, [OTP])
        first.publish(define("forms", PLAIN.format("new")))
        os.kill(first.process.pid, signal.SIGKILL)
        first.wait()
        second = serve(*flags, store=first.path)
        assert refusal(second, "acme", event("otp"), used, [OTP]).reason == "CONTINUATION_USED"
        assert second.resume("acme", event("otp"), good, [OTP]).outcome == ALLOW
        decision = second.resume("forms", event(prompt={"id": "ap_1", "fields": {"phone": "1"}}), form)
        assert claims(decision) == {"old": "old"}
        assert verdicts(decision)[1] == ("a0", "completed", True, False)

    def test_a_daemon_that_dies_in_the_middle_takes_no_login_along(self, serve: Serve, tmp_path: Path) -> None:
        """Its claim keeps others out until it lapses, half a minute after the call's deadline; then any may."""
        flags = keys_file(tmp_path)
        first = serve("--sandbox-action-timeout-ms", "5000", *flags)
        first.publish(define("acme", CHALLENGE, LOOP, timeout_ms=1000))
        good = suspended(first)
        call = first.begin_resuming("acme", event("otp"), good, [OTP], timeout_s=6)
        first.running_worker()
        os.kill(first.process.pid, signal.SIGKILL)
        with pytest.raises(Refused):
            result(call)
        first.wait()
        second = serve(*flags, store=first.path)
        assert refusal(second, "acme", event("otp"), good, [OTP]).reason == "CONTINUATION_USED"
        with sqlite3.connect(first.path) as connection:
            ((until_ms,),) = connection.execute("SELECT claimed_until_ms FROM continuations").fetchall()
            # Half a minute after the call's deadline, and a second by which claims differ.
            assert 0 < until_ms / 1000 - time.time() < longest_login_s(Config()) + 31
            # Instead of waiting for it.
            connection.execute("UPDATE continuations SET claimed_until_ms = 1")
        connection.close()
        decision = second.resume("acme", event("otp"), good, [OTP])
        assert [row[1] for row in verdicts(decision)] == ["completed", "timed_out"]

    def test_keys_rotate(self, serve: Serve, tmp_path: Path) -> None:
        """A new key seals, the old one still opens; without it a token is refused with the id of the missing key."""
        old, new = keys.generate(), keys.generate()
        first = serve(*keys_file(tmp_path, old))
        first.publish(define("acme", CHALLENGE))
        good, late = suspended(first), suspended(first)
        assert first.stop() == 0
        second = serve(*keys_file(tmp_path, new, old), store=first.path)
        assert second.resume("acme", event("otp"), good, [OTP]).outcome == ALLOW
        fresh = suspended(second)
        assert fresh[1:5] == keys.key_id(new)
        assert second.stop() == 0
        third = serve(*keys_file(tmp_path, new), store=first.path)
        assert f"(id {keys.key_id(old).hex()})" in refusal(third, "acme", event("otp"), late, [OTP]).message
        assert third.resume("acme", event("otp"), fresh, [OTP]).outcome == ALLOW

    def test_a_bad_keys_file_stops_the_start(self, serve: Serve, tmp_path: Path) -> None:
        """A daemon does not start with keys that others can read, and says why."""
        _, path = flags = keys_file(tmp_path)
        Path(path).chmod(0o644)
        with pytest.raises(AssertionError, match="has mode 0644, so every user of this host can use it"):
            serve(*flags)


class TestPinned:
    def test_a_redeploy_does_not_change_a_login(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """A suspended login keeps the flow it began with: sources, secrets, settings; a new one has the new."""
        old = PLAIN.format("k").replace('"k")', 'event.secrets["K"])')
        tenant(CHALLENGE, old, secrets={"K": "then"})
        good = suspended(daemon, name)
        tenant(CHALLENGE, PLAIN.format("other"), secrets={"K": "now"})
        tenant(CHALLENGE, PLAIN.format("third"), secrets={"K": "now"})
        assert claims(daemon.resume(name, event("otp"), good, [OTP])) == {"asked": True, "k": "then"}
        assert claims(daemon.resume(name, event("otp"), suspended(daemon, name), [OTP])) == {
            "asked": True,
            "third": "third",
        }


class TestFailures:
    def test_a_worker_killed_in_a_resumed_leg_costs_one_retry(self, serve: Serve) -> None:
        """Somebody kills the worker in mid-leg: another one runs the step again and sees what came before."""
        slow = (
            "def on_execute_post_login(event, api):\n"
            "    total = 0\n    for n in range(6_000_000):\n        total += n\n"
            "    seen = event.transaction.metadata.get('challenged')\n"
            "    api.id_token.set_custom_claim('https://a.example/seen', seen)\n"
        )
        daemon = serve("--sandbox-action-timeout-ms", "20000", "--sandbox-flow-timeout-ms", "20000")
        daemon.publish(define("acme", CHALLENGE, slow))
        call = daemon.begin_resuming("acme", event("otp"), suspended(daemon), [OTP])
        assert daemon.running_worker().kill()
        decision = result(call)
        assert verdicts(decision)[1][:2] == ("a1", "completed")
        assert claims(decision) == {"asked": True, "seen": "yes"}
        assert daemon.metric("vestibule_flow_retries_total") == 1

    def test_a_continue_handler_that_fails_follows_on_error(self, daemon: Daemon, name: str, tenant: Tenant) -> None:
        """A raise after the user is back never weakens the login, and the report says which part failed."""
        source = PROMPT.replace("api.user.set_user_metadata", "api.nothing.of_the_kind")
        tenant(source)
        decision = daemon.resume(name, event(prompt={"id": "ap_1", "fields": {"phone": "1"}}), suspended(daemon, name))
        assert decision.outcome == MFA
        assert verdicts(decision) == [("a0", "completed", False, True), ("a0", "raised", True, False)]

    def test_a_hung_continue_handler_is_killed_and_reported_as_such(
        self, daemon: Daemon, name: str, tenant: Tenant
    ) -> None:
        """An endless continue handler times out as a continued execution; the flow continues behind it."""
        source = (
            PROMPT.partition("def on_continue")[0]
            + "def on_continue_post_login(event, api):\n    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))\n"
        )
        tenant(source, PLAIN.format("next"), timeout_ms=200)
        decision = daemon.resume(name, event(prompt={"id": "ap_1"}), suspended(daemon, name))
        assert decision.outcome == MFA
        assert verdicts(decision)[1:] == [("a0", "timed_out", True, False), ("a1", "completed", False, False)]
        assert claims(decision) == {"next": "next"}

    def test_draining_finishes_a_resumed_login(self, serve: Serve) -> None:
        """A continued login is in flight like any other: SIGTERM waits for it, and a later one is sent away."""
        daemon = serve("--sandbox-action-timeout-ms", "5000")
        daemon.publish(define("acme", CHALLENGE, LOOP, timeout_ms=600))
        good, late = suspended(daemon), suspended(daemon)
        call = daemon.begin_resuming("acme", event("otp"), good, [OTP])
        daemon.running_worker()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("daemon.draining")
        with pytest.raises((Refused, grpc.RpcError)):
            daemon.resume("acme", event("otp"), late, [OTP])
        assert [row[1] for row in verdicts(result(call))] == ["completed", "timed_out"]
        assert daemon.wait() == 0
