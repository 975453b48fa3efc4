"""The setting of a store: what is wrong with a URL of PostgreSQL, and how it is shown, which is without a password.

libpq takes the URL as it is. Its own messages may quote any part of one, so faults are named here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from sandbox.contract.did_you_mean import nearest

DIRECTORY: Final = "directory:"
SCHEMES: Final = ("postgresql://", "postgres://")

# What a URL may say after its question mark. Source: PostgreSQL 18, libpq, "Parameter Key Words".
_PARAMETERS: Final = frozenset(
    [
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "dbname",
        "fallback_application_name",
        "gssencmode",
        "gsslib",
        "host",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "options",
        "passfile",
        "password",
        "port",
        "require_auth",
        "requirepeer",
        "requiressl",
        "service",
        "servicefile",
        "sslcert",
        "sslcertmode",
        "sslcompression",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "sslsni",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "target_session_attrs",
        "tcp_user_timeout",
        "user",
    ]
)
_SECRET: Final = frozenset({"password", "sslpassword"})
_WANT: Final = "write postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE"


def shown(url: str) -> str:
    """Return a store's setting without passwords, however malformed it is."""
    if not url.startswith(SCHEMES):
        return url
    scheme, _, rest = url.partition("://")
    # The last one: a password that should have been encoded may hold `@`, `/` and `?`.
    who, at, where = rest.rpartition("@")
    user = who.partition(":")[0]
    where, question, query = where.partition("?")
    if not at:
        # What stands after the colon may be a password.
        address, bracket, port = where.rpartition("]")
        where = address + bracket + re.sub(r":(?!\d{1,5}(?:[/,]|$)).*", ":***", port)
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in _SECRET]
    return f"{scheme}://{user}{at}{where}" + (question + "&".join(kept) if kept else "")


def unverified(url: str) -> bool:
    """Tell whether a store is on another host, whose certificate is not verified."""
    if not url.startswith(SCHEMES):
        return False
    where, _, query = url.partition("://")[2].rpartition("@")[2].partition("?")
    given = dict(parse_qsl(query))
    host = given.get("hostaddr") or given.get("host") or where.partition("/")[0]
    hosts = [re.sub(r":\d*$", "", each).strip("[]") for each in host.split(",")]
    local = all(each in ("", "localhost", "::1") or each.startswith(("127.", "/", "%2F", "%2f")) for each in hosts)
    return not local and given.get("sslmode") not in ("verify-ca", "verify-full")


def faults(config: Any) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the settings of stores, by key. Quotes no password."""
    beside = {"catalog.state_store": config.catalog.state_store, "catalog.secrets_dir": config.catalog.secrets_dir}
    for key, value in {"store": config.store, **beside}.items():
        if value.startswith(SCHEMES):
            yield from ((key, problem) for problem in _problems(value))
    if not config.store.startswith(DIRECTORY):
        for key, value in beside.items():
            if value:
                yield key, "is for a store directory:PATH; leave it out"


def _problems(url: str) -> list[str]:
    rest = url.partition("://")[2]
    where, _, query = rest.rpartition("@")[2].partition("?")
    if "@" in rest and re.search(r"[@/?#\s]", rest.rpartition("@")[0]):
        return [
            f"its user or password holds a character that must be encoded, such as %40 for @ and %2F for /; {_WANT}"
        ]
    found = []
    for part in query.split("&") if query else ():
        name, equals, _ = part.partition("=")
        if name not in _PARAMETERS:
            near = nearest(name, _PARAMETERS, 0.6)
            # Without a user it may be the rest of a password.
            what = repr(name[:40]) if "@" in rest else "what stands after the question mark"
            found.append(f"{what} is no parameter; " + (f"did you mean {near}?" if near else _WANT))
        elif not equals:
            found.append(f"parameter {name} has no value; {_WANT}")
    for each in where.partition("/")[0].split(","):
        port = re.sub(r"^\[[^\]]*\]", "", each).partition(":")[2]
        if port and not (port.isdecimal() and 0 < int(port) < 65536):
            found.append(f"its port is no number from 1 to 65535; {_WANT}")
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest) or re.search(r"%00", rest):
        found.append("a % in it is not followed by two hexadecimal digits of a character; write %25 for % itself")
    return found
