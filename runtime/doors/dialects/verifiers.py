"""Say whether a hook's call comes from who shares a secret: three ways, each over the raw body. Pure.

Every comparison is in constant time, and of every active secret. Must not know tenants or JSON.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

TOLERANCE_S: Final = 300.0
"""How far a signature's time may be from ours, to both sides. What is replayed later is refused."""
# Of one call. A product sends one for each of its secrets.
_SIGNATURES: Final = 8


class Proof(NamedTuple):
    """What a verifier found. `problem` is empty for an authentic call.

    `once` tells one delivery from another of the same body, where the product signs each anew.
    """

    problem: str
    once: str = ""


Verifier = Callable[[Sequence[str], Mapping[str, str], bytes, float], Proof]
"""Takes the active secrets, headers by lower-case names, the raw body and the time in seconds since the epoch."""

MISSING: Final = "missing"
MALFORMED: Final = "malformed"
STALE: Final = "stale"
WRONG: Final = "wrong"


def _any_equal(wanted: Iterable[bytes], given: Sequence[bytes]) -> bool:
    """Compare every pair, so that the time taken tells nothing."""
    found = False
    for one in wanted:
        for other in given:
            found |= hmac.compare_digest(one, other)
    return found


def static_secret(header: str = "authorization", scheme: str = "Bearer") -> Verifier:
    """Return the verifier of a secret that a header carries as it is."""
    prefix = f"{scheme.lower()} " if scheme else ""

    def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float) -> Proof:
        del body, now_s
        value = headers.get(header)
        if value is None:
            return Proof(MISSING)
        if not value.lower().startswith(prefix):
            return Proof(MALFORMED)
        # Digests: of equal length, whatever was sent.
        given = hashlib.sha256(value[len(prefix) :].strip().encode()).digest()
        wanted = (hashlib.sha256(secret.encode()).digest() for secret in secrets)
        return Proof("" if _any_equal(wanted, [given]) else WRONG)

    return verify


def timestamped_hex(header: str, *, milliseconds: bool = False) -> Verifier:
    """Return the verifier of `t=TIME,v1=HEX[,v1=HEX]`: HMAC-SHA256 over the time, a dot and the body."""

    def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float) -> Proof:
        value = headers.get(header)
        if value is None:
            return Proof(MISSING)
        parts = [part.strip().partition("=") for part in value.split(",")]
        times = [text for name, _, text in parts if name == "t"]
        given = [text.encode() for name, _, text in parts if name == "v1" and re.fullmatch(r"[0-9a-f]{64}", text)]
        if len(times) != 1 or not re.fullmatch(r"[0-9]{1,15}", times[0]) or not 0 < len(given) <= _SIGNATURES:
            return Proof(MALFORMED)
        signed = times[0].encode() + b"." + body
        wanted = (hmac.digest(secret.encode(), signed, "sha256").hex().encode() for secret in secrets)
        if not _any_equal(wanted, given):
            return Proof(WRONG)
        at_s = int(times[0]) / (1000 if milliseconds else 1)
        return Proof("" if abs(now_s - at_s) <= TOLERANCE_S else STALE, times[0])

    return verify


def standard_webhooks() -> Verifier:
    """Return the verifier of Standard Webhooks, with secrets as Supabase writes them: `v1,whsec_` and base64.

    The signatures are a list with blanks between; Supabase puts commas there too. A retry has an id and a time of its
    own, so they do not tell deliveries apart.
    """

    def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float) -> Proof:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        ident, time, listed = (headers.get(name) for name in names)
        if ident is None or time is None or listed is None:
            return Proof(MISSING)
        given = [text.removeprefix("v1,").rstrip(",") for text in listed.split() if text.startswith("v1,")]
        if not re.fullmatch(r"[0-9]{1,12}", time) or not 0 < len(ident) <= 256 or not 0 < len(given) <= _SIGNATURES:
            return Proof(MALFORMED)
        signed = f"{ident}.{time}.".encode() + body
        wanted = (base64.b64encode(hmac.digest(key, signed, "sha256")) for key in map(_webhook_key, secrets) if key)
        if not _any_equal(wanted, [text.encode() for text in given]):
            return Proof(WRONG)
        return Proof("" if abs(now_s - int(time)) <= TOLERANCE_S else STALE)

    return verify


def _webhook_key(secret: str) -> bytes:
    """Return the key of a secret; none when it is no secret of that form, which an apply refuses."""
    try:
        return base64.b64decode(secret.removeprefix("v1,").removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return b""
