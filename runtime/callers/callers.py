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
from runtime.catalog.api_keys import NO_KEYS, ApiKey, ApiKeys
from runtime.errors import (
    CertificateExpired,
    CertificateUnknown,
    CredentialsMalformed,
    KeyExpired,
    KeyRevoked,
    KeyUnknown,
    NoCredentials,
)

# Certificates that are remembered with what they give; each is parsed once, for a parse takes longer than a login.
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
        self._of_key: dict[str, tuple[ApiKey, Caller]] = {}
        self._seen_rules: Rules | None = None
        self._of_certificate: dict[bytes, Caller | None] = {}

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
        scheme, _, text = authorization.partition(" ")
        key = key_text.parse(text)
        if key is None or scheme.lower() != "bearer":
            raise CredentialsMalformed
        keys = self._keys()
        if keys is not self._seen_keys:
            self._of_key = {key.key_id: (key, _caller(key)) for key in keys.by_id.values()}
            self._seen_keys = keys
        known = self._of_key.get(key.key_id)
        right = hmac.compare_digest(known[0].digest if known else _NO_DIGEST, key_text.digest(key.secret))
        if known is None or not right:
            raise KeyUnknown
        kept, caller = known
        # Only now: who does not have the secret learns nothing of the key.
        if kept.revoked_at is not None:
            raise KeyRevoked(kept.key_id)
        if caller.expires_at_s <= self._clock():
            raise KeyExpired(kept.key_id)
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


def _caller(key: ApiKey) -> Caller:
    # A scope of a later version gives nothing here.
    scopes = frozenset(scope for scope in Scope if scope in key.scopes)
    expires_at_s = float("inf") if key.expires_at is None else float(key.expires_at)
    return Caller(f"key {key.key_id}", scopes, key.tenant, expires_at_s)
