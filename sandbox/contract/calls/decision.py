"""The calls that ask for a factor at the end of the flow, or refuse the login: a part of the surface table."""

from __future__ import annotations

from typing import Any, Final

from sandbox.contract.call import OMITTED, Call, Param, option
from sandbox.contract.kinds import BOOL, Options, Secret, choice, text
from sandbox.contract.vocabulary import PROVIDERS

REASON_CHARS: Final = 2048
"""Generous: a denial that raises for its length would count as its on_error, which may be less than a denial."""

_DUO_OPTIONS = Options(
    {
        "host": text(255, 1),
        "ikey": text(256, 1),
        "skey": Secret(4096),  # as long as a secret may be
        "username": text(256, 1),
    },
    nullable=frozenset({"username"}),  # usually a profile member, which the user may not have
)


def _duo_only(args: dict[str, Any]) -> str:
    if "provider_options" in args and args.get("provider") != "duo":
        return f"provider_options is for provider 'duo' only; the provider is {args.get('provider')!r}"
    return ""


DECISION_CALLS: Final = (
    Call(
        "multifactor.enable",
        (
            Param(
                "provider",
                choice(PROVIDERS),
                doc="Who verifies the factor; `none` asks for no challenge. New actions say `any` or `duo`.",
            ),
            option(
                "allow_remember_browser",
                BOOL,
                "May the browser be remembered, so that the next login needs no challenge?",
            ),
            option(
                "provider_options",
                _DUO_OPTIONS,
                "For `duo`: host, ikey, skey and username; what is left out comes from the tenant's settings.",
            ),
        ),
        "Require a second factor before the login completes, after all actions have run; `none` asks for none."
        " `guardian` and `google-authenticator` are there for ported actions: new ones say `any`.",
        rule=_duo_only,
    ),
    Call(
        "access.deny",
        (
            Param("reason", text(REASON_CHARS), doc="Reaches the application, and may reach the user."),
            # A sample of Auth0's passes a code and a message; its reference has one parameter.
            Param("detail", text(REASON_CHARS), OMITTED, doc="Accepted for ported actions; not passed on."),
        ),
        "Refuse the login. The action runs to its end; later actions do not run.",
        ends="deny",
    ),
    Call(
        "validation.error",
        (
            Param("error_code", text(REASON_CHARS, 1), doc="A code of your own."),
            Param("error_message", text(1024, 1), doc="Reaches the application, and may reach the user."),
        ),
        "Refuse the login with a code and a message of your own.",
        ends="deny",
    ),
)
