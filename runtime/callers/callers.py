"""Find out who calls, from the credentials that a transport saw. Must not know the transport.

A key that is sent decides; without one the client certificate does. TLS has checked the certificate before.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from runtime.callers import key_text
from runtime.callers.caller import ANYONE, Caller, Scope
from runtime.callers.certificates import Rules, caller_of
from runtime.callers.errors import (
    CertificateExpired,
    CertificateUnknown,
    CredentialsMalformed,
    KeyExpired,
    KeyRevoked,
    KeyUnknown,
    NoCredentials,
)
from runtime.catalog.api_keys import NO_KEYS, ApiKeys

# Keys and certificates that are remembered with what they give, until keys or rules change. A certificate is parsed
# once, for a parse takes longer than the rest of a call.
_REMEMBERED = 1024
# What an id that no key has is compared with: a wrong id takes as long as a wrong secret.
_NO_DIGEST = bytes(32)


class Callers:
    """Knows the callers of a daemon. `keys` and `rules` return what is in effect now."""

    def __init__(
        self,
        required: bool,
        keys: Callable[[], ApiKeys] = lambda: NO_KEYS,
        rules: Callable[[], Rules] = Rules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.required = required
        """Must a call have credentials? Where it need not, none are looked at, and everyone is ANYONE."""
        self._keys, self._rules, self._clock = keys, rules, clock
        self._seen_keys: ApiKeys | None = None
        self._verified: dict[bytes, Caller] = {}
        self._seen_rules: Rules | None = None
        self._of_certificate: dict[bytes, Caller | None] = {}

    def demanding(self) -> Callers:
        """Return the same callers for what no call may do without credentials."""
        return self if self.required else Callers(True, self._keys, self._rules, self._clock)

    def identify(self, authorization: str | None = None, certificate: bytes | None = None) -> Caller:
        """Return who calls.

        authorization: the value of the header of that name; hostile. certificate: the client's, PEM or DER, as the
        TLS layer verified it; None where there is none. Raises: CallerError.
        """
        if not self.required:
            return ANYONE
        if authorization is not None:
            return self._by_key(authorization)
        if certificate is not None:
            return self._by_certificate(certificate)
        raise NoCredentials

    def _by_key(self, authorization: str) -> Caller:
        keys = self._keys()
        if keys is not self._seen_keys:
            self._seen_keys, self._verified = keys, {}
        # By its hash: a caller cannot choose what is looked up, and no secret is kept.
        name = key_text.digest(authorization)
        caller = self._verified.get(name)
        if caller is None:
            caller = _verify(authorization, keys)
            if len(self._verified) >= _REMEMBERED:
                self._verified = {}
            self._verified[name] = caller
        if caller.expires_at_s <= self._clock():
            raise KeyExpired(caller.name)
        return caller

    def _by_certificate(self, certificate: bytes) -> Caller:
        rules = self._rules()
        if rules is not self._seen_rules or len(self._of_certificate) >= _REMEMBERED:
            self._of_certificate = {}
            self._seen_rules = rules
        try:
            caller = self._of_certificate[certificate]
        except KeyError:
            caller = self._of_certificate[certificate] = caller_of(certificate, rules)
        if caller is None:
            raise CertificateUnknown
        if caller.expires_at_s <= self._clock():
            raise CertificateExpired
        return caller


def _verify(authorization: str, keys: ApiKeys) -> Caller:
    """Return whose key a caller sent. Raises: CredentialsMalformed, KeyUnknown, KeyRevoked."""
    scheme, _, text = authorization.partition(" ")
    key = key_text.parse(text)
    if key is None or scheme.lower() != "bearer":
        raise CredentialsMalformed
    known = keys.by_id.get(key.key_id)
    right = hmac.compare_digest(known.digest if known else _NO_DIGEST, key_text.digest(key.secret))
    if known is None or not right:
        raise KeyUnknown
    # Only now: who does not have the secret learns nothing of the key.
    if known.revoked_at is not None:
        raise KeyRevoked(f"key {known.key_id}")
    # A scope of a later version gives nothing here.
    scopes = frozenset(scope for scope in Scope if scope in known.scopes)
    expires_at_s = float("inf") if known.expires_at is None else float(known.expires_at)
    return Caller(f"key {known.key_id}", scopes, known.tenant, expires_at_s)
