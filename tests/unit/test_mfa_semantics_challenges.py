"""Rows of section 8 of the MFA semantics: challenge and enrolment commands, and the worked cases of section 14."""

from dataclasses import replace
from typing import Any

import pytest

from runtime.core import challenges, resolution
from runtime.core.challenges import Ask, Queue
from runtime.core.model import (
    FACTOR_NAMES,
    Command,
    Execution,
    Experience,
    FactorRequest,
    Failure,
    Ignored,
    Multifactor,
    OnError,
    ResolutionKind,
    Settings,
    Suspension,
    Verdict,
)
from runtime.core.remembered import DAY_MS, PAPE_MULTI_FACTOR, RememberedBrowser
from runtime.core.resolution import Gateway
from runtime.core.suspension import pending
from tests.event_facts import EventFacts

EVERY = Settings(factors=FACTOR_NAMES)
FACTS = EventFacts("oidc-basic-profile", enrolled=("otp", "phone"), email_verified=True)
NOVICE = replace(FACTS, enrolled=())
GATEWAY = Gateway(1_800_000_000_000, "auth0|1")


def challenge(*names: str, picker: bool = False) -> Ask:
    return Ask("challenge", tuple([FactorRequest(name) for name in names]), picker)


def enroll(*names: str, picker: bool = False) -> Ask:
    return Ask("enroll", tuple([FactorRequest(name) for name in names]), picker)


def plan(
    *asks: Ask,
    completed: tuple[str, ...] = (),
    used: int = 0,
    settings: Settings = EVERY,
    facts: EventFacts = FACTS,
    gateway: Gateway = GATEWAY,
) -> Queue:
    return challenges.plan(asks, completed, used, settings, facts, gateway)


def shown(answer: Queue) -> list[tuple[str, tuple[str, ...], bool]]:
    assert answer.failure is None
    return [(step.kind, tuple([factor.type for factor in step.usable]), step.picker) for step in answer.steps]


CHALLENGES: list[Any] = [
    pytest.param(challenge("otp"), {}, [("challenge", ("otp",), False)], id="one factor"),
    pytest.param(challenge("otp", "phone"), {}, [("challenge", ("otp", "phone"), False)], id="the default is first"),
    pytest.param(
        challenge("phone", "otp", picker=True),
        {},
        [("challenge", ("phone", "otp"), True)],
        id="any: picker, list order",
    ),
    pytest.param(
        challenge("otp", "webauthn-roaming", picker=True),
        {},
        [("challenge", ("otp",), False)],
        id="any: no picker for one usable",
    ),
    pytest.param(
        challenge("webauthn-roaming", "otp"), {}, [("challenge", ("otp",), False)], id="not enrolled: ignored"
    ),
    pytest.param(challenge("otp", "otp"), {}, [("challenge", ("otp",), False)], id="named twice"),
    pytest.param(challenge("email"), {"facts": NOVICE}, [("challenge", ("email",), False)], id="email: verified"),
    pytest.param(
        challenge("webauthn-roaming"),
        {"facts": replace(FACTS, enrolled=None)},
        [("challenge", ("webauthn-roaming",), False)],
        id="enrolments unknown: the gateway's turn",
    ),
    pytest.param(challenge("otp"), {"completed": ("otp",)}, [], id="already challenged: satisfied"),
    pytest.param(challenge("phone", "otp"), {"completed": ("otp",)}, [], id="satisfied by an additional factor"),
    pytest.param(
        challenge("phone"), {"completed": ("otp",)}, [("challenge", ("phone",), False)], id="another one was challenged"
    ),
    pytest.param(challenge("otp"), {"completed": ("otp",), "facts": replace(FACTS, prompt=("none",))}, [], id="silent"),
]


@pytest.mark.parametrize(("ask", "given", "steps"), CHALLENGES)
def test_section_8_challenge(ask: Ask, given: dict[str, Any], steps: list[Any]) -> None:
    """What is enabled and enrolled is shown; what was presented before satisfies the command without a screen."""
    assert shown(plan(ask, **given)) == steps


PASSWORD = replace(FACTS, protocol="oauth2-password")
FAILURES: list[Any] = [
    pytest.param(challenge("webauthn-roaming"), {}, Failure.NO_USABLE_FACTOR, id="not enrolled in any"),
    pytest.param(
        challenge("otp"), {"settings": Settings(factors=("sms",))}, Failure.NO_USABLE_FACTOR, id="toggles bind commands"
    ),
    pytest.param(
        challenge("email"), {"facts": replace(FACTS, email_verified=False)}, Failure.NO_USABLE_FACTOR, id="unverified"
    ),
    pytest.param(
        challenge("otp"),
        {"settings": Settings(experience=Experience.CLASSIC, factors=FACTOR_NAMES)},
        Failure.EXPERIENCE_NOT_SUPPORTED,
        id="classic has no such screen",
    ),
    pytest.param(
        challenge("otp"), {"gateway": replace(GATEWAY, customize_mfa=False)}, Failure.CUSTOMIZATION_OFF, id="switch off"
    ),
    pytest.param(
        challenge("otp"), {"facts": replace(FACTS, prompt=("none",))}, Failure.INTERACTION_REQUIRED, id="12 prompt=none"
    ),
    pytest.param(
        challenge("otp"),
        {"facts": replace(FACTS, protocol="oauth2-token-exchange")},
        Failure.TOKEN_EXCHANGE_NOT_SUPPORTED,
        id="7 token exchange",
    ),
    pytest.param(
        challenge("otp"),
        {"facts": PASSWORD, "gateway": replace(GATEWAY, mfa_grant_allowed=False)},
        Failure.MFA_GRANT_NOT_ALLOWED,
        id="7 MFA grant not allowed",
    ),
    pytest.param(
        challenge("webauthn-roaming"),
        {"facts": replace(PASSWORD, enrolled=("webauthn-roaming",))},
        Failure.NO_USABLE_FACTOR,
        id="7 the MFA API has no security keys",
    ),
    pytest.param(challenge("duo"), {}, Failure.NO_USABLE_FACTOR, id="Duo is not for commands"),
    pytest.param(enroll("webauthn-roaming"), {}, Failure.CHALLENGE_FIRST, id="enrolled user: challenge first"),
    pytest.param(
        enroll("otp"), {"facts": replace(FACTS, enrolled=None)}, Failure.CHALLENGE_FIRST, id="unknown: challenge first"
    ),
    pytest.param(
        enroll("otp", "phone", picker=True),
        {"completed": ("otp",)},
        Failure.NO_USABLE_FACTOR,
        id="nothing left to enrol",
    ),
    pytest.param(enroll("email"), {"facts": NOVICE}, Failure.NO_USABLE_FACTOR, id="email has no enrolment"),
    pytest.param(enroll("webauthn-platform"), {"facts": NOVICE}, Failure.NO_USABLE_FACTOR, id="10 never the first one"),
    pytest.param(
        enroll("webauthn-roaming"),
        {"facts": replace(PASSWORD, enrolled=())},
        Failure.NO_USABLE_FACTOR,
        id="10 the MFA API cannot enrol keys",
    ),
]


@pytest.mark.parametrize(("ask", "given", "failure"), FAILURES)
def test_section_8_failures(ask: Ask, given: dict[str, Any], failure: Failure) -> None:
    """What cannot be shown ends the login; it is never taken for satisfied."""
    answer = plan(ask, **given)
    assert (answer.failure, answer.steps) == (failure, ())


ENROLMENTS: list[Any] = [
    pytest.param(enroll("otp"), {"facts": NOVICE}, [("enroll", ("otp",), False)], id="first factor, no challenge"),
    pytest.param(
        enroll("otp", "phone", picker=True), {"facts": NOVICE}, [("enroll", ("otp", "phone"), True)], id="picker"
    ),
    pytest.param(
        enroll("otp", "webauthn-roaming", picker=True),
        {"completed": ("phone",)},
        [("enroll", ("webauthn-roaming",), False)],
        id="after a challenge, what is missing",
    ),
    pytest.param(
        enroll("webauthn-platform"),
        {"completed": ("otp",)},
        [("enroll", ("webauthn-platform",), False)],
        id="10 second",
    ),
]


@pytest.mark.parametrize(("ask", "given", "steps"), ENROLMENTS)
def test_section_8_enrolment(ask: Ask, given: dict[str, Any], steps: list[Any]) -> None:
    """One enrolment of what is enabled and missing; an enrolled user presents a factor first."""
    assert shown(plan(ask, **given)) == steps


def test_section_8_every_ignored_factor_has_a_reason() -> None:
    """A gateway can log why each factor of a command did not count."""
    settings = Settings(factors=("otp", "webauthn-roaming"))
    assert plan(challenge("push-notification", "webauthn-roaming", "otp"), settings=settings).ignored == (
        ("push-notification", Ignored.DISABLED),
        ("webauthn-roaming", Ignored.NOT_ENROLLED),
    )
    assert plan(enroll("email", "otp", "webauthn-roaming"), completed=("otp",)).ignored == (
        ("email", Ignored.NOT_ENROLABLE),
        ("otp", Ignored.ALREADY_ENROLLED),
    )
    without = replace(GATEWAY, webauthn=False)
    facts = replace(FACTS, enrolled=("otp", "webauthn-roaming"))
    assert plan(challenge("webauthn-roaming", "otp"), facts=facts, gateway=without).ignored == (
        ("webauthn-roaming", Ignored.NOT_SERVABLE),
    )


@pytest.mark.parametrize(
    ("enabled", "method"), [(("sms",), "sms"), (("voice",), "voice"), (("sms", "voice"), "both"), ((), None)]
)
def test_section_1_phone_is_sms_and_voice(enabled: tuple[str, ...], method: str | None) -> None:
    """A phone is called or written to as the tenant's toggles allow, whatever was preferred."""
    ask = Ask("challenge", (FactorRequest("phone", "both"),))
    answer = plan(ask, settings=Settings(factors=enabled))
    assert [step.usable[0].preferred_method for step in answer.steps] == ([method] if method else [])
    assert answer.failure is (None if method else Failure.NO_USABLE_FACTOR)


def test_section_14_two_challenges_of_one_handler() -> None:
    """Challenges follow one another; the second is asked for although the first is."""
    assert shown(plan(challenge("otp"), challenge("phone"))) == [
        ("challenge", ("otp",), False),
        ("challenge", ("phone",), False),
    ]


def test_section_14_challenge_then_enrol() -> None:
    """A challenge earlier in the same queue is the one that an enrolment needs."""
    steps = shown(plan(challenge("otp"), enroll("webauthn-roaming")))
    assert [kind for kind, _, _ in steps] == ["challenge", "enroll"]


QUEUES: list[Any] = [
    pytest.param(
        [challenge("otp"), challenge("otp", "phone")], {}, [("challenge", ("otp",), False)], id="presented just before"
    ),
    pytest.param(
        [challenge("otp", "phone", picker=True), challenge("otp")],
        {},
        [("challenge", ("otp", "phone"), True), ("challenge", ("otp",), False)],
        id="the user may have picked another one",
    ),
    pytest.param(
        [challenge("otp", "webauthn-roaming"), challenge("otp")],
        {},
        [("challenge", ("otp",), False)],
        id="of what is shown, not of what was named",
    ),
    pytest.param(
        [enroll("otp"), challenge("otp")],
        {"facts": NOVICE},
        [("enroll", ("otp",), False)],
        id="enrolled just before",
    ),
    pytest.param(
        [enroll("otp"), enroll("otp", "phone", picker=True)],
        {"facts": NOVICE},
        [("enroll", ("otp",), False), ("enroll", ("phone",), False)],
        id="another one is enrolled second",
    ),
    pytest.param(
        [enroll("phone"), enroll("recovery-code"), enroll("webauthn-platform")],
        {"facts": NOVICE},
        [
            ("enroll", ("phone",), False),
            ("enroll", ("recovery-code",), False),
            ("enroll", ("webauthn-platform",), False),
        ],
        id="9, 10 what leans on the first one comes second",
    ),
]


@pytest.mark.parametrize(("asks", "given", "steps"), QUEUES)
def test_section_8_a_queue_counts_what_is_before(asks: list[Ask], given: dict[str, Any], steps: list[Any]) -> None:
    """What an earlier screen of the queue presents or enrols for sure is presented and enrolled by then."""
    assert shown(plan(*asks, **given)) == steps


DEPENDENT: list[Any] = [
    pytest.param("webauthn-platform", (), (), False, id="nothing held"),
    pytest.param("webauthn-platform", (), ("recovery-code",), False, id="a code is no factor to lean on"),
    pytest.param("webauthn-platform", (), ("email",), True, id="an address presented is"),
    pytest.param("webauthn-platform", (), ("phone",), True, id="enrolled in this flow, the event not refreshed"),
    pytest.param("webauthn-platform", ("otp",), ("email",), True, id="held, with another one presented"),
    pytest.param("webauthn-platform", None, ("otp",), True, id="enrolments unknown, one presented"),
    pytest.param("webauthn-platform", None, ("email",), True, id="enrolments unknown, an address presented"),
    pytest.param("recovery-code", (), ("email",), False, id="no code beside an address alone"),
    pytest.param("recovery-code", ("email",), ("email",), False, id="although enrolled"),
    pytest.param("recovery-code", ("otp",), ("email",), True, id="a code beside a factor that stands alone"),
]


@pytest.mark.parametrize(("name", "enrolled", "completed", "can"), DEPENDENT)
def test_sections_9_and_10_dependent_factors_lean_on_another(
    name: str, enrolled: tuple[str, ...] | None, completed: tuple[str, ...], can: bool
) -> None:
    """Codes are enrolled beside a factor that is independent; biometrics also beside an address that was presented."""
    answer = plan(enroll(name), completed=completed, facts=replace(FACTS, enrolled=enrolled))
    assert answer.failure is (None if can else Failure.NO_USABLE_FACTOR)
    assert bool(answer.steps) is can


def test_section_8_enrolled_in_this_flow_is_enrolled() -> None:
    """Source: post-login reference, 2.3, enrolment 1. The event need not have been refreshed."""
    facts = replace(FACTS, enrolled=())
    answer = plan(enroll("otp"), completed=("otp",), facts=facts)
    assert (answer.failure, answer.ignored) == (Failure.NO_USABLE_FACTOR, (("otp", Ignored.ALREADY_ENROLLED),))


@pytest.mark.parametrize("ask", [challenge("duo"), enroll("duo"), challenge("sms"), challenge("voice")])
def test_section_8_duo_and_the_ways_of_a_phone_are_no_factors_of_commands(ask: Ask) -> None:
    """A toggle of that name, and an enrolment of that name, change nothing."""
    facts = replace(FACTS, enrolled=("duo", "sms", "voice"))
    answer = plan(ask, completed=("email",), facts=facts)
    assert answer.failure is Failure.NO_USABLE_FACTOR


@pytest.mark.parametrize("step_up", [False, True])
def test_section_11_no_memory_of_the_browser_satisfies_a_challenge(step_up: bool) -> None:
    """Section 14, row 8: a command has no remember option, so its challenge really happens, with and without PAPE."""
    memory = RememberedBrowser("auth0|1", "any", GATEWAY.now_ms - DAY_MS, GATEWAY.now_ms - 1)
    facts = replace(FACTS, acr_values=(PAPE_MULTI_FACTOR,) if step_up else ())
    gateway = replace(GATEWAY, remembered_browser=memory)
    assert shown(plan(challenge("otp"), facts=facts, gateway=gateway)) == [("challenge", ("otp",), False)]
    enabled = resolution.resolve(Multifactor("any", True, None, ("otp",)), EVERY, facts, gateway)
    assert enabled is not None
    assert enabled.kind is (ResolutionKind.PROMPT if step_up else ResolutionKind.SATISFIED_BY_REMEMBERED_BROWSER)


def test_section_14_one_impossible_command_ends_the_queue() -> None:
    """A queue is not shown in part: the login could not complete anyway."""
    answer = plan(challenge("otp"), challenge("webauthn-roaming"))
    assert (answer.failure, answer.steps) == (Failure.NO_USABLE_FACTOR, ())


@pytest.mark.parametrize(("used", "failure"), [(3, None), (4, Failure.TOO_MANY_COMMANDS)])
def test_section_14_five_commands(used: int, failure: Failure | None) -> None:
    """Four commands of the family per flow; the fifth is an error, also when it would be satisfied."""
    assert plan(challenge("otp"), used=used, completed=("otp",)).failure is failure


@pytest.mark.parametrize("protocol", ["oauth2-refresh-token", "oauth2-password"])
def test_section_6_challenge_without_a_browser(protocol: str) -> None:
    """A challenge on a refresh or a password grant becomes a requirement beside the token."""
    answer = plan(challenge("otp"), facts=replace(FACTS, protocol=protocol))
    assert (answer.by_token, len(answer.steps)) == (True, 1)
    assert not plan(challenge("otp")).by_token


NO_ADDRESS = replace(GATEWAY, has_email=False)
PASSWORD = replace(NOVICE, protocol="oauth2-password")
ADAPTIVE: list[Any] = [
    # commands, facts, gateway, completed, failure, whether the address is proven first
    pytest.param([enroll("otp")], NOVICE, GATEWAY, (), None, True, id="an enrolment: address first"),
    pytest.param([enroll("otp")], NOVICE, NO_ADDRESS, (), Failure.EMAIL_MISSING, False, id="no address"),
    pytest.param([enroll("otp")], PASSWORD, GATEWAY, (), Failure.ENROLLMENT_NOT_POSSIBLE, False, id="no browser"),
    pytest.param([challenge("email")], PASSWORD, GATEWAY, (), Failure.ENROLLMENT_NOT_POSSIBLE, False, id="by email"),
    pytest.param([challenge("email")], NOVICE, GATEWAY, (), None, False, id="an email proves the address itself"),
    pytest.param([challenge("email"), enroll("otp")], NOVICE, GATEWAY, (), None, False, id="so it does before another"),
    pytest.param([challenge("otp")], FACTS, NO_ADDRESS, (), None, False, id="enrolled: challenged"),
    pytest.param([challenge("otp"), enroll("webauthn-roaming")], FACTS, NO_ADDRESS, (), None, False, id="then enrols"),
    pytest.param([enroll("phone")], NOVICE, NO_ADDRESS, ("otp",), None, False, id="a factor was presented before"),
]


@pytest.mark.parametrize(("asks", "facts", "gateway", "completed", "failure", "first"), ADAPTIVE)
def test_section_4_commands_ask_for_no_less_than_adaptive(
    asks: list[Ask],
    facts: EventFacts,
    gateway: Gateway,
    completed: tuple[str, ...],
    failure: Failure | None,
    first: bool,
) -> None:
    """At low confidence a queue fails where the policy alone would, and the address comes before a first enrolment."""
    answer = challenges.plan(asks, completed, 0, EVERY, facts, gateway, adaptive=True)
    assert (answer.failure, answer.verify_email_first) == (failure, first)
    control = plan(*asks, completed=completed, facts=facts, gateway=gateway)
    assert (control.failure, control.verify_email_first) == (None, False)


@pytest.mark.parametrize("experience", list(Experience))
def test_section_8_no_command_no_plan(experience: Experience) -> None:
    """Without a command there is nothing to show and nothing to fail, whatever the tenant switched off."""
    settings = Settings(experience=experience)
    assert plan(used=4, settings=settings, gateway=replace(GATEWAY, customize_mfa=False)) == Queue()


@pytest.mark.parametrize(
    ("said", "hidden"), [((False,), True), ((True,), False), ((None,), False), ((), False), ((False, True), False)]
)
def test_section_5_enable_hides_the_checkbox_of_challenges(said: tuple[bool | None, ...], hidden: bool) -> None:
    """Challenges have no remember option; `enable("any", allow_remember_browser=False)` before them hides it."""
    enables = [Command("multifactor.enable", {"provider": "any", "allow_remember_browser": saying}) for saying in said]
    asked = Execution(
        "a",
        "0" * 64,
        OnError.REQUIRE_MFA,
        Verdict.COMPLETED,
        (*enables, Command("authentication.challenge_with", {"factor": {"type": "otp"}})),
    )
    found = pending([asked], (), Settings(), FACTS, GATEWAY)
    assert isinstance(found, Suspension)
    assert found.hide_remember_browser is hidden


def test_section_8_commands_are_read() -> None:
    """Both shapes of a command's arguments become the same request."""
    otp, phone = {"type": "otp"}, {"type": "phone", "options": {"preferred_method": "voice"}}
    push = {"type": "push-notification", "options": {"otp_fallback": False}}
    wanted = (FactorRequest("otp"), FactorRequest("phone", "voice"), FactorRequest("push-notification", None, False))
    one = Command("authentication.challenge_with", {"factor": otp, "additional_factors": [phone, push]})
    assert challenges.read(one) == Ask("challenge", wanted)
    several = Command("authentication.enroll_with_any", {"factors": [otp, phone, push]})
    assert challenges.read(several) == Ask("enroll", wanted, True)
    assert challenges.read(Command("authentication.enroll_with", {"factor": otp})) == Ask("enroll", wanted[:1])
