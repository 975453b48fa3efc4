"""`doors` of a tenant.yaml: which hook dialects a tenant opens, with whose secrets, and what a second factor becomes.

Knows what each dialect can express, so that an apply refuses what could let a login in. Must not know how a dialect's
requests and answers look.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from runtime.catalog.hook_door import HookDoor
from runtime.core.model import FACTOR_NAMES

MAX_SECRETS: Final = 2
"""Two, so that one can be replaced while the other is still in use."""
MIN_SECRET_CHARS: Final = 16
WEBHOOK_SECRET: Final = "v1,whsec_"
AUTHZEN: Final = "authzen"
MOST: Final = {"max_age_s": 30 * 86_400, "cache_s": 60}
# Source: PAPE 1.0, multi-factor class.
MULTI_FACTOR: Final = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"


_PROVIDER_TEXT: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
# It stands in a quoted part of a header.
_WORD_TEXT: Final = r"[!#-\[\]-~]{1,200}"
# Near enough for an editor; `_url` looks closer.
_URL_TEXT: Final = r"(https://|http://(localhost|127\.0\.0\.1|\[::1\]))[!-~]{1,1990}"


def _matching(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _provider(value: str) -> str:
    if not re.fullmatch(_PROVIDER_TEXT, value):
        raise ValueError("want the id of a CAS provider: 1 to 64 letters, digits, '_', '-' and '.'")
    return value


def _providers(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if name not in FACTOR_NAMES:
            raise ValueError(f"{name[:60]!r} is not a factor; known are {', '.join(FACTOR_NAMES)}")
    return {name: _provider(provider) for name, provider in value.items()}


def _claim(value: str) -> str:
    if not 0 < len(value) <= 128 or not value.isprintable() or value in _TAKEN:
        raise ValueError(f"want a claim's name of 1 to 128 printable characters, and none of {', '.join(_TAKEN)}")
    return value


def _word(value: str) -> str:
    if not re.fullmatch(_WORD_TEXT, value):
        raise ValueError("want 1 to 200 printable ASCII characters without blanks, quotes and backslashes")
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (parts.scheme == "https" or local) or not parts.netloc or not re.fullmatch(r"[!-~]{1,2000}", value):
        raise ValueError("want an absolute https URL")
    return value


# A claim by one of these names would change what the token itself says.
_TAKEN: Final = ("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "acr", "amr", "aal", "role", "session_id")


_Provider = Annotated[str, AfterValidator(_provider), _matching(_PROVIDER_TEXT)]
_Providers = Annotated[
    dict[str, str],
    AfterValidator(_providers),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"enum": list(FACTOR_NAMES)},
            "additionalProperties": {"type": "string", "pattern": f"^{_PROVIDER_TEXT}$"},
        }
    ),
]
_Claim = Annotated[
    str,
    AfterValidator(_claim),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128, "not": {"enum": list(_TAKEN)}}),
]
_Word = Annotated[str, AfterValidator(_word), _matching(_WORD_TEXT)]
_Url = Annotated[str, AfterValidator(_url), _matching(_URL_TEXT)]


class _DoorSection(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Secured(_DoorSection):
    # Their values are read apart, so that no message can quote one.
    secrets: Annotated[list[Any], Field(min_length=1, max_length=MAX_SECRETS, repr=False)]


class CasTriggerSection(_Secured):
    """Apereo CAS, REST trigger of multifactor authentication. It cannot refuse a login."""

    mfa_required_as: Literal["native"]
    providers: _Providers = Field(default_factory=dict)
    fallback_provider: _Provider


class CasPolicySection(_Secured):
    """Apereo CAS, REST authentication policy."""

    mfa_required_as: Literal["deny", "native"]


class KratosSection(_Secured):
    """Ory Kratos, `web_hook` after login."""

    mfa_required_as: Literal["deny", "native"]


class HydraSection(_Secured):
    """Ory Hydra, token hook."""

    mfa_required_as: Literal["deny", "claim"]
    claim: _Claim = "mfa_required"
    acr: _Word = MULTI_FACTOR


class ZitadelSection(_Secured):
    """ZITADEL Actions v2, a target of a function."""

    mfa_required_as: Literal["deny", "claim"]
    claim: _Claim = "mfa_required"


class SupabaseSection(_Secured):
    """Supabase Auth, custom access token hook."""

    mfa_required_as: Literal["deny", "claim"]
    claim: _Claim = "mfa_required"


class EnvoySection(_DoorSection):
    """Envoy, external authorization over gRPC. Its caller is known by the daemon's own keys or certificates."""

    mfa_required_as: Literal["deny", "native"]
    acr: _Word = MULTI_FACTOR
    max_age_s: Annotated[int, Field(ge=1, le=MOST["max_age_s"])] | None = None
    login_url: _Url | None = None
    cache_s: Annotated[int, Field(ge=1, le=MOST["cache_s"])] = 5


class AuthZenSection(_DoorSection):
    """AuthZEN, which is open for every tenant: its answers have an obligation for a second factor."""

    mfa_required_as: Literal["native"] = "native"
    acr: _Word = MULTI_FACTOR


SECTIONS: Final[Mapping[str, type[_DoorSection]]] = {
    "cas-trigger": CasTriggerSection,
    "cas-policy": CasPolicySection,
    "kratos": KratosSection,
    "hydra": HydraSection,
    "zitadel": ZitadelSection,
    "supabase": SupabaseSection,
    "envoy": EnvoySection,
    AUTHZEN: AuthZenSection,
}
"""By dialect, as the path of a request names it; and AuthZEN, which has paths of its own."""

WHY_NOT: Final = {
    "native": "the product cannot ask for a factor at this point",
    "claim": "an answer of this dialect has no claims",
    "deny": "an answer of this dialect cannot refuse a login",
}


class DoorsSection(_DoorSection):
    """`doors`: sections by dialect."""

    cas_trigger: CasTriggerSection | None = Field(None, alias="cas-trigger")
    cas_policy: CasPolicySection | None = Field(None, alias="cas-policy")
    kratos: KratosSection | None = None
    hydra: HydraSection | None = None
    zitadel: ZitadelSection | None = None
    supabase: SupabaseSection | None = None
    envoy: EnvoySection | None = None
    authzen: AuthZenSection | None = None

    def each(self) -> Iterator[tuple[str, _DoorSection]]:
        """List the sections that a tenant has, by dialect."""
        for dialect in SECTIONS:
            section = getattr(self, dialect.replace("-", "_"))
            if section is not None:
                yield dialect, section


NONE: Final = DoorsSection.model_validate({})


def step_up_acr(doors: Mapping[str, HookDoor]) -> str:
    """Return the class of authentication that a tenant's AuthZEN answers ask for."""
    door = doors.get(AUTHZEN)
    return MULTI_FACTOR if door is None else str(door.options["acr"])


def opened(sections: DoorsSection, secrets: Mapping[str, tuple[str, ...]]) -> Mapping[str, HookDoor]:
    """Return the doors of a tenant, given the values of their secrets by dialect."""
    doors = {}
    for dialect, section in sections.each():
        options = section.model_dump(exclude={"secrets"}, exclude_none=True)
        doors[dialect] = HookDoor(dialect, options.pop("mfa_required_as"), secrets.get(dialect, ()), options)
    return MappingProxyType(doors)


def faults(sections: DoorsSection, fault: Callable[[tuple[str, ...], str], None]) -> None:
    """Say what the sections get wrong together."""
    if sections.cas_trigger is not None and sections.cas_policy is None:
        fault(
            ("doors", "cas-trigger"),
            "cannot refuse a login, and CAS takes an error of it for no second factor; add cas-policy, which can",
        )
    policy = sections.cas_policy
    if policy is not None and policy.mfa_required_as == "native" and sections.cas_trigger is None:
        fault(
            ("doors", "cas-policy", "mfa_required_as"),
            "'native' leaves the second factor to cas-trigger, and there is none; add it, or say 'deny'",
        )


def secret_fault(dialect: str, value: str) -> str | None:
    """Say why a value cannot be a secret of this dialect; it is not quoted."""
    if dialect == "supabase":
        encoded = value.removeprefix(WEBHOOK_SECRET)
        try:
            decoded = base64.b64decode(encoded, validate=True) if encoded != value else b""
        except binascii.Error:
            decoded = b""
        if len(decoded) < MIN_SECRET_CHARS:
            return (
                f"want a secret as Supabase has it: {WEBHOOK_SECRET}, then base64 of {MIN_SECRET_CHARS} bytes or more"
            )
    elif len(value) < MIN_SECRET_CHARS or not value.isascii() or not value.isprintable():
        return f"want {MIN_SECRET_CHARS} or more printable ASCII characters; make one with `openssl rand -hex 32`"
    return None


def to_row(doors: Mapping[str, HookDoor]) -> dict[str, Any]:
    """Return plain data for a row of the store."""
    return {
        name: {"mfa_required_as": door.mfa_required_as, "secrets": list(door.secrets), "options": dict(door.options)}
        for name, door in sorted(doors.items())
    }


def of_row(row: Mapping[str, Any]) -> Mapping[str, HookDoor]:
    """Read that plain data. Raises: KeyError, TypeError."""
    return MappingProxyType(
        {
            name: HookDoor(
                name, door["mfa_required_as"], tuple(door["secrets"]), MappingProxyType(dict(door["options"]))
            )
            for name, door in row.items()
        }
    )
