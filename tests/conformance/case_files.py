"""Reads the case files: what each case runs, on which event, and the decision that it wants.

Knows the format of `cases/**/*.yaml`, which README.md beside it describes, and the template gallery. Must not know
how a case is run or compared.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime.catalog import directory
from runtime.catalog.base import Binding, Definition, Flow
from runtime.core.model import OnError, Settings
from tests.fixtures.suspensions import signed

HERE = Path(__file__).parent
CASES = HERE / "cases"
TEMPLATES = HERE.parents[1] / "deploy" / "templates"

# Eight times as fast where the library has its C part.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# When a case does not say: any instant will do, as long as it is always the same.
NOW = "2026-01-31T12:00:00Z"
_INSTANT = re.compile(r"now(?:([+-])(\d+)(ms|s|m|h|d))?")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_CORE_KEYS = {"description", "source", "settings", "facts", "executions", "decision"}
_KEYS = {"description", "source", "settings", "secrets", "actions", "flow", "base", "event", "gateway", "now"} | {
    "decision",
    "then",
}
_LEG_KEYS = {"event", "gateway", "completed", "decision"}


@dataclass(frozen=True)
class Leg:
    """One request of a gateway and the decision that it is to get. `completed` are the factors of a resumption."""

    event: dict[str, Any]
    gateway: dict[str, Any] | None
    completed: tuple[str, ...]
    decision: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One login through a tenant's flow. `now` is None when any instant will do."""

    id: str
    tenant: Definition
    legs: tuple[Leg, ...]
    now: str | None


@dataclass
class Tenants:
    """The tenants that cases ask for; equal ones are one, so that their cases share a worker."""

    by_content: dict[str, Definition] = field(default_factory=dict)

    def add(self, stem: str, flow: Flow, sources: Mapping[str, str]) -> Definition:
        """Return the tenant with this content, named after the file that first asked for it."""
        content = repr((flow.settings, flow.bindings, sorted(flow.secrets.items())))
        if content not in self.by_content:
            name = f"{stem.replace('_', '-')}-{len(self.by_content)}"
            self.by_content[content] = Definition(replace(flow, tenant=name), sources)
        return self.by_content[content]


def core() -> list[tuple[str, dict[str, Any]]]:
    """Return (id, case) of the cases that begin with executions: `cases/core`."""
    found = []
    for stem, case in _read("core"):
        assert case.keys() <= _CORE_KEYS, f"{stem}: {case.keys() - _CORE_KEYS}"
        found.append((f"{stem}: {case['description']}", case))
    return found


def logins(tenants: Tenants) -> list[Case]:
    """Return the cases that begin with an event: `cases/templates` and `cases/flows`."""
    gallery = _gallery()
    cases = []
    for stem, case in _read("templates"):
        cases.append(_case(stem, case, gallery[stem], tenants))
    for stem, case in _read("flows"):
        cases.append(_case(stem, case, None, tenants))
    return cases


def templates() -> dict[str, Definition]:
    """Return the gallery by name."""
    return _gallery()


@cache
def _gallery() -> dict[str, Definition]:
    return {found.flow.tenant: found for found in directory.load(TEMPLATES).definitions}


def of(folder: str) -> list[Path]:
    """Return the files of one kind of case."""
    return sorted((CASES / folder).glob("*.yaml"))


def _read(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in of(folder):
        for case in yaml.load(file.read_text(), LOADER):
            yield file.stem, case


def settings_of(given: Mapping[str, Any], default: Settings) -> Settings:
    """Return settings with some replaced; factors and words as in a tenant.yaml."""
    return replace(default, **{key: type(getattr(default, key))(value) for key, value in given.items()})


def _case(stem: str, case: dict[str, Any], template: Definition | None, tenants: Tenants) -> Case:
    assert case.keys() <= _KEYS, f"{stem}: {case.keys() - _KEYS}"
    tenant = _tenant(stem, case, template, tenants)
    event = _overlay(base(case.get("base", "browser")), case.get("event", {}))
    legs = [Leg(event, case.get("gateway"), (), case["decision"])]
    for leg in case.get("then", []):
        assert leg.keys() <= _LEG_KEYS, f"{stem}: {leg.keys() - _LEG_KEYS}"
        event = _overlay(event, leg.get("event", {}))
        legs.append(Leg(event, leg.get("gateway"), tuple(leg.get("completed", ())), leg["decision"]))
    return Case(f"{stem}: {case['description']}", tenant, tuple(legs), case.get("now"))


def _tenant(stem: str, case: Mapping[str, Any], template: Definition | None, tenants: Tenants) -> Definition:
    sources: dict[str, str] = dict(case.get("actions", {}))
    flow = Flow(stem, Settings())
    if template is not None:
        flow = template.flow
        assert not sources, f"{stem}: a case of a template has the template's actions"
        sources = {binding.action: template.sources[binding.revision] for binding in flow.bindings}
    bindings = flow.bindings
    if template is None or "flow" in case:
        bindings = tuple(_binding(entry, sources) for entry in case.get("flow", sources))
    secrets = {action: dict(named) for action, named in flow.secrets.items()}
    for action, named in case.get("secrets", {}).items():
        merged = {**secrets.get(action, {}), **named}
        secrets[action] = {name: value for name, value in merged.items() if value is not None}
    bound = {binding.action for binding in bindings}
    flow = replace(
        flow,
        settings=settings_of(case.get("settings", {}), flow.settings),
        bindings=bindings,
        secrets={action: named for action, named in secrets.items() if action in bound and named},
    )
    return tenants.add(stem, flow, {_sha(sources[binding.action]): sources[binding.action] for binding in bindings})


def _binding(entry: str | dict[str, Any], sources: Mapping[str, str]) -> Binding:
    given: dict[str, Any] = {"action": entry} if isinstance(entry, str) else entry
    timeout_ms: int | None = given.get("timeout_ms")
    return Binding(
        given["action"],
        _sha(sources[given["action"]]),
        OnError(given.get("on_error", "require_mfa")),
        timeout_ms * 1000 if timeout_ms else None,
    )


def _sha(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


@cache
def base(name: str) -> dict[str, Any]:
    """Return an event that cases are laid over."""
    event: dict[str, Any] = yaml.load((HERE / "events" / f"{name}.yaml").read_text(), LOADER)
    return event


def _overlay(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay members over an event: objects are merged, null removes a member, anything else replaces it."""
    merged = copy.copy(under)
    for name, value in over.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            below = merged.get(name)
            merged[name] = _overlay(below if isinstance(below, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def rendered(value: Any, now: datetime) -> Any:
    """Replace each `now`, `now-90s` or `now+1h` by that instant, as Auth0 writes it, and each `{jwt}` by a token."""
    if isinstance(value, dict):
        if value.keys() == {"jwt"}:
            return _token(value["jwt"], now)
        return {name: rendered(member, now) for name, member in value.items()}
    if isinstance(value, list):
        return [rendered(item, now) for item in value]
    moment = _instant(value, now)
    return value if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gateway(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return what a gateway knows as ProtoJSON of `vestibule.v1.GatewayContext`; a case has a decision's words."""
    shown: dict[str, Any] = rendered(dict(given), now)
    if memory := shown.get("remembered_browser"):
        memory["provider"] = f"PROVIDER_{memory['provider'].upper().replace('-', '_')}"
    return shown


def _instant(value: Any, now: datetime) -> datetime | None:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    sign, count, unit = found.groups()
    return (now + timedelta(**{_UNITS[unit]: int(sign + count)}) if unit else now).astimezone(UTC)


def _token(given: Mapping[str, Any], now: datetime) -> str:
    """Sign claims as the page does that a user was sent to; instants are seconds there."""
    claims = {}
    for name, value in given["claims"].items():
        moment = _instant(value, now)
        claims[name] = value if moment is None else int(moment.timestamp())
    return signed(claims, given["secret"])
