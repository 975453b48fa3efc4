"""Run cases against a gateway: play the user, and compare what the gateway did with what it must do.

Must not know how a gateway is started or what a script looks like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from vestibule_client.conformance.cases import Case
from vestibule_client.conformance.daemon import ScriptedDaemon
from vestibule_client.conformance.gateway import GatewayFault

TENANT: Final = "acme"
_STORED: Final = ("write", "remember", "forget")


class UnderTest(Protocol):
    """What a gateway is to the kit."""

    def turn(self, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Say what the user does; return what the gateway did, in order."""


@dataclass(frozen=True)
class Result:
    """A case, and what was wrong."""

    case: Case
    faults: tuple[str, ...]


def run(cases: Iterable[Case], gateway: UnderTest, daemon: ScriptedDaemon) -> Iterator[Result]:
    """Run cases one after the other. A gateway that has ended fails what is left."""
    for case in cases:
        daemon.begin(case, TENANT)
        try:
            faults = list(_play(case, gateway))
        except GatewayFault as fault:
            faults = [f"the gateway: {fault}"]
        yield Result(case, (*faults, *daemon.end()))


def _play(case: Case, gateway: UnderTest) -> Iterator[str]:
    state = ""
    for number, turn in enumerate(case.turns, 1):
        if turn.user is None:
            said: dict[str, Any] = {"login": {"tenant_id": TENANT, "event": case.event}}
        else:
            said = {"user": _with_state(turn.user, state)}
        did = [_without_state(each) for each in gateway.turn(said) if not _is_nothing(each)]
        state = next((each["state"] for each in did if "state" in each), state)
        found = list(differences(turn.gateway, did))
        if any(each.get("state") == "" for each in did):
            found.append("the address of the page has no state")
        yield from (f"turn {number}: {fault}" for fault in found)
        if found:
            return


def differences(wanted: Sequence[Mapping[str, Any]], did: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Compare in order; what is written between two other things may be written in any order."""
    wanted, did = _sorted(wanted), _sorted(did)
    for want, have in zip(wanted, did, strict=False):
        wrong = {name: have.get(name) for name, value in want.items() if have.get(name) != value}
        if wrong:
            yield f"it must {_said(want)}; it did {_said(have)}"
            return
    for want in wanted[len(did) :]:
        yield f"it must {_said(want)}; it did nothing more"
    for have in did[len(wanted) :]:
        yield f"it did {_said(have)}, which it must not"


def _sorted(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for stored, group in groupby(items, key=_is_stored):
        items_here = list(group)
        found += sorted(items_here, key=_key) if stored else items_here
    return found


def _is_stored(item: Mapping[str, Any]) -> bool:
    return "show" not in item and any(name in item for name in _STORED)


def _key(item: Mapping[str, Any]) -> str:
    return json.dumps([item.get(name) for name in _STORED])


def _is_nothing(item: Mapping[str, Any]) -> bool:
    """Say whether a write writes nothing."""
    return "write" in item and not item.get("members")


def _without_state(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the state out of a page's address, to compare the rest with what the action asked for."""
    if item.get("show") != "redirect" or not isinstance(url := item.get("url"), str):
        return item
    parts = urlsplit(url)
    pairs = parts.query.split("&") if parts.query else []
    states = [pair.removeprefix("state=") for pair in pairs if pair.startswith("state=")]
    query = "&".join(pair for pair in pairs if not pair.startswith("state="))
    return {**item, "url": urlunsplit(parts._replace(query=query)), "state": unquote(states[-1]) if states else ""}


def _with_state(user: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Let a user who comes back bring the state that the gateway gave, unless the case says another one."""
    if "returned" not in user:
        return dict(user)
    return {"returned": {"state": state, **user["returned"]}}


def _said(item: Mapping[str, Any]) -> str:
    return json.dumps(item, ensure_ascii=False, sort_keys=True)
