"""The schema of `tenant.yaml`: from text to settings, bindings and secrets, with every fault at once.

The members of `mfa` are those of core.model.Settings. Files and the store are not known here, and no action's source is
looked into.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, create_model

from runtime.catalog import door_sections, yaml_file
from runtime.catalog.base import TENANT_NAME
from runtime.catalog.hook_door import HookDoor
from runtime.catalog.secret_values import MAX_VALUE_CHARS, Secrets, Unresolved
from runtime.core.mfa import FACTORS
from runtime.core.model import FACTOR_NAMES, TOP_SETTINGS, CacheScope, Experience, OnError, Policy, Settings
from runtime.errors import Fault
from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.surface import GROUPS

ACTION_NAME: Final = r"[a-z0-9][a-z0-9_-]{0,63}"

# Limits. Source: post-login reference, section 4.
MAX_BINDINGS: Final = 20
MAX_SECRETS: Final = 30
MAX_SECRET_NAME_CHARS: Final = 128
MAX_SECRET_VALUE_CHARS: Final = MAX_VALUE_CHARS
_MOST: Final = {
    "timeout_ms": 20_000,
    # What a tenant may set. Source: MFA semantics, section 5.
    "remember_lifetime_h": 90 * 24,
    "remember_idle_h": 30 * 24,
}

# `phone` is the reference's word for both ways to use a phone number.
_PHONE: Final = ("sms", "voice")
_FACTOR_WORDS: Final = (*FACTOR_NAMES, "phone")

# How alike two words of a tenant file must be.
_LIKE: Final = 0.6


def _factor(name: str) -> str:
    if name not in _FACTOR_WORDS:
        raise ValueError
    return name


_ActionName = Annotated[str, Field(pattern=f"^{ACTION_NAME}$")]
_Factors = (
    list[Annotated[str, AfterValidator(_factor), WithJsonSchema({"type": "string", "enum": list(_FACTOR_WORDS)})]]
    | None
)


# Not written out here, because the table of calls has them.
_Group: Any = Literal[GROUPS]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _member(setting: dataclasses.Field[Any]) -> tuple[Any, Any]:
    """Return the type and default that a setting has in YAML. Of factors, None is all but recovery codes and Duo."""
    default = setting.default
    if isinstance(default, tuple):
        return _Factors, None
    if isinstance(default, Enum):
        # pydantic's strict mode would want the enum itself.
        return Annotated[type(default), Field(strict=False)], default
    if isinstance(default, bool):
        return bool, default
    return Annotated[int, Field(ge=1, le=_MOST[setting.name])], default


_MFA: Final[dict[str, Any]] = {
    setting.name: _member(setting) for setting in dataclasses.fields(Settings) if setting.name not in TOP_SETTINGS
}
MfaSection: Final = create_model("MfaSection", __base__=_Section, **_MFA)


class BindingSection(_Section):
    """One entry of `flows.post_login`."""

    action: _ActionName
    on_error: Annotated[OnError, Field(strict=False)] = OnError.REQUIRE_MFA
    timeout_ms: Annotated[int, Field(ge=1, le=_MOST["timeout_ms"])] | None = None
    uses: list[_Group] | None = None


class FlowsSection(_Section):
    """`flows`: ordered bindings by trigger."""

    post_login: Annotated[list[BindingSection], Field(max_length=MAX_BINDINGS)] = Field(default_factory=list)


class TenantFile(_Section):
    """The whole of `tenant.yaml`. Secret values are read apart, so that no message can quote one."""

    tenant: Annotated[str, Field(pattern=f"^{TENANT_NAME}$")]
    login_experience: Annotated[Experience, Field(strict=False)] = Experience.NEW
    cache: Annotated[CacheScope, Field(strict=False)] = CacheScope.OWN
    mfa: MfaSection = MfaSection()  # type: ignore[valid-type]  # made from the settings
    flows: FlowsSection = FlowsSection()
    secrets: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)
    doors: door_sections.DoorsSection = door_sections.NONE
    unused: list[_ActionName] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant file read without fault. `secrets` holds the values, whatever they came from.

    `unbound` are the actions that no flow binds and that are not listed as unused.
    """

    name: str
    settings: Settings
    bindings: list[BindingSection]
    unbound: list[str]
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    doors: Mapping[str, HookDoor]


def read(
    document: yaml_file.Document, folder: str, actions: frozenset[str], references: Secrets
) -> tuple[Tenant | None, list[Fault]]:
    """Check a document against the schema. Return the tenant, or None and every fault in the order of the file.

    `actions` are the names of the action files that exist, `references` answers `{env: NAME}` and `{file: NAME}`.
    """
    reading = _Reading(document, folder, actions, references)
    tenant = None if () in document.broken else reading.tenant()
    faults = document.ordered(reading.faults)
    return (None if faults else tenant), faults


class _Reading:
    """One document that is read, and the faults found so far.

    Names, bindings and secrets are read from the raw value, so that a fault of the schema hides none of theirs.
    """

    def __init__(self, document: yaml_file.Document, folder: str, actions: frozenset[str], references: Secrets) -> None:
        self._document = document
        self._folder = folder
        self._actions = actions
        self._references = references
        self.faults: list[Fault] = []

    def tenant(self) -> Tenant | None:
        raw = self._document.value
        try:
            parsed = TenantFile.model_validate(raw)
        except ValidationError as error:
            parsed = None
            self._explain(error)
        name = _at(raw, "tenant")
        if isinstance(name, str) and re.fullmatch(TENANT_NAME, name) and name != self._folder:
            self._fault(("tenant",), f"got {name!r} in folder {self._folder!r}; want the name of its folder")
        bound = self._bindings(_at(_at(raw, "flows"), "post_login"))
        unused = self._unused(_at(raw, "unused"), bound)
        secrets = self._secrets(_at(raw, "secrets"))
        keys = self._door_secrets(_at(raw, "doors"))
        if parsed is None:
            return None
        unbound = sorted(self._actions - bound.keys() - unused)
        door_sections.faults(parsed.doors, self._fault)
        opened = door_sections.opened(parsed.doors, keys)
        return Tenant(parsed.tenant, self._settings(parsed), parsed.flows.post_login, unbound, secrets, opened)

    def _fault(self, path: yaml_file.Path, message: str) -> None:
        self.faults.append(self._document.fault(path, message))

    def _settings(self, parsed: TenantFile) -> Settings:
        mfa: Any = parsed.mfa
        values = dict(mfa) | {"experience": parsed.login_experience, "cache": parsed.cache}
        if mfa.factors is None:
            values["factors"] = Settings().factors
        else:
            for at, name in enumerate(mfa.factors):
                if name in mfa.factors[:at]:
                    self._fault(("mfa", "factors", at), f"{name!r} is listed twice; keep one")
            wide = [part for name in mfa.factors for part in (_PHONE if name == "phone" else (name,))]
            values["factors"] = tuple(dict.fromkeys(wide))
        # A lifetime alone may be shorter than the default of the other, which is cut below.
        if "remember_idle_h" in mfa.model_fields_set and mfa.remember_idle_h > mfa.remember_lifetime_h:
            self._fault(
                ("mfa", "remember_idle_h"),
                f"{mfa.remember_idle_h} hours are more than remember_lifetime_h, {mfa.remember_lifetime_h}; "
                "give it as many or fewer",
            )
        values["remember_idle_h"] = min(mfa.remember_idle_h, mfa.remember_lifetime_h)
        settings = Settings(**values)
        offered = FACTORS["any", settings.experience]
        if (settings.policy is not Policy.NEVER or settings.step_up) and not set(offered) & set(settings.factors):
            needs, instead = f"policy {settings.policy.value!r}", "set policy to 'never'"
            if settings.policy is Policy.NEVER:
                needs, instead = "step_up", "set step_up to false"
            self._fault(
                ("mfa", "factors"),
                f"{needs} could never be met: in the {settings.experience.value} experience it needs one of "
                f"{', '.join(offered)}; add one, or {instead}",
            )
        return settings

    def _bindings(self, raw: Any) -> dict[str, int]:
        """Return where each action is bound first."""
        first: dict[str, int] = {}
        for at, entry in enumerate(raw if isinstance(raw, list) else ()):
            action = _at(entry, "action")
            if not isinstance(action, str) or not re.fullmatch(ACTION_NAME, action):
                continue
            path = ("flows", "post_login", at, "action")
            if action in first:
                place = yaml_file.dotted(("flows", "post_login", first[action]))
                self._fault(path, f"{action!r} is bound twice, first at {place}; keep one")
            first.setdefault(action, at)
            self._must_exist(path, action, "; add it or correct the name")
        return first

    def _unused(self, raw: Any, bound: Mapping[str, int]) -> set[str]:
        """Read the names of actions that are not bound on purpose."""
        listed: set[str] = set()
        for at, action in enumerate(raw if isinstance(raw, list) else ()):
            if not isinstance(action, str) or not re.fullmatch(ACTION_NAME, action):
                continue
            path = ("unused", at)
            if action in listed:
                self._fault(path, f"{action!r} is listed twice; keep one")
            elif self._must_exist(path, action, "; correct the name or remove it") and action in bound:
                place = yaml_file.dotted(("flows", "post_login", bound[action]))
                self._fault(path, f"{action!r} is bound at {place}; remove it here or there")
            listed.add(action)
        return listed

    def _must_exist(self, path: yaml_file.Path, action: str, remedy: str) -> bool:
        if action not in self._actions:
            hint = did_you_mean(action, self._actions, _LIKE)
            file = f"actions/{action}.py"
            shown = file if file.isprintable() else repr(file)
            self._fault(path, f"there is no file {shown}{remedy}{hint}")
        return action in self._actions

    def _secrets(self, raw: Any) -> dict[str, dict[str, str]]:
        """Read secrets without ever quoting a value."""
        secrets: dict[str, dict[str, str]] = {}
        for action, named in raw.items() if isinstance(raw, dict) else ():
            path: yaml_file.Path = ("secrets", action)
            self._must_exist(path, action, " to use them; correct the name or remove")
            if not isinstance(named, dict):
                continue
            if len(named) > MAX_SECRETS:
                self._fault(path, f"has {len(named)} secrets; an action may have {MAX_SECRETS}")
            values = {name: self._secret((*path, name), name, given) for name, given in named.items()}
            secrets[action] = {name: value for name, value in values.items() if value is not None}
        return secrets

    def _door_secrets(self, raw: Any) -> dict[str, tuple[str, ...]]:
        """Read the secrets of doors without ever quoting a value."""
        found: dict[str, tuple[str, ...]] = {}
        for dialect in door_sections.SECTIONS:
            listed = _at(_at(raw, dialect), "secrets")
            values = []
            for at, given in enumerate(listed if isinstance(listed, list) else ()):
                path: yaml_file.Path = ("doors", dialect, "secrets", at)
                value = self._secret_value(path, given)
                problem = None if value is None else door_sections.secret_fault(dialect, value)
                if problem is not None and not self._references.placeholders:
                    self._fault(path, problem)
                values += [] if value is None else [value]
            found[dialect] = tuple(values)
        return found

    def _secret(self, path: yaml_file.Path, name: str, given: Any) -> str | None:
        if not 0 < len(name) <= MAX_SECRET_NAME_CHARS or not name.isprintable():
            self._fault(path[:-1], f"a secret's name has 1 to {MAX_SECRET_NAME_CHARS} printable characters")
            return None
        return self._secret_value(path, given)

    def _secret_value(self, path: yaml_file.Path, given: Any) -> str | None:
        if path in self._document.broken:
            return None
        value = given
        if isinstance(given, dict):
            try:
                value = self._referred(path, given)
            except Unresolved as error:
                self._fault(path, str(error))
                return None
        if not isinstance(value, str):
            problem = f"got {_kind(value)}; want text: put it in quotes"
        elif len(value) > MAX_SECRET_VALUE_CHARS:
            problem = f"has {len(value)} characters; a secret may have {MAX_SECRET_VALUE_CHARS}"
        elif "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            problem = "holds a NUL or a character that is not Unicode text; encode it, for example as base64"
        else:
            return value
        self._fault(path, problem)
        return None

    def _referred(self, path: yaml_file.Path, given: Mapping[str, Any]) -> str:
        """Return what a reference stands for. Raises: Unresolved."""
        kind, name = next(iter(given.items()), ("", None))
        of_door = path[0] == "doors"
        if len(given) == 1 and kind == "stored" and type(name) is (int if of_door else str):
            return self._references.kept(self._folder, str(path[1]), name)
        if len(given) != 1 or kind not in ("env", "file") or not isinstance(name, str):
            stored = "{stored: 1}" if of_door else "{stored: NAME}"
            raise Unresolved(
                f"got a mapping; want text in quotes, or exactly {{env: NAME}}, {{file: NAME}} or {stored}"
            )
        read = self._references.env if kind == "env" else self._references.file
        return read(self._folder, name)

    def _explain(self, refused: ValidationError) -> None:
        """Turn pydantic's errors into faults: where, what was given, what is wanted."""
        for error in refused.errors(include_url=False, include_context=True):
            path: yaml_file.Path = tuple(error["loc"])
            if any(path[:length] in self._document.broken for length in range(len(path) + 1)):
                continue
            kind, given, context = error["type"], error["input"], error.get("ctx", {})
            got = f"got {_shown(path, given)}"
            if kind == "extra_forbidden":
                members = _SECTIONS.get(path[:-1], BindingSection).model_fields
                known = [member.alias or name for name, member in members.items()]
                hint = did_you_mean(str(path[-1]), known, _LIKE)
                message = f"unknown key; known here are {', '.join(known)}{hint}"
            elif kind == "missing":
                message = "is missing; add it"
            elif kind == "value_error" and path[0] == "doors":
                message = f"{got}; {context['error']}"
            elif kind in ("enum", "literal_error") or path[:-1] == ("mfa", "factors"):
                known = re.findall(r"'([^']*)'", context["expected"]) if "expected" in context else list(_FACTOR_WORDS)
                hint = did_you_mean(given, known, _LIKE) if isinstance(given, str) else ""
                if kind == "literal_error" and given in door_sections.WHY_NOT:
                    hint = f"; {door_sections.WHY_NOT[given]}"
                message = f"{got}; want one of {', '.join(known)}{hint}"
            elif kind == "string_pattern_mismatch":
                want = "lower-case letters, digits and hyphens" + ("" if path[0] == "tenant" else ", underscores too")
                message = f"{got}; want 1 to 64 {want}, a letter or digit first"
            elif kind == "too_short":
                message = f"has no entry; want 1 to {door_sections.MAX_SECRETS}"
            elif kind == "too_long":
                message = f"has {context['actual_length']} entries; at most {context['max_length']} are allowed"
            elif kind in ("greater_than_equal", "less_than_equal"):
                message = f"got {given}; want a whole number from 1 to {(_MOST | door_sections.MOST)[str(path[-1])]}"
            else:
                message = f"{got}; want {_WANTED.get(kind, error['msg'])}"
            self._fault(path, message)


_SECTIONS: Final[Mapping[yaml_file.Path, type[BaseModel]]] = {
    (): TenantFile,
    ("mfa",): MfaSection,
    ("flows",): FlowsSection,
    ("doors",): door_sections.DoorsSection,
    **{("doors", dialect): section for dialect, section in door_sections.SECTIONS.items()},
}
_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", type(None): "nothing"}
    return kinds.get(type(value), "a mapping")


def _shown(path: yaml_file.Path, value: Any) -> str:
    """Describe a value: its kind, and itself when it is short, scalar and no secret."""
    if path[:1] == ("secrets",) or "secrets" in path[2:3] or value is None or isinstance(value, list | dict):
        return _kind(value)
    shown = "true" if value is True else "false" if value is False else repr(value)
    return f"{_kind(value)} {shown if len(shown) <= 60 else shown[:57] + '...'}"
