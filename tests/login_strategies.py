"""What hypothesis draws logins from: flows with suspensions, tenants, events, gateways and users.

Knows the pure core's values. Must not know what any of it leads to.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from runtime.core.model import FACTOR_NAMES, Experience, Merge, OnError, Policy, Settings, Suspension, Verdict
from runtime.core.remembered import DAY_MS, PAPE_MULTI_FACTOR, RememberedBrowser
from sandbox.contract.vocabulary import FACTOR_TYPES
from tests.event_facts import EventFacts
from tests.flow_walk import (
    GATEWAY,
    NOW_MS,
    Action,
    Ran,
    challenge,
    challenge_any,
    claim,
    command,
    deny,
    enable,
    enroll,
    enroll_any,
    form,
    metadata,
    redirect,
)

# Most users hold some of the first, and some of the last are left to enrol.
names = st.sampled_from(["otp", "phone", "webauthn-roaming", "email", "push-notification"])
several = st.lists(names, min_size=2, max_size=4, unique=True)
challenges_only = st.one_of(st.builds(challenge, names, names), several.map(lambda listed: challenge_any(*listed)))
enrolable = st.sampled_from(["otp", "phone", "webauthn-roaming", "push-notification", "recovery-code"])
enrolments = st.one_of(
    enrolable.map(enroll),
    st.lists(enrolable, min_size=2, max_size=4, unique=True).map(lambda listed: enroll_any(*listed)),
)
factor_commands = st.one_of(challenges_only, challenges_only, challenges_only, enrolments)
enables = st.builds(
    lambda provider, options: enable(provider, **options),
    st.sampled_from(["none", "any", "guardian", "google-authenticator", "duo"]),
    st.fixed_dictionaries({}, optional={"allow_remember_browser": st.booleans()}),
)
effects = st.one_of(
    st.builds(metadata, st.sampled_from(["k", "l"]), st.integers(0, 3)),
    st.builds(claim, st.sampled_from(["k", "l"]), st.none() | st.integers(0, 3)),
    st.builds(
        lambda key, value: command("transaction.set_metadata", key=key, value=value),
        st.sampled_from(["k", "l"]),
        st.sampled_from([None, 1, "x", "\u00fc", 1.5]),
    ),
    st.builds(
        lambda op, at: command(op, expires_at=at),
        st.sampled_from(["session.set_expires_at", "refresh_token.set_idle_expires_at"]),
        st.integers(1, 3),
    ),
    st.just(command("cache.delete", key="k")),
)
# Only a user who is back from a page has passed a method of the tenant's own.
methods = st.sampled_from(["https://m.example/", "https://n.example/"]).map(
    lambda url: command("authentication.record_method", provider_url=url)
)
pages = st.sampled_from([redirect("https://e.example/?a=1", a="2"), form()])
# What ends a flow at once is rare here: the rest of it is what these properties are about.
verdicts = st.sampled_from([*[Verdict.COMPLETED] * 12, Verdict.RAISED, Verdict.TIMED_OUT, Verdict.CRASHED])
on_errors = st.sampled_from([*[OnError.REQUIRE_MFA] * 4, OnError.DENY, OnError.CONTINUE, OnError.CONTINUE])


def handlers(harmless: bool = False, factors: bool = True, back: bool = False) -> st.SearchStrategy[Ran]:
    """One handler, `back` of a page or not; it shows a page or asks for factors, never both."""
    said = [enables, effects, *([methods] if back else [])] * (1 if harmless else 6)
    if not harmless:
        said.append(st.builds(deny))
    plain = st.lists(st.one_of(said), max_size=2)
    lists = [plain, st.builds(lambda page, more: [page, *more], pages, plain)]
    if factors:
        queue = st.builds(lambda ask, more: [ask, *more], challenges_only, st.lists(factor_commands, max_size=1))
        lists += [st.builds(list.__add__, queue, plain)] * 2
    return st.builds(Ran, st.one_of(lists).flatmap(st.permutations).map(tuple), verdicts)


def flows(harmless: bool = False, factors: bool = True) -> st.SearchStrategy[list[Action]]:
    ran = handlers(harmless, factors)
    back = st.lists(handlers(harmless, factors, back=True), max_size=2).map(tuple)
    return st.lists(st.builds(Action, st.sampled_from(["a", "b"]), ran, on_errors, back), min_size=2, max_size=5)


tenants = st.builds(
    Settings,
    st.sampled_from([*[Experience.NEW] * 8, Experience.CLASSIC]),
    st.sampled_from(Policy),
    st.sampled_from([FACTOR_NAMES, FACTOR_NAMES, ("otp", "sms"), ("push-notification", "voice", "webauthn-roaming")]),
    st.sampled_from(Merge),
    none_lifts_adaptive=st.booleans(),
    step_up=st.booleans(),
    exempt_refresh=st.booleans(),
    remember_satisfies_adaptive=st.booleans(),
)
browsers = st.builds(
    EventFacts,
    protocol=st.sampled_from([None, "oidc-basic-profile"]),
    acr_values=st.sampled_from([(), (PAPE_MULTI_FACTOR,)]),
    risk_confidence=st.sampled_from([None, "low", "high"]),
    enrolled=st.sampled_from([("otp", "phone", "webauthn-roaming"), FACTOR_TYPES, ("otp", "phone"), (), None]),
    email_verified=st.booleans(),
)
events = st.one_of(
    *[browsers] * 5,
    st.builds(
        replace,
        browsers,
        protocol=st.sampled_from(["oauth2-password", "oauth2-refresh-token", "oauth2-token-exchange", "samlp"]),
        prompt=st.sampled_from([(), ("none",)]),
    ),
)
gateways = st.builds(
    replace,
    st.just(GATEWAY),
    mfa_grant_allowed=st.none() | st.booleans(),
    customize_mfa=st.sampled_from([None, None, True, True, False]),
    webauthn=st.booleans(),
    has_email=st.booleans(),
    remembered_browser=st.none()
    | st.builds(
        RememberedBrowser,
        st.just("auth0|1"),
        st.sampled_from(["any", "guardian", "google-authenticator", "duo"]),
        st.sampled_from([NOW_MS - DAY_MS, NOW_MS - 40 * DAY_MS]),
        st.just(NOW_MS - DAY_MS),
    ),
    duo_remembers_when_unset=st.booleans(),
)


class User:
    """Somebody who does what each screen asks for, and picks a factor of it by chance."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.picked: list[list[str]] = []
        self.completed: list[str] = []

    def __call__(self, suspension: Suspension) -> list[str]:
        chosen = [self._data.draw(st.sampled_from(step.usable)).type for step in suspension.steps]
        self.picked.append(chosen)
        self.completed += chosen
        return chosen
