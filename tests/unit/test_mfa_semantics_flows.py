"""Rows of the MFA semantics that need a whole flow: the order of section 4, the table of 8, worked cases of 14.

Each row is a flow, walked part by part, and the answers in a word each. Rows for one queue of commands are in
`test_mfa_semantics_challenges.py`, those for the gateway's resolution in `test_mfa_semantics_gateway.py`.
"""

from dataclasses import replace
from typing import Any

import pytest

from runtime.core import remembered, resolution
from runtime.core.model import (
    FACTOR_NAMES,
    Decision,
    Experience,
    OnError,
    Policy,
    ResolutionKind,
    Settings,
    Verdict,
)
from tests.event_facts import EventFacts
from tests.flow_walk import (
    GATEWAY,
    Action,
    Ran,
    action,
    challenge,
    challenge_any,
    deny,
    enable,
    enroll,
    enroll_any,
    fails,
    metadata,
    outline,
    redirect,
    walk,
)

EVERY = Settings(factors=FACTOR_NAMES)
ALWAYS = replace(EVERY, policy=Policy.ALWAYS)
ADAPTIVE = replace(EVERY, policy=Policy.ADAPTIVE)
CLASSIC = replace(EVERY, experience=Experience.CLASSIC)
BROWSER = EventFacts("oidc-basic-profile", enrolled=("otp", "phone"), email_verified=True)
NOVICE = replace(BROWSER, enrolled=())
RISKY = replace(BROWSER, risk_confidence="low")
SILENT = replace(BROWSER, prompt=("none",))
REFRESH = replace(BROWSER, protocol="oauth2-refresh-token")
PASSWORD = replace(BROWSER, protocol="oauth2-password")
EXCHANGE = replace(BROWSER, protocol="oauth2-token-exchange")


def answers(
    flow: list[Action], settings: Settings = EVERY, event: EventFacts = BROWSER, **given: Any
) -> list[Decision]:
    return walk(flow, settings, event, **given)


# Section 4: from the first that holds to the last that does not.
ORDER: list[Any] = [
    pytest.param([fails("a", OnError.DENY), action("b", deny("x"))], EVERY, ["on_error"], id="1 error before deny"),
    pytest.param([action("a", deny("x")), fails("b", OnError.DENY)], EVERY, ["denied"], id="2 deny before an error"),
    pytest.param([action("a", deny("x"), redirect(), enable())], ALWAYS, ["denied"], id="2 deny before suspend"),
    pytest.param(
        [action("a", redirect()), action("b", challenge("otp"))], EVERY, ["redirect", "mfa", "allow"], id="3, then 4"
    ),
    pytest.param([action("a", enable("duo"), challenge("otp"))], EVERY, ["mfa", "allow"], id="4 before 5"),
    pytest.param([action("a", enable("none"), challenge("otp"))], ALWAYS, ["mfa", "allow"], id="4 before 6"),
    pytest.param([action("a", challenge("otp"))], ALWAYS, ["mfa", "allow"], id="4 before 7"),
    pytest.param([action("a", redirect()), action("b", enable())], EVERY, ["redirect", "mfa_required"], id="3, then 5"),
    pytest.param([action("a", redirect(), enable("none"))], ALWAYS, ["redirect", "allow"], id="3, then 6"),
    pytest.param([action("a", redirect())], ALWAYS, ["redirect", "mfa_required"], id="3, then 7"),
    pytest.param([action("a", redirect())], EVERY, ["redirect", "allow"], id="3, then nothing"),
]


@pytest.mark.parametrize(("flow", "settings", "wanted"), ORDER)
def test_section_4_order(flow: list[Action], settings: Settings, wanted: list[str]) -> None:
    """Error, deny, page, factors, enable, none, policy: each is answered before what comes after it."""
    assert outline(answers(flow, settings)) == wanted


# Section 8: the same wish by `multifactor.enable` and by a command, in each aspect.
ASPECTS: list[Any] = [
    pytest.param([enable()], [challenge("otp")], {}, ["mfa_required"], ["mfa", "allow"], id="moment, pipeline"),
    pytest.param(
        [enable(), enable()],
        [challenge("otp"), challenge("phone")],
        {},
        ["mfa_required"],
        ["mfa", "allow"],
        id="several in sequence",
    ),
    pytest.param(
        [enable()],
        [challenge("otp")],
        {"settings": CLASSIC},
        ["mfa_required"],
        ["experience_not_supported"],
        id="classic login",
    ),
    pytest.param([enable("duo")], [challenge("duo")], {}, ["mfa_required"], ["no_usable_factor"], id="Duo"),
    pytest.param(
        [enable()],
        [challenge("otp")],
        {"gateway": replace(GATEWAY, customize_mfa=False)},
        ["mfa_required"],
        ["customization_off"],
        id="tenant switch off",
    ),
    pytest.param(
        [enable()],
        [challenge("otp")],
        {"gateway": replace(GATEWAY, customize_mfa=True)},
        ["mfa_required"],
        ["mfa", "allow"],
        id="tenant switch on",
    ),
    pytest.param(
        [enable()],
        [challenge_any("otp", "phone")],
        {"event": NOVICE},
        ["mfa_required"],
        ["no_usable_factor"],
        id="un-enrolled user, challenge",
    ),
    pytest.param(
        [enable()],
        [enroll_any("otp", "phone")],
        {"event": NOVICE},
        ["mfa_required"],
        ["mfa", "allow"],
        id="un-enrolled user, enrolment",
    ),
    pytest.param([enable()], [challenge("otp")], {"settings": ALWAYS}, ["mfa_required"], ["mfa", "allow"], id="policy"),
    pytest.param(
        [enable("none")],
        [challenge("otp")],
        {"settings": replace(ADAPTIVE, none_lifts_adaptive=False), "event": RISKY},
        ["mfa_required"],
        ["mfa", "allow"],
        id="adaptive policy",
    ),
    pytest.param(
        [enable()],
        [challenge("otp")],
        {"event": SILENT},
        ["mfa_required"],
        ["interaction_required"],
        id="12 silent: enable is the gateway's to refuse",
    ),
    pytest.param(
        [enable()], [challenge("otp")], {"event": REFRESH}, ["mfa_required"], ["mfa", "allow"], id="6 refresh"
    ),
    pytest.param(
        [enable()], [challenge("otp")], {"event": PASSWORD}, ["mfa_required"], ["mfa", "allow"], id="7 password grant"
    ),
    pytest.param(
        [enable()],
        [challenge("otp")],
        {"event": EXCHANGE},
        ["mfa_required"],
        ["token_exchange_not_supported"],
        id="7 token exchange",
    ),
    pytest.param(
        [enable()],
        [enroll("otp")],
        {"event": replace(EXCHANGE, enrolled=())},
        ["mfa_required"],
        ["token_exchange_not_supported"],
        id="7 enrolment in a token exchange",
    ),
]


@pytest.mark.parametrize(("enabled", "commanded", "given", "at_the_end", "at_once"), ASPECTS)
def test_section_8_enable_and_commands(
    enabled: list[Any], commanded: list[Any], given: dict[str, Any], at_the_end: list[str], at_once: list[str]
) -> None:
    """`enable` never suspends and asks at the end; a command is answered after its action, and then decides."""
    later = action("later", metadata("seen", True))
    by_enable = answers([action("a", *enabled), later], **given)
    assert outline(by_enable) == at_the_end
    assert [len(decision.executions) for decision in by_enable] == [2]
    by_command = answers([action("a", *commanded), later], **given)
    assert outline(by_command) == at_once
    if by_command[0].suspension is not None:
        assert [len(decision.executions) for decision in by_command] == [1, 2]


@pytest.mark.parametrize("event", [REFRESH, PASSWORD])
def test_sections_6_and_7_a_queue_without_a_browser_goes_by_token(event: EventFacts) -> None:
    """Section 12: `mfa_required` with the queue as its requirements, and the flow continues when it is met."""
    first, last = answers([action("a", challenge_any("otp", "phone", "webauthn-roaming"))], event=event)
    assert first.suspension is not None
    assert first.suspension.by_token
    assert [[factor.type for factor in step.usable] for step in first.suspension.steps] == [["otp", "phone"]]
    assert last.outcome == "allow"


@pytest.mark.parametrize(("remember", "hidden"), [(False, True), (True, False), (None, False)])
def test_section_5_the_flag_of_enable_survives_its_override(remember: bool | None, hidden: bool) -> None:
    """The documented trick: enable first, in this action or an earlier one, to hide the checkbox of a challenge."""
    said = enable() if remember is None else enable(allow_remember_browser=remember)
    for flow in ([action("a", said, challenge("otp"))], [action("a", said), action("b", challenge("otp"))]):
        first, last = answers(flow)
        assert first.suspension is not None
        assert first.suspension.hide_remember_browser is hidden
        assert (last.outcome, last.multifactor) == ("allow", None)


# Section 14, worked cases that suspend, and rows of its first table that need a flow.
WORKED: list[Any] = [
    pytest.param(
        [action("a", enable(allow_remember_browser=False), challenge("otp")), action("b")],
        {},
        ["mfa", "allow"],
        id="enable without remembering, then challenge",
    ),
    pytest.param([action("a", challenge("webauthn-roaming"))], {}, ["no_usable_factor"], id="not enrolled"),
    pytest.param(
        [action("a", challenge("otp"), challenge("phone")), action("b")],
        {},
        ["mfa", "allow"],
        id="two challenges in one handler",
    ),
    pytest.param(
        [
            action("a", challenge("otp"), challenge("phone")),
            action("b", challenge("otp"), challenge("phone")),
            action("c", challenge("otp")),
        ],
        {},
        ["mfa", "too_many_commands"],
        id="five commands over the flow",
    ),
    pytest.param(
        [action("a", challenge("otp"))],
        {"event": EXCHANGE},
        ["token_exchange_not_supported"],
        id="challenge in a token exchange",
    ),
    pytest.param(
        [action("a", redirect(), back=[[]]), action("b", enable())],
        {},
        ["redirect", "mfa_required"],
        id="redirect, then enable in another action",
    ),
    pytest.param(
        [action("a", challenge("otp")), action("b", enroll_any("otp", "phone")), action("c")],
        {},
        ["mfa", "no_usable_factor"],
        id="row 4: nothing left to enrol",
    ),
    pytest.param(
        [action("a", challenge("otp")), action("b", challenge("phone", "otp"))],
        {},
        ["mfa", "allow"],
        id="row 5: already challenged satisfies",
    ),
    pytest.param(
        [action("a", metadata("k", 1), challenge("otp")), action("b", deny("x"))],
        {},
        ["mfa", "denied"],
        id="row 13: deny after a challenge",
    ),
    pytest.param(
        [action("a", challenge("otp"), back=[[deny("the action is not run again")]]), action("b")],
        {},
        ["mfa", "allow"],
        id="row 14: the next action",
    ),
    pytest.param(
        [action("a", challenge("otp")), fails("b", OnError.CONTINUE)],
        {},
        ["mfa", "allow"],
        id="exception after a challenge, continue",
    ),
    pytest.param(
        [action("a", challenge("otp")), fails("b")],
        {},
        ["mfa", "allow"],
        id="exception after a challenge, require_mfa: it was presented",
    ),
    pytest.param(
        [action("a", challenge("otp")), fails("b", OnError.DENY)],
        {},
        ["mfa", "on_error"],
        id="exception after a challenge, deny",
    ),
    pytest.param(
        [Action("a", Ran((challenge("otp"),), Verdict.RAISED))],
        {},
        ["mfa_required"],
        id="exception after the call: the challenge is discarded, a factor is not",
    ),
]


@pytest.mark.parametrize(("flow", "given", "wanted"), WORKED)
def test_section_14_worked_flows(flow: list[Action], given: dict[str, Any], wanted: list[str]) -> None:
    """The worked cases that suspend, and what is unspecified in the reference, as it is chosen here."""
    assert outline(answers(flow, **given)) == wanted


def test_section_11_step_up_is_answered_by_actions() -> None:
    """The PAPE class triggers nothing by itself, and a challenge command happens whatever the browser remembers."""
    event = replace(BROWSER, acr_values=(remembered.PAPE_MULTI_FACTOR,))
    assert outline(answers([action("a")], event=event)) == ["allow"]
    assert outline(answers([action("a", challenge("otp"))], event=event)) == ["mfa", "allow"]
    required = answers([action("a", enable(allow_remember_browser=True))], event=event)[-1]
    answer = resolution.resolve(required.multifactor, EVERY, event, GATEWAY)
    assert answer is not None
    assert answer.kind is ResolutionKind.PROMPT
