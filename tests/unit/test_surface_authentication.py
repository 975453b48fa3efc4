"""Challenges, enrolments and recorded methods: what the calls accept, and their effect on the flow."""

import time
from typing import Any

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.core import challenges
from sandbox.action import execution
from sandbox.action.alarm import ACTION_FILENAME, disarm, install
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.action.live import FlowState
from sandbox.contract import surface
from sandbox.contract.report import Command
from sandbox.contract.surface import CONTINUE, ENTRY
from sandbox.contract.vocabulary import FACTOR_TYPES
from sandbox.language import compiler
from sandbox.reach.attributes import guarded_getattr

OTP = {"type": "otp"}
SMS = {"type": "phone", "options": {"preferred_method": "sms"}}
PUSH = {"type": "push-notification", "options": {"otp_fallback": False}}


def begin(*, continues: bool = True, continuing: bool = False) -> tuple[Any, CommandRecorder]:
    recorder = CommandRecorder(
        Event(event_pb2.PostLoginEvent(), {}),
        handler=CONTINUE if continuing else ENTRY,
        defined=(CONTINUE,) if continues else (),
    )
    return make_api(recorder), recorder


@pytest.mark.parametrize(
    ("call", "op", "args"),
    [
        (lambda a: a.challenge_with({"type": "otp"}), "challenge_with", {"factor": OTP}),
        (lambda a: a.challengeWith({"type": "push"}), "challenge_with", {"factor": {"type": "push-notification"}}),
        (
            lambda a: a.challengeWith(
                {"type": "push-notification", "options": {"otpFallback": False}},
                {"additionalFactors": [{"type": "phone", "options": {"preferredMethod": "sms"}}]},
            ),
            "challenge_with",
            {"factor": PUSH, "additional_factors": [SMS]},
        ),
        (
            lambda a: a.challenge_with(SMS, additional_factors=({"type": "email"}, OTP)),
            "challenge_with",
            {"factor": SMS, "additional_factors": [{"type": "email"}, OTP]},
        ),
        (lambda a: a.challenge_with(OTP, additional_factors=None), "challenge_with", {"factor": OTP}),
        (lambda a: a.challengeWithAny([OTP, SMS]), "challenge_with_any", {"factors": [OTP, SMS]}),
        (
            # As an event lists them: each phone of a user, say.
            lambda a: a.challenge_with_any([{"type": "phone"}, {"type": "phone", "options": {}}, OTP]),
            "challenge_with_any",
            {"factors": [{"type": "phone"}, OTP]},
        ),
        (lambda a: a.enrollWith({"type": "otp", "options": None}), "enroll_with", {"factor": OTP}),
        (lambda a: a.enroll_with_any((OTP, {"type": "phone", "options": {"preferred_method": None}})),
         "enroll_with_any", {"factors": [OTP, {"type": "phone"}]}),
        (lambda a: a.challenge_with("push", additional_factors=["otp", SMS]), "challenge_with",
         {"factor": {"type": "push-notification"}, "additional_factors": [OTP, SMS]}),
        (lambda a: a.challenge_with_any(("otp", "otp")), "challenge_with_any", {"factors": [OTP]}),
        (lambda a: a.enroll_with("otp"), "enroll_with", {"factor": OTP}),
        *(
            (lambda a, name=name: a.challenge_with({"type": name}), "challenge_with", {"factor": {"type": name}})
            for name in FACTOR_TYPES
        ),
    ],
)  # fmt: skip
def test_factors_are_recorded_in_one_form(call: Any, op: str, args: dict[str, Any]) -> None:
    """Both spellings, the alias of a type, empty options and doubles come out the same, for the daemon and the core."""
    api, recorder = begin()
    assert call(api.authentication) is api
    assert recorder.commands == [(f"authentication.{op}", args)]
    assert surface.parse_all(recorder.encoded()) == [args]
    challenges.read(Command(f"authentication.{op}", args))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda a: a.challenge_with("opt"), "factor must be one of otp, recovery-code, email"),
        (lambda a: a.challenge_with("sms"), "write {'type': 'phone', 'options': {'preferred_method': 'sms'}}"),
        (lambda a: a.enroll_with("email"), "there is no enrolment of it"),
        (lambda a: a.challenge_with(5), "factor must be a dict such as {'type': 'otp'}; got 5"),
        (lambda a: a.challenge_with({}), "factor['type'] must be one of otp, recovery-code, email"),
        (lambda a: a.challenge_with({"type": "otpp"}), "got 'otpp'; did you mean 'otp'?"),
        (lambda a: a.challenge_with({"type": "webauthn_roaming"}), "did you mean 'webauthn-roaming'?"),
        (lambda a: a.challenge_with({"type": "sms"}), "'options': {'preferred_method': 'sms'}}"),
        (lambda a: a.challenge_with({"type": "duo"}), "api.multifactor.enable('duo')"),
        (lambda a: a.challenge_with({"type": "otp", "options": {"x": 1}}), "'otp' has no options"),
        (lambda a: a.challenge_with({"type": "otp", "options": 5}), "factor['options'] must be a dict; got 5"),
        (lambda a: a.challenge_with({"type": "otp", "method": "x"}), "got a member 'method'"),
        (
            lambda a: a.challenge_with({"type": "phone", "options": {"otp_fallback": True}}),
            "has no member 'otp_fallback'; there is preferred_method",
        ),
        (lambda a: a.challenge_with({"type": "phone", "options": {"preferred_method": "call"}}), "sms, voice, both"),
        (
            lambda a: a.challenge_with(
                {"type": "phone", "options": {"preferred_method": "sms", "preferredMethod": "voice"}}
            ),
            "['preferred_method'] is given twice",
        ),
        (lambda a: a.challenge_with({"type": "push", "options": {"otpFallback": "no"}}), "must be True or False"),
        (lambda a: a.challenge_with({"type": 5}), "factor['type'] must be one of"),
        (lambda a: a.challenge_with(OTP, [OTP]), "takes 1 positional argument; got 2"),
        (lambda a: a.challenge_with(OTP, additional_factors=[{"type": "pone"}]), "additional_factors[0]['type']"),
        (lambda a: a.challenge_with_any([]), "factors must be a list of 1 to 50 items, each a factor"),
        (lambda a: a.challenge_with_any([OTP] * 51), "factors must be a list of 1 to 50"),
        (lambda a: a.challenge_with_any(OTP), "got a dict of 1"),
        (lambda a: a.enroll_with({"type": "email"}), "factor['type'] must not be 'email': there is no enrolment"),
        (lambda a: a.enroll_with_any([OTP, {"type": "email"}]), "factors[1]['type'] must not be 'email'"),
        (lambda a: a.enroll_with({"type": "sms"}), "one of otp, recovery-code, push-notification"),
        (lambda a: guarded_getattr(a, "challenge_wiht"), "did you mean 'challenge_with'?"),
    ],
)
def test_a_wrong_factor_raises_and_says_what_is_right(call: Any, text: str) -> None:
    """Unknown types, options of another type and what cannot be enrolled are errors at the call."""
    api, recorder = begin()
    with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
        call(api.authentication)
    assert text in str(caught.value)
    assert str(caught.value).startswith("api.authentication")
    assert recorder.commands == []


@pytest.mark.parametrize("url", ["https://sms.example.com/v1", "http://127.0.0.1:8080", "HTTPS://[::1]:1/?a=b#c"])
def test_a_method_is_recorded_when_the_user_is_back(url: str) -> None:
    """Any http or https URL names a method, in on_continue_post_login."""
    api, recorder = begin(continuing=True)
    assert api.authentication.recordMethod(url) is api
    texts = recorder.encoded()
    assert surface.parse_all(texts, continuing=True) == [{"provider_url": url}]
    with pytest.raises(surface.CommandError, match="outside of on_continue_post_login"):
        surface.parse_all(texts)


def test_a_method_is_not_recorded_before() -> None:
    """In on_execute_post_login the call raises, whatever its argument."""
    api, recorder = begin()
    with pytest.raises(ValueError, match=r"record_method: only in on_continue_post_login, which runs when"):
        api.authentication.record_method("https://example.com")
    assert recorder.commands == []


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "/path", "//example.com", "ftp://example.com", "javascript:alert(1)", "https://", "https:///x",
        "https://exa mple.com", "https://example.com/\r\nSet-Cookie: a=b", "https://ex\u00e4mple.com", "https://[::1",
        "https://example.com:port", "https://example.com:123456", "https://example.com:65536", "https://a@b@c/", "https://example.com/<x>",
        "https://" + "x" * 2049,
    ],
)  # fmt: skip
def test_what_is_no_url_is_no_method(url: str) -> None:
    """Relative, of another scheme, with characters that belong encoded or too long: a URL error."""
    api, recorder = begin(continuing=True)
    with pytest.raises(ValueError, match="provider_url must be an absolute http or https URL of at most 2048"):
        api.authentication.record_method(url)
    assert recorder.commands == []


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("authentication.challenge_with", {"factor": {"type": "sms"}}),
        ("authentication.challenge_with", {"factor": "opt"}),
        ("authentication.challenge_with", {"factor": {"type": "otp", "options": {"preferred_method": "sms"}}}),
        ("authentication.challenge_with", {"factor": OTP, "additionalFactors": [OTP]}),
        ("authentication.challenge_with", {"factor": OTP, "additional_factors": None}),
        ("authentication.challenge_with_any", {"factors": []}),
        ("authentication.challenge_with_any", {"factors": [OTP] * 51}),
        ("authentication.enroll_with", {"factor": {"type": "email"}}),
        ("authentication.enroll_with_any", {"factors": [{"type": "email"}]}),
        ("authentication.record_method", {"provider_url": "ftp://x"}),
    ],
)
def test_the_daemon_believes_no_wrong_factor(op: str, args: dict[str, Any]) -> None:
    """What no author could have recorded is a lie of the worker."""
    with pytest.raises(surface.CommandError):
        list(surface.validate_each([(op, args)], continuing=True))


def run(body: str, handler: str = ENTRY) -> tuple[worker_pb2.StepReport, execution.Ending]:
    install()
    source = f"def on_execute_post_login(event, api):\n    {body}\n"
    code = compiler.compile_action(source, ACTION_FILENAME)
    event = event_pb2.PostLoginEvent()
    now_ns = time.monotonic_ns()
    report, end, _ = execution.execute(code, handler, event, {}, 0, bytes(16), now_ns, 10**10, 64, FlowState())
    disarm()
    return worker_pb2.StepReport.FromString(report), end


@pytest.mark.parametrize("printed", ["", "; print('x')"])
@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("api.authentication.challenge_with({'type': 'otp'})", execution.Ending.SUSPENDED),
        ("api.authentication.enroll_with_any([{'type': 'otp'}]).multifactor.enable('any')", execution.Ending.SUSPENDED),
        ("api.authentication.challenge_with({'type': 'otp'}); api.access.deny('no')", execution.Ending.DENIED),
        ("api.access.deny('no').authentication.challenge_with({'type': 'otp'})", execution.Ending.DENIED),
        ("api.multifactor.enable('any')", execution.Ending.COMPLETED),
        ("api.authentication.challenge_with({'type': 'otp'}); 1 / 0", execution.Ending.FAILED),
    ],
)
def test_how_an_execution_ends(body: str, end: execution.Ending, printed: str) -> None:
    """A challenge suspends the flow, a denial beside it ends the flow, and one that failed asked for nothing."""
    report, found = run(body.replace("; 1 / 0", f"{printed}; 1 / 0") if "1 / 0" in body else body + printed)
    assert found is end
    assert bool(report.commands) is (end is not execution.Ending.FAILED)
