"""An Envoy check's way to an answer: who may ask, what is remembered, and what each trouble becomes."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.rpc import status_pb2
from vestibule.envoy.v1 import external_auth_pb2 as pb
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest, ExecutePostLoginResponse

from runtime.callers import errors as caller_errors
from runtime.callers.caller import ANYONE, Caller, Scope
from runtime.calls import status
from runtime.calls.calls import Calls, NoAnswer
from runtime.catalog.base import Flow, Snapshot
from runtime.catalog.hook_door import HookDoor
from runtime.core.model import Settings
from runtime.doors.dialects.checks import MAX_CHECK_BYTES, EnvoyChecks
from runtime.ops.labels import GRPC_METHOD
from runtime.ops.metrics import Metrics
from tests.conformance.hook_cases import case, decision
from tests.conformance.test_envoy_checks import check, door


class Rig:
    """A desk of checks whose logins are decided by a script."""

    def __init__(self) -> None:
        self.asked: list[ExecutePostLoginRequest] = []
        self.left: list[float | None] = []
        self.no_answer: NoAnswer | None = None
        self.outcome = "allow"
        flow = Flow("acme", Settings(), digest=b"1", doors={"envoy": door()})
        self.tenants: dict[str, Flow] = {"acme": flow, "closed": Flow("closed", Settings())}
        self.metrics = Metrics("0")
        calls = SimpleNamespace(answer=self._answer, refuse=self._refuse, methods={GRPC_METHOD: None})
        self.checks = EnvoyChecks(
            cast(Calls, calls), lambda: Snapshot(1, self.tenants, {}), self.metrics, clock=lambda: case("envoy")["now"]
        )

    async def _answer(self, _method: Any, data: bytes, remaining: Callable[[], float], identify: Any, _: str) -> Any:
        identify().require("acme", Scope.EXECUTE)
        self.left.append(remaining())
        self.asked.append(ExecutePostLoginRequest.FromString(data))
        made, no_answer = ExecutePostLoginResponse(decision=decision(self.outcome)), self.no_answer
        await asyncio.sleep(0)
        return no_answer or SimpleNamespace(data=made.SerializeToString())

    def _refuse(self, error: Exception, *_ids: str) -> NoAnswer:
        code, _, made = status.to_status(error)
        return NoAnswer(code, made)

    async def ask(
        self, found: pb.CheckRequest | bytes | None = None, caller: Caller = ANYONE, left_s: float | None = 0.2
    ) -> pb.CheckResponse | str:
        """Send a check; return the answer, or the code of the error."""
        found = check() if found is None else found
        data = found if isinstance(found, bytes) else found.SerializeToString()
        answer = await self.checks.check(data, lambda: left_s, lambda: caller)
        return pb.CheckResponse.FromString(answer) if isinstance(answer, bytes) else answer.code

    def counted(self, result: str) -> float:
        """Return how many checks were counted under a result."""
        labels = {"dialect": "envoy", "result": result}
        return self.metrics.registry.get_sample_value("vestibule_hook_calls_total", labels) or 0


async def test_a_check_is_decided_within_envoys_time() -> None:
    """Four fifths of the time that Envoy gives, or of its default, are ours."""
    rig = Rig()
    for left_s in (1.0, None):
        answer = await rig.ask(check({"sid": str(left_s)}), left_s=left_s)
        assert not isinstance(answer, str)
        assert answer.status.code == 0
    assert [asked.event.user.user_id for asked in rig.asked] == ["ada", "ada"]
    assert rig.left[0] == pytest.approx(0.8, abs=0.1)
    assert rig.left[1] == pytest.approx(0.16, abs=0.1)
    assert rig.counted("allow") == 2


@pytest.mark.parametrize(
    ("caller", "code"),
    [(Caller("k", frozenset({Scope.EXECUTE}), "acme"), ""), (Caller("k", frozenset({Scope.EXECUTE})), ""),
     (Caller("k", frozenset({Scope.EXECUTE}), "closed"), "PERMISSION_DENIED"),
     (Caller("k", frozenset({Scope.READ, Scope.AUTHOR, Scope.OPERATOR})), "PERMISSION_DENIED")],
)  # fmt: skip
async def test_envoy_is_a_caller_like_any_other(caller: Caller, code: str) -> None:
    """A key or certificate needs the scope for the tenant that the route names, also for what is remembered already."""
    rig = Rig()
    for _ in range(2):
        answer = await rig.ask(caller=caller)
        assert (answer if isinstance(answer, str) else "") == code
    assert len(rig.asked) == (0 if code else 1)
    await rig.ask()
    answer = await rig.ask(caller=caller)
    assert (answer if isinstance(answer, str) else "") == code


async def test_without_credentials_nothing_is_read() -> None:
    """Where credentials are asked for, a check without them is refused before it is parsed."""
    rig = Rig()

    def identify() -> Caller:
        raise caller_errors.NoCredentials

    for data in (check().SerializeToString(), b"\xff"):
        answer = await rig.checks.check(data, lambda: None, identify)
        assert isinstance(answer, NoAnswer)
        assert answer.code == "UNAUTHENTICATED"
    assert rig.counted("unauthenticated") == 2


async def test_what_makes_another_check() -> None:
    """Another user, session, route, address or verb is another login; another path of the same route is not."""
    rig = Rig()
    await rig.ask()
    same = check()
    same.attributes.request.http.path, same.attributes.request.http.id = "/elsewhere", "9"
    await rig.ask(same)
    assert len(rig.asked) == 1
    others = [check({"sub": "bob"}), check({"sid": "s-2"}), check({"acr": "urn:acme:loa2"}), check(accept="text/html")]
    for change in ("source", "route", "verb", "host"):
        other = check()
        attributes = other.attributes
        if change == "source":
            attributes.source.address.socket_address.address = "192.0.2.1"
        elif change == "route":
            attributes.context_extensions["resource"] = "other"
        elif change == "verb":
            attributes.request.http.method = "POST"
        else:
            attributes.request.http.host = "other.example.com"
        others.append(other)
    for other in others:
        await rig.ask(other)
    assert len(rig.asked) == 1 + len(others)


async def test_a_short_check_takes_no_answer_from_the_others() -> None:
    """The first one's time is over; the next decides with its own, and the rest wait for that."""
    rig = Rig()
    rig.no_answer = NoAnswer("DEADLINE_EXCEEDED", status_pb2.Status(message="no"))
    asked = [asyncio.create_task(rig.ask()) for _ in range(3)]
    await asyncio.sleep(0)
    rig.no_answer = None
    first, *others = await asyncio.gather(*asked)
    assert first == "DEADLINE_EXCEEDED"
    assert [other.status.code for other in others if not isinstance(other, str)] == [0, 0]
    assert len(rig.asked) == 2


async def test_checks_beside_each_other_are_one_login() -> None:
    """The requests of one page ask at once, and wait for one decision."""
    rig = Rig()
    answers = await asyncio.gather(*(rig.ask() for _ in range(20)))
    assert len(rig.asked) == 1
    assert answers == [answers[0]] * 20


@pytest.mark.parametrize(
    ("code", "result"),
    [("UNAVAILABLE", "no_decision"), ("DEADLINE_EXCEEDED", "no_decision"), ("INVALID_ARGUMENT", "malformed")],
)
async def test_no_decision_is_an_error_and_not_kept(code: str, result: str) -> None:
    """Envoy's failure mode decides, which is closed by default; the next check is decided."""
    rig = Rig()
    rig.no_answer = NoAnswer(code, status_pb2.Status(message="no"))
    assert await rig.ask() == code
    assert rig.counted(result) == 1
    rig.no_answer = None
    assert not isinstance(await rig.ask(), str)


async def test_bad_checks_are_the_callers_fault() -> None:
    """Garbage, a check of a megabyte, a tenant without the door: an error that says what to change."""
    rig = Rig()
    closed = check()
    closed.attributes.context_extensions["tenant"] = "closed"
    found: list[tuple[Any, str]] = [
        (b"\xff\xff", "INVALID_ARGUMENT"), (b"\x00" * (MAX_CHECK_BYTES + 1), "INVALID_ARGUMENT"),
        (pb.CheckRequest(), "INVALID_ARGUMENT"), (closed, "UNAUTHENTICATED"),
        (check({"sub": None}), "INVALID_ARGUMENT"),
        (check({"groups": [0] * 20_000}), "INVALID_ARGUMENT"), (check({"level": float("nan")}), "INVALID_ARGUMENT"),
    ]  # fmt: skip
    assert [await rig.ask(data) for data, _ in found] == [code for _, code in found]
    assert rig.asked == []


async def test_a_door_may_be_opened_and_changed() -> None:
    """The tenant's door of now counts: another flow ends what is remembered."""
    rig = Rig()
    await rig.ask()
    changed = HookDoor("envoy", "deny", (), door().options)
    rig.tenants["acme"] = Flow("acme", Settings(), digest=b"2", doors={"envoy": changed})
    rig.outcome = "mfa_required"
    answer = await rig.ask()
    assert not isinstance(answer, str)
    assert (answer.status.code, len(rig.asked)) == (7, 2)
