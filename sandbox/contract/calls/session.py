"""The calls that change a session or a refresh token: a part of the surface table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.contract.call import Budget, Call, Param, option
from sandbox.contract.calls.decision import REASON_CHARS
from sandbox.contract.kinds import BOOL, MILLIS, Nullable, choice, key, text

if TYPE_CHECKING:
    from sandbox.contract.call import Moment

METADATA_ENTRIES: Final = 25
METADATA_CHARS: Final = 255
COOKIE_MODES: Final = ("persistent", "non-persistent")

# Source of every limit: the post-login reference, sections 2.21 and 4.
_KEY = key(METADATA_CHARS)
_VALUE = Nullable(text(METADATA_CHARS))

EXCHANGE: Final = "oauth2-refresh-token"
# In milliseconds the seconds of an instant, which may have passed ten years ago, are some weeks of 1970.
_LATELY_MS: Final = 10 * 365 * 24 * 3600 * 1000


def _needs_session(moment: Moment) -> str:
    return "" if moment.event.HasField("session") else "there is no session: event.session is None"


def _needs_offline(moment: Moment) -> str:
    # Without a token one may still be issued. Source: post-login reference, 1.5 and 2.21.
    return "the refresh token is an online one" if moment.event.refresh_token.access == "online" else ""


def _needs_exchange(moment: Moment) -> str:
    if moment.event.transaction.protocol == EXCHANGE:
        return ""
    return f"only in a refresh token exchange, when event.transaction.protocol is {EXCHANGE!r}"


def _in_the_future(moment: Moment, args: dict[str, Any]) -> str:
    """Say what is wrong with an instant that has passed."""
    given, now_ms = args["expires_at"], moment.clock_ns // 1_000_000
    if given > now_ms:
        return ""
    if given * 100 < now_ms - _LATELY_MS < given * 1000:
        return f"expires_at is {given}, in the past; it looks like seconds: write milliseconds, {given} * 1000"
    return f"expires_at is {given}, in the past: the execution's clock is at {now_ms}; to end it now, call revoke"


def _kept(group: str, thing: str) -> tuple[Call, ...]:
    """Return the calls that a session and a refresh token have in common."""
    needs = _needs_session if group == "session" else _needs_offline
    budget = Budget(f"{thing} metadata", counted="key", max_counted=METADATA_ENTRIES)
    expiry = (Param("expires_at", MILLIS, aliases=("absolute", "idle"), doc="Milliseconds since the epoch."),)
    name = Param("key", _KEY, aliases=("name",), doc="Name of the member.")
    return (
        Call(
            f"{group}.set_expires_at",
            expiry,
            f"Let the {thing} end by then. The earliest call wins.",
            needs=needs,
            fits=_in_the_future,
        ),
        Call(
            f"{group}.set_idle_expires_at",
            expiry,
            f"Let the {thing} end by then unless it is used. The earliest call wins.",
            needs=needs,
            fits=_in_the_future,
        ),
        Call(
            f"{group}.set_metadata",
            (name, Param("value", _VALUE, doc="Text; None deletes the member.")),
            f"Set a member of the {thing}'s metadata, which `event.{group}.metadata` shows at once; None deletes it.",
            budget=budget,
            needs=needs,
            live=True,
        ),
        Call(
            f"{group}.delete_metadata",
            (name,),
            f"Delete a member of the {thing}'s metadata.",
            budget=budget,
            needs=needs,
            live=True,
        ),
        Call(
            f"{group}.evict_metadata",
            (),
            f"Delete all of the {thing}'s metadata.",
            budget=budget,
            needs=needs,
            live=True,
        ),
    )


_REASON = Param("reason", text(REASON_CHARS), doc="Reaches the application, and may reach the user.")

SESSION_CALLS: Final[tuple[Call, ...]] = (
    Call(
        "session.revoke",
        (
            _REASON,
            option(
                "preserve_refresh_tokens",
                BOOL,
                "Do the refresh tokens of the session stay valid? They do not when nothing is said.",
            ),
        ),
        "End the session and refuse the login. The action runs to its end; later actions do not run.",
        ends="deny",
        needs=_needs_session,
    ),
    *_kept("session", "session"),
    Call(
        "session.set_cookie_mode",
        (Param("mode", choice(COOKIE_MODES), doc="Does the cookie outlive the browser's session?"),),
        "Choose how long the session's cookie lives. The last call wins; `event.session.cookie` shows it at once.",
        needs=_needs_session,
        live=True,
    ),
    Call(
        "refresh_token.revoke",
        (_REASON,),
        "Revoke the refresh token of an exchange and refuse the login. Only in a refresh token exchange.",
        ends="deny",
        needs=_needs_exchange,
    ),
    *_kept("refresh_token", "refresh token"),
)
