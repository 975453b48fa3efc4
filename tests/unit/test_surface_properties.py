"""Any sequence of calls: the daemon believes what the recorder lets pass, in every action of a flow, on any worker."""

import contextlib
from json import dumps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import event_pb2

from sandbox.action import execution
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.action.live import FlowState, Recorded
from sandbox.contract import factors, kinds, surface, values
from sandbox.contract.call import REQUIRED, Call
from sandbox.contract.surface import CONTINUE, ENTRY
from sandbox.contract.vocabulary import FACTOR_TYPES
from tests.effort import effort

NOW_MS = 1_700_000_000_000
EVENT = event_pb2.PostLoginEvent(
    user=event_pb2.User(user_id="u"),
    session=event_pb2.Session(id="s"),
    transaction=event_pb2.Transaction(protocol="oauth2-refresh-token"),
    authorization=event_pb2.Authorization(roles=["r"]),
    request=event_pb2.Request(hostname="login.example.com"),
)

words = st.text(max_size=8) | st.sampled_from(["k", "v", "https://x.example/", "x" * 300, "x" * 5000, "x" * 40_000])
instants = st.sampled_from([1, NOW_MS - 1, NOW_MS + 1, NOW_MS + 10**9, 1e300])
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
options = st.fixed_dictionaries(
    {}, optional={"preferredMethod": st.sampled_from(["sms", "both", "x"]), "otp_fallback": st.booleans()}
)
factor = st.fixed_dictionaries(
    {"type": st.sampled_from([*FACTOR_TYPES, *factors.FACTOR_ALIASES, "sms"])}, optional={"options": options}
)


def given_for(kind: kinds.Kind) -> st.SearchStrategy[Any]:
    """Return what an author may give for a kind of argument: mostly right, at times not."""
    if isinstance(kind, kinds.Nullable):
        return st.none() | given_for(kind.kind)
    if isinstance(kind, (kinds.Many, kinds.OneOrMany)):
        return st.lists(given_for(kind.item), max_size=3)
    if isinstance(kind, factors.Factor):
        return factor
    if isinstance(kind, factors.Factors):
        return st.lists(factor, max_size=4)
    if isinstance(kind, (kinds.Query, values.Object, kinds.Options)):
        return st.dictionaries(st.sampled_from(["host", "a", "b"]), json, max_size=2)
    if isinstance(kind, values.Json):
        return st.sampled_from(["x" * 20_000, "x" * 30_000, None]) | json
    if isinstance(kind, kinds.Scalar):
        return st.sampled_from(["x" * 2000, "x" * 8000, True]) | json
    if kind.annotation.startswith("Literal"):
        return st.sampled_from(kind.annotation.split('"')[1::2])
    if "http" in kind.wants:
        return st.sampled_from(["https://x.example/", "http://[::1]:8080/p?a=1#b", "/relative"])
    return {"bool": st.booleans(), "float": instants, "int": st.integers(0, 100)}.get(kind.annotation, words)


def call_of(call: Call) -> st.SearchStrategy[tuple[Call, dict[str, Any]]]:
    wanted = {param.name: given_for(param.kind) for param in call.params if param.default is REQUIRED}
    others = {param.name: given_for(param.kind) for param in call.params if param.default is not REQUIRED}
    return st.tuples(st.just(call), st.fixed_dictionaries(wanted, optional=others))


Asked = tuple[Call, dict[str, Any]]


CARRIED = [call for call in surface.SURFACE if call.carried]


def flows(some: list[Call]) -> st.SearchStrategy[list[list[Asked]]]:
    """Few calls, often made: that is where they meet."""
    few = st.lists(st.sampled_from(some), min_size=1, max_size=2, unique=True)
    return few.flatmap(
        lambda chosen: st.lists(
            st.lists(st.sampled_from(chosen).flatmap(call_of), min_size=1, max_size=8), min_size=2, max_size=4
        )
    )


calm = effort(25)


def record(flow: FlowState, asked: list[Asked], handler: str) -> CommandRecorder:
    """Make the calls, each of which may raise, as an action may that catches everything."""
    recorder = CommandRecorder(Event(EVENT, {}), flow, NOW_MS * 10**6, handler, (CONTINUE,))
    api: Any = make_api(recorder)
    for call, args in asked:
        with contextlib.suppress(TypeError, ValueError):
            getattr(getattr(api, call.group), call.name)(**args)
    return recorder


@calm
@given(flows([*surface.SURFACE]) | flows(CARRIED), st.booleans())
def test_whatever_is_recorded_is_believed(flow_asked: list[list[Asked]], continuing: bool) -> None:
    """An honest worker never looks like a liar; arguments arrive as they were recorded, in one form."""
    flow = FlowState()
    for asked in flow_asked:
        recorder = record(flow, asked, CONTINUE if continuing else ENTRY)
        recorder.leave()
        assert surface.parse_all(recorder.encoded(), continuing) == [args for _, args in recorder.commands]
        ops = [op for op, _ in recorder.commands]
        assert set(ops) <= surface.RECORDED
        assert (execution.ending(ops) is not execution.Ending.COMPLETED) is any(surface.CALLS[op].ends for op in ops)
        continuing = False


@calm
@given(flows(CARRIED), st.integers(1, 3))
def test_another_worker_continues_as_this_one_would(flow_asked: list[list[Asked]], at: int) -> None:
    """Wherever a flow changes its worker, later actions record the same and are refused the same."""
    here, there = FlowState(), FlowState()
    before: list[Recorded] = []
    for number, asked in enumerate(flow_asked):
        if number == at:
            there = FlowState()
            for op, args in before:
                if (call := surface.CALLS[op]).carried:
                    there.replay(call, (op, args))
        one, other = record(here, asked, ENTRY), record(there, asked, ENTRY)
        one.leave()
        other.leave()
        before += one.commands
        assert one.commands == other.commands
        assert dict(one.records) == dict(other.records)


SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10)


@effort(100)
@given(st.dictionaries(st.sampled_from(["name", "value", "provider"]), JSON))
def test_arguments_are_written_as_json_writes_them(args: dict[str, Any]) -> None:
    """The text of arguments, and their size, are those of compact JSON, whatever way they were found."""
    text = dumps(args, ensure_ascii=False, separators=(",", ":"))
    assert surface.encode("id_token.set_custom_claim", args) == text
    for value in args.values():
        size = len(dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        assert values.json_bytes(value) == size


HOST = st.sampled_from(["auth0.com", "x.AUTH0.com", "webtask.io", "a.webtask.run", "auth0.com.example", "e.com"])


@effort(100)
@given(st.sampled_from(["https://", "HTTP://", "", "urn:auth0:", "urn:"]), HOST, TEXTS)
def test_a_claim_in_a_reserved_namespace_is_refused_by_its_host(scheme: str, host: str, rest: str) -> None:
    """The quick look at a name, for a part that is reserved, lets none through that the whole look refuses."""
    name = f"{scheme}{host}/{rest}"[: values.NAME_CHARS].replace("\0", "")
    refused = scheme == "urn:auth0:" or (
        scheme.lower().startswith("http") and host.lower().endswith(("auth0.com", "webtask.io", "webtask.run"))
    )
    kind = surface.CALLS["id_token.set_custom_claim"].by_name["name"].kind
    with pytest.raises(ValueError, match="reserved namespace") if refused else contextlib.nullcontext():
        kind.check(name, "name")
