"""Every call of the table, given what no honest author would give it: a clear error at the call, and nothing else."""

from typing import Any, NoReturn

import pytest
from vestibule.v1 import event_pb2

from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import surface
from sandbox.contract.call import REQUIRED, Call, Param
from sandbox.contract.factors import Factor, Factors
from sandbox.contract.kinds import Kind, Many, Nullable, OneOrMany, Options, Query, Scalar
from sandbox.contract.surface import CONTINUE
from sandbox.contract.values import Json, Object


def refuse(*_: Any) -> NoReturn:
    raise SystemExit("tenant code ran in the recorder")


class Trap(str):
    """Text whose every method would run the tenant's code."""

    __slots__ = ()
    __eq__ = __hash__ = __len__ = __str__ = __repr__ = __iter__ = __contains__ = __format__ = __bool__ = refuse


class IntTrap(int):
    """A number of the same sort."""

    __slots__ = ()
    __eq__ = __hash__ = __le__ = __lt__ = __ge__ = __gt__ = __int__ = __index__ = __repr__ = __bool__ = refuse


class ListTrap(list[Any]):
    """A list of the same sort."""

    __slots__ = ()
    __len__ = __iter__ = __getitem__ = __eq__ = __repr__ = __bool__ = refuse


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

# None of these is acceptable for any parameter of any call.
HOSTILE: dict[str, Any] = {
    "object": object(),
    "str subclass": Trap("any"),
    "int subclass": IntTrap(1),
    "list subclass": ListTrap(["any"]),
    "nan": float("nan"),
    "infinity": float("inf"),
    "huge int": 10**400,
    "huge text": "x" * 1_000_000,
    "nul": "a\0b",
    "half a surrogate": "\ud800",
    "huge list": ["x"] * 1_000_000,
    "cycle": CYCLE,
    "deep": [[[[[[[[[[1]]]]]]]]]],
    "bytes": b"any",
    "set": {"any"},
    "function": refuse,
    "dict of numbers": {5: 1},
}


# What the cache's calls judge by its size or worth, and not by its type.
CODED = {
    **{(f"cache.{name}", "key"): {"huge text"} for name in ("get", "set", "delete")},
    ("cache.set", "value"): {"huge text"},
    ("cache.set", "ttl"): {"nan", "infinity"},
    ("cache.set", "expires_at"): {"nan", "infinity"},
}


def good(kind: Kind) -> Any:
    """Return something that a kind accepts."""
    if isinstance(kind, Nullable):
        return good(kind.kind)
    if isinstance(kind, (Many, Factors)):
        return [good(kind.item)]
    if isinstance(kind, Factor):
        return {"type": "otp"}
    if isinstance(kind, (Options, Query, Object)):
        return {}
    if isinstance(kind, (Json, OneOrMany, Scalar)):
        return "v"
    if kind.annotation.startswith("Literal"):
        return kind.annotation.split('"')[1]
    if "http" in kind.wants:
        return "https://example.com/"
    return {"bool": True, "int": 1, "float": 1}.get(kind.annotation, "k")


def begin() -> tuple[Any, CommandRecorder]:
    event = event_pb2.PostLoginEvent()
    event.session.id = "s"
    event.transaction.protocol = "oauth2-refresh-token"
    recorder = CommandRecorder(Event(event, {}), handler=CONTINUE, defined=(CONTINUE,))
    return make_api(recorder), recorder


def method(api: Any, call: Call) -> Any:
    return getattr(getattr(api, call.group), call.name)


PARAMETERS = [(call, param) for call in surface.SURFACE for param in call.params]


@pytest.mark.parametrize(("call", "param"), PARAMETERS, ids=[f"{call.op}-{param.name}" for call, param in PARAMETERS])
def test_a_hostile_argument_is_refused(call: Call, param: Param) -> None:
    """A wrong type, a wrong size and a trap raise an error that names call and argument; nothing is recorded.

    The cache's calls answer with a code where it is the worth of a text or a number that is wrong.
    """
    api, recorder = begin()
    others = {other.name: good(other.kind) for other in call.params if other.default is REQUIRED}
    for what, value in HOSTILE.items():
        given = others | {param.name: value}
        if what in CODED.get((call.op, param.name), ()):
            result = method(api, call)(**given)
            assert result is None or result.type == "error", what
            continue
        with pytest.raises((TypeError, ValueError)) as caught:
            method(api, call)(**given)
        message = str(caught.value)
        assert message.startswith(f"api.{call.op}: {param.name}"), (what, message[:200])
        assert len(message) < 600, what
    assert recorder.commands == []


@pytest.mark.parametrize("call", surface.SURFACE, ids=lambda call: call.op)
def test_too_many_and_unknown_arguments_are_refused(call: Call) -> None:
    """Arguments beyond the parameters, unknown names and names that are no plain text are type errors."""
    api, recorder = begin()
    for args, kwargs in (((object(),) * 40, {}), ((), {"x" * 100_000: 1}), ((), {"no_such_argument": 1})):
        with pytest.raises(TypeError, match=rf"^api\.{call.op}"):
            method(api, call)(*args, **kwargs)
    assert recorder.commands == []


@pytest.mark.parametrize("op", sorted(surface.RECORDED))
def test_the_control_a_good_call_is_recorded_and_believed(op: str) -> None:
    """The same calls with good arguments are recorded, and the daemon accepts what was recorded."""
    call = surface.CALLS[op]
    api, recorder = begin()
    args = {param.name: good(param.kind) for param in call.params if param.default is REQUIRED}
    if op == "cache.delete":
        recorder.perform("cache.set", {"key": "k", "value": "v", "expires_at": 1})
    result = method(api, call)(**args)
    assert result is api or result.type == "success"
    assert recorder.commands[-1][1].items() >= args.items()
    assert surface.parse_all(recorder.encoded(), call.continue_only) == [given for _, given in recorder.commands]


@pytest.mark.parametrize("op", sorted(surface.RECORDED))
def test_the_daemon_believes_no_hostile_argument(op: str) -> None:
    """What is no argument of the call is a lie, whichever parameter holds it."""
    call = surface.CALLS[op].recorded
    assert call is not None
    args = {param.name: good(param.kind) for param in call.params if param.default is REQUIRED}
    for wrong in ({**args, "no_such_argument": 1}, *({**args, param.name: object()} for param in call.params)):
        with pytest.raises(surface.CommandError):
            surface.validate(op, wrong)
    for missing in call.required:
        with pytest.raises(surface.CommandError, match="is missing"):
            surface.validate(op, {name: value for name, value in args.items() if name != missing})
