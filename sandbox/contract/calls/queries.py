"""The calls that answer from the event and record nothing: a part of the surface table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.contract.call import Call, Param, option
from sandbox.contract.kinds import Many, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.contract.call import Moment

# Source of the limits: the post-login reference, sections 2.15 and 4.
_PAGE: Final = 50
_PAGE_MAX: Final = 100
_IDS_MAX: Final = 100
_NAMES_MAX: Final = 50
_NAME: Final = text(256, 1)


def _was_executed(_moment: Moment, _args: dict[str, Any]) -> bool:
    # There are no Rules here, so none ran.
    return False


def _held(moment: Moment, call: str) -> list[str]:
    event = moment.event
    if not event.HasField("authorization"):
        # No answer, which is not the same as no roles.
        raise ValueError(f"api.roles.{call}: the event does not say which roles the user has: no event.authorization")
    return list(event.authorization.roles)


def _roles(moment: Moment, args: dict[str, Any]) -> dict[str, Any]:
    names = _held(moment, "get_user_effective_roles")
    cursor = args.get("from_", "0")
    if not (cursor.isascii() and cursor.isdecimal()):
        raise ValueError("api.roles.get_user_effective_roles: from_ must be the `next` of an earlier answer")
    start = int(cursor)
    end = start + args.get("take", _PAGE)
    page: dict[str, Any] = {"roles": [{"name": name} for name in names[start:end]]}
    if end < len(names):
        page["next"] = str(end)
    return page


def _roles_by_names(moment: Moment, args: dict[str, Any]) -> dict[str, Any]:
    held = set(_held(moment, "get_user_effective_roles_by_names"))
    return {"roles": [{"name": name} for name in dict.fromkeys(args["names"]) if name in held]}


def _unknown(call: str, what: str, instead: str) -> Callable[[Moment, dict[str, Any]], Any]:
    def answer(_moment: Moment, _args: dict[str, Any]) -> Any:
        # Answering "none" would let an action that guards a group or a role wave everybody through.
        raise ValueError(f"api.{call}: the event does not carry {what}; {instead}")

    return answer


def _query(op: str, answer: Callable[[Moment, dict[str, Any]], Any], doc: str, returns: str, *params: Param) -> Call:
    return Call(op, params, doc, answer=answer, returns=returns)


_BY_NAMES: Final = "ask api.roles.get_user_effective_roles_by_names"
_GROUPS: Final = "read what the gateway put into event.user.app_metadata"
_TAKE = option("take", whole(1, _PAGE_MAX), f"How many at most; {_PAGE} by default.")
_FROM = option("from_", text(64, 1), "The `next` of the answer before.")

QUERY_CALLS: Final[tuple[Call, ...]] = (
    _query(
        "rules.was_executed",
        _was_executed,
        "Did this Rule run? There are no Rules here: never.",
        "bool",
        Param("rule_id", _NAME, doc="Id of a Rule."),
    ),
    _query(
        "roles.get_user_effective_roles",
        _roles,
        "The roles of the user as `event.authorization.roles` names them: `{'roles': [{'name': ...}], 'next': ...}`.",
        "dict[str, Any]",
        _TAKE,
        _FROM,
    ),
    _query(
        "roles.get_user_effective_roles_by_names",
        _roles_by_names,
        "Those of the named roles that the user has: `{'roles': [{'name': ...}]}`.",
        "dict[str, Any]",
        Param("names", Many(_NAME, _NAMES_MAX), doc="Names of roles."),
    ),
    _query(
        "roles.get_user_effective_roles_by_ids",
        _unknown("roles.get_user_effective_roles_by_ids", "ids of roles", _BY_NAMES),
        "Always raises: the event names roles, it does not carry their ids.",
        "dict[str, Any]",
        Param("ids", Many(_NAME, _IDS_MAX), doc="Ids of roles."),
    ),
    _query(
        "groups.get_user_groups",
        _unknown("groups.get_user_groups", "groups", _GROUPS),
        "Always raises: the event carries no groups.",
        "dict[str, Any]",
        _TAKE,
        _FROM,
    ),
    _query(
        "groups.has_group_membership",
        _unknown("groups.has_group_membership", "groups", _GROUPS),
        "Always raises: the event carries no groups.",
        "dict[str, Any]",
        Param("groups", Many(_NAME, _IDS_MAX), doc="Ids or names of groups."),
    ),
)
