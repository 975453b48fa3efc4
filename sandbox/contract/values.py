"""Kinds of argument: what an `api` call accepts, checked by exact type, copied, in bounded time.

Knows JSON-like data, its limits and how to say what is wrong with it. Must not know any particular call, nor ever
call a method of, or compare with, an object whose exact type it has not seen to be a builtin one. On an author's
arguments in a worker and on a worker's bytes in the daemon.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NoReturn, Protocol

from sandbox.contract.did_you_mean import did_you_mean

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 1000
MAX_INT: Final = 2**53
"""Beyond it a JSON number no longer carries an integer exactly. Source: RFC 8259, section 6."""

_SHOWN_CHARS: Final = 40
_KEY_CHARS: Final = 256
_INFINITY: Final = float("inf")
_CONTAINERS: Final = frozenset((dict, list))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def strict_decoder(
    parse_int: Callable[[str], int] | None = None, parse_float: Callable[[str], float] | None = None
) -> Callable[[str], Any]:
    """Return what reads strict JSON: no NaN, no member twice. Both arguments are those of `json.JSONDecoder`."""
    return json.JSONDecoder(
        parse_constant=_refuse_constant, object_pairs_hook=_unique, parse_int=parse_int, parse_float=parse_float
    ).decode


decode = strict_decoder()
"""Reads strict JSON: no NaN, no member twice."""
json_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""Writes compact JSON."""


class Kind(Protocol):
    """What one parameter accepts."""

    @property
    def wants(self) -> str:
        """What is wanted, for an error message and for the reference: `text of at most 256 characters`."""

    def check(self, value: Any, where: str) -> Any:
        """Return an exact-type private copy of the value.

        Args:
            value: hostile: any object at all.
            where: the call and the argument, for the message: `api.access.deny: reason`.

        Raises:
            TypeError: the value has the wrong type.
            ValueError: the type is right and the value is not.
        """


def shown(value: Any) -> str:
    """Describe a value for an error message without running any of its code."""
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if kind is str:
        return repr(value) if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]!r}... ({len(value)} characters)"
    if kind is int:
        return str(value) if -MAX_INT <= value <= MAX_INT else "an integer beyond 2**53"
    if kind is float:
        return repr(value)
    if kind is list or kind is dict or kind is tuple:
        return f"a {kind.__name__} of {len(value)}"
    return f"an object of type {kind.__name__}"


def camel(name: str) -> str:
    """Return Auth0's JavaScript spelling of one of our names: `set_custom_claim` -> `setCustomClaim`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def fault(where: str, wants: str, value: Any) -> str:
    return f"{where} must be {wants}; got {shown(value)}"


def check_text(value: str, where: str) -> None:
    """Refuse what cannot travel: a NUL or half of a surrogate pair. The caller has bounded the length."""
    if "\0" in value:
        raise ValueError(f"{where} must not contain a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{where} must be valid text; it contains half of a surrogate pair") from None


class Text:
    """A string. Lengths are counted in characters."""

    __slots__ = ("max_chars", "min_chars", "wants")

    def __init__(self, max_chars: int, min_chars: int = 0) -> None:
        self.max_chars = max_chars
        self.min_chars = min_chars
        self.wants = (
            f"text of {min_chars} to {max_chars} characters" if min_chars else f"text of at most {max_chars} characters"
        )

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(fault(where, self.wants, value))
        if not self.min_chars <= len(value) <= self.max_chars:
            raise ValueError(fault(where, self.wants, value))
        check_text(value, where)
        return value


class Bool:
    """True or False, and nothing that merely is truthy: `"false"` must not switch anything on."""

    __slots__ = ()

    @property
    def wants(self) -> str:
        """See `Kind.wants`."""
        return "True or False"

    def check(self, value: Any, where: str) -> bool:
        """See `Kind.check`."""
        if value is True or value is False:
            return bool(value)
        raise TypeError(fault(where, self.wants, value))


class Choice:
    """One of a few words."""

    __slots__ = ("_words", "choices", "wants")

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices
        self._words = {word: word for word in choices}
        self.wants = f"one of {', '.join(choices)}"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        if type(value) is not str:
            raise TypeError(fault(where, self.wants, value))
        word = self._words.get(value)
        if word is None:
            raise ValueError(fault(where, self.wants, value) + did_you_mean(value, self.choices))
        return word


class Options:
    """A dict with a few known members, each of a kind of its own. Members named in `nullable` may be None: left out.

    Python's and JavaScript's spelling of a name are both accepted, and become Python's.
    """

    __slots__ = ("_names", "members", "nullable", "wants")

    def __init__(self, members: dict[str, Kind], nullable: frozenset[str] = frozenset()) -> None:
        self.members = members
        self.nullable = nullable
        self._names = {spelling: name for name in members for spelling in (name, camel(name))}
        self.wants = f"a dict with members out of {', '.join(members)}"

    def check(self, value: Any, where: str) -> dict[str, Any]:
        """See `Kind.check`."""
        if type(value) is not dict:
            raise TypeError(fault(where, self.wants, value))
        copy: dict[str, Any] = {}
        if len(value) > len(self._names):
            raise ValueError(f"{where} must be {self.wants}; got {len(value)} members")
        for spelling, member in value.items():
            if type(spelling) is not str:
                raise TypeError(f"{where} must be {self.wants}; a member's name is {shown(spelling)}")
            name = self._names.get(spelling)
            if name is None:
                hint = did_you_mean(spelling, self.members) or f"; there is {', '.join(self.members)}"
                raise ValueError(f"{where} has no member {shown(spelling)}{hint}")
            if name in copy:
                raise ValueError(f"{where}[{name!r}] is given twice")
            if member is not None or name not in self.nullable:
                copy[name] = self.members[name].check(member, f"{where}[{name!r}]")
        return copy


class Json:
    """Any JSON data. `max_bytes` bounds its compact UTF-8 text."""

    __slots__ = ("max_bytes", "wants")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.wants = "JSON data: str, int, float, bool, None, list, tuple or dict"

    def check(self, value: Any, where: str) -> Any:
        """See `Kind.check`. A tuple becomes a list."""
        copy = self._copy(value, where, MAX_DEPTH, [MAX_ITEMS, self.max_bytes])
        if (size := json_bytes(copy)) > self.max_bytes:
            raise ValueError(f"{where} must be at most {self.max_bytes} bytes as JSON; got {size}")
        return copy

    def _copy(self, value: Any, where: str, depth: int, left: list[int]) -> Any:
        """Copy by exact type. `left` holds the items and characters still allowed, for the whole value."""
        kind = type(value)
        if kind is str:
            self._spend_text(value, where, left)
            return value
        if value is None or kind is bool:
            return value
        if kind is int:
            if not -MAX_INT <= value <= MAX_INT:
                raise ValueError(f"{where} must hold integers within 2**53 only; write larger ones as text")
            return value
        if kind is float:
            # Both comparisons are false for a NaN, so this refuses it together with the infinities.
            if not -_INFINITY < value < _INFINITY:
                raise ValueError(f"{where} must hold finite numbers only; got {shown(value)}")
            return value
        if kind is not dict and kind is not list and kind is not tuple:
            raise TypeError(f"{where} must be {self.wants}; got {shown(value)}")
        if depth == 0:
            raise ValueError(f"{where} must be nested at most {MAX_DEPTH} deep")
        left[0] -= len(value)
        if left[0] < 0:
            raise ValueError(f"{where} must hold at most {MAX_ITEMS} items in all")
        if kind is not dict:
            return [self._copy(item, where, depth - 1, left) for item in value]
        copy: dict[str, Any] = {}
        for name, item in value.items():
            if type(name) is not str:
                raise TypeError(f"{where} must have text for the keys of a dict; got {shown(name)}")
            if len(name) > _KEY_CHARS:
                raise ValueError(f"{where} must have keys of at most {_KEY_CHARS} characters; got {shown(name)}")
            self._spend_text(name, where, left)
            copy[name] = self._copy(item, where, depth - 1, left)
        return copy

    def _spend_text(self, value: str, where: str, left: list[int]) -> None:
        left[1] -= len(value)
        if left[1] < 0:
            raise ValueError(f"{where} must be at most {self.max_bytes} bytes as JSON")
        check_text(value, where)


def json_items(value: dict[str, Any]) -> int:
    """Count the members of every dict and list in checked data."""
    total = len(value)
    todo: list[Any] = [member for member in value.values() if type(member) in _CONTAINERS]
    while todo:
        value = todo.pop()
        total += len(value)
        members = value.values() if type(value) is dict else value
        todo += [member for member in members if type(member) in _CONTAINERS]
    return total


def json_bytes(value: Any) -> int:
    """Count the bytes of checked data as compact JSON in UTF-8: that is what limits in bytes mean here."""
    return len(json_text(value).encode())


class ClaimName:
    """The name of a custom claim: neither one that the token itself uses nor in a namespace of the provider's own."""

    __slots__ = ("_text", "wants")

    # Source: the post-login reference, section 2.2 (Auth0, "Create custom claims": restricted claims).
    # fmt: off
    RESTRICTED: Final = frozenset((
        "acr", "act", "active", "amr", "at_hash", "ath", "attest", "aud", "auth_time", "authorization_details",
        "azp", "c_hash", "client_id", "cnf", "cty", "dest", "entitlements", "events", "exp", "groups", "gty",
        "htm", "htu", "iat", "internalService", "iss", "jcard", "jku", "jti", "jwe", "jwk", "kid", "may_act",
        "mky", "nbf", "nonce", "object_id", "org_id", "org_name", "orig", "origid", "permissions", "roles", "rph",
        "s_hash", "sid", "sip_callid", "sip_cseq_num", "sip_date", "sip_from_tag", "sip_via_branch", "sub",
        "sub_jwk", "toe", "txn", "typ", "uuid", "vot", "vtm", "x5t#S256",
    ))
    # fmt: on
    RESERVED_HOSTS: Final = ("auth0.com", "webtask.io", "webtask.run")

    def __init__(self) -> None:
        self._text = Text(_KEY_CHARS, 1)
        self.wants = f"{self._text.wants} that is not a restricted claim"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        name = self._text.check(value, where)
        if name in self.RESTRICTED:
            raise ValueError(
                f"{where} must not be the restricted claim {name!r}; use a name of your own, such as 'https://example.com/{name}'"
            )
        if name == "urn:auth0" or name.startswith("urn:auth0:"):
            raise ValueError(f"{where} must not be in the reserved namespace 'urn:auth0'")
        scheme, separator, rest = name.partition("://")
        if separator and scheme.lower() in ("http", "https"):
            authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
            host = authority.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
            for reserved in self.RESERVED_HOSTS:
                if host == reserved or host.endswith("." + reserved):
                    raise ValueError(f"{where} must not be in the reserved namespace {reserved!r}; got {shown(name)}")
        return name
