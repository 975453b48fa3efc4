"""Rows of the MFA semantics that are settled at the call, by section: what an author may ask for at all."""

from collections.abc import Callable
from typing import Any

import pytest

from runtime.core.mfa import BACK_CHANNEL_PROTOCOLS
from runtime.core.resolution import MFA_API_FACTORS
from runtime.login import event_json
from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract.surface import CONTINUE
from sandbox.contract.vocabulary import PROVIDERS
from sandbox.reach import interrupts

Ask = Callable[[Any], Any]


def begin(**members: Any) -> tuple[Any, CommandRecorder]:
    """Begin an execution of an action that can continue after a page."""
    event = event_json.from_json(members)
    recorder = CommandRecorder(Event(event, {}), defined=(CONTINUE,))
    return make_api(recorder), recorder


def factor(name: str, **options: Any) -> dict[str, Any]:
    return {"type": name, "options": options} if options else {"type": name}


RECORDED: list[Any] = [
    *[
        pytest.param(lambda api, name=name: api.multifactor.enable(name), {"provider": name}, id=f"1 provider {name}")
        for name in PROVIDERS
    ],
    pytest.param(lambda api: api.multifactor.enable("any"), {"provider": "any"}, id="5 unset stays unset"),
    *[
        pytest.param(
            lambda api, said=said: api.multifactor.enable("any", allow_remember_browser=said),
            {"provider": "any", "allow_remember_browser": said},
            id=f"5 {said} is said",
        )
        for said in (True, False)
    ],
    pytest.param(
        lambda api: api.multifactor.enable("duo", provider_options={"host": "h", "ikey": "i", "skey": "s"}),
        {"provider": "duo", "provider_options": {"host": "h", "ikey": "i", "skey": "s"}},
        id="2 Duo by its own keys",
    ),
    pytest.param(
        lambda api: api.authentication.challenge_with(factor("phone", preferred_method="voice")),
        {"factor": {"type": "phone", "options": {"preferred_method": "voice"}}},
        id="1 SMS and voice are ways of a phone",
    ),
    pytest.param(
        lambda api: api.authentication.challenge_with(factor("push")),
        {"factor": {"type": "push-notification"}},
        id="1 push is push-notification",
    ),
    *[
        pytest.param(
            lambda api, name=name: api.authentication.challenge_with(factor(name)), {"factor": {"type": name}}, id=why
        )
        for name, why in (
            ("recovery-code", "9 a recovery code is a challenge"),
            ("webauthn-roaming", "10 so is a security key"),
            ("webauthn-platform", "10 and device biometrics"),
            ("email", "8 and an email"),
        )
    ],
    *[
        pytest.param(
            lambda api, name=name: api.authentication.enroll_with(factor(name)), {"factor": {"type": name}}, id=why
        )
        for name, why in (
            ("recovery-code", "9 a recovery code can be enrolled"),
            ("webauthn-platform", "10 device biometrics too, when they are not the first"),
        )
    ],
]


@pytest.mark.parametrize(("ask", "args"), RECORDED)
def test_sections_1_to_10_what_can_be_asked_for(ask: Ask, args: dict[str, Any]) -> None:
    """What the tables have is recorded in one form, and what was not said stays unsaid."""
    api, recorder = begin()
    ask(api)
    assert [said for _, said in recorder.commands] == [args]


RAISED: list[Any] = [
    *[
        pytest.param(lambda api, name=name: api.multifactor.enable(name), "provider must be one of", id=why)
        for name, why in (
            ("sms", "1 a factor is no provider"),
            ("undefined", "2 nor is what was never set"),
            ("", "2 nor nothing"),
            ("Duo", "2 nor another spelling"),
        )
    ],
    pytest.param(lambda api: api.multifactor.enable(None), "provider must be one of", id="2 nor None"),
    pytest.param(
        lambda api: api.multifactor.enable("any", provider_options={"host": "h"}),
        "'duo' only",
        id="3 options are Duo's",
    ),
    pytest.param(
        lambda api: api.multifactor.enable("any", allow_remember_browser="no"), "True or False", id="5 three states"
    ),
    *[
        pytest.param(
            lambda api, name=name: api.authentication.challenge_with(factor(name)), name, id=f"1 no command for {name}"
        )
        for name in ("duo", "sms", "voice", "google-authenticator", "any")
    ],
    pytest.param(
        lambda api: api.authentication.challenge_with(factor("otp"), allow_remember_browser=False),
        "allow_remember_browser",
        id="5 commands have no remember option",
    ),
    pytest.param(lambda api: api.authentication.enroll_with(factor("email")), "email", id="8 email has no enrolment"),
    pytest.param(
        lambda api: api.authentication.enroll_with_any([factor("otp"), factor("email")]), "email", id="8 in no list"
    ),
    pytest.param(lambda api: api.id_token.set_custom_claim("amr", ["mfa"]), "amr", id="11 amr is the gateway's to say"),
    pytest.param(lambda api: api.access_token.set_custom_claim("acr", "x"), "acr", id="11 so is acr"),
    pytest.param(lambda api: api.id_token.set_custom_claim("sub", "x"), "sub", id="14 row 12: a claim that collides"),
]


@pytest.mark.parametrize(("ask", "text"), RAISED)
def test_sections_1_to_14_what_raises_at_the_call(ask: Ask, text: str) -> None:
    """What no table has is an error that names it, and records nothing."""
    api, recorder = begin()
    with pytest.raises((TypeError, ValueError)) as caught:
        ask(api)
    assert text in str(caught.value)
    assert recorder.commands == []


@pytest.mark.parametrize(
    "protocol", ["oauth2-refresh-token", "oauth2-password", "oauth2-resource-owner", "oauth2-webauthn"]
)
def test_sections_6_and_7_no_redirect_without_a_browser(protocol: str) -> None:
    """An action can ask before it redirects; in a browser, and where it is not said, it can."""
    api, _ = begin(transaction={"protocol": protocol})
    assert api.redirect.can_redirect() is False
    assert protocol in BACK_CHANNEL_PROTOCOLS
    for members in ({"transaction": {"protocol": "oidc-basic-profile"}}, {}):
        control, _ = begin(**members)
        assert control.redirect.can_redirect() is True


def test_section_12_no_redirect_in_a_silent_login() -> None:
    """`prompt=none` has no page."""
    api, _ = begin(request={"query": {"prompt": "none"}})
    assert api.redirect.can_redirect() is False


def test_section_7_the_mfa_api() -> None:
    """SMS, voice, push, email and one-time passwords, and recovery codes by their grant; neither Duo nor WebAuthn."""
    assert {"sms", "voice", "push-notification", "email", "otp", "recovery-code"} == MFA_API_FACTORS


def test_section_14_a_hundred_commands() -> None:
    """Row 17: the hundred-and-first ends the execution, in a way that an action cannot catch."""
    api, recorder = begin()
    for _ in range(100):
        api.multifactor.enable("any")
    with pytest.raises(interrupts.LimitExceeded):
        api.multifactor.enable("any")
    assert len(recorder.commands) == 100
