"""The OpenAPI document: valid, what the protos say, and what the JSON really looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from vestibule.v1 import runtime_service_pb2

from tests.deploy_scripts import openapi
from tests.unit.test_json_request import of_kind

DOCUMENT: dict[str, Any] = json.loads(openapi.TARGET.read_text(encoding="utf-8"))


def faults(name: str, value: Any) -> list[str]:
    """Say in what JSON data differs from a schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def test_the_document_is_valid() -> None:
    """A validator of OpenAPI 3.1 finds nothing, and each method of the service but the stream has its path."""
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []
    service = runtime_service_pb2.DESCRIPTOR.services_by_name["ActionRuntimeService"]
    assert [*DOCUMENT["paths"]] == [
        f"/{service.full_name}/{method.name}" for method in service.methods if not method.client_streaming
    ]


def test_the_document_is_what_the_protos_say() -> None:
    """`make proto` would write the same, comments included."""
    assert openapi.main(["--check"]) == 0
    request = DOCUMENT["components"]["schemas"]["ExecutePostLoginRequest"]
    assert request["required"] == ["tenantId"]
    assert request["description"]
    assert all(member.get("description") for member in request["properties"].values())


KINDS = ("ExecutePostLoginRequest", "ContinuePostLoginRequest", "ExecutePostLoginResponse")


@pytest.mark.parametrize("name", KINDS)
def test_what_the_api_writes_is_what_the_document_says(name: str) -> None:
    """Any message in JSON fits its schema; a member of the wrong kind does not."""

    @given(of_kind(f"vestibule.v1.{name}"))
    def fits(message: Message) -> None:
        value = json_format.MessageToDict(message)
        if "tenantId" in DOCUMENT["components"]["schemas"][name].get("required", ()):
            value |= {"tenantId": "acme"}
        if "continuation" in DOCUMENT["components"]["schemas"][name].get("required", ()):
            value |= {"continuation": "AA=="}
        assert faults(name, value) == []

    fits()
    assert faults(name, {"tenantId": "acme", "continuation": "AA==", "requestId": 5})


def test_control_what_is_required_is() -> None:
    """Control: a request without its tenant, and one with an unknown factor, do not fit."""
    assert faults("ExecutePostLoginRequest", {"requestId": "r"})
    assert faults("ContinuePostLoginRequest", {"tenantId": "a", "continuation": "AA==", "completed": ["X"]})
