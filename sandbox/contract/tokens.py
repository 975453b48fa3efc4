"""Signed tokens that travel with a user to a page elsewhere and back: JSON Web Tokens by HS256.

Knows RFC 7515 and 7519 as far as this one algorithm goes, and what a token says of the login it belongs to. Must not
know calls or events.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import Any, Final

from sandbox.contract.values import MAX_INT, decode, json_text, shown

TOKEN_CHARS_MAX: Final = 16 * 1024

_HEADER: Final = b'{"alg":"HS256","typ":"JWT"}'
_PARTS: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)", re.ASCII)


class TokenError(ValueError):
    """A token is not to be believed; the message says why."""


def sign(claims: dict[str, Any], secret: str) -> str:
    """Return the token that says `claims`, which are JSON data."""
    text = _base64url(_HEADER) + b"." + _base64url(json_text(claims).encode())
    return (text + b"." + _base64url(_signature(text, secret))).decode("ascii")


def verify(token: str, secret: str) -> dict[str, Any]:
    """Return what a token says, once its signature is known to be made with the secret.

    Args:
        token: hostile.
        secret: the key.

    Raises: TokenError: the token is none, has another algorithm or another signature.
    """
    if len(token) > TOKEN_CHARS_MAX:
        raise TokenError(f"the token must have at most {TOKEN_CHARS_MAX} characters; it has {len(token)}")
    parts = _PARTS.fullmatch(token)
    if parts is None:
        raise TokenError("the token must be three parts of base64url, joined by dots")
    header = _members(parts[1], "header")
    # Never what the token asks for: `none`, and a public key taken for a secret, are the classic ways in.
    if header.get("alg") != "HS256":
        raise TokenError(f"the token's algorithm must be HS256; it is {shown(header.get('alg'))}")
    if "crit" in header:
        raise TokenError("the token's header has extensions that must be understood, and none are")
    text, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_base64url(_signature(text.encode(), secret)), signature.encode()):
        raise TokenError("the token's signature was not made with this secret")
    return _members(parts[2], "payload")


def check(claims: dict[str, Any], now_s: float, wanted: dict[str, str], state: str) -> None:
    """Compare what a token says with the login that it comes back to.

    Args:
        claims: of a verified token.
        now_s: seconds since the epoch.
        wanted: claims that must be there, and be this text.
        state: of the request that brought the token back; the token must have it too. No message shows it, as
            it continues the login.

    Raises: TokenError: it has expired, is not valid yet, or belongs to another login.
    """
    expires_s = _instant(claims, "exp")
    if now_s >= expires_s:
        raise TokenError(f"the token expired {now_s - expires_s:.0f} s ago")
    if "nbf" in claims and now_s < (from_s := _instant(claims, "nbf")):
        raise TokenError(f"the token is not valid for another {from_s - now_s:.0f} s")
    for name, value in wanted.items():
        found = claims.get(name)
        if found != value:
            raise TokenError(f"the token's {name} must be {shown(value)}; it is {shown(found)}")
    if claims.get("state") != state:
        raise TokenError("the token's state is not that of the request")


def _instant(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    # An integer may be too large for a float; true is no number.
    if (type(value) is int or type(value) is float) and -MAX_INT < value < MAX_INT:
        return float(value)
    raise TokenError(f"the token's {name} must be a number of seconds since the epoch; it is {shown(value)}")


def _signature(text: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), text, "sha256")


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _members(part: str, what: str) -> dict[str, Any]:
    try:
        members = decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except (ValueError, RecursionError, binascii.Error):
        raise TokenError(f"the token's {what} must be a JSON object") from None
    if type(members) is not dict:
        raise TokenError(f"the token's {what} must be a JSON object")
    return members
