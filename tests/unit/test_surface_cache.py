"""The trigger's cache: what a call answers, what it records, and what later actions of the flow see of it."""

import time
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import execution
from sandbox.action.alarm import ACTION_FILENAME, disarm, install
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.action.live import FlowState
from sandbox.authoring import stubs
from sandbox.contract import surface
from sandbox.contract.calls import cache as surface_cache
from sandbox.contract.calls.cache import CacheRecord, CacheResult
from sandbox.contract.surface import ENTRY
from sandbox.language import compiler
from sandbox.reach import guards
from sandbox.reach.attributes import guarded_getattr

NOW_MS = 1_700_000_000_000
MINUTE, HOUR = 60_000, 3_600_000


def begin(
    records: dict[str, tuple[str, int]] | None = None, flow: FlowState | None = None
) -> tuple[Any, CommandRecorder]:
    recorder = CommandRecorder(
        Event(event_pb2.PostLoginEvent(), {}), flow or FlowState(records), clock_ns=NOW_MS * 10**6 + 999_999
    )
    return make_api(recorder).cache, recorder


def kept(record: Any) -> tuple[str, int] | None:
    return None if record is None else (record.value, record.expires_at)


@pytest.mark.parametrize(
    ("options", "expires_at"),
    [
        ({}, NOW_MS + 15 * MINUTE),
        ({"ttl": 5}, NOW_MS + 5),
        ({"ttl": 5.9}, NOW_MS + 5),
        ({"expires_at": NOW_MS + 7}, NOW_MS + 7),
        ({"expiresAt": NOW_MS + 7}, NOW_MS + 7),
        ({"ttl": 5, "expires_at": NOW_MS + 7}, NOW_MS + 5),
        ({"ttl": 9, "expires_at": NOW_MS + 7}, NOW_MS + 7),
        ({"ttl": None, "expires_at": None}, NOW_MS + 15 * MINUTE),
        ({"ttl": 25 * HOUR}, NOW_MS + 24 * HOUR),
        ({"ttl": 1e300}, NOW_MS + 24 * HOUR),
        ({"expires_at": NOW_MS + 25 * HOUR}, NOW_MS + 24 * HOUR),
    ],
)
def test_a_record_expires_by_the_earlier_time(options: dict[str, Any], expires_at: int) -> None:
    """15 minutes by default, 24 hours at most; what is recorded is the instant, and the record shows it at once."""
    cache, recorder = begin()
    for result in (cache.set("k", "v", **options), cache.set("k", "v", options)):
        assert (result.type, result.code, kept(result.record)) == ("success", None, ("v", expires_at))
    assert kept(cache.get("k")) == ("v", expires_at)
    assert recorder.commands == [("cache.set", {"key": "k", "value": "v", "expires_at": expires_at})] * 2
    assert surface.parse_all(recorder.encoded()) == [args for _, args in recorder.commands]


FULL = {f"k{n}": ("v", NOW_MS + 1) for n in range(20)}
LARGE = {"a": ("x" * 4096, NOW_MS + 1), "b": ("x" * 4000, NOW_MS + 1)}


@pytest.mark.parametrize(
    ("records", "call", "code"),
    [
        ({}, lambda c: c.set("k" * 65, "v"), "CacheKeySizeExceeded"),
        ({}, lambda c: c.set("\u00e9" * 33, "v"), "CacheKeySizeExceeded"),
        ({}, lambda c: c.set("", "v"), "CacheKeySizeExceeded"),
        ({}, lambda c: c.set("k", "x" * 4097), "CacheValueSizeExceeded"),
        ({}, lambda c: c.set("k", "\u00e9" * 2049), "CacheValueSizeExceeded"),
        (FULL, lambda c: c.set("k20", "v"), "CacheSizeExceeded"),
        (LARGE, lambda c: c.set("c", "x" * 94), "CacheSizeExceeded"),
        ({}, lambda c: c.set("k", "v", expires_at=NOW_MS), "ItemAlreadyExpired"),
        ({}, lambda c: c.set("k", "v", expires_at=1), "ItemAlreadyExpired"),
        ({}, lambda c: c.set("k", "v", ttl=0.5), "ItemAlreadyExpired"),
        ({}, lambda c: c.set("k", "v", ttl=0), "InvalidExpiry"),
        ({}, lambda c: c.set("k", "v", ttl=-5), "InvalidExpiry"),
        ({}, lambda c: c.set("k", "v", ttl=float("nan")), "InvalidExpiry"),
        ({}, lambda c: c.set("k", "v", expires_at=float("inf")), "InvalidExpiry"),
        ({}, lambda c: c.set("k", "v", ttl=5, expires_at=0), "InvalidExpiry"),
        ({}, lambda c: c.delete("k"), "CacheKeyDoesNotExist"),
        ({"k": ("v", NOW_MS)}, lambda c: c.delete("k"), "CacheKeyDoesNotExist"),
    ],
)
def test_what_cannot_be_written_is_said_by_a_code(records: dict[str, tuple[str, int]], call: Any, code: str) -> None:
    """Each code of the reference is returned, nothing is raised, and nothing is recorded."""
    cache, recorder = begin(records)
    result = call(cache)
    assert (result.type, result.code, result.record) == ("error", code, None)
    assert code in surface_cache.CODES
    assert recorder.commands == []


def test_control_what_just_fits_is_written() -> None:
    """A replaced record and an expired one leave room; 64 and 4096 bytes, 20 records and 8192 bytes are enough."""
    cache, _ = begin(FULL)
    assert cache.set("k3", "w").type == "success"
    cache, _ = begin({**FULL, "k3": ("v", NOW_MS)})
    assert cache.set("k20", "v").type == "success"
    cache, _ = begin(LARGE)
    assert cache.set("c", "x" * 93).type == "success"
    cache, _ = begin()
    assert cache.set("\u00e9" * 32, "x" * 4096).type == "success"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.set("k", 5), "api.cache.set: value must be text of at most 4096 bytes; got 5"),
        (lambda c: c.set("k", {"a": 1}), "value must be text"),
        (lambda c: c.set(5, "v"), "key must be text of at most 64 bytes; got 5"),
        (lambda c: c.set("k", "v", ttl="5"), "ttl must be a number of milliseconds; got '5'"),
        (lambda c: c.set("k", "v", ttl=True), "ttl must be a number of milliseconds; got True"),
        (lambda c: c.set("k", "v", expires_at=10**400), "expires_at must be a number of milliseconds"),
        (lambda c: c.set("k"), "value is missing; write api.cache.set(key, value, *, ttl=..., expires_at=...)"),
        (lambda c: c.set("k", "v", {"tll": 5}), "did you mean 'ttl'?"),
        (lambda c: c.get(None), "key must be text"),
        (lambda c: c.delete(["k"]), "key must be text"),
    ],
)
def test_what_is_no_text_raises(call: Any, text: str) -> None:
    """A wrong type is a mistake of the author, as everywhere."""
    cache, recorder = begin()
    with pytest.raises((TypeError, ValueError)) as caught:
        call(cache)
    assert text in str(caught.value)
    assert recorder.commands == []


def test_records_of_other_logins_are_read() -> None:
    """What the question brought is there unless it has expired; a key that is too long has no record."""
    cache, recorder = begin({"k": ("v", NOW_MS + 1), "old": ("v", NOW_MS)})
    assert kept(cache.get("k")) == ("v", NOW_MS + 1)
    assert cache.get("old") is None
    assert cache.get("x" * 1000) is None
    assert recorder.commands == []


def test_later_actions_see_what_earlier_ones_wrote() -> None:
    """Set and deleted records show at once and to the executions after; those of the question stay as they were."""
    records = {"k": ("v", NOW_MS + 5), "gone": ("v", NOW_MS + 5)}
    flow = FlowState(records)
    cache, recorder = begin(flow=flow)
    cache.set("k", "w", ttl=3)
    assert cache.delete("gone").type == "success"
    assert cache.delete("gone").code == "CacheKeyDoesNotExist"
    recorder.leave()
    later, second = begin(flow=flow)
    assert kept(later.get("k")) == ("w", NOW_MS + 3)
    assert later.get("gone") is None
    assert second.commands == []
    assert records == {"k": ("v", NOW_MS + 5), "gone": ("v", NOW_MS + 5)}
    # Another worker gets the same from the daemon.
    replayed = FlowState(records)
    for op, args in recorder.commands:
        replayed.replay(surface.CALLS[op], (op, args))
    assert kept(begin(flow=replayed)[0].get("k")) == ("w", NOW_MS + 3)


def test_a_write_of_too_many_commands_is_said_by_a_code() -> None:
    """The hundred-and-first command of an execution ends it, but a write to the cache is only refused."""
    cache, recorder = begin()
    for _ in range(surface.MAX_COMMANDS):
        assert cache.set("k", "v").type == "success"
    assert cache.set("k", "v").code == "MaxSideEffectsExceeded"
    assert cache.delete("k").code == "MaxSideEffectsExceeded"
    assert len(recorder.commands) == surface.MAX_COMMANDS
    assert kept(cache.get("k")) == ("v", NOW_MS + 15 * MINUTE)


def test_a_kept_cache_writes_nothing_later() -> None:
    """Once the record was read the execution is over."""
    cache, recorder = begin()
    recorder.encoded()
    with pytest.raises(RuntimeError, match="the action has ended"):
        cache.set("k", "v")


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("cache.get", {"key": "k"}),
        ("cache.set", {"key": "k", "value": "v"}),
        ("cache.set", {"key": "k", "value": "v", "ttl": 5}),
        ("cache.set", {"key": "k", "value": "v", "expires_at": 0}),
        ("cache.set", {"key": "k", "value": "v", "expires_at": float("nan")}),
        ("cache.set", {"key": "", "value": "v", "expires_at": 1}),
        ("cache.set", {"key": "k" * 65, "value": "v", "expires_at": 1}),
        ("cache.set", {"key": "k", "value": "x" * 4097, "expires_at": 1}),
        ("cache.set", {"key": "k", "value": 5, "expires_at": 1}),
        ("cache.delete", {}),
        ("cache.delete", {"key": "\u00e9" * 33}),
    ],
)
def test_the_daemon_believes_no_wrong_record(op: str, args: dict[str, Any]) -> None:
    """A worker reports the instant of expiry, within the limits, and nothing else."""
    with pytest.raises(surface.CommandError):
        list(surface.validate_each([(op, args)]))


def test_answers_are_read_only_and_tell_no_address() -> None:
    """Members are attributes and keys that can be looked at, and not written or hashed; a typo has a hint."""
    record = CacheRecord("v", 5)
    for answer in (record, CacheResult(record=record), CacheResult("InvalidExpiry")):
        for name in type(answer)._listed_:
            assert answer[name] == guarded_getattr(answer, name) == guards.guarded_getitem(answer, name)
        for wrong in ("__class__", "_path_", "__slots__"):
            with pytest.raises((AttributeError, KeyError)):
                guarded_getattr(answer, wrong)
            with pytest.raises(KeyError):
                answer[wrong]
        with pytest.raises(AttributeError, match="read-only"):
            answer.type = "x"
        with pytest.raises(TypeError):
            hash(answer)
        assert all(name in answer for name in answer)
        assert "0x" not in repr(answer)
    with pytest.raises(AttributeError, match="did you mean 'value'"):
        guarded_getattr(record, "valeu")
    with pytest.raises(KeyError, match="did you mean 'expires_at'"):
        record["expire_at"]


def test_the_stub_has_their_members() -> None:
    """What the stub says of an answer is what the class exposes."""
    text = stubs.generate()
    for cls in (CacheRecord, CacheResult):
        body = text.partition(f"class {cls.__name__}:")[2].partition("\nclass ")[0]
        assert {line.split()[1].partition("(")[0] for line in body.splitlines() if "(self)" in line} == set(
            cls._listed_
        )


def test_an_action_reads_and_writes_it() -> None:
    """Through the guards, in both styles."""
    install()
    source = """
def on_execute_post_login(event, api):
    hit = api.cache.get("hit")
    missed = api.cache.get("missed")
    assert missed is None
    assert hit.value == hit["value"] == "v" and hit.expires_at > 0
    result = api.cache.set("k", hit.value + "2", {"ttl": 1000})
    assert result.type == "success" and result.record.value == "v2" and result.code is None
    assert api.cache.delete("missed").code == "CacheKeyDoesNotExist"
    api.user.set_user_metadata("seen", api.cache.get("k").value)
"""
    flow = FlowState({"hit": ("v", NOW_MS + 1)})
    report, end, _ = execution.execute(
        compiler.compile_action(source, ACTION_FILENAME), ENTRY, event_pb2.PostLoginEvent(), {},
        NOW_MS * 10**6, bytes(16), time.monotonic_ns(), 10**10, 64, flow,
    )  # fmt: skip
    disarm()
    step = worker_pb2.StepReport.FromString(report)
    assert (step.error_message, end) == ("", execution.Ending.COMPLETED)
    assert [command.op for command in step.commands] == ["cache.set", "user.set_user_metadata"]
    assert [op for op, _ in flow.live] == ["cache.set"]
