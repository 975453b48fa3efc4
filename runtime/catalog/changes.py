"""What is different between two versions of a tenant's flow, in words for the operator who applies it.

Knows flows and settings. Must not know the store. Names secrets and never quotes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from runtime.catalog.base import Binding, Flow
from runtime.core.model import Settings

# Settings as tenant.yaml names them.
_KEYS = {"experience": "login_experience"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `what` is action, order, setting or secret; `how` says what happened to it."""

    what: str
    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.what} {self.name}: {self.how}"


def changes(old: Flow, new: Flow) -> tuple[Change, ...]:
    """List what is different: settings, then actions, their order, and names of secrets."""
    return (
        *_settings(old.settings, new.settings),
        *_actions(old.bindings, new.bindings),
        *_secrets(old.secrets, new.secrets),
    )


def _settings(old: Settings, new: Settings) -> Iterable[Change]:
    for declared in fields(Settings):
        before, after = getattr(old, declared.name), getattr(new, declared.name)
        if before != after:
            yield Change(
                "setting", _KEYS.get(declared.name, f"mfa.{declared.name}"), f"{_text(before)} -> {_text(after)}"
            )


def _actions(old: tuple[Binding, ...], new: tuple[Binding, ...]) -> Iterable[Change]:
    before, after = ({binding.action: binding for binding in bindings} for bindings in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Change("action", name, "added" if name in after else "removed")
            continue
        was, is_ = before[name], after[name]
        if was.revision != is_.revision:
            yield Change("action", name, "another source")
        if was.on_error is not is_.on_error:
            yield Change("action", name, f"on_error {_text(was.on_error)} -> {_text(is_.on_error)}")
        if was.timeout_us != is_.timeout_us:
            yield Change("action", name, f"timeout_ms {_milliseconds(was)} -> {_milliseconds(is_)}")
    kept = [[name for name in one if name in other] for one, other in ((before, after), (after, before))]
    if kept[0] != kept[1]:
        yield Change("order", "flows.post_login", ", ".join(after))


def _secrets(old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]) -> Iterable[Change]:
    before, after = (
        {f"{action}.{name}": value for action, named in secrets.items() for name, value in named.items()}
        for secrets in (old, new)
    )
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            how = "added" if name not in before else "removed" if name not in after else "another value"
            yield Change("secret", name, how)


def _milliseconds(binding: Binding) -> str:
    return "the default" if binding.timeout_us is None else f"{binding.timeout_us // 1000}"


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return f"[{', '.join(str(part) for part in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
