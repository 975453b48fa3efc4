"""The JSON Schema of tenant.yaml, for editors, made from the models that read it.

Knows how pydantic writes a model, and what the reader checks apart: secrets, and members that depend on each other.
Must not know files: that an action exists is the reader's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runtime.catalog import tenant_file
from runtime.core.mfa import FACTORS
from runtime.core.model import Experience, Policy

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
"""What editors read: yaml-language-server knows it in full."""

DOCS: Final[Mapping[str, str]] = {
    "tenant": "The tenant's name: a-z, 0-9 and '-'; its folder has the same.",
    "login_experience": "Which login pages the tenant uses; it decides which factors each provider offers.",
    "cache": "Where api.cache keeps its records: own, in each daemon process; shared, in the store, for all of them.",
    "mfa": "The tenant's policy of second factors, and how browsers are remembered.",
    "mfa.policy": "What is required where no action decides: never, adaptive (at low confidence) or always.",
    "mfa.factors": "The factors that the tenant has enabled; by default all but recovery-code and duo.",
    "mfa.merge": "How several multifactor.enable calls become one: the last one wins, or the strictest.",
    "mfa.none_lifts_adaptive": "May an action's enable('none') lift the adaptive policy?",
    "mfa.remember_satisfies_adaptive": "Does a remembered browser satisfy the adaptive policy, where actions allow it?",
    "mfa.step_up": "Does the PAPE class in acr_values require a factor, as the policy does?",
    "mfa.exempt_refresh": "Does the policy leave refresh token exchanges alone?",
    "mfa.remember_lifetime_h": "How many hours a browser is remembered after a challenge.",
    "mfa.remember_idle_h": "How many hours it is remembered without being seen; at most the lifetime.",
    "flows": "The actions that run, by trigger.",
    "flows.post_login": "The actions of a login, in order; at most 20.",
    "flows.post_login.action": "The name of a file actions/NAME.py.",
    "flows.post_login.on_error": "What a failed execution counts as: require_mfa, deny or continue.",
    "flows.post_login.timeout_ms": "How much processor time an execution may take, in milliseconds.",
    "flows.post_login.uses": "The groups of api that the action may call, such as multifactor; by default all.",
    "secrets": "By action, the secrets that it reads as event.secrets.NAME; at most 30 each.",
    "doors": "Hooks of other products that may ask for this tenant's logins.",
    "unused": "Actions that no flow binds on purpose.",
}
"""What an editor shows, by path; a door's section says what it is itself."""

_DOOR_DOCS: Final[Mapping[str, str]] = {
    "mfa_required_as": "What a required second factor becomes: deny, claim or native, as far as the product can.",
    "secrets": "One secret of the product's calls, or two while one is replaced.",
    "providers": "The CAS provider of a factor.",
    "fallback_provider": "The CAS provider for everything that is not a clear answer.",
    "claim": "The claim that says that a second factor is required; applications must check it.",
    "acr": "The class of authentication that counts as a second factor.",
    "max_age_s": "How old a factor may be, in seconds.",
    "login_url": "Where browsers are sent for a factor.",
    "cache_s": "For how many seconds one answer serves equal requests.",
}

_SECRET: Final[dict[str, Any]] = {
    "description": "The value, or where it comes from: {env: NAME}, {file: NAME} or {stored: NAME}.",
    "anyOf": [
        {"type": "string", "maxLength": tenant_file.MAX_SECRET_VALUE_CHARS, "pattern": r"^[^\u0000]*$"},
        *(
            {
                "type": "object",
                "properties": {source: {"type": "string"}},
                "required": [source],
                "additionalProperties": False,
            }
            for source in ("env", "file", "stored")
        ),
    ],
}


def schema() -> dict[str, Any]:
    """Return the schema of a tenant file."""
    written = inlined(tenant_file.TenantFile.model_json_schema())
    about = "A tenant of Vestibule: its policy, the actions of its flow, their secrets."
    written = {"$schema": DRAFT, "title": "tenant.yaml", **_described(written, ""), "description": about}
    properties = written["properties"]
    for name in ("flows", "mfa", "doors"):
        properties[name].pop("default", None)
    properties["mfa"]["properties"]["factors"]["anyOf"][0] |= {"uniqueItems": True}
    properties["unused"] |= {"uniqueItems": True}
    properties["flows"]["properties"]["post_login"] |= {"uniqueItems": True}
    properties["secrets"] |= {
        "propertyNames": {"pattern": f"^{tenant_file.ACTION_NAME}$"},
        "additionalProperties": {
            "type": "object",
            "maxProperties": tenant_file.MAX_SECRETS,
            "propertyNames": {"minLength": 1, "maxLength": tenant_file.MAX_SECRET_NAME_CHARS},
            "additionalProperties": _SECRET,
        },
    }
    _complete_doors(properties["doors"])
    written["allOf"] = [_can_be_met(experience) for experience in Experience]
    return written


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace every reference by what it refers to, and drop names that only repeat a key: an editor shows a text."""
    known = schema.pop("$defs", {})

    def walk(value: Any, named: bool) -> Any:
        if isinstance(value, list):
            return [walk(item, False) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            value = known[value["$ref"].rpartition("/")[2]] | {
                key: part for key, part in value.items() if key != "$ref"
            }
        kept = {key: part for key, part in value.items() if named or key != "title"}
        return {key: walk(part, not named and key in ("properties", "$defs")) for key, part in kept.items()}

    found: dict[str, Any] = walk(schema, False)
    return found


def _described(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """Give each member its text. A door's section and its members say what they are in their own model."""
    for name, member in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        if below in DOCS:
            member["description"] = DOCS[below]
        _described(member.get("items", member), below)
    return schema


def _complete_doors(doors: dict[str, Any]) -> None:
    """Say of doors what the reader checks apart."""
    for door in doors["properties"].values():
        section = door["anyOf"][0]
        door["description"] = section["description"]
        for name, member in section["properties"].items():
            member["description"] = _DOOR_DOCS[name]
        if "secrets" in section["properties"]:
            section["properties"]["secrets"] |= {"items": _DOOR_SECRET}
    doors["dependencies"] = {"cas-trigger": ["cas-policy"]}
    doors["if"] = {
        "properties": {"cas-policy": {"properties": {"mfa_required_as": {"const": "native"}}, "type": "object"}},
        "required": ["cas-policy"],
    }
    doors["then"] = {"required": ["cas-trigger"]}


_DOOR_SECRET: Final[dict[str, Any]] = {
    "description": "The value, of 16 characters or more, or {env: NAME}, {file: NAME} or {stored: N}.",
    "anyOf": [
        {"type": "string", "minLength": 16, "maxLength": tenant_file.MAX_SECRET_VALUE_CHARS},
        *_SECRET["anyOf"][1:3],
        {
            "type": "object",
            "properties": {"stored": {"type": "integer"}},
            "required": ["stored"],
            "additionalProperties": False,
        },
    ],
}


def _can_be_met(experience: Experience) -> dict[str, Any]:
    """Ask for a factor that the experience offers where the policy or a step-up requires one."""
    wanted = {"enum": [policy.value for policy in Policy if policy is not Policy.NEVER]}
    required = {
        "properties": {"mfa": {"anyOf": [_given("policy", wanted), _given("step_up", {"const": True})]}},
        "required": ["mfa"],
    }
    chosen: dict[str, Any] = {"properties": {"login_experience": {"const": experience.value}}}
    if experience is not tenant_file.TenantFile.model_fields["login_experience"].default:
        chosen["required"] = ["login_experience"]
    offered = list(FACTORS["any", experience])
    if "sms" in offered or "voice" in offered:
        offered.append("phone")
    contains = {"contains": {"enum": offered}, "type": "array"}
    factors = {"anyOf": [contains, {"type": "null"}]}
    return {
        "if": {"allOf": [chosen, required]},
        "then": {"properties": {"mfa": {"properties": {"factors": factors}}}},
    }


def _given(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: wanted}, "required": [name]}
