"""The tenant that a case runs: the one beside its suite, with what the case changes of it.

Knows flows, settings and sources. Must not know events or expectations. Equal tenants are one, so that their cases
share workers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from runtime.catalog.base import Binding, Definition, Flow
from runtime.core.model import OnError, Settings
from sandbox.contract import bundle
from sandbox.contract.did_you_mean import did_you_mean

# `phone` is the reference's word for both ways to use a phone number.
_PHONE: Final = ("sms", "voice")


class Unbound(Exception):
    """A case binds an action that there is not."""


@dataclass
class CaseTenants:
    """The tenants that cases ask for."""

    own: Definition | None
    """The one beside the suites; None where the cases have actions of their own."""
    name: str
    by_content: dict[str, Definition] = field(default_factory=dict)

    def of(self, case: Mapping[str, Any]) -> Definition:
        """Return the tenant of a case. Raises: Unbound."""
        own = self.own or Definition(Flow(self.name, Settings()), {})
        sources = {binding.action: own.sources[binding.revision] for binding in own.flow.bindings}
        shared = [bundle.unpack(text).files for text in own.sources.values()]
        files = next((found for found in shared if found), {})
        inline = {name: bundle.pack(source, files) for name, source in (case.get("actions") or {}).items()}
        bindings = [self._binding(entry, own, {**sources, **inline}) for entry in self._flow(case, own)]
        sources |= inline
        secrets = {action: dict(named) for action, named in own.flow.secrets.items()}
        for action, named in (case.get("secrets") or {}).items():
            merged = {**secrets.get(action, {}), **named}
            secrets[action] = {name: value for name, value in merged.items() if value is not None}
        bound = {binding.action for binding in bindings}
        flow = replace(
            own.flow,
            settings=settings_of(case.get("settings") or {}, own.flow.settings),
            bindings=tuple(bindings),
            secrets={action: named for action, named in secrets.items() if action in bound and named},
        )
        return self._add(own, flow, {binding.revision: sources[binding.action] for binding in bindings})

    @staticmethod
    def _flow(case: Mapping[str, Any], own: Definition) -> list[Any]:
        """List the bindings of a case: its own, or the tenant's and then actions that the tenant has not."""
        if case.get("flow") is not None:
            return list(case["flow"])
        names = [binding.action for binding in own.flow.bindings]
        return [*names, *[name for name in case.get("actions") or {} if name not in names]]

    @staticmethod
    def _binding(entry: str | Mapping[str, Any], own: Definition, sources: Mapping[str, str]) -> Binding:
        given: Mapping[str, Any] = {"action": entry} if isinstance(entry, str) else entry
        action = given["action"]
        if action not in sources:
            raise Unbound(f"there is no action {action!r} in the tenant's flow{did_you_mean(action, sources, 0.6)}")
        revision = hashlib.sha256(sources[action].encode()).hexdigest()
        bound = {binding.action: binding for binding in own.flow.bindings}.get(action)
        binding = replace(bound, revision=revision) if bound is not None else Binding(action, revision)
        changed: dict[str, Any] = {}
        if "on_error" in given:
            changed["on_error"] = OnError(given["on_error"])
        if given.get("timeout_ms"):
            changed["timeout_us"] = given["timeout_ms"] * 1000
        if given.get("uses") is not None:
            changed["uses"] = tuple(sorted(set(given["uses"])))
        return replace(binding, **changed)

    def _add(self, own: Definition, flow: Flow, sources: dict[str, str]) -> Definition:
        content = repr((flow.settings, flow.bindings, sorted(flow.secrets.items())))
        known = self.by_content.get(content)
        if known is None:
            name = f"{self.name.replace('_', '-')[:50]}-{len(self.by_content)}"
            known = self.by_content[content] = replace(own, flow=replace(flow, tenant=name), sources=sources)
        return known


def settings_of(given: Mapping[str, Any], default: Settings) -> Settings:
    """Return settings with some replaced; factors and words as in a tenant.yaml."""
    changed = {name: value for name, value in given.items() if value is not None}
    if "factors" in changed:
        wide = [part for name in changed["factors"] for part in (_PHONE if name == "phone" else (name,))]
        changed["factors"] = tuple(dict.fromkeys(wide))
    kinds: dict[str, Any] = {setting.name: type(setting.default) for setting in dataclasses.fields(Settings)}
    return replace(default, **{name: kinds[name](value) for name, value in changed.items()})
