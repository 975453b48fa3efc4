"""Compares a decision with what a case wants, in the words of the public contract.

Knows `vestibule.v1.Decision`, and what is easier said of it in a word. Must not know where a decision comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from vestibule.v1 import decision_pb2 as pb

from runtime.catalog import yaml_file
from runtime.core.model import Execution

# Enumerations whose words have hyphens in the documentation and in tenant.yaml.
_HYPHENATED: Final = {"Factor", "Provider", "CookieMode", "SignatureAlgorithm", "EncryptionAlgorithm"}

SAID: Final = ("won", "verdicts", "factors", "commands", "output", "errors", "warnings")
"""Members that a case can expect beside those of a decision. Made of it, so that a case may always leave them out."""

# Members that a case may leave out whatever they hold: it names what it is about.
_FREE: Final = {
    *SAID,
    "decision_id",
    "catalog_revision",
    "tenant_version",
    "wall_time",
    "contributions",
    "executions",
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
_NOTHING: Final[tuple[Any, ...]] = (None, False, "", [], {}, 0, "unspecified", "none")

# Data of the tenant's: compared as a whole.
_STRUCTS: Final = ("metadata", "claims", "saml_response.attributes", "fields", "vars")


def view(decision: pb.Decision, executions: Sequence[Execution] = ()) -> dict[str, Any]:
    """Return a decision as a case writes it.

    Words of enumerations are in small letters without their prefix, and side effects stand beside the outcome. `won`
    are the operations that the decision follows, `verdicts` how each execution ended. `commands` are those of
    `executions`, where these are at hand.
    """
    shown = _shown(decision)
    shown |= shown.pop("on_any_outcome") or _shown(pb.EffectsOnAnyOutcome())
    shown |= shown.pop("on_success") or _shown(pb.EffectsOnSuccess())
    reports = shown["executions"]
    shown["won"] = [f"{c.action} {c.operation}".strip() for c in decision.contributions if c.won]
    shown["verdicts"] = [report["verdict"] for report in reports]
    shown["factors"] = _factors(shown)
    shown["commands"] = [{command.op: dict(command.args)} for each in executions for command in each.commands]
    shown["output"] = {report["action"]: report["output"] for report in reports if not report["earlier"]}
    shown["errors"] = {report["action"]: report["error"] for report in reports if report["error"]}
    shown["warnings"] = _warnings(shown)
    return shown


def _factors(shown: Mapping[str, Any]) -> list[Any]:
    """List what the user is asked for: the factors of a requirement, or those of each step of a suspension."""
    if shown["suspension"]:
        steps = (shown["suspension"]["mfa"] or {}).get("steps", [])
        listed = [[option["factor"] for option in step["factors"]] for step in steps]
        return listed[0] if len(listed) == 1 else listed
    required = shown["outcome"] in ("mfa_required", "mfa_required_by_token")
    factor = shown["multifactor"] or {}
    return (factor["challenge"] or factor["enroll"]) if required else []


def _warnings(shown: Mapping[str, Any]) -> list[str]:
    """List what a gateway should log of a decision."""
    steps = ((shown["suspension"] or {}).get("mfa") or {}).get("steps", [])
    ignored = [f"{each['factor']} is ignored: {each['reason']}" for step in steps for each in step["ignored"]]
    return [*shown["degraded_reasons"], *(shown["multifactor"] or {}).get("notes", []), *ignored]


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
        return words(field)[value]
    if field.message_type is None:
        return value
    if isinstance(value, Struct) or field.message_type.full_name.startswith("google.protobuf."):
        return json_format.MessageToDict(value)
    return _shown(value)


_WORDS: Final[dict[str, dict[int, str]]] = {}


def words(field: Any) -> dict[int, str]:
    """Return the words of a field's enumeration, by number."""
    enum = field.enum_type
    if enum is None:
        raise ValueError(f"{field.full_name} has no words")
    found = _WORDS.get(enum.full_name)
    if found is None:
        prefix = "".join(f"_{char}" if char.isupper() else char.upper() for char in enum.name).lstrip("_")
        named = {number: value.name.removeprefix(f"{prefix}_") for number, value in enum.values_by_number.items()}
        hyphens = enum.name in _HYPHENATED
        found = {number: (name.replace("_", "-") if hyphens else name).lower() for number, name in named.items()}
        _WORDS[enum.full_name] = found
    return found


def differences(
    got: Mapping[str, Any], wanted: Mapping[str, Any], *, exact: bool, path: yaml_file.Path = ()
) -> Iterator[tuple[yaml_file.Path, str]]:
    """Yield where and how a decision differs from what is wanted. With `exact`, what is left out must be empty."""
    for name, value in wanted.items():
        here = (*path, name)
        if name in got:
            yield from _differs(got[name], value, here, exact)
        else:
            yield here, f"{_dotted(here)} is not a member; there are {', '.join(got)}"
    for name in got if exact else ():
        here = (*path, name)
        if name not in wanted and _dotted(here) not in _FREE and got[name] not in _NOTHING:
            yield path, f"{_dotted(here)} is {got[name]!r}, and nothing is wanted"


def _differs(got: Any, wanted: Any, here: yaml_file.Path, exact: bool) -> Iterator[tuple[yaml_file.Path, str]]:
    if here[0] in SAID:
        exact = False
    if len(here) == 1 and (made := _SPECIAL.get(here[0])) is not None:
        got, wanted = made(got, wanted)
    whole = here[0] not in SAID and _dotted(here).endswith(_STRUCTS)
    if isinstance(wanted, dict) and isinstance(got, dict) and not whole:
        yield from differences(got, wanted, exact=exact, path=here)
    elif isinstance(wanted, list) and isinstance(got, list) and len(got) == len(wanted):
        for at, (one, other) in enumerate(zip(got, wanted, strict=True)):
            yield from _differs(one, other, (*here, at), exact)
    elif isinstance(wanted, str) and wanted.endswith("*") and isinstance(got, str):
        if not got.startswith(wanted[:-1]):
            yield here, f"{_dotted(here)} is {got!r}, and {wanted!r} is wanted"
    elif got != wanted:
        yield here, f"{_dotted(here)} is {got!r}, and {wanted!r} is wanted"


def _commands(got: list[dict[str, Any]], wanted: Any) -> tuple[Any, Any]:
    """Compare of each command what a case says: its operation, and perhaps some of its arguments."""
    if not isinstance(wanted, list) or len(got) != len(wanted):
        return got, wanted
    pairs = zip(got, wanted, strict=True)
    return [next(iter(command)) if isinstance(want, str) else command for command, want in pairs], wanted


def _output(got: dict[str, str], wanted: Any) -> tuple[Any, Any]:
    """Take a text for what all actions printed, in their order."""
    return ("".join(got.values()), wanted) if isinstance(wanted, str) else (got, wanted)


def _errors(got: dict[str, dict[str, Any]], wanted: Any) -> tuple[Any, Any]:
    """Take a text for an error's type and message, and an empty object for no error at all."""
    if not wanted:
        return sorted(got), []
    texts = {action for action, want in wanted.items() if isinstance(want, str)}
    found: dict[str, Any] = dict.fromkeys(wanted)
    for action, error in got.items():
        found[action] = f"{error['type']}: {error['message']}" if action in texts else error
    return found, wanted


_SPECIAL: Final[dict[str | int, Any]] = {"commands": _commands, "output": _output, "errors": _errors}


def _dotted(path: yaml_file.Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))
