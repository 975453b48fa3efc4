"""The call that writes to the transaction: a part of the surface table.

Knows the call, its parameters and its limits. Must not know what a command leads to.
"""

from __future__ import annotations

from typing import Final

from sandbox.contract.call import Budget, Call, Effect, Param
from sandbox.contract.kinds import Nullable, Scalar
from sandbox.contract.values import Text

# Source of every limit: the post-login reference, section 4.
TRANSACTION_BYTES: Final = 16 * 1024
_KEY_CHARS: Final = 64
_VALUE_BYTES: Final = 8 * 1024

TRANSACTION_CALLS: Final[tuple[Call, ...]] = (
    Call(
        "transaction.set_metadata",
        Effect.SET_TRANSACTION,
        (
            Param("key", Text(_KEY_CHARS, 1), aliases=("name",), doc="Name of the member."),
            Param("value", Nullable(Scalar(_VALUE_BYTES)), doc="Text, a number or a truth value; None deletes it."),
        ),
        "Set a member of `event.transaction.metadata`, for this action at once and for later ones; None deletes it.",
        budget=Budget("transaction metadata", TRANSACTION_BYTES, counted="key"),
        live=True,
    ),
)
