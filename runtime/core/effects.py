"""Fold the commands that change a session, a token or a response, beside the decision itself.

Knows what each such command does to the effects gathered so far. Must not know denials, factors or where commands
come from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runtime.core.model import Effects, TokenChanges


def apply(effects: Effects, op: str, args: dict[str, Any]) -> None:
    """Carry a command out on the effects. Raises: ValueError for one that has no rule here."""
    owner, _, name = op.partition(".")
    if owner == "session":
        if effects.session is None:
            effects.session = TokenChanges()
        _change(effects.session, name, op, args)
    elif owner == "refresh_token":
        if effects.refresh_token is None:
            effects.refresh_token = TokenChanges()
        _change(effects.refresh_token, name, op, args)
    elif op == "saml_response.set_attribute":
        effects.saml_response.setdefault("attributes", {})[args["attribute"]] = args["value"]
    elif owner == "saml_response" and name.startswith("set_"):
        effects.saml_response[name[4:]] = args["value"]
    elif op == "access_token.add_scope":
        effects.scopes[args["scope"]] = True
    elif op == "access_token.remove_scope":
        effects.scopes[args["scope"]] = False
    elif op == "transaction.set_metadata":
        effects.transaction_metadata[args["key"]] = args["value"]
    elif op == "authentication.set_primary_user":
        # The sandbox refuses a second one at the call; one that comes here in spite of that changes nothing.
        effects.primary_user_id = effects.primary_user_id or args["primary_user_id"]
    elif op == "authentication.record_method":
        if args["provider_url"] not in effects.recorded_methods:
            effects.recorded_methods.append(args["provider_url"])
    else:
        raise ValueError(f"no fold rule for command {op!r}")


def _change(changes: TokenChanges, name: str, op: str, args: dict[str, Any]) -> None:
    if name == "set_metadata":
        changes.metadata[args["key"]] = args["value"]
    elif name == "delete_metadata":
        changes.metadata[args["key"]] = None
    elif name == "evict_metadata":
        changes.evict_metadata = True
        changes.metadata.clear()
    elif name == "set_expires_at":
        changes.expires_at_ms = _earliest(changes.expires_at_ms, args["expires_at"])
    elif name == "set_idle_expires_at":
        changes.idle_expires_at_ms = _earliest(changes.idle_expires_at_ms, args["expires_at"])
    elif name == "set_cookie_mode":
        changes.cookie_mode = args["mode"]
    elif name == "revoke":
        changes.revoked = True
        changes.preserve_refresh_tokens = args.get("preserve_refresh_tokens", False)
    else:
        raise ValueError(f"no fold rule for command {op!r}")


def _earliest(old_ms: int, new_ms: int) -> int:
    # Source: post-login reference, 2.8 and 2.9.
    return min(old_ms, new_ms) if old_ms else new_ms


def of_denied(effects: Effects | None) -> Effects | None:
    """Return what is left of the effects when the login is refused: what does not wait for tokens to be issued."""
    if effects is None or not (effects.session or effects.refresh_token or effects.transaction_metadata):
        return None
    return replace(effects, scopes={}, primary_user_id="", recorded_methods=[], saml_response={})
