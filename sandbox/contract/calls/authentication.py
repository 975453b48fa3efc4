"""The calls that ask for factors in the middle of a flow, and for another user: a part of the surface table."""

from __future__ import annotations

from typing import Final

from sandbox.contract.call import Budget, Call, Param, option
from sandbox.contract.factors import Factor, Factors
from sandbox.contract.kinds import text, url

# Source of every limit: the post-login reference, sections 2.3 and 4.
_USER_CHARS: Final = 128
_METHOD_CHARS: Final = 2048

_ANY: Final = "The user picks one, in this order; a list of one is shown at once."
_THEN: Final = "The flow waits after this action and continues with the next one."


def _factors(verb: str, does: str, factor: Factor) -> tuple[Call, Call]:
    return (
        Call(
            f"authentication.{verb}_with",
            (
                Param("factor", factor, doc="The factor that is shown first: `{'type': 'otp'}`."),
                option(
                    "additional_factors", Factors(factor, 0), "Factors that do as well, behind a link to other methods."
                ),
            ),
            f"{does} this factor, or one of the additional ones. {_THEN}",
            ends="suspend",
        ),
        Call(
            f"authentication.{verb}_with_any",
            (Param("factors", Factors(factor), doc=_ANY),),
            f"{does} one of these factors. {_THEN}",
            ends="suspend",
        ),
    )


AUTHENTICATION_CALLS: Final[tuple[Call, ...]] = (
    *_factors("challenge", "Let the user present", Factor()),
    *_factors("enroll", "Let the user enrol", Factor(enrol=True)),
    Call(
        "authentication.record_method",
        (Param("provider_url", url(_METHOD_CHARS), doc="URL that names the method."),),
        "Note that the user passed a method of your own: later logins of the session find it in"
        " `event.authentication.methods`.",
        continue_only=True,
    ),
    Call(
        "authentication.set_primary_user",
        (Param("primary_user_id", text(_USER_CHARS, 1), doc="The user that this identity is linked to."),),
        "Log in as the user that the authenticating identity is a secondary identity of. Once in a login.",
        budget=Budget("primary user", max_calls=1),
        live=True,
    ),
)
