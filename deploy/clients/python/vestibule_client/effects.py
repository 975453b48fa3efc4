"""Side effects as plain, frozen data: what a gateway writes, and when. Must not know steps or calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from google.protobuf import json_format, struct_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from vestibule.v1 import decision_pb2

Plain: TypeAlias = Mapping[str, Any]
"""Members as plain data. A null deletes the member."""


@dataclass(frozen=True, kw_only=True)
class SessionChanges:
    """Changes to the session; the gateway caps expiries by what is configured."""

    revoke: bool = False
    preserve_refresh_tokens: bool = False
    expires_at: datetime | None = None
    idle_expires_at: datetime | None = None
    cookie_mode: decision_pb2.CookieMode = decision_pb2.COOKIE_MODE_UNSPECIFIED
    evict_metadata: bool = False
    metadata: Plain = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RefreshTokenChanges:
    """Changes to the refresh token that is issued or exchanged."""

    revoke: bool = False
    expires_at: datetime | None = None
    idle_expires_at: datetime | None = None
    evict_metadata: bool = False
    metadata: Plain = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OnAnyOutcome:
    """What is written at once, whatever follows."""

    user_metadata: Plain = field(default_factory=dict)
    app_metadata: Plain = field(default_factory=dict)
    transaction_metadata: Plain = field(default_factory=dict)
    session: SessionChanges | None = None
    refresh_token: RefreshTokenChanges | None = None


@dataclass(frozen=True, kw_only=True)
class OnSuccess:
    """What is written when tokens are issued, and only then: after the factor if one is required."""

    id_token_claims: Plain = field(default_factory=dict)
    access_token_claims: Plain = field(default_factory=dict)
    scopes_added: tuple[str, ...] = ()
    scopes_removed: tuple[str, ...] = ()
    primary_user_id: str | None = None
    recorded_methods: tuple[str, ...] = ()
    saml_response: decision_pb2.SamlResponse | None = field(default=None, repr=False)
    """May hold a private key, so that it is in no repr."""


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return a Struct as plain data; whole numbers are ints."""
    return json_format.MessageToDict(struct)


def instant(timestamp: Timestamp) -> datetime:
    """Return an instant with its time zone."""
    return timestamp.ToDatetime(tzinfo=UTC)


def on_any_outcome(decision: decision_pb2.Decision) -> OnAnyOutcome:
    """Read what is written whatever follows."""
    said = decision.on_any_outcome
    return OnAnyOutcome(
        user_metadata=plain(said.user_metadata),
        app_metadata=plain(said.app_metadata),
        transaction_metadata=plain(said.transaction_metadata),
        session=_session(said.session) if said.HasField("session") else None,
        refresh_token=_refresh_token(said.refresh_token) if said.HasField("refresh_token") else None,
    )


def on_success(decision: decision_pb2.Decision) -> OnSuccess:
    """Read what is written when tokens are issued."""
    said = decision.on_success
    return OnSuccess(
        id_token_claims=plain(said.id_token_claims),
        access_token_claims=plain(said.access_token_claims),
        scopes_added=tuple(said.scopes_added),
        scopes_removed=tuple(said.scopes_removed),
        primary_user_id=said.primary_user_id if said.HasField("primary_user_id") else None,
        recorded_methods=tuple(said.recorded_methods),
        saml_response=said.saml_response if said.HasField("saml_response") else None,
    )


def _session(said: decision_pb2.SessionChanges) -> SessionChanges:
    return SessionChanges(
        revoke=said.revoke,
        preserve_refresh_tokens=said.preserve_refresh_tokens,
        expires_at=instant(said.expires_at) if said.HasField("expires_at") else None,
        idle_expires_at=instant(said.idle_expires_at) if said.HasField("idle_expires_at") else None,
        cookie_mode=said.cookie_mode,
        evict_metadata=said.evict_metadata,
        metadata=plain(said.metadata),
    )


def _refresh_token(said: decision_pb2.RefreshTokenChanges) -> RefreshTokenChanges:
    return RefreshTokenChanges(
        revoke=said.revoke,
        expires_at=instant(said.expires_at) if said.HasField("expires_at") else None,
        idle_expires_at=instant(said.idle_expires_at) if said.HasField("idle_expires_at") else None,
        evict_metadata=said.evict_metadata,
        metadata=plain(said.metadata),
    )
