"""Fold the commands that change a session, a token or a response, beside the decision itself.

It knows what each such command does to the effects gathered so far. It must not know denials, factors or where
commands come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runtime.core.model import Effects, TokenChanges
from sandbox.contract.vocabulary import SAML_MEMBERS

Rule = Callable[[Effects, dict[str, Any]], None]


def _session(effects: Effects) -> TokenChanges:
    if effects.session is None:
        effects.session = TokenChanges()
    return effects.session


def _refresh_token(effects: Effects) -> TokenChanges:
    if effects.refresh_token is None:
        effects.refresh_token = TokenChanges()
    return effects.refresh_token


def _earliest(old_ms: int, new_ms: int) -> int:
    # Source: post-login reference, 2.8 and 2.9.
    return min(old_ms, new_ms) if old_ms else new_ms


def _add_scope(effects: Effects, args: dict[str, Any]) -> None:
    effects.scopes[args["scope"]] = True


def _remove_scope(effects: Effects, args: dict[str, Any]) -> None:
    effects.scopes[args["scope"]] = False


def _revoke_session(effects: Effects, args: dict[str, Any]) -> None:
    changes = _session(effects)
    changes.revoked = True
    changes.preserve_refresh_tokens = args.get("preserve_refresh_tokens", False)


def _revoke_refresh_token(effects: Effects, args: dict[str, Any]) -> None:
    _refresh_token(effects).revoked = True


def _set_cookie_mode(effects: Effects, args: dict[str, Any]) -> None:
    _session(effects).cookie_mode = args["mode"]


def _set_transaction_metadata(effects: Effects, args: dict[str, Any]) -> None:
    effects.transaction_metadata[args["key"]] = args["value"]


def _set_primary_user(effects: Effects, args: dict[str, Any]) -> None:
    # The sandbox refuses a second one at the call; whatever comes here in spite of that changes nothing.
    effects.primary_user_id = effects.primary_user_id or args["primary_user_id"]


def _record_method(effects: Effects, args: dict[str, Any]) -> None:
    if args["provider_url"] not in effects.recorded_methods:
        effects.recorded_methods.append(args["provider_url"])


def _set_saml_attribute(effects: Effects, args: dict[str, Any]) -> None:
    effects.saml_response.setdefault("attributes", {})[args["attribute"]] = args["value"]


def _saml_setter(name: str) -> Rule:
    def set_member(effects: Effects, args: dict[str, Any]) -> None:
        effects.saml_response[name] = args["value"]

    return set_member


def _kept(group: str, of: Callable[[Effects], TokenChanges]) -> dict[str, Rule]:
    """Return the rules that sessions and refresh tokens have in common."""

    def set_expires_at(effects: Effects, args: dict[str, Any]) -> None:
        changes = of(effects)
        changes.expires_at_ms = _earliest(changes.expires_at_ms, args["expires_at"])

    def set_idle_expires_at(effects: Effects, args: dict[str, Any]) -> None:
        changes = of(effects)
        changes.idle_expires_at_ms = _earliest(changes.idle_expires_at_ms, args["expires_at"])

    def set_metadata(effects: Effects, args: dict[str, Any]) -> None:
        of(effects).metadata[args["key"]] = args["value"]

    def delete_metadata(effects: Effects, args: dict[str, Any]) -> None:
        of(effects).metadata[args["key"]] = None

    def evict_metadata(effects: Effects, args: dict[str, Any]) -> None:
        changes = of(effects)
        changes.evict_metadata = True
        changes.metadata.clear()

    return {
        f"{group}.set_expires_at": set_expires_at,
        f"{group}.set_idle_expires_at": set_idle_expires_at,
        f"{group}.set_metadata": set_metadata,
        f"{group}.delete_metadata": delete_metadata,
        f"{group}.evict_metadata": evict_metadata,
    }


RULES: dict[str, Rule] = {
    "access_token.add_scope": _add_scope,
    "access_token.remove_scope": _remove_scope,
    "session.revoke": _revoke_session,
    "session.set_cookie_mode": _set_cookie_mode,
    "refresh_token.revoke": _revoke_refresh_token,
    "transaction.set_metadata": _set_transaction_metadata,
    "authentication.set_primary_user": _set_primary_user,
    "authentication.record_method": _record_method,
    "saml_response.set_attribute": _set_saml_attribute,
    **{f"saml_response.set_{name}": _saml_setter(name) for name in SAML_MEMBERS},
    **_kept("session", _session),
    **_kept("refresh_token", _refresh_token),
}


def of_denied(effects: Effects | None) -> Effects | None:
    """Return what is left of the effects when the login is refused: the transaction is over, and no token is issued.

    The session stays, and so do the methods recorded in it. Source: MFA semantics, section 12.
    """
    if effects is None or not (effects.session or effects.refresh_token or effects.recorded_methods):
        return None
    return replace(effects, scopes={}, transaction_metadata={}, primary_user_id="", saml_response={})
