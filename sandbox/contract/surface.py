"""The author-facing `api`, as one table: it builds the `api` object, and validates what a worker says was recorded.

Must not know how commands are carried or folded. A call is added as an entry of a module of `calls`, a fold rule in
`runtime.core`, a conformance case, and by a run of `python -m sandbox.authoring.stubs`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from sandbox.contract.call import Call
from sandbox.contract.calls.authentication import AUTHENTICATION_CALLS
from sandbox.contract.calls.cache import CACHE_CALLS
from sandbox.contract.calls.claims import CLAIM_CALLS, CLAIMS_BYTES
from sandbox.contract.calls.decision import DECISION_CALLS
from sandbox.contract.calls.metadata import TRANSACTION_CALLS, USER_CALLS
from sandbox.contract.calls.queries import QUERY_CALLS
from sandbox.contract.calls.redirect import REDIRECT_CALLS
from sandbox.contract.calls.saml import SAML_CALLS
from sandbox.contract.calls.session import SESSION_CALLS
from sandbox.contract.spending import Leaving, Spending
from sandbox.contract.values import MAX_ITEMS, json_text, plain, shown, strict_decoder
from sandbox.contract.vocabulary import PROVIDERS

ENTRY: Final = "on_execute_post_login"
CONTINUE: Final = "on_continue_post_login"
"""The functions of an action that we call: in each login, and when the user is back from a page or a form."""

MAX_COMMANDS: Final = 100
"""Per execution. Auth0 has such a cap and does not publish it (`MaxSideEffectsExceeded`)."""

MAX_ARGS_BYTES: Final = CLAIMS_BYTES + 8 * 1024
"""Of one command's JSON text: the largest is a claim, with its name and the JSON around both."""
# A key, a value and a comma for each item; the arguments themselves are few. A number is at most 17 digits, a point, a
# sign, and zeros before or an exponent behind them.
_MAX_TOKENS: Final = 3 * MAX_ITEMS + 64
_MAX_NUMBER_CHARS: Final = 32


class CommandError(ValueError):
    """A command from a worker is not one that the recorder could have recorded: the worker is lying."""


SURFACE: Final[tuple[Call, ...]] = (
    *DECISION_CALLS,
    *USER_CALLS,
    *CLAIM_CALLS,
    *AUTHENTICATION_CALLS,
    *SESSION_CALLS,
    *TRANSACTION_CALLS,
    *REDIRECT_CALLS,
    *CACHE_CALLS,
    *SAML_CALLS,
    *QUERY_CALLS,
)

GROUPS: Final[tuple[str, ...]] = tuple(dict.fromkeys(call.group for call in SURFACE))
"""What stands behind `api.`, and in the `uses` of a binding."""


def not_used(op: str, uses: Collection[str] | None) -> str:
    """Say that a binding does not let its action make a call; nothing if it does. None lets it make every call."""
    group = op.partition(".")[0]
    if uses is None or group in uses:
        return ""
    listed = ", ".join(sorted(uses)) or "nothing"
    return f"the action's binding uses {listed}: add {group} to its `uses` in tenant.yaml, or leave the call out"


CALLS: Final[dict[str, Call]] = {call.op: call for call in SURFACE}
_REPORTED: Final[dict[str, Call]] = {call.op: call.recorded for call in SURFACE if call.recorded is not None}
RECORDED: Final = frozenset(_REPORTED)
"""Operations that a worker may report; the others are queries, which it answers itself."""


def validate(op: str, args: Any) -> dict[str, Any]:
    """Check one command of a worker against the table, as strictly as the recorder does.

    Args:
        op: the operation; hostile.
        args: parsed JSON; hostile.

    Returns: a private copy of the arguments, by Python name.

    Raises: CommandError: no author could have caused this command.
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


def validate_each(
    commands: Iterable[tuple[str, Any]], continuing: bool = False, spending: Spending | None = None
) -> Iterator[dict[str, Any]]:
    """Check the commands of one execution, each when it is asked for; yield private copies of their arguments.

    Args:
        commands: operation and parsed JSON arguments, in call order; hostile.
        continuing: it was an execution of on_continue_post_login.
        spending: of the executions before; what these commands spend is added.

    Raises: CommandError: one is invalid or out of place, there are too many, or together they exceed a limit.
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
    """Check all commands of one execution as `parse_each` does."""
    return list(parse_each(commands, continuing, spending))


def parse_each(
    commands: Iterable[tuple[str, str]], continuing: bool = False, spending: Spending | None = None
) -> Iterator[dict[str, Any]]:
    """Check commands as `validate_each` does, with arguments as JSON text. Raises: CommandError: also for the text."""
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
        return decode_args(text)
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


decode_args = strict_decoder(parse_int=lambda text: int(_short(text)), parse_float=lambda text: float(_short(text)))


def encode(op: str, args: dict[str, Any]) -> str:
    """Write checked arguments as compact JSON text, the same text for the same arguments in the same order."""
    if op == "multifactor.enable" and "provider_options" not in args:
        text = _COMMON_TEXT.get((args["provider"], args.get("allow_remember_browser")))
        if text is not None:
            return text
    parts = []
    for name, value in args.items():
        kind = type(value)
        if kind is str and plain(value):
            text = f'"{value}"'
        elif kind is bool:
            text = "true" if value else "false"
        else:
            text = json_text(value)
        # The names are those of parameters.
        parts.append(f'"{name}":{text}')
    return "{" + ",".join(parts) + "}"


# The arguments of nearly every command there is: encoded and decoded once, at import.
_COMMON: Final[list[dict[str, Any]]] = [
    {"provider": provider} | remember
    for provider in PROVIDERS
    for remember in ({}, {"allow_remember_browser": False}, {"allow_remember_browser": True})
]
_COMMON_TEXT: Final = {(args["provider"], args.get("allow_remember_browser")): json_text(args) for args in _COMMON}
_COMMON_ARGS: Final = {("multifactor.enable", json_text(args)): args for args in _COMMON}
