"""The schema of a suite: one table, from which the reader, its messages and the editor's schema follow.

Knows the members of a suite and their types. Must not know files, or what a member leads to.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from google.protobuf.descriptor import FieldDescriptor
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from vestibule.v1 import decision_pb2 as pb

from runtime.catalog.tenant_file import ACTION_NAME, BindingSection, MfaSection
from runtime.core.model import TOP_SETTINGS, CacheScope, Experience, Settings
from runtime.suites import decisions, values
from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.surface import CALLS
from sandbox.contract.vocabulary import FACTOR_TYPES

FILE_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml"
NAMED: Final = ("users", "clients", "requests")
"""Sections of names, each of which a case can use as its user, client or request."""


class Section(BaseModel):
    """Every section: no unknown member, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _instant(value: str) -> str:
    try:
        values.moment(value, datetime.fromisoformat(values.NOW))
    except ValueError:
        raise ValueError("want an instant such as 2026-01-31T12:00:00Z, or one from the case's on, now+1h") from None
    return value


def _seed(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("want a number or text")
    return value


def _named(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("want a name of this suite, or the members themselves")
    return value


def _secrets(value: dict[str, Any]) -> dict[str, Any]:
    for name, secret in value.items():
        if secret is not None and not isinstance(secret, str):
            raise ValueError(f"{name[:60]}: want text: put it in quotes; or null for none")
    return value


_TEXT: Final = {"type": "string"}
Instant = Annotated[str, AfterValidator(_instant)]
Seed = Annotated[Any, AfterValidator(_seed), WithJsonSchema({"type": ["integer", "string"]})]
Named = Annotated[Any, AfterValidator(_named), WithJsonSchema({"type": ["string", "object"]})]
SecretValues = Annotated[
    dict[str, Any],
    AfterValidator(_secrets),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "null"]}}),
]
JsonObject = dict[str, Any]
FactorType = Literal[FACTOR_TYPES]  # type: ignore[valid-type]  # a literal of the table


# -- what is expected --------------------------------------------------------------------------------------------------


def _commands(value: Any) -> Any:
    for entry in value if isinstance(value, list) else (None,):
        op = next(iter(entry), None) if isinstance(entry, dict) and len(entry) == 1 else entry
        arguments = entry[op] if isinstance(entry, dict) and len(entry) == 1 else {}
        if not isinstance(op, str) or not isinstance(arguments, dict):
            raise ValueError("want a list of operations, `access.deny`, or of `{access.deny: {reason: x}}`")
        if op not in CALLS:
            raise ValueError(f"{op[:60]!r} is no operation of `api`{did_you_mean(op, CALLS)}")
    return value


def _output(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, dict) and all(isinstance(said, str) for said in value.values())):
        return value
    raise ValueError("want what all actions print, as text, or text by action")


def _errors(value: Any) -> Any:
    for said in value.values() if isinstance(value, dict) else (0,):
        if said is not None and not isinstance(said, str) and not (isinstance(said, dict) and said.keys() <= _ERROR):
            raise ValueError("want by action `ValueError: its message`, or `{type, message, line, file}`")
    return value


def _factors(value: Any) -> Any:
    for entry in value if isinstance(value, list) else (None,):
        for name in entry if isinstance(entry, list) else (entry,):
            if name not in _FACTOR_WORDS:
                known = ", ".join(_FACTOR_WORDS)
                raise ValueError(f"{name!r} is no factor; want a list of {known}; of several steps, a list for each")
    return value


_ERROR: Final = {"type", "message", "line", "file"}
_FACTOR_WORDS: Final = tuple(
    word for number, word in decisions.words(pb.FactorOption.DESCRIPTOR.fields_by_name["factor"]).items() if number
)
_VERDICT_FIELD: Final = pb.ExecutionReport.DESCRIPTOR.fields_by_name["verdict"]
_VERDICTS: Any = Literal[tuple(word for number, word in decisions.words(_VERDICT_FIELD).items() if number)]

_EXTRA: Final[dict[str, Any]] = {
    "won": (list[str] | None, None),
    "verdicts": (list[_VERDICTS] | None, None),
    "factors": (Annotated[Any, AfterValidator(_factors), WithJsonSchema({"type": "array"})], None),
    "commands": (Annotated[Any, AfterValidator(_commands), WithJsonSchema({"type": "array"})], None),
    "output": (Annotated[Any, AfterValidator(_output), WithJsonSchema({"type": ["string", "object"]})], None),
    "errors": (Annotated[Any, AfterValidator(_errors), WithJsonSchema({"type": "object"})], None),
    "warnings": (list[str] | None, None),
}
_SCALARS: Final = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
}
_MODELS: Final[dict[str, Any]] = {}


def _type(field: Any) -> Any:
    if field.enum_type is not None:
        kind: Any = Literal[tuple(word for number, word in decisions.words(field).items() if number)]
    elif field.message_type is None:
        kind = _SCALARS[field.cpp_type]
    elif field.message_type.full_name == "google.protobuf.Struct":
        kind = JsonObject
    elif field.message_type.full_name.startswith("google.protobuf."):
        kind = str
    else:
        kind = _model(field.message_type)
    return list[kind] if field.is_repeated else kind


def _fields(message: Any) -> dict[str, Any]:
    return {field.name: (_type(field) | None, None) for field in message.fields}


def _model(message: Any) -> Any:
    made = _MODELS.get(message.full_name)
    if made is None:
        made = _MODELS[message.full_name] = create_model(message.name, __base__=Section, **_fields(message))
    return made


def _expectation() -> Any:
    members = _fields(pb.Decision.DESCRIPTOR)
    for name in ("on_any_outcome", "on_success"):
        del members[name]
    members |= _fields(pb.EffectsOnAnyOutcome.DESCRIPTOR) | _fields(pb.EffectsOnSuccess.DESCRIPTOR)
    return create_model("ExpectSection", __base__=Section, **members, **_EXTRA)


ExpectSection: Final = _expectation()


# -- what happens ------------------------------------------------------------------------------------------------------


def _settings() -> Any:
    members: dict[str, Any] = {
        "experience": (Annotated[Experience, Field(strict=False)] | None, None),
        "cache": (Annotated[CacheScope, Field(strict=False)] | None, None),
    }
    for setting in dataclasses.fields(Settings):
        if setting.name not in TOP_SETTINGS:
            found = MfaSection.model_fields[setting.name]
            kind: Any = Annotated[(found.annotation, *found.metadata)] if found.metadata else found.annotation
            members[setting.name] = (kind | None, None)
    return create_model("SettingsSection", __base__=Section, **members)


SettingsSection: Final = _settings()


class PageSection(Section):
    """A page elsewhere, which sends the user back with a token that it signed."""

    secret: str
    claims: JsonObject = Field(default_factory=dict)
    parameter: str = "session_token"


class LegSection(Section):
    """One more request of the gateway: the user is back, or, with `begins`, another login."""

    begins: bool = False
    completed: list[FactorType] = Field(default_factory=list)
    page: PageSection | None = None
    form: JsonObject | None = None
    user: Named = None
    client: Named = None
    request: Named = None
    event: JsonObject = Field(default_factory=dict)
    gateway: JsonObject | None = None
    now: Instant | None = None
    expect: ExpectSection  # type: ignore[valid-type]  # made from the decision


def _binding(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(ACTION_NAME, value):
        return value
    if not isinstance(value, dict) or not value.keys() <= BindingSection.model_fields.keys():
        raise ValueError(f"want an action's name, or {{{', '.join(BindingSection.model_fields)}}}")
    return BindingSection.model_validate(value).model_dump(exclude_unset=True)


Bindings = list[Annotated[Any, AfterValidator(_binding), WithJsonSchema({"type": ["string", "object"]})]]


class SharedSection(Section):
    """What a suite may say for all of its cases, and each case for itself."""

    base: Literal[values.BASES] | None = None  # type: ignore[valid-type]  # a literal of the table
    now: Instant | None = None
    seed: Seed = None
    settings: SettingsSection | None = None  # type: ignore[valid-type]  # made from the settings
    secrets: dict[str, SecretValues] = Field(default_factory=dict, repr=False)
    gateway: JsonObject | None = None
    actions: dict[Annotated[str, Field(pattern=f"^{ACTION_NAME}$")], str] = Field(default_factory=dict)
    flow: Bindings | None = None
    exact: bool | None = None


class CaseSection(SharedSection):
    """One case: a login, what is expected of it, and what follows."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: str | None = None
    extends: str | None = None
    user: Named = None
    client: Named = None
    request: Named = None
    event: JsonObject = Field(default_factory=dict)
    expect: ExpectSection | None = None  # type: ignore[valid-type]  # made from the decision
    then: list[LegSection] = Field(default_factory=list)


class SuiteFile(SharedSection):
    """A whole suite."""

    extends: Annotated[str, Field(pattern=f"^{FILE_NAME}$")] | None = None
    users: dict[str, JsonObject] = Field(default_factory=dict)
    clients: dict[str, JsonObject] = Field(default_factory=dict)
    requests: dict[str, JsonObject] = Field(default_factory=dict)
    cases: list[CaseSection] = Field(default_factory=list)


def section(path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the section that stands at a path of a suite; None where there is none."""
    found: type[BaseModel] | None = SuiteFile
    for part in path:
        if isinstance(part, int):
            continue
        members: Mapping[str, Any] = found.model_fields if found is not None else {}
        found = _model_of(members[part].annotation) if part in members else None
    return found


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_of(argument)
        if found is not None:
            return found
    return None
