"""A hook's way to a reply: who may ask, what is read, that equal calls get one reply, and what each trouble becomes."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.rpc import status_pb2
from vestibule.v1.runtime_service_pb2 import ExecutePostLoginRequest, ExecutePostLoginResponse

from runtime.callers.caller import Caller, Scope
from runtime.calls.calls import NoAnswer
from runtime.catalog.base import Flow, Snapshot
from runtime.core.model import Settings
from runtime.doors.dialects.base import HookReply
from runtime.doors.dialects.desk import MAX_BODY_BYTES, HookDesk
from runtime.doors.dialects.repeats import Kept, Repeats
from runtime.doors.dialects.table import DIALECTS
from runtime.doors.door import LoginDesk
from runtime.errors import DeadlineExceeded
from runtime.ops.metrics import Metrics
from tests.conformance.hook_cases import NAMES, case, decision, door


class Rig:
    """A desk of hooks whose logins are decided by a script."""

    def __init__(self, name: str, outcome: str = "allow") -> None:
        self.name, self.outcome = name, outcome
        self.asked: list[ExecutePostLoginRequest] = []
        self.budgets: list[float | None] = []
        self.callers: list[Caller] = []
        self.refused: list[str] = []
        self.now_s = float(case(name)["genuine"]["at"])
        self.no_answer: NoAnswer | None = None
        self.go: asyncio.Event | None = None
        self.fault: Exception | None = None
        flow = Flow("acme", Settings(), digest=b"1", doors={name: door(name)})
        self.tenants = {"acme": flow, "closed": Flow("closed", Settings())}
        self.metrics = Metrics("0")
        desk = cast(LoginDesk, SimpleNamespace(execute=self._execute, refuse=self.refuse))
        self.desk = HookDesk(desk, lambda: Snapshot(1, self.tenants, {}), self.metrics, clock=lambda: self.now_s)

    async def _execute(
        self, request: ExecutePostLoginRequest, budget_s: float | None, caller: Caller, _: str
    ) -> ExecutePostLoginResponse | NoAnswer:
        self.asked.append(request)
        self.budgets.append(budget_s)
        self.callers.append(caller)
        if self.fault is not None:
            raise self.fault
        if self.go is not None:
            await self.go.wait()
        made = decision(self.outcome)
        made.decision_id = f"d-{len(self.asked)}"
        return self.no_answer or ExecutePostLoginResponse(decision=made)

    def refuse(self, error: Exception, *_ids: str) -> NoAnswer:
        self.refused.append(type(error).__name__)
        return NoAnswer("INTERNAL", status_pb2.Status(message="no"))

    async def ask(self, **given: Any) -> HookReply:
        """Send the genuine call, or parts of another."""
        genuine = case(self.name)["genuine"]
        headers = genuine["headers"] | given.get("headers", {})
        body = given.get("body", genuine["body"].encode())
        return await self.desk.answer(self.name, DIALECTS[self.name], given.get("tenant", "acme"), headers, body)

    def counted(self, result: str) -> float:
        """Return how many calls were counted under a result."""
        found = self.metrics.registry.get_sample_value(
            "vestibule_hook_calls_total", {"dialect": self.name, "result": result}
        )
        assert found is not None
        return found


@pytest.fixture(params=NAMES)
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(request.param)


async def test_a_genuine_call_is_decided_for_its_tenant_alone(rig: Rig) -> None:
    """The tenant is that of the path, the caller may do no more than decide for it, and the budget is the product's."""
    await rig.ask()
    (asked,) = rig.asked
    assert (asked.tenant_id, asked.request_id[: len(rig.name) + 1]) == ("acme", f"{rig.name}-")
    assert len(asked.request_id) <= 128
    # The application, or the door where the product does not name one.
    assert asked.event.client.client_id == case(rig.name)["asked"]["event"].get("client", {}).get("client_id", rig.name)
    assert rig.callers == [Caller(f"door {rig.name}", frozenset({Scope.EXECUTE}), "acme")]
    assert rig.budgets == [pytest.approx(DIALECTS[rig.name].deadline_s, abs=0.5)]
    assert rig.counted("allow") == 1


@pytest.mark.parametrize("outcome", ["allow", "mfa_required", "deny", "suspend"])
async def test_three_identical_retries_get_one_answer(rig: Rig, outcome: str) -> None:
    """A retry gets the bytes that the first call got, and the login is decided once."""
    rig.outcome = outcome
    replies = [await rig.ask() for _ in range(4)]
    assert replies == [replies[0]] * 4
    assert len(rig.asked) == 1


async def test_retries_beside_each_other_get_one_answer(rig: Rig) -> None:
    """A retry that comes while the first call is being decided waits for it; if that one is given up, it decides."""
    rig.go = asyncio.Event()
    calls = [asyncio.create_task(rig.ask()) for _ in range(4)]
    while not rig.asked:
        await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    rig.go.set()
    replies = await asyncio.gather(*calls[1:])
    assert replies == [replies[0]] * 3
    assert [asked.request_id for asked in rig.asked] == [rig.asked[0].request_id] * 2


async def test_a_replay_never_begins_a_second_login() -> None:
    """As long as a signature is good its call gets the kept reply, and then it is stale."""
    for name in ("zitadel", "supabase"):
        rig = Rig(name)
        first = await rig.ask()
        for later_s in (1, 299, 300):
            rig.now_s = case(name)["genuine"]["at"] + later_s
            assert await rig.ask() == first
        rig.now_s = case(name)["genuine"]["at"] + 301
        assert (await rig.ask()).status == 401
        assert len(rig.asked) == 1
        assert rig.counted("unauthenticated") == 1


async def test_another_call_is_another_login() -> None:
    """Control: other bytes, another id of the product's own, and another flow of the tenant are decided anew."""
    rig = Rig("kratos")
    await rig.ask()
    await rig.ask(headers={"ory-webhook-trigger-id": "another"})
    await rig.ask(body=case("kratos")["genuine"]["body"].encode() + b" ")
    rig.tenants["acme"] = replace(rig.tenants["acme"], digest=b"2")
    await rig.ask()
    assert len(rig.asked) == 4
    assert len({asked.request_id for asked in rig.asked}) == 4


@pytest.mark.parametrize("tenant", ["closed", "nobody", "", "../acme", "ACME", "acme\x00", "a" * 5000])
async def test_a_tenant_without_the_door_learns_nothing(rig: Rig, tenant: str) -> None:
    """A tenant that has no such door, or does not exist, is answered as a wrong secret is; nothing is decided."""
    reply = await rig.ask(tenant=tenant)
    assert (reply.status, rig.asked, rig.refused) == (401, [], ["TenantHasNoDoor"])
    assert json.loads(reply.body)["error"] == "unauthenticated"


async def test_a_call_that_is_not_authentic_is_not_read(rig: Rig) -> None:
    """A forged call is refused before its body is looked at: garbage and JSON get the same reply."""
    rig.tenants["acme"] = replace(rig.tenants["acme"], doors={rig.name: replace(door(rig.name), secrets=())})
    replies = [await rig.ask(body=body) for body in (b"{}", b"\xff", b"[" * 1000)]
    assert replies == [replies[0]] * 3
    assert (rig.asked, rig.refused) == ([], ["HookNotAuthentic"] * 3)
    assert rig.counted("unauthenticated") == 3


def secured(rig: Rig, body: bytes) -> dict[str, Any]:
    """Return what a product that shares the secret sends with a body."""
    import base64
    import hashlib
    import hmac

    at, secret = int(rig.now_s), case(rig.name)["door"]["secrets"][0]
    if rig.name == "zitadel":
        sent = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {"body": body, "headers": {"zitadel-signature": f"t={at},v1={sent}"}}
    if rig.name == "supabase":
        key = base64.b64decode(secret.removeprefix("v1,whsec_"))
        made = hmac.new(key, f"m.{at}.".encode() + body, hashlib.sha256).digest()
        signature = "v1," + base64.b64encode(made).decode()
        return {"body": body, "headers": {"webhook-id": "m", "webhook-signature": signature}}
    return {"body": body}


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff", b"NaN", b'{"a":1,"a":2}', b"[" * 10_000 + b"]" * 10_000, b"\xef\xbb\xbf{}x",
     b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"id":"' + b"x" * 500_000, b'{"a":[' + b"0," * 20_000 + b"0]}"],
    ids=["empty", "null", "list", "cut", "bytes", "nan", "twice", "deep", "mark", "deep objects", "long", "many"],
)  # fmt: skip
async def test_bad_bodies_are_the_callers_fault(rig: Rig, body: bytes) -> None:
    """Authentic garbage has the dialect's own form of 400; nothing is decided."""
    reply = await rig.ask(**secured(rig, body))
    assert reply.status == case(rig.name)["troubles"]["malformed"]["status"]
    assert rig.asked == []
    assert rig.counted("malformed") == 1


async def test_a_compressed_body_is_refused(rig: Rig) -> None:
    """The signature is over what was sent, and hooks send it as it is."""
    await rig.ask(headers={"content-encoding": "gzip"})
    assert rig.counted("malformed") == 1


async def test_a_body_that_was_not_read_is_too_large(rig: Rig) -> None:
    """What the port did not take in has the dialect's own form of 413."""
    reply = await rig.ask(body=None)
    assert reply.status == case(rig.name)["troubles"]["too_large"]["status"]
    assert rig.counted("too_large") == 1
    assert MAX_BODY_BYTES == 1 << 20


@pytest.mark.parametrize(
    ("code", "trouble"),
    [("UNAVAILABLE", "no_decision"), ("DEADLINE_EXCEEDED", "no_decision"), ("RESOURCE_EXHAUSTED", "no_decision"),
     ("INTERNAL", "no_decision"), ("INVALID_ARGUMENT", "malformed")],
)  # fmt: skip
async def test_no_decision_closes_and_is_not_kept(rig: Rig, code: str, trouble: str) -> None:
    """Without a decision the reply is the dialect's closed form, and the next call is decided."""
    rig.no_answer = NoAnswer(code, status_pb2.Status(message="no"))
    reply = await rig.ask()
    assert reply.status == case(rig.name)["troubles"][trouble]["status"]
    assert rig.counted(trouble) == 1
    rig.no_answer = None
    await rig.ask()
    assert rig.counted("allow") == 1


async def test_a_fault_of_ours_closes_too(rig: Rig) -> None:
    """An error that no code foresaw has the dialect's closed form: CAS would take our 500 for no second factor."""

    rig.fault = ZeroDivisionError()
    reply = await rig.ask()
    assert reply.status == case(rig.name)["troubles"]["no_decision"]["status"]
    assert (rig.refused, rig.counted("no_decision")) == (["ZeroDivisionError"], 1)


async def test_a_reply_that_the_product_would_not_read_closes() -> None:
    """Supabase reads 200 KB; what is longer would be an error there, and is one here."""
    rig = Rig("supabase")
    body = json.loads(case("supabase")["genuine"]["body"])
    body["claims"]["user_metadata"]["long"] = "x" * 250_000
    reply = await rig.ask(**secured(rig, json.dumps(body).encode()))
    assert json.loads(reply.body)["error"]["http_code"] == 503


class TestRepeats:
    """What is kept, and for how long."""

    @staticmethod
    def ends() -> float:
        return monotonic() + 60

    @staticmethod
    def counting(counts: list[int], size: int = 1, keep: bool = True) -> Callable[[], Any]:
        async def decide() -> Kept[int]:
            counts.append(1)
            return Kept(len(counts), size, keep)

        return decide

    async def test_an_answer_is_kept_for_a_while(self) -> None:
        """Until its time is over, not longer."""
        now = [0.0]
        repeats, counts = Repeats[int](clock=lambda: now[0]), list[int]()
        answers = []
        for now[0] in (0.0, 4.9, 5.0, 9.9):
            answers.append(await repeats.once(b"k", 5, self.ends(), self.counting(counts)))
        assert answers == [1, 1, 2, 2]

    async def test_memory_is_bounded(self) -> None:
        """The oldest answers make room, by number and by bytes."""
        repeats, counts = Repeats[int](most=2), list[int]()
        for key in (b"a", b"b", b"c", b"b", b"c", b"a"):
            await repeats.once(key, 5, self.ends(), self.counting(counts))
        assert len(counts) == 4
        small, counts = Repeats[int](most_bytes=10), []
        for key in (b"a", b"b", b"a"):
            await small.once(key, 5, self.ends(), self.counting(counts, size=6))
        assert len(counts) == 3

    async def test_an_error_is_for_all_who_wait_and_is_not_kept(self) -> None:
        """The next call tries again."""
        repeats = Repeats[int]()

        async def fail() -> Kept[int]:
            raise ValueError

        found = await asyncio.gather(
            *(repeats.once(b"k", 5, self.ends(), fail) for _ in range(2)), return_exceptions=True
        )
        assert [type(each) for each in found] == [ValueError, ValueError]
        assert await repeats.once(b"k", 5, self.ends(), self.counting([])) == 1

    async def test_one_callers_short_time_is_not_the_others(self) -> None:
        """The next one decides with its own time; a trouble that is not the caller's is for all who wait."""
        for for_all, expected in ((False, ["late", "decided", "decided"]), (True, ["late", "late", "late"])):
            repeats, troubles = Repeats[str](), [Kept("late", 0, keep=False, for_all=for_all)]

            async def decide(troubles: list[Kept[str]] = troubles) -> Kept[str]:
                await asyncio.sleep(0)
                return troubles.pop() if troubles else Kept("decided", 0, keep=True)

            found = await asyncio.gather(*(repeats.once(b"k", 5, self.ends(), decide) for _ in range(3)))
            assert list(found) == expected

    async def test_who_waits_does_not_wait_beyond_its_own_time(self) -> None:
        """A call with a short deadline ends at it, while the first one is decided for longer."""
        repeats, go = Repeats[int](), asyncio.Event()

        async def decide() -> Kept[int]:
            await go.wait()
            return Kept(1, 0, keep=True)

        first = asyncio.create_task(repeats.once(b"k", 5, self.ends(), decide))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded):
            await repeats.once(b"k", 5, monotonic() - 1, decide)
        go.set()
        assert await first == 1
