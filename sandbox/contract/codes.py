"""What the check of an action can find, by code: how grave it is, and why it matters.

The check, its formats and the author's page of checks read it. Must not know how anything is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FindingCode:
    """One kind of finding. A warning stops nothing, unless it is asked to."""

    name: str
    title: str
    why: str
    warning: bool


def _fault(name: str, title: str, why: str) -> FindingCode:
    return FindingCode(name, title, why, warning=False)


def _warning(name: str, title: str, why: str) -> FindingCode:
    return FindingCode(name, title, why, warning=True)


_FOUND: Final = (
    _fault(
        "file",
        "A file cannot be read, or does not belong where it is.",
        "The other files are checked all the same.",
    ),
    _fault(
        "tenant-file",
        "A tenant.yaml says something that cannot be used.",
        "[TENANT.md](TENANT.md) lists its keys.",
    ),
    _fault(
        "source",
        "The file is no source: too large, not text, or with characters that no editor shows.",
        "An invisible character can make code read differently from what it does. Write it as an escape.",
    ),
    _fault(
        "syntax",
        "Python's parser does not understand the source.",
        "The message is the parser's own.",
    ),
    _fault(
        "unavailable",
        "Python that an action cannot use.",
        "The message says why, and what to write instead; [PORTING.md](PORTING.md) has more.",
    ),
    _fault(
        "too-large",
        "The action is too large or nested too deeply.",
        "Split it, or use variables and functions in between.",
    ),
    _fault(
        "undefined-name",
        "A name that nothing defines.",
        "It would raise NameError in the login that meets it.",
    ),
    _fault(
        "import",
        "A module, or a member of one, that an action cannot import.",
        "The message says which there are.",
    ),
    _fault(
        "entry-point",
        "The function that a login calls is missing, or not one that can be called.",
        "An action without it would decide nothing.",
    ),
    _fault(
        "module-body",
        "The code outside of all functions fails.",
        "It runs at each login before the handler, and is run once when the action is checked, with a small "
        "budget. There is no event and no api there.",
    ),
    _fault(
        "unknown-member",
        "A member that the event does not have.",
        "It would raise AttributeError in the login that meets it. [REFERENCE.md](REFERENCE.md#event) lists "
        "all members.",
    ),
    _fault(
        "unknown-path",
        "`event.get` of a path that no event can have.",
        "A path that exists and is absent answers the default; this one would raise.",
    ),
    _fault(
        "unknown-attribute",
        "An attribute that this type of value does not have.",
        "Text, numbers, lists and dicts have Python's own methods, under Python's names.",
    ),
    _fault(
        "unknown-call",
        "A call that `api` does not have.",
        "It would raise AttributeError, and the login would be decided by `on_error`.",
    ),
    _fault(
        "not-in-uses",
        "A call of a group that the action's binding does not list under `uses`.",
        "It would raise. Add the group to `uses` in tenant.yaml, or leave the call out.",
    ),
    _fault(
        "call-arguments",
        "A call whose arguments it does not accept.",
        "It would raise, and the login would be decided by `on_error`.",
    ),
    _fault(
        "pattern",
        "A regular expression that cannot be compiled.",
        "Patterns are RE2's: linear time, without lookaround and backreferences.",
    ),
    _fault(
        "no-continue",
        "The user is sent to a page or a form, and nothing is there for when the user is back.",
        "The call raises in an action without `on_continue_post_login`.",
    ),
    _fault(
        "not-continuing",
        "A call of `on_continue_post_login` in another function.",
        "There is nothing to read before the user is back from a page or a form.",
    ),
    _fault(
        "unknown-secret",
        "A secret that tenant.yaml does not give to this action.",
        "`event.secrets['NAME']` would raise KeyError. Checked where the tenant is known: in its folder.",
    ),
    _fault(
        "unknown-code",
        "A comment allows a code that there is none of.",
        "It would allow nothing.",
    ),
    _warning(
        "unbound",
        "An action that no flow binds.",
        "No login runs it. Bind it, or list it under `unused` in tenant.yaml.",
    ),
    _warning(
        "timeout-above-flow",
        "A `timeout_ms` above what the whole flow may take.",
        "The flow's own budget, `sandbox.flow_timeout_ms`, ends the action before.",
    ),
    _warning(
        "returned-value",
        "A handler returns a value.",
        "The value is dropped: an action decides by calls of `api` alone.",
    ),
    _warning(
        "no-effect",
        "An expression whose value is not used.",
        "A function without parentheses is not called; `==` compares and assigns nothing.",
    ),
    _warning(
        "function-as-condition",
        "A function where a truth value is asked for.",
        "A function is always true: it was meant to be called.",
    ),
    _warning(
        "event-write",
        "A write into data of the event.",
        "The event is what happened, and nothing that is written into it is kept. Record the change by "
        "`api.user.set_user_metadata`, `api.user.set_app_metadata`, or `set_metadata` of what it belongs to.",
    ),
    _warning(
        "never-equal",
        "A comparison that is the same at each login.",
        "The member has other words only, or the value another type.",
    ),
    _warning(
        "unreachable",
        "Code that no login reaches, or that changes nothing after a denial.",
        "A denial is final, and the action runs to its end: write `return` after it, and what is to happen before it.",
    ),
    _warning(
        "global",
        "A variable of the module is assigned in a function.",
        "Each login begins with a fresh module: nothing is kept. Return the value, or use `api.cache`.",
    ),
    _warning(
        "raise-to-deny",
        "An exception that nothing catches.",
        "It is no denial: what the action asked for is discarded, and the `on_error` of its binding decides, "
        "which is to require a second factor unless tenant.yaml says otherwise.",
    ),
    _warning(
        "mfa-on-refresh",
        "A second factor is asked for, and the action does not look at refresh token exchanges.",
        "No user is there to answer in an exchange: it fails, and the application loses its session. Return "
        "first when `event.transaction.protocol` is `oauth2-refresh-token`, or allow it where that is meant.",
    ),
    _warning(
        "not-resumed",
        "Code that expects the user to have answered already.",
        "`api.multifactor.enable` asks when all actions have run: its result is visible in the next login. "
        "Use `api.authentication.challenge_with` and read the answer in a later action.",
    ),
    _warning(
        "naive-datetime",
        "A datetime without a zone meets one with a zone.",
        "To compare or subtract them raises TypeError. The event's instants have a zone: write `datetime.now(UTC)`.",
    ),
    _warning(
        "missing-secret",
        "`event.secrets.get` of a secret that tenant.yaml does not give to this action.",
        "It answers the default at each login. Checked where the tenant is known: in its folder.",
    ),
    _warning(
        "not-inspected",
        "The action could not be looked over.",
        "It is too large or nested too deeply, or the check itself failed, which the message says: report that. The "
        "action compiles, and may work; its calls and members were not all compared with those that exist.",
    ),
    _warning(
        "allow-comment",
        "A `# vestibule: allow` comment that has no reason, or allows nothing.",
        "Write `# vestibule: allow CODE why it is meant`, in the line of the finding or in the one above.",
    ),
)

CODES: Final[dict[str, FindingCode]] = {code.name: code for code in _FOUND}
WARNINGS: Final = frozenset(code.name for code in _FOUND if code.warning)
