"""The author-facing `api`, as one table: it builds the recorder's objects and validates what a worker says it recorded.

Knows every call, its parameters, its effect and its limits. Must not know how commands are carried or folded. A
worker is hostile) and by `sandbox.authoring.stubs`.

Adding a call is one entry here or in a `surface_*` part, one fold rule in `runtime.core`, one conformance case, and a
run of `python -m sandbox.authoring.stubs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sandbox.contract.call import (
    ITEMS_MAX,
    LOGIN_COMMANDS_MAX,
    OMITTED,
    REQUIRED,
    Budget,
    Call,
    Effect,
    Leaving,
    Missing,
    Moment,
    Param,
    Spending,
    bind,
    signature,
)
from sandbox.contract.calls.authentication import AUTHENTICATION_CALLS
from sandbox.contract.calls.cache import CACHE_CALLS
from sandbox.contract.calls.queries import QUERY_CALLS
from sandbox.contract.calls.redirect import REDIRECT_CALLS
from sandbox.contract.calls.saml import SAML_CALLS
from sandbox.contract.calls.session import REASON_CHARS, SESSION_CALLS, TOKEN_CALLS
from sandbox.contract.calls.transaction import TRANSACTION_CALLS
from sandbox.contract.kinds import Secret
from sandbox.contract.values import (
    MAX_ITEMS,
    Bool,
    Choice,
    ClaimName,
    Json,
    Options,
    Text,
    camel,
    decode,
    shown,
    strict_decoder,
)
from sandbox.contract.vocabulary import PROVIDERS

__all__ = [
    "CALLS",
    "CLAIMS_BYTES",
    "CONTINUE",
    "ENTRY",
    "ITEMS_MAX",
    "LOGIN_COMMANDS_MAX",
    "MAX_ARGS_BYTES",
    "MAX_COMMANDS",
    "METADATA_BYTES",
    "OMITTED",
    "REASON_CHARS",
    "RECORDED",
    "REQUIRED",
    "SURFACE",
    "Budget",
    "Call",
    "CommandError",
    "Effect",
    "Leaving",
    "Missing",
    "Moment",
    "Param",
    "Spending",
    "bind",
    "camel",
    "decode",
    "encode",
    "parse_all",
    "parse_each",
    "signature",
    "validate",
    "validate_all",
    "validate_each",
]

ENTRY: Final = "on_execute_post_login"
CONTINUE: Final = "on_continue_post_login"
"""The functions of an action that we call: in each login, and when the user is back from a page or a form."""

MAX_COMMANDS: Final = 100
"""Per execution. Auth0 has such a cap and does not publish it (`MaxSideEffectsExceeded`)."""

CLAIMS_BYTES: Final = 100 * 1024
METADATA_BYTES: Final = 32 * 1024
MAX_ARGS_BYTES: Final = CLAIMS_BYTES + 8 * 1024
"""Of one command's JSON text: the largest is a claim, with its name and the JSON around both."""
# A key, a value and a comma for each item; the arguments themselves are few. A number is at most 17 digits, a point, a
# sign, and zeros before or an exponent behind them.
_MAX_TOKENS: Final = 3 * MAX_ITEMS + 64
_MAX_NUMBER_CHARS: Final = 32


class CommandError(ValueError):
    """A command from a worker is not one that the recorder could have recorded: the worker is lying."""


def _duo_only(args: dict[str, Any]) -> str:
    if "provider_options" in args and args.get("provider") != "duo":
        return f"provider_options is for provider 'duo' only; the provider is {args.get('provider')!r}"
    return ""


_CLAIMS = Budget("custom claims", CLAIMS_BYTES)
_USER_METADATA = Budget("user_metadata", METADATA_BYTES)
_APP_METADATA = Budget("app_metadata", METADATA_BYTES)

_DUO_OPTIONS = Options(
    {
        "host": Text(255, 1),
        "ikey": Text(256, 1),
        "skey": Secret(4096),  # as long as a secret may be
        "username": Text(256, 1),
    },
    nullable=frozenset({"username"}),  # usually a profile member, which the user may not have
)


def _claim(op: str, token: str) -> Call:
    return Call(
        op,
        Effect.SET_CLAIM,
        (
            Param("name", ClaimName(), aliases=("key",), doc="Name of the claim, best as a URL of your own."),
            Param("value", Json(CLAIMS_BYTES), doc="Any JSON data."),
        ),
        f"Set a claim of the {token} that the login issues. The last call for a name wins.",
        budget=_CLAIMS,
    )


def _metadata(op: str, name: str, budget: Budget) -> Call:
    return Call(
        op,
        Effect.SET_METADATA,
        (
            Param("key", Text(256, 1), aliases=("name",), doc="Name of the member."),
            Param("value", Json(METADATA_BYTES), doc="Any JSON data; None deletes the member."),
        ),
        f"Set a member of the user's {name} when the flow ends, even when the login is refused; None deletes it.",
        budget=budget,
    )


SURFACE: Final[tuple[Call, ...]] = (
    Call(
        "multifactor.enable",
        Effect.REQUIRE_FACTOR,
        (
            Param(
                "provider",
                Choice(PROVIDERS),
                doc="Who verifies the factor; `none` asks for no challenge. New actions say `any` or `duo`.",
            ),
            Param(
                "allow_remember_browser",
                Bool(),
                OMITTED,
                keyword_only=True,
                doc="May the browser be remembered, so that the next login needs no challenge?",
            ),
            Param(
                "provider_options",
                _DUO_OPTIONS,
                OMITTED,
                keyword_only=True,
                doc="For `duo`: host, ikey, skey and username; what is left out comes from the tenant's settings.",
            ),
        ),
        "Require a second factor before the login completes, after all actions have run; `none` asks for none."
        " `guardian` and `google-authenticator` are there for ported actions: new ones say `any`.",
        rule=_duo_only,
    ),
    Call(
        "access.deny",
        Effect.DENY,
        (
            Param("reason", Text(REASON_CHARS), doc="Reaches the application, and may reach the user."),
            # A sample of Auth0's passes a code and a message; its reference has one parameter.
            Param("detail", Text(REASON_CHARS), OMITTED, doc="Accepted for ported actions; not passed on."),
        ),
        "Refuse the login. The action runs to its end; later actions do not run.",
        ends="deny",
    ),
    Call(
        "validation.error",
        Effect.DENY,
        (
            Param("error_code", Text(REASON_CHARS, 1), doc="A code of your own."),
            Param("error_message", Text(1024, 1), doc="Reaches the application, and may reach the user."),
        ),
        "Refuse the login with a code and a message of your own.",
        ends="deny",
    ),
    _metadata("user.set_user_metadata", "user_metadata", _USER_METADATA),
    _metadata("user.set_app_metadata", "app_metadata", _APP_METADATA),
    _claim("id_token.set_custom_claim", "ID token"),
    _claim("access_token.set_custom_claim", "access token"),
    *TOKEN_CALLS,
    *AUTHENTICATION_CALLS,
    *SESSION_CALLS,
    *TRANSACTION_CALLS,
    *REDIRECT_CALLS,
    *CACHE_CALLS,
    *SAML_CALLS,
    *QUERY_CALLS,
)

CALLS: Final[dict[str, Call]] = {call.op: call for call in SURFACE}
_REPORTED: Final[dict[str, Call]] = {call.op: call.recorded for call in SURFACE if call.recorded is not None}
RECORDED: Final = frozenset(_REPORTED)
"""Operations that a worker may report; the others are queries, which it answers itself."""


def validate(op: str, args: Any) -> dict[str, Any]:
    """Check one command of a worker against the table, as strictly as the recorder does.

    Args:
        op: the operation; hostile.
        args: parsed JSON; hostile.

    Returns:
        A private copy of the arguments, by Python name.

    Raises:
        CommandError: no author could have caused this command.
    """
    call = _REPORTED.get(op) if type(op) is str else None
    if call is None:
        raise CommandError(f"unknown operation {shown(op)}")
    if type(args) is not dict:
        raise CommandError(f"{op}: arguments must be an object; got {shown(args)}")
    by_name = call.by_name
    checked: dict[str, Any] = {}
    try:
        for name, value in args.items():
            param = by_name.get(name)
            if param is None:
                raise CommandError(f"{op}: unknown argument {shown(name)}")
            checked[name] = param.kind.check(value, name)
    except CommandError:
        raise
    except (TypeError, ValueError) as error:
        raise CommandError(f"{op}: {error}") from None
    for required in call.required:
        if required not in checked:
            raise CommandError(f"{op}: {required} is missing")
    if call.rule is not None and (fault := call.rule(checked)):
        raise CommandError(f"{op}: {fault}")
    return checked


def validate_all(
    commands: Iterable[tuple[str, Any]], continuing: bool = False, spending: Spending | None = None
) -> list[dict[str, Any]]:
    """Check the commands of one execution, each and together.

    Args as `validate_each` has them.

    Returns:
        Private copies of the arguments, in the same order.

    Raises:
        CommandError: as `validate_each`.
    """
    return list(validate_each(commands, continuing, spending))


def validate_each(
    commands: Iterable[tuple[str, Any]], continuing: bool = False, spending: Spending | None = None
) -> Iterator[dict[str, Any]]:
    """Check the commands of one execution, each when it is asked for.

    Args:
        commands: operation and parsed JSON arguments, in call order; hostile.
        continuing: it was an execution of on_continue_post_login.
        spending: of the executions before; what these commands spend is added.

    Yields:
        Private copies of the arguments, in the same order.

    Raises:
        CommandError: one is invalid or out of place, there are too many, or together they exceed a limit.
    """
    if spending is None:
        spending = Spending()
    leaving = Leaving()
    for number, (op, args) in enumerate(commands):
        if number == MAX_COMMANDS:
            raise CommandError(f"more than {MAX_COMMANDS} commands")
        valid = validate(op, args)
        call = _REPORTED[op]
        if fault := spending.spend(call, valid):
            raise CommandError(f"{op}: {fault}")
        if call.continue_only and not continuing:
            raise CommandError(f"{op}: outside of on_continue_post_login")
        if call.ends == "suspend" and (fault := leaving.add(call)):
            raise CommandError(f"{op}: {fault}")
        yield valid


def parse_all(
    commands: Iterable[tuple[str, str]], continuing: bool = False, spending: Spending | None = None
) -> list[dict[str, Any]]:
    """Check the commands of one execution as they come from a worker, arguments as JSON text.

    Raises:
        CommandError: as `validate_all`, or the text is not strict JSON.
    """
    return list(parse_each(commands, continuing, spending))


def parse_each(
    commands: Iterable[tuple[str, str]], continuing: bool = False, spending: Spending | None = None
) -> Iterator[dict[str, Any]]:
    """Check the commands of one execution as `parse_all` does, each when it is asked for."""
    return validate_each(((op, _parse(op, text)) for op, text in commands), continuing, spending)


def _parse(op: str, text: str) -> Any:
    ready = _COMMON_ARGS.get((op, text))
    if ready is not None:
        return ready
    if len(text) > MAX_ARGS_BYTES:
        raise CommandError(f"{shown(op)}: {len(text)} characters of arguments")
    if text.count(",") > MAX_ITEMS or text.count("[") + text.count("{") > MAX_ITEMS:
        _count(op, text)
    try:
        return _decode_args(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{shown(op)}: arguments are not JSON: {type(error).__name__}") from None


_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[0-9.eE+-]+|[\[{,]')


def _count(op: str, text: str) -> None:
    """Count the parts of a JSON text up to the first that is one too many; commas in texts are none."""
    for number, _ in enumerate(_TOKEN.finditer(text)):
        if number == _MAX_TOKENS:
            raise CommandError(f"{shown(op)}: arguments hold more than {MAX_ITEMS} items")


def _short(text: str) -> str:
    """Let a number pass: to read one of thousands of digits takes as long as thousands of numbers."""
    if len(text) > _MAX_NUMBER_CHARS:
        raise ValueError("a number of too many digits")
    return text


_decode_args = strict_decoder(parse_int=lambda text: int(_short(text)), parse_float=lambda text: float(_short(text)))
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(op: str, args: dict[str, Any]) -> str:
    """Write checked arguments as compact JSON text, the same text for the same arguments in the same order."""
    if op == "multifactor.enable" and "provider_options" not in args:
        text = _COMMON_TEXT.get((args["provider"], args.get("allow_remember_browser")))
        if text is not None:
            return text
    return _encode(args)


def _common() -> dict[tuple[str, bool | None], dict[str, Any]]:
    """List the arguments of nearly every command there is; they are encoded and decoded once, at import."""
    table: dict[tuple[str, bool | None], dict[str, Any]] = {}
    for provider in PROVIDERS:
        table[provider, None] = {"provider": provider}
        for remember in (False, True):
            table[provider, remember] = {"provider": provider, "allow_remember_browser": remember}
    return table


_COMMON_TEXT: Final = {key: _encode(args) for key, args in _common().items()}
_COMMON_ARGS: Final = {("multifactor.enable", _encode(args)): args for args in _common().values()}
