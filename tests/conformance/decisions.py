"""Compares a decision with what a case wants, in the words of the public contract.

Knows `vestibule.v1.Decision`. Must not know where a decision comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from vestibule.v1 import decision_pb2 as pb

# Enumerations whose words have hyphens in the documentation and in tenant.yaml.
_HYPHENATED = {"Factor", "Provider", "CookieMode", "SignatureAlgorithm", "EncryptionAlgorithm"}

# Members that a case may leave out whatever they hold: it names what it is about.
_FREE = {
    "decision_id",
    "catalog_revision",
    "tenant_version",
    "wall_time",
    "contributions",
    "executions",
    "won",
    "verdicts",
    "degraded_reasons",
    "denial.reason",
    "denial.description",
    "multifactor.status",
    "multifactor.origin",
    "multifactor.challenge",
    "multifactor.choice",
    "multifactor.enroll",
    "multifactor.recovery_code_allowed",
    "multifactor.memory",
    "multifactor.records_amr",
    "multifactor.notes",
    "suspension.continuation",
    "suspension.expires_at",
    "suspension.mfa.steps.ignored",
}

# What an unset member holds.
_NOTHING: tuple[Any, ...] = (None, False, "", [], {}, 0, "unspecified", "none")

# Data of the tenant's: compared as a whole.
_STRUCTS = ("metadata", "claims", "saml_response.attributes", "fields", "vars")


def view(decision: pb.Decision) -> dict[str, Any]:
    """Return a decision as a case writes it.

    Words of enumerations are in small letters without their prefix, side effects stand beside the outcome, `won` are
    the operations that the decision follows and `verdicts` how each execution ended.
    """
    shown = _shown(decision)
    shown |= shown.pop("on_any_outcome") or _shown(pb.EffectsOnAnyOutcome())
    shown |= shown.pop("on_success") or _shown(pb.EffectsOnSuccess())
    shown["won"] = [f"{c.action} {c.operation}".strip() for c in decision.contributions if c.won]
    shown["verdicts"] = [report["verdict"] for report in shown["executions"]]
    return shown


def _shown(message: Message) -> dict[str, Any]:
    return {name: _member(message, field) for name, field in message.DESCRIPTOR.fields_by_name.items()}


def _member(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_value(field, item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        is_struct = field.message_type is not None and field.message_type.full_name == "google.protobuf.Struct"
        return {} if is_struct else None
    return _value(field, value)


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        return _word(field, value)
    if field.message_type is None:
        return value
    if isinstance(value, Struct) or field.message_type.full_name.startswith("google.protobuf."):
        return json_format.MessageToDict(value)
    return _shown(value)


def _word(field: FieldDescriptor, number: int) -> str:
    enum = field.enum_type
    assert enum is not None
    prefix = "".join(f"_{char}" if char.isupper() else char.upper() for char in enum.name).lstrip("_")
    word = enum.values_by_number[number].name.removeprefix(f"{prefix}_").lower()
    return word.replace("_", "-") if enum.name in _HYPHENATED else word


def differences(got: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield how a decision differs from what is wanted. What a case leaves out must be empty, or be free."""
    for name in wanted.keys() - got.keys():
        yield f"{path}{name} is not a member; there are {', '.join(got)}"
    for name, value in got.items():
        here = f"{path}{name}"
        if name in wanted:
            yield from _differs(value, wanted[name], here)
        elif here not in _FREE and value not in _NOTHING:
            yield f"{here} is {value!r}, and nothing is wanted"


def _differs(got: Any, wanted: Any, here: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(got, dict) and not here.endswith(_STRUCTS):
        yield from differences(got, wanted, here + ".")
    elif isinstance(wanted, list) and isinstance(got, list) and len(got) == len(wanted):
        for one, other in zip(got, wanted, strict=True):
            yield from _differs(one, other, here)
    elif isinstance(wanted, str) and wanted.endswith("*") and isinstance(got, str):
        if not got.startswith(wanted[:-1]):
            yield f"{here} is {got!r}, and {wanted!r} is wanted"
    elif got != wanted:
        yield f"{here} is {got!r}, and {wanted!r} is wanted"
