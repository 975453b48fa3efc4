"""What the actions of a later leg see of the factors that were completed before it."""

from __future__ import annotations

from typing import Any

import pytest
from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.core.model import FactorRequest, Step, Suspension
from runtime.login.completed_factors import Completed

AT_MS = 1_800_000_000_123
AT = "2027-01-15T08:00:00.123Z"
OLD = "2026-01-01T00:00:00Z"
ABSENT = "1970-01-01T00:00:00Z"
"""What an instant that was not sent reads as."""


def event(*methods: tuple[str, str | None], enrolled: tuple[str, ...] = (), empty: bool = False) -> PostLoginEvent:
    """Make an event with second factors, as (type, timestamp), in its session."""
    message = PostLoginEvent()
    message.authentication.methods.add(name="pwd").timestamp.FromJsonString(OLD)
    for kind, timestamp in methods:
        method = message.authentication.methods.add(name="mfa", type=kind)
        if timestamp != ABSENT:
            method.timestamp.FromJsonString(timestamp or OLD)
    for kind in enrolled:
        message.user.enrolled_factors.values.add(type=kind)
    if empty:
        message.user.enrolled_factors.SetInParent()
    return message


def seen(completed: Completed, sent: PostLoginEvent) -> tuple[list[tuple[str, str]], list[str] | None]:
    """Return the second factors, and the enrolments if they are known, that actions see."""
    shown = PostLoginEvent.FromString(completed.shown(sent.SerializeToString()))
    methods = [(m.type, m.timestamp.ToJsonString()) for m in shown.authentication.methods if m.name == "mfa"]
    known = shown.user.HasField("enrolled_factors")
    return methods, [factor.type for factor in shown.user.enrolled_factors.values] if known else None


def suspended(step: Step, sent: PostLoginEvent, before: Completed | None = None) -> Completed:
    """Return what a later leg reads of a flow that was suspended for a step, on this event."""
    state = SuspendedFlow()
    (before or Completed()).write(state, Suspension("mfa", "a", (step,)), sent)
    return Completed.read(SuspendedFlow.FromString(state.SerializeToString()))


def step(kind: Any, *types: str) -> Step:
    return Step(kind, tuple([FactorRequest(name) for name in types]), False)


def passed(found: Completed, *types: str, enrolled: tuple[str, ...] = ()) -> Completed:
    return Completed({**found.at_ms, **dict.fromkeys(types, AT_MS)}, found.enrolled | set(enrolled), found.known)


OTP = passed(Completed(), "otp")
ENROLLED = passed(Completed(), "otp", enrolled=("otp",))


def test_what_a_gateway_left_out_is_added() -> None:
    """A factor that was presented is one of the session's methods, by its type and the instant of the execution."""
    assert seen(OTP, event()) == ([("otp", AT)], None)
    shown = PostLoginEvent.FromString(OTP.shown(event().SerializeToString()))
    assert [method.name for method in shown.authentication.methods] == ["pwd", "mfa"]
    assert not shown.user.HasField("enrolled_factors")
    bare = PostLoginEvent.FromString(OTP.shown(b""))
    assert [method.type for method in bare.authentication.methods] == ["otp"]


def test_what_it_added_is_left_as_it_is() -> None:
    """No factor stands there twice, whatever its timestamp: the gateway's own entry counts."""
    for said in (AT, OLD, ABSENT, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"):
        assert seen(OTP, event(("otp", said))) == ([("otp", said)], None)


def test_an_enrolment_is_one_of_the_users_factors() -> None:
    """An enrolled factor is among the enrolments once, also where the list was empty or not sent at all."""
    assert seen(ENROLLED, event()) == ([("otp", AT)], ["otp"])
    assert seen(ENROLLED, event(empty=True)) == ([("otp", AT)], ["otp"])
    assert seen(ENROLLED, event(enrolled=("phone",))) == ([("otp", AT)], ["phone", "otp"])
    assert seen(ENROLLED, event(("otp", AT), enrolled=("otp",))) == ([("otp", AT)], ["otp"])
    # The control: a challenge enrols nothing.
    assert seen(OTP, event(empty=True)) == ([("otp", AT)], [])


@pytest.mark.parametrize(("own", "theirs"), [("phone", "sms"), ("phone", "voice"), ("push-notification", "push")])
def test_other_spellings_of_a_factor_count(own: str, theirs: str) -> None:
    """A gateway may name a phone by how its code travels, and a push as the older pages do."""
    found = passed(Completed(), own, enrolled=(own,))
    methods, enrolled = seen(found, event((theirs, OLD), enrolled=(theirs,) if own == "phone" else ()))
    assert methods == [(theirs, OLD)]
    assert enrolled == ([theirs] if own == "phone" else [own])


def test_a_factor_of_an_earlier_login_is_not_taken_for_this_one() -> None:
    """The session may know the factor from before; an entry that was not there at the suspension is of this login."""
    before = event(("otp", OLD), ("email", OLD))
    found = passed(suspended(step("challenge", "otp", "phone"), before), "otp")
    assert seen(found, before)[0] == [("otp", OLD), ("email", OLD), ("otp", AT)]
    renewed = event(("otp", "2027-01-15T08:00:00Z"), ("email", OLD))
    assert seen(found, renewed)[0] == [("otp", "2027-01-15T08:00:00Z"), ("email", OLD)]
    both = event(("otp", OLD), ("otp", "2027-01-15T08:00:00Z"))
    assert len(seen(found, both)[0]) == 2


def test_every_leg_keeps_what_the_earlier_ones_completed() -> None:
    """Instants, enrolments and what was known before go from leg to leg, over pages too."""
    first = passed(suspended(step("enroll", "otp"), event()), "otp", enrolled=("otp",))
    page = SuspendedFlow()
    first.write(page, Suspension("redirect", "a", url="https://a.example/"), event())
    assert Completed.read(page) == first
    second = suspended(step("challenge", "phone"), event(("phone", OLD)), first)
    later = Completed({**second.at_ms, "phone": AT_MS + 1000}, second.enrolled, second.known)
    assert seen(later, event(("phone", OLD))) == (
        [("phone", OLD), ("otp", AT), ("phone", "2027-01-15T08:00:01.123Z")],
        ["otp"],
    )


def test_without_a_completed_factor_the_event_is_not_touched() -> None:
    """After a page the very bytes that the gateway sent go to the worker."""
    data = event().SerializeToString() + b"\xfa\x7f\x00"
    assert Completed().shown(data) is data


def test_what_this_reader_does_not_know_is_kept() -> None:
    """A member of a newer contract outlives the addition."""
    data = event().SerializeToString() + b"\xfa\x7f\x03abc"
    assert b"\xfa\x7f\x03abc" in OTP.shown(data)


@pytest.mark.parametrize(
    "state",
    [SuspendedFlow(completed=[1]), SuspendedFlow(completed=[99], completed_at_ms=[1]), SuspendedFlow(enrolled=[0])],
)
def test_what_another_version_sealed_is_no_factor(state: SuspendedFlow) -> None:
    """A state that does not agree with itself, or of factors unknown here, is refused by its reader."""
    with pytest.raises((KeyError, ValueError)):
        Completed.read(state)
