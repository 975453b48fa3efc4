"""The calls that set claims and scopes of the tokens that a login issues: a part of the surface table."""

from __future__ import annotations

from typing import Any, Final

from sandbox.contract.call import Budget, Call, Param
from sandbox.contract.kinds import SCOPE, text
from sandbox.contract.values import NAME_CHARS, Json, shown

CLAIMS_BYTES: Final = 100 * 1024
_BUDGET: Final = Budget("custom claims", CLAIMS_BYTES)

# Source: the post-login reference, section 2.2 (Auth0, "Create custom claims": restricted claims).
# fmt: off
RESTRICTED: Final = frozenset((
    "acr", "act", "active", "amr", "at_hash", "ath", "attest", "aud", "auth_time", "authorization_details", "azp",
    "c_hash", "client_id", "cnf", "cty", "dest", "entitlements", "events", "exp", "groups", "gty", "htm", "htu", "iat",
    "internalService", "iss", "jcard", "jku", "jti", "jwe", "jwk", "kid", "may_act", "mky", "nbf", "nonce", "object_id",
    "org_id", "org_name", "orig", "origid", "permissions", "roles", "rph", "s_hash", "sid", "sip_callid",
    "sip_cseq_num", "sip_date", "sip_from_tag", "sip_via_branch", "sub", "sub_jwk", "toe", "txn", "typ", "uuid", "vot",
    "vtm", "x5t#S256",
))
# fmt: on
RESERVED_HOSTS: Final = ("auth0.com", "webtask.io", "webtask.run")
_RESERVED_PARTS: Final = ("urn:auth0", *RESERVED_HOSTS)
"""One of these is in every name of a reserved namespace, once it is in lower case."""


class ClaimName:
    """The name of a custom claim: neither one that the token itself uses nor in a namespace of the provider's own."""

    _TEXT: Final = text(NAME_CHARS, 1)
    wants: Final = f"{_TEXT.wants} that is not a restricted claim"
    annotation: Final = "str"

    def check(self, value: Any, where: str) -> str:
        """See `Kind.check`."""
        name: str = self._TEXT.check(value, where)
        if name in RESTRICTED:
            own = f"use a name of your own, such as 'https://example.com/{name}'"
            raise ValueError(f"{where} must not be the restricted claim {name!r}; {own}")
        lower = name.lower()
        for part in _RESERVED_PARTS:
            if part in lower:
                _refuse_reserved(name, where)
        return name


def _refuse_reserved(name: str, where: str) -> None:
    """Look at a name with a reserved part in it. Raises: ValueError: it is in that namespace."""
    if name == "urn:auth0" or name.startswith("urn:auth0:"):
        raise ValueError(f"{where} must not be in the reserved namespace 'urn:auth0'")
    scheme, separator, rest = name.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
        host = authority.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
        for reserved in RESERVED_HOSTS:
            if host == reserved or host.endswith("." + reserved):
                raise ValueError(f"{where} must not be in the reserved namespace {reserved!r}; got {shown(name)}")


def _claim(op: str, token: str) -> Call:
    return Call(
        op,
        (
            Param("name", ClaimName(), aliases=("key",), doc="Name of the claim, best as a URL of your own."),
            Param("value", Json(CLAIMS_BYTES), doc="Any JSON data."),
        ),
        f"Set a claim of the {token} that the login issues. The last call for a name wins.",
        budget=_BUDGET,
    )


def _scope(name: str, verb: str) -> Call:
    return Call(
        f"access_token.{name}",
        (Param("scope", SCOPE, doc="One scope, as in `event.transaction.requested_scopes`."),),
        f"{verb} the access token that the login issues. The last call for a scope wins.",
    )


CLAIM_CALLS: Final = (
    _claim("id_token.set_custom_claim", "ID token"),
    _claim("access_token.set_custom_claim", "access token"),
    _scope("add_scope", "Add a scope to"),
    _scope("remove_scope", "Remove a scope from"),
)
