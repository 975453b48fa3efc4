"""The calls that set metadata of the user and of the transaction: a part of the surface table."""

from __future__ import annotations

from typing import Final

from sandbox.contract.call import Budget, Call, Param
from sandbox.contract.kinds import Nullable, Scalar, text
from sandbox.contract.values import Json

# Source of every limit: the post-login reference, sections 2.2 and 4.
USER_BYTES: Final = 32 * 1024
TRANSACTION_BYTES: Final = 16 * 1024
_TRANSACTION_KEY_CHARS: Final = 64
_TRANSACTION_VALUE_BYTES: Final = 8 * 1024


def _user(name: str) -> Call:
    return Call(
        f"user.set_{name}",
        (
            Param("key", text(256, 1), aliases=("name",), doc="Name of the member."),
            Param("value", Json(USER_BYTES), doc="Any JSON data; None deletes the member."),
        ),
        f"Set a member of the user's {name} when the flow ends, even when the login is refused; None deletes it.",
        budget=Budget(name, USER_BYTES),
    )


USER_CALLS: Final = (_user("user_metadata"), _user("app_metadata"))

TRANSACTION_CALLS: Final = (
    Call(
        "transaction.set_metadata",
        (
            Param("key", text(_TRANSACTION_KEY_CHARS, 1), aliases=("name",), doc="Name of the member."),
            Param(
                "value",
                Nullable(Scalar(_TRANSACTION_VALUE_BYTES)),
                doc="Text, a number or a truth value; None deletes it.",
            ),
        ),
        "Set a member of `event.transaction.metadata`, for this action at once and for later ones; None deletes it.",
        budget=Budget("transaction metadata", TRANSACTION_BYTES, counted="key"),
        live=True,
    ),
)
