"""What PostgreSQL and libpq report, in plain words for the operator, with what to do."""

from __future__ import annotations

from typing import Final

import psycopg

from runtime.errors import CatalogUnavailable, StoreBusy, StoreUnreachable, StoreUnwritable

_BUSY: Final = "is locked by another process; try again when it is done"
_FULL: Final = "cannot be written: its disk is full; nothing was changed"

# By SQLSTATE. Source: PostgreSQL 18, appendix A.
_BY_STATE: Final = {
    "25006": "cannot be written: the server is a standby, or its transactions are read-only; name the primary, or add "
    "target_session_attrs=read-write to the URL",
    "42501": "may not be used by this user; grant it what deploy/README.md lists",
    "53100": _FULL,
    "53200": "cannot be used: the server is out of memory",
    "55P03": _BUSY,
    "57014": "did not answer in time; look at the server's load and its locks",
    "58030": "cannot be read or written: the server's disk reports an error",
    "XX001": "is damaged; restore it from a backup",
    "XX002": "is damaged; rebuild its indexes, or restore it from a backup",
    "40001": _BUSY,
    "40P01": _BUSY,
}
_UNWRITABLE: Final = frozenset({"25006", "53100"})
# The server is there, and cannot serve now: it starts, stops, or has no connection left.
_AWAY: Final = {
    "53300": "has no connection left; raise max_connections of the server, or stop what holds them",
    "57P01": "was stopped by its operator, or this connection was ended",
    "57P02": "has crashed and is recovering",
    "57P03": "is starting, stopping or recovering",
    "57P05": "ended this connection because it did nothing for too long",
}
# A failed connection has no SQLSTATE, so its words are looked for, as libpq and an English server write them.
_BY_WORDS: Final = (
    ("password authentication failed", "refuses the password; correct it in the URL, in PGPASSWORD or in the passfile"),
    ("no password supplied", "wants a password; put it into the URL, into PGPASSWORD, or into a passfile"),
    ("certificate has expired", "has an expired certificate, or refuses ours as expired; renew it"),
    ("certificate expired", "refuses our client certificate, which has expired; renew it (sslcert)"),
    ("certificate verify failed", "has a certificate that cannot be verified: it has expired, is not valid yet, or was "
     "not issued by sslrootcert"),
    ("does not match host name", "has a certificate of another host; name the host that the certificate is for"),
    ("root certificate file", "cannot be verified: sslrootcert names no file that can be read"),
    ("private key file", "cannot be asked with our client certificate: check sslkey, its owner and its mode 0600"),
    ("certificate file", "cannot be asked with our client certificate: check sslcert"),
    ("server does not support SSL", "does not speak TLS, which sslmode asks for; turn on ssl on the server"),
    ("no pg_hba.conf entry", "admits no such user from this host, or only with TLS; see the server's pg_hba.conf"),
    ("pg_hba.conf rejects", "admits no such user from this host, or only with TLS; see the server's pg_hba.conf"),
    ("no encryption", "admits no such user from this host, or only with TLS; see the server's pg_hba.conf"),
    ("role", "does not know this user; create the role, or name another user"),
    ("database", "does not have this database; create it, or name another one"),
    ("invalid sslmode value", "is named with an unknown sslmode; write verify-full"),
)  # fmt: skip
_AWAY_WORDS: Final = (
    ("too many clients", _AWAY["53300"]),
    ("remaining connection slots", _AWAY["53300"]),
    ("too many connections", _AWAY["53300"]),
    ("starting up", _AWAY["57P03"]),
    ("shutting down", _AWAY["57P03"]),
    ("recovery", _AWAY["57P03"]),
    ("not accepting connections", _AWAY["57P03"]),
    ("could not translate host name", "cannot be found: its host's name is not known; correct it, or ask DNS"),
    ("session is not read-write", _BY_STATE["25006"]),
)


def explained(error: psycopg.Error, name: str) -> CatalogUnavailable:
    """Return the error that says what one of psycopg means for the operator."""
    state = error.sqlstate or ""
    text = error.diag.message_primary or next(iter(str(error).strip().splitlines()), "")
    quoted = f" ({state or 'PostgreSQL'}: {_clipped(text)})" if text else ""
    if state in ("40001", "40P01"):
        return StoreBusy([f"the store {name} {_BUSY}{quoted}"])
    if state in _UNWRITABLE:
        return StoreUnwritable([f"the store {name} {_BY_STATE[state]}{quoted}"])
    if state in _BY_STATE:
        return CatalogUnavailable([f"the store {name} {_BY_STATE[state]}{quoted}"])
    if state in _AWAY:
        return StoreUnreachable([f"the store {name} {_AWAY[state]}{quoted}"])
    if state:
        return CatalogUnavailable([f"the store {name} cannot be used{quoted}"])
    if not isinstance(error, psycopg.OperationalError):
        return CatalogUnavailable([f"the store {name} cannot be used ({type(error).__name__}: {_clipped(text)})"])
    return _without_state(str(error), name)


def _without_state(text: str, name: str) -> CatalogUnavailable:
    """Explain why there is no connection: what must be corrected, or what may pass."""
    quoted = f" ({_clipped(' '.join(text.split()))})"
    for words, meaning in _AWAY_WORDS:
        if words in text:
            return StoreUnreachable([f"the store {name} {meaning}{quoted}"])
    for words, meaning in _BY_WORDS:
        if words in text and (words not in ("role", "database") or "does not exist" in text):
            return CatalogUnavailable([f"the store {name} {meaning}{quoted}"])
    remedy = "check the server, its address and the network"
    return StoreUnreachable([f"the store {name} cannot be reached; {remedy}{quoted}"])


def _clipped(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."
