"""Reads the golden cases of hook dialects: a genuine call, what it asks about, and the reply to each decision.

Knows the format of `doors/*.yaml`, which README.md beside it describes. Must not know how a case is run.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from vestibule.v1 import decision_pb2 as pb

from runtime.catalog.hook_door import HookDoor

HERE = Path(__file__).parent / "doors"
NAMES = sorted(path.stem for path in HERE.glob("*.yaml") if path.stem != "envoy")

_CLAIMS = {"accessTokenClaims": {"plan": "gold", "sub": "mallory"}, "idTokenClaims": {"locale": "en"}}
DECISIONS: dict[str, dict[str, Any]] = {
    "allow": {"outcome": "OUTCOME_ALLOW"},
    "allow_with_claims": {"outcome": "OUTCOME_ALLOW", "onSuccess": _CLAIMS},
    "mfa_required": {
        "outcome": "OUTCOME_MFA_REQUIRED",
        "multifactor": {"challenge": ["FACTOR_PUSH_NOTIFICATION", "FACTOR_WEBAUTHN_ROAMING", "FACTOR_OTP"]},
        "onSuccess": _CLAIMS,
    },
    "mfa_required_by_token": {
        "outcome": "OUTCOME_MFA_REQUIRED_BY_TOKEN",
        "multifactor": {"enroll": ["FACTOR_OTP"]},
        "onSuccess": _CLAIMS,
    },
    "deny": {
        "outcome": "OUTCOME_DENY",
        "denial": {"reason": "REASON_DENIED", "description": "Payroll\x00 is\u202e\nclosed.\x1b"},
    },
    "suspend": {"outcome": "OUTCOME_SUSPEND", "suspension": {"redirect": {"url": "https://elsewhere.example"}}},
    "suspend_by_token": {"outcome": "OUTCOME_SUSPEND_BY_TOKEN", "suspension": {"mfa": {"steps": [{}]}}},
}
OUTCOMES = {"allow", "mfa_required", "mfa_required_by_token", "deny", "suspend", "suspend_by_token"}


@cache
def case(name: str) -> dict[str, Any]:
    """Return a file."""
    found: dict[str, Any] = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    return found


def door(name: str, **changed: Any) -> HookDoor:
    """Return the tenant's door of a file."""
    given = {"secrets": [], "options": {}} | case(name)["door"] | changed
    return HookDoor(case(name)["dialect"], given["mfa_required_as"], tuple(given["secrets"]), given["options"])


def body(name: str, changed: dict[str, Any] | None = None) -> Any:
    """Return the decoded body of the genuine call, with members set by dotted paths."""
    value = copy.deepcopy(json.loads(case(name)["genuine"]["body"]))
    for path, new in (changed or {}).items():
        *parents, last = path.split(".")
        inner = value
        for parent in parents:
            inner = inner[parent]
        inner[last] = new
    return value


def decision(name: str) -> pb.Decision:
    """Return a decision by its name in the files."""
    return json_format.ParseDict({"decisionId": "d-1"} | DECISIONS[name], pb.Decision())
