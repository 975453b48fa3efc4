"""The calls that send a user to a page or a form, and the tokens that travel along: a part of the surface table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.contract import tokens
from sandbox.contract.call import Call, Param, option
from sandbox.contract.kinds import Query, Secret, text, url, whole
from sandbox.contract.values import Object

if TYPE_CHECKING:
    from collections.abc import Container

    from sandbox.contract.call import Moment

# Source of limits, protocols and checks: the post-login reference, sections 2.6, 2.7 and 4. It gives no size of a URL,
# a query, a payload or a form's data: ours are what servers and browsers accept of a URL, and room for any form.
_NO_REDIRECT: Final = frozenset({"oauth2-resource-owner", "oauth2-refresh-token", "oauth2-password", "oauth2-webauthn"})
_URL_CHARS: Final = 8 * 1024
_QUERY_BYTES: Final = 8 * 1024
_PAYLOAD_BYTES: Final = 4 * 1024
_FORM_BYTES: Final = 16 * 1024
_LIFETIME_S: Final = 900
_LIFETIME_MAX_S: Final = 24 * 3600
_PARAMETER: Final = "session_token"
_THEN: Final = "The flow waits after this action and continues in its on_continue_post_login"

_SECRET: Final = Secret(4096)  # as long as a secret of an action may be


def _needs_continuation(moment: Moment) -> str:
    if moment.continues:
        return ""
    return "the action needs a function for when the user is back: define on_continue_post_login(event, api)"


def _can_redirect(moment: Moment, _args: dict[str, Any]) -> bool:
    event = moment.event
    query = event.request.query.fields
    # A look-up would add the member to the shared event.
    if "prompt" in query and query["prompt"].string_value == "none":
        return False
    return event.transaction.protocol not in _NO_REDIRECT


def _login(moment: Moment, op: str, given: Container[str] = ()) -> dict[str, str]:
    """Return what a token says of its login, beside what is given: where it was issued, and to whom."""
    event = moment.event
    login = {"iss": event.request.hostname, "sub": event.user.user_id}
    for name, member in (("iss", "event.request.hostname"), ("sub", "event.user.user_id")):
        if not login[name] and name not in given:
            raise ValueError(f"api.redirect.{op}: the event has no {member}, which is the token's {name}")
    return login


def _encode_token(moment: Moment, args: dict[str, Any]) -> str:
    now_s = moment.clock_ns // 1_000_000_000
    claims: dict[str, Any] = {
        "iat": now_s,
        **_login(moment, "encode_token", args["payload"]),
        "exp": now_s + args.get("expires_in_seconds", _LIFETIME_S),
    }
    if moment.event.request.ip:
        claims["ip"] = moment.event.request.ip
    return tokens.sign(claims | args["payload"], args["secret"])


def _parameter(moment: Moment, name: str) -> str:
    """Return a parameter of the request; the body goes before the query."""
    request = moment.event.request
    for fields in (request.body.fields, request.query.fields):
        # A look-up would add the member to the shared event.
        if name in fields:
            value: str = fields[name].string_value
            if value:
                return value
            raise tokens.TokenError(f"the parameter {name!r} of the request must be text, and not empty")
    raise tokens.TokenError(f"the request has no parameter {name!r}, neither in its body nor in its query")


def _validate_token(moment: Moment, args: dict[str, Any]) -> dict[str, Any]:
    wanted = _login(moment, "validate_token")
    try:
        claims = tokens.verify(_parameter(moment, args.get("token_parameter_name", _PARAMETER)), args["secret"])
        tokens.check(claims, moment.clock_ns / 1e9, wanted, _parameter(moment, "state"))
    except tokens.TokenError as error:
        raise ValueError(f"api.redirect.validate_token: {error}") from None
    return claims


REDIRECT_CALLS: Final[tuple[Call, ...]] = (
    Call(
        "redirect.can_redirect",
        (),
        "Can the user be sent elsewhere? Not in a silent login, nor where no browser takes part.",
        answer=_can_redirect,
        returns="bool",
    ),
    Call(
        "redirect.send_user_to",
        (
            Param("url", url(_URL_CHARS), doc="The page, which sends the user back to `/continue` with its `state`."),
            option("query", Query(_QUERY_BYTES), "Parameters for the URL; they replace those of the same name."),
        ),
        f"Send the user to a page elsewhere. {_THEN}.",
        ends="suspend",
        page=True,
        needs=_needs_continuation,
    ),
    Call(
        "redirect.encode_token",
        (
            Param("secret", _SECRET, keyword_only=True, doc="The key that both sides know, from `event.secrets`."),
            Param(
                "payload",
                Object(_PAYLOAD_BYTES),
                keyword_only=True,
                doc="Claims of your own; those of the same name go before iat, iss, sub, exp and ip.",
            ),
            option("expires_in_seconds", whole(1, _LIFETIME_MAX_S), f"How long it is valid; {_LIFETIME_S} by default."),
        ),
        "Sign a token for the page, a JWT by HS256: anybody can read it, only a holder of the secret can make it.",
        answer=_encode_token,
        returns="str",
    ),
    Call(
        "redirect.validate_token",
        (
            Param("secret", _SECRET, keyword_only=True, doc="The key that both sides know, from `event.secrets`."),
            option(
                "token_parameter_name",
                text(128, 1),
                f"The parameter of the request that holds it; `{_PARAMETER}` by default.",
            ),
        ),
        "Return the claims of the token that the page sent back, once signature, expiry, issuer, user and state are"
        " right; raises otherwise.",
        continue_only=True,
        answer=_validate_token,
        returns="dict[str, Any]",
    ),
    Call(
        "prompt.render",
        (
            Param("prompt_id", text(256, 1), doc="Id of the form."),
            option("fields", Object(_FORM_BYTES), "Data of its fields."),
            option("vars", Object(_FORM_BYTES), "Variables that it shares."),
        ),
        f"Show a form. {_THEN}, which reads `event.prompt`.",
        ends="suspend",
        page=True,
        needs=_needs_continuation,
    ),
)
