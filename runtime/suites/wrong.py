"""Says what is wrong with a suite: pydantic's errors as faults, in their places and with a remedy."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import ValidationError

from runtime.catalog import yaml_file
from runtime.errors import Fault
from runtime.suites import schema
from sandbox.contract.did_you_mean import did_you_mean

_LIKE: Final = 0.6
_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def explained(document: yaml_file.Document, value: Any) -> list[Fault]:
    """Hold a suite to its schema; return every fault."""
    try:
        schema.SuiteFile.model_validate(value)
    except ValidationError as refused:
        return [_fault(document, error) for error in refused.errors(include_url=False) if not _broken(document, error)]
    return []


def _broken(document: yaml_file.Document, error: Any) -> bool:
    """Is what it says of a value that could not be read?"""
    path = _path(error)
    return any(path[:length] in document.broken for length in range(len(path) + 1))


def _path(error: Any) -> yaml_file.Path:
    # pydantic writes `[key]` behind the path of a mapping's key.
    return tuple(part for part in error["loc"] if part != "[key]")


def _fault(document: yaml_file.Document, error: Any) -> Fault:
    path = _path(error)
    return document.fault(path, _message(path, error))


def _message(path: yaml_file.Path, error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    got = f"got {_shown(path, error['input'])}"
    if kind == "extra_forbidden":
        members = schema.section(path[:-1])
        known = list(members.model_fields) if members is not None else []
        return f"unknown key; known here are {', '.join(known)}{did_you_mean(str(path[-1]), known, _LIKE)}"
    if kind == "missing":
        return "is missing; add it"
    if kind in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'", context["expected"])
        given = error["input"]
        hint = did_you_mean(given, known, _LIKE) if isinstance(given, str) else ""
        return f"{got}; want one of {', '.join(known)}{hint}"
    if kind == "value_error":
        return str(context["error"]) or f"{got}; want one of the factors that a tenant.yaml can list"
    if kind == "string_pattern_mismatch":
        if path[-1:] == ("extends",):
            return f"{got}; want the name of a file beside this one, such as people.yaml"
        return f"{got}; want 1 to 64 lower-case letters, digits, hyphens and underscores, a letter or digit first"
    return f"{got}; want {_WANTED.get(kind, error['msg'].lower())}"


def _shown(path: yaml_file.Path, value: Any) -> str:
    """Describe a value: its kind, and itself when it is short and no secret."""
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", type(None): "nothing"}
    kind = kinds.get(type(value), "a mapping")
    if "secrets" in path or isinstance(value, list | dict) or value is None:
        return kind
    shown = "true" if value is True else "false" if value is False else repr(value)
    return f"{kind} {shown if len(shown) <= 60 else shown[:57] + '...'}"
