"""The schema of `tenant.yaml`: from text to settings, bindings and secrets, with every fault at once.

It knows the keys, their values and the limits of one tenant. It must not know the file system or the store, and it
never looks inside an action's source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime.catalog import yaml_file
from runtime.catalog.base import TENANT_NAME
from runtime.catalog.secret_values import MAX_VALUE_CHARS, Secrets, Unresolved
from runtime.core.mfa import FACTORS
from runtime.core.model import Experience, Merge, Policy, Settings
from sandbox.contract.did_you_mean import did_you_mean

ACTION_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"

# Limits. Source: post-login reference, section 4.
MAX_BINDINGS = 20
MAX_SECRETS = 30
MAX_SECRET_NAME_CHARS = 128
MAX_SECRET_VALUE_CHARS = MAX_VALUE_CHARS
MAX_TIMEOUT_MS = 20_000
# What a tenant may set. Source: MFA semantics, section 5.
MAX_REMEMBER_LIFETIME_H = 90 * 24
MAX_REMEMBER_IDLE_H = 30 * 24

# `phone` is the reference's word for both ways to use a phone number.
_PHONE = ("sms", "voice")
# A choice may be much longer than what was meant: `last` for last_call.
_LIKE = 0.6

_ActionName = Annotated[str, Field(pattern=f"^{ACTION_NAME}$")]
_Factor = Literal[
    "push-notification",
    "sms",
    "voice",
    "otp",
    "email",
    "webauthn-roaming",
    "webauthn-platform",
    "recovery-code",
    "duo",
    "phone",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MfaSection(_Section):
    """`mfa`: what the tenant decided about second factors. Omitted factors means all but recovery codes and Duo."""

    policy: Literal["never", "adaptive", "always"] = "never"
    factors: list[_Factor] | None = None
    merge: Literal["last_call", "strictest"] = "last_call"
    none_lifts_adaptive: bool = True
    remember_satisfies_adaptive: bool = False
    step_up: bool = False
    exempt_refresh: bool = False
    remember_lifetime_h: Annotated[int, Field(ge=1, le=MAX_REMEMBER_LIFETIME_H)] = Settings().remember_lifetime_h
    remember_idle_h: Annotated[int, Field(ge=1, le=MAX_REMEMBER_IDLE_H)] = Settings().remember_idle_h


class BindingSection(_Section):
    """One entry of `flows.post_login`."""

    action: _ActionName
    on_error: Literal["require_mfa", "deny", "continue"] = "require_mfa"
    timeout_ms: Annotated[int, Field(ge=1, le=MAX_TIMEOUT_MS)] | None = None


class FlowsSection(_Section):
    """`flows`: ordered bindings by trigger."""

    post_login: Annotated[list[BindingSection], Field(max_length=MAX_BINDINGS)] = Field(default_factory=list)


class TenantFile(_Section):
    """The whole of `tenant.yaml`. Secret values are read apart, so that no message can quote one."""

    tenant: Annotated[str, Field(pattern=f"^{TENANT_NAME}$")]
    login_experience: Literal["new", "classic"] = "new"
    mfa: MfaSection = MfaSection()
    flows: FlowsSection = FlowsSection()
    secrets: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)
    unused: list[_ActionName] = Field(default_factory=list)


@dataclass(slots=True)
class Tenant:
    """A tenant file read without fault. `secrets` holds the values, whatever they came from.

    `unbound` are the actions that no flow binds and that are not listed as unused.
    """

    name: str
    settings: Settings
    bindings: list[BindingSection]
    unbound: list[str]
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)


def read(document: yaml_file.Document, folder: str, actions: frozenset[str], references: Secrets) -> Tenant | None:
    """Check a document against the schema; None, with faults in the document, when anything is wrong.

    `actions` are the names of the action files that exist, `references` answers `{env: NAME}` and `{file: NAME}`.
    """
    if () in document.broken:
        return None
    raw = document.value
    parsed = None
    try:
        parsed = TenantFile.model_validate(raw)
    except ValidationError as error:
        _explain(document, error)
    # These look at the raw value, so that a fault of the schema hides none of them.
    name = _at(raw, "tenant")
    if isinstance(name, str) and re.fullmatch(TENANT_NAME, name) and name != folder:
        document.fault(("tenant",), f"got {name!r} in folder {folder!r}; want the name of its folder")
    bound = _bindings(document, _at(_at(raw, "flows"), "post_login"), actions)
    unused = _unused(document, _at(raw, "unused"), actions, bound)
    values = partial(_value, document, folder, references)
    secrets = _secrets(document, _at(raw, "secrets"), actions, values)
    if parsed is None:
        return None
    settings = _settings(document, parsed)
    unbound = sorted(actions - bound.keys() - unused)
    return None if document.faults else Tenant(parsed.tenant, settings, parsed.flows.post_login, unbound, secrets)


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _settings(document: yaml_file.Document, parsed: TenantFile) -> Settings:
    experience = Experience(parsed.login_experience)
    policy = Policy(parsed.mfa.policy)
    listed = parsed.mfa.factors
    if listed is None:
        factors = Settings().factors
    else:
        for at, name in enumerate(listed):
            if name in listed[:at]:
                document.fault(("mfa", "factors", at), f"{name!r} is listed twice; keep one")
        wide = (part for name in listed for part in (_PHONE if name == "phone" else (name,)))
        factors = tuple(dict.fromkeys(wide))
    offered = FACTORS["any", experience]
    needs, instead = f"policy {policy.value!r}", "set policy to 'never'"
    if policy is Policy.NEVER:
        needs, instead = "step_up", "set step_up to false"
    if (policy is not Policy.NEVER or parsed.mfa.step_up) and not set(offered) & set(factors):
        document.fault(
            ("mfa", "factors"),
            f"{needs} could never be met: in the {experience.value} experience it needs one of "
            f"{', '.join(offered)}; add one, or {instead}",
        )
    mfa = parsed.mfa
    # A lifetime alone may be shorter than the default of the other, which is cut below.
    if "remember_idle_h" in mfa.model_fields_set and mfa.remember_idle_h > mfa.remember_lifetime_h:
        document.fault(
            ("mfa", "remember_idle_h"),
            f"{mfa.remember_idle_h} hours are more than remember_lifetime_h, {mfa.remember_lifetime_h}; "
            "give it as many or fewer",
        )
    return Settings(
        experience,
        policy,
        factors,
        Merge(mfa.merge),
        mfa.none_lifts_adaptive,
        mfa.step_up,
        mfa.exempt_refresh,
        mfa.remember_satisfies_adaptive,
        mfa.remember_lifetime_h,
        min(mfa.remember_idle_h, mfa.remember_lifetime_h),
    )


def _bindings(document: yaml_file.Document, raw: Any, actions: frozenset[str]) -> dict[str, int]:
    """Return where each action is bound first."""
    first: dict[str, int] = {}
    for at, entry in enumerate(raw if isinstance(raw, list) else ()):
        action = _at(entry, "action")
        if not isinstance(action, str) or not re.fullmatch(ACTION_NAME, action):
            continue
        path = ("flows", "post_login", at, "action")
        if action in first:
            place = yaml_file.dotted(("flows", "post_login", first[action]))
            document.fault(path, f"{action!r} is bound twice, first at {place}; keep one")
        first.setdefault(action, at)
        if action not in actions:
            hint = did_you_mean(action, actions, _LIKE)
            document.fault(path, f"there is no file actions/{action}.py; add it or correct the name{hint}")
    return first


def _unused(document: yaml_file.Document, raw: Any, actions: frozenset[str], bound: Mapping[str, int]) -> set[str]:
    """Read the names of actions that are not bound on purpose."""
    listed: set[str] = set()
    for at, action in enumerate(raw if isinstance(raw, list) else ()):
        if not isinstance(action, str) or not re.fullmatch(ACTION_NAME, action):
            continue
        path = ("unused", at)
        if action in listed:
            document.fault(path, f"{action!r} is listed twice; keep one")
        elif action not in actions:
            hint = did_you_mean(action, actions, _LIKE)
            document.fault(path, f"there is no file actions/{action}.py; correct the name or remove it{hint}")
        elif action in bound:
            place = yaml_file.dotted(("flows", "post_login", bound[action]))
            document.fault(path, f"{action!r} is bound at {place}; remove it here or there")
        listed.add(action)
    return listed


def _secrets(
    document: yaml_file.Document,
    raw: Any,
    actions: frozenset[str],
    value_of: Callable[[yaml_file.Path, dict[str, Any]], str | None],
) -> dict[str, dict[str, str]]:
    """Read secrets without ever quoting a value."""
    secrets: dict[str, dict[str, str]] = {}
    if not isinstance(raw, dict):
        return secrets
    for action, named in raw.items():
        path: yaml_file.Path = ("secrets", action)
        if action not in actions:
            hint = did_you_mean(action, actions, _LIKE)
            document.fault(path, f"there is no file actions/{action}.py to use them; correct the name or remove{hint}")
        if not isinstance(named, dict):
            continue
        if len(named) > MAX_SECRETS:
            document.fault(path, f"has {len(named)} secrets; an action may have {MAX_SECRETS}")
        values = secrets.setdefault(action, {})
        for name, given in named.items():
            value = _secret(document, (*path, name), name, given, value_of)
            if value is not None:
                values[name] = value
    return secrets


def _secret(
    document: yaml_file.Document,
    path: yaml_file.Path,
    name: str,
    given: Any,
    value_of: Callable[[yaml_file.Path, dict[str, Any]], str | None],
) -> str | None:
    if path in document.broken:
        return None
    if not 0 < len(name) <= MAX_SECRET_NAME_CHARS or not name.isprintable():
        document.fault(path[:-1], f"a secret's name has 1 to {MAX_SECRET_NAME_CHARS} printable characters")
        return None
    value = given
    if isinstance(given, dict):
        value = value_of(path, given)
        if value is None:
            return None
    if not isinstance(value, str):
        document.fault(path, f"got {_kind(value)}; want text: put it in quotes")
        return None
    if len(value) > MAX_SECRET_VALUE_CHARS:
        document.fault(path, f"has {len(value)} characters; a secret may have {MAX_SECRET_VALUE_CHARS}")
        return None
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        document.fault(path, "holds a NUL or a character that is not Unicode text; encode it, for example as base64")
        return None
    return value


def _value(
    document: yaml_file.Document, tenant: str, references: Secrets, path: yaml_file.Path, given: dict[str, Any]
) -> str | None:
    """Return what `{env: NAME}` or `{file: NAME}` stands for."""
    kind = next(iter(given), "")
    if len(given) != 1 or kind not in ("env", "file") or not isinstance(given[kind], str):
        document.fault(path, "got a mapping; want text in quotes, or exactly {env: NAME} or {file: NAME}")
        return None
    try:
        return references.env(tenant, given["env"]) if kind == "env" else references.file(tenant, given["file"])
    except Unresolved as error:
        document.fault(path, str(error))
        return None


def _explain(document: yaml_file.Document, error: ValidationError) -> None:
    """Turn pydantic's errors into faults: where, what was given, what is wanted."""
    for entry in error.errors(include_url=False, include_context=True):
        path: yaml_file.Path = tuple(entry["loc"])
        if any(path[:length] in document.broken for length in range(len(path) + 1)):
            continue
        kind, given, context = entry["type"], entry["input"], entry.get("ctx", {})
        if kind == "extra_forbidden":
            known = _keys(path[:-1])
            hint = did_you_mean(str(path[-1]), known, _LIKE)
            document.fault(path, f"unknown key; known here are {', '.join(known)}{hint}")
        elif kind == "missing":
            document.fault(path, "is missing; add it")
        elif kind == "literal_error":
            known = [str(value) for value in _choices(path)]
            hint = did_you_mean(given, known, _LIKE) if isinstance(given, str) else ""
            document.fault(path, f"got {_shown(path, given)}; want one of {', '.join(known)}{hint}")
        elif kind == "string_pattern_mismatch":
            want = "lower-case letters, digits and hyphens" + ("" if path[0] == "tenant" else ", underscores too")
            document.fault(path, f"got {_shown(path, given)}; want 1 to 64 {want}, a letter or digit first")
        elif kind == "too_long":
            document.fault(path, f"has {context['actual_length']} entries; at most {context['max_length']} are allowed")
        elif kind in ("greater_than_equal", "less_than_equal"):
            document.fault(path, f"got {given}; want a whole number from 1 to {_MOST[str(path[-1])]}")
        else:
            document.fault(path, f"got {_shown(path, given)}; want {_WANTED.get(kind, entry['msg'])}")


_MOST = {
    "timeout_ms": MAX_TIMEOUT_MS,
    "remember_lifetime_h": MAX_REMEMBER_LIFETIME_H,
    "remember_idle_h": MAX_REMEMBER_IDLE_H,
}
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _model(path: yaml_file.Path) -> type[BaseModel]:
    sections: dict[Any, type[BaseModel]] = {"mfa": MfaSection, "flows": FlowsSection}
    if not path:
        return TenantFile
    if path[:2] == ("flows", "post_login"):
        return BindingSection
    return sections[path[0]]


def _keys(path: yaml_file.Path) -> list[str]:
    return list(_model(path).model_fields)


def _choices(path: yaml_file.Path) -> tuple[Any, ...]:
    if path[:2] == ("mfa", "factors"):
        return get_args(_Factor)
    return get_args(_model(path[:-1]).model_fields[str(path[-1])].annotation)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _shown(path: yaml_file.Path, value: Any) -> str:
    """Describe a value: its kind, and itself when it is short, scalar and no secret."""
    if path[:1] == ("secrets",) or value is None or isinstance(value, list | dict):
        return _kind(value)
    shown = "true" if value is True else "false" if value is False else repr(value)
    return f"{_kind(value)} {shown if len(shown) <= 60 else shown[:57] + '...'}"
