"""Factors, as challenges and enrolments take them: kinds of argument.

Knows the types of factors, their options and how to say what is wrong with them. Must not know any particular call,
nor what a factor means.
"""

from __future__ import annotations

from typing import Any, Final

from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.frozen import DICTS, LISTS
from sandbox.contract.kinds import BOOL, Options, choice
from sandbox.contract.values import fault, shown
from sandbox.contract.vocabulary import FACTOR_TYPES, NOT_ENROLABLE

FACTOR_ALIASES: Final = {"push": "push-notification"}

# Source: the post-login reference, section 2.3.
FACTOR_OPTIONS: Final = {
    "phone": Options({"preferred_method": choice(("sms", "voice", "both"))}, nullable=frozenset({"preferred_method"})),
    "push-notification": Options({"otp_fallback": BOOL}, nullable=frozenset({"otp_fallback"})),
}

_MEANT: Final = {
    "sms": "write {'type': 'phone', 'options': {'preferred_method': 'sms'}}",
    "voice": "write {'type': 'phone', 'options': {'preferred_method': 'voice'}}",
    "guardian": "its factors are push-notification and otp",
    "google-authenticator": "write 'otp'",
    "totp": "write 'otp'",
    "webauthn": "write 'webauthn-roaming' for a security key, 'webauthn-platform' for the device's own",
    "recovery": "write 'recovery-code'",
    "duo": "Duo is not a factor type: it is asked for by api.multifactor.enable('duo')",
    "any": "name the factors, or use api.multifactor.enable('any')",
}
"""Names that other parts of a login use for a factor, and no typos of a type."""


class Factor:
    """One factor: `{"type": ..., "options": ...}`, or its type as a text.

    Aliases of a type become the type; empty options are left out.
    """

    __slots__ = ("types", "wants")
    annotation: Final = "Factor | str"

    def __init__(self, *, enrol: bool = False) -> None:
        self.types = tuple(name for name in FACTOR_TYPES if not (enrol and name in NOT_ENROLABLE))
        self.wants = "a factor to enrol" if enrol else "a factor"

    def check(self, value: Any, where: str) -> dict[str, Any]:
        """See `Kind.check`."""
        if type(value) is str:
            return {"type": self._type(value, where)}
        if type(value) not in DICTS:
            hint = ""
            if type(value).__name__ == "EnrolledFactor":
                hint = "; write {'type': factor.type} for a factor of event.user.enrolled_factors"
            raise TypeError(f"{where} must be a dict such as {{'type': 'otp'}}; got {shown(value)}{hint}")
        wanted: Any = None
        options: Any = None
        if len(value) > 2:
            raise ValueError(f"{where} must be a dict of 'type' and 'options'; got {len(value)} members")
        for name, member in value.items():
            # The type first: comparing with an author's own text would run its code.
            if type(name) is not str or name not in ("type", "options"):
                raise ValueError(f"{where} must be a dict of 'type' and 'options'; got a member {shown(name)}")
            if name == "type":
                wanted = member
            else:
                options = member
        kind = self._type(wanted, f"{where}['type']")
        if options is None:
            return {"type": kind}
        options = self._options(kind, options, f"{where}['options']")
        return {"type": kind, "options": options} if options else {"type": kind}

    def _type(self, value: Any, where: str) -> str:
        wants = f"one of {', '.join(self.types)}"
        if type(value) is not str:
            raise TypeError(fault(where, wants, value))
        kind = FACTOR_ALIASES.get(value, value)
        if kind in self.types:
            # The table's own text, and not one that may be a megabyte long.
            return self.types[self.types.index(kind)]
        if kind in NOT_ENROLABLE:
            raise ValueError(f"{where} must not be {kind!r}: there is no enrolment of it, a verified address is one")
        meant = _MEANT.get(value.lower()) if len(value) < 64 else None
        hint = f"; {meant}" if meant else did_you_mean(value, self.types)
        raise ValueError(f"{fault(where, wants, value)}{hint}")

    def _options(self, kind: str, value: Any, where: str) -> dict[str, Any]:
        known = FACTOR_OPTIONS.get(kind)
        if known is not None:
            return known.check(value, where)
        if type(value) not in DICTS:
            raise TypeError(f"{where} must be a dict; got {shown(value)}")
        if value:
            raise ValueError(f"{where} must be empty: {kind!r} has no options")
        return {}


class Factors:
    """A list or a tuple of factors. A type that comes again is left out: a user may have enrolled two phones."""

    __slots__ = ("item", "min_items", "wants")
    annotation: Final = "Sequence[Factor | str]"

    # What a user has enrolled is passed on as it is, each key and phone of it.
    MAX_ITEMS: Final = 50

    def __init__(self, item: Factor, min_items: int = 1) -> None:
        self.item = item
        self.min_items = min_items
        self.wants = f"a list of {min_items} to {self.MAX_ITEMS} items, each {item.wants}"

    def check(self, value: Any, where: str) -> list[dict[str, Any]]:
        """See `Kind.check`."""
        if type(value) not in LISTS:
            raise TypeError(fault(where, self.wants, value))
        if not self.min_items <= len(value) <= self.MAX_ITEMS:
            raise ValueError(fault(where, self.wants, value))
        found: dict[str, dict[str, Any]] = {}
        for index, item in enumerate(value):
            factor = self.item.check(item, f"{where}[{index}]")
            found.setdefault(factor["type"], factor)
        return list(found.values())
