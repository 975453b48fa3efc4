"""The JSON Schema of tenant.yaml: what the reader accepts validates, what it refuses by form is refused by both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.catalog import tenant_schema, yaml_file
from runtime.cli import main
from tests.unit.test_catalog_directory import REFUSED
from tests.unit.test_tenant_doors import FAULTS as DOOR_FAULTS

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for top in ("demo/tenants", "templates") for path in (ROOT / "deploy" / top).rglob("tenant.yaml"))
SCHEMA = tenant_schema.schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

READERS_ALONE = (
    "there is no file",  # other files
    "is bound twice",  # two members of different items
    "is bound at",
    "hours are more than remember_lifetime_h",  # two numbers
    "may not read the environment",  # what an operator allows
    "no folder of secrets is",
    "the key is given twice",  # YAML itself
    "not valid YAML",
    "anchors (`&name`)",
    "YAML tags",
    "want a secret as Supabase has it",  # base64
)
"""What a schema cannot say, by what the reader says of it."""
FAULTS = [*REFUSED, *((f"doors: {{{text}}}\n", wanted) for text, wanted in DOOR_FAULTS)]
OF_FORM = [text for text, wanted in FAULTS if not any(said in wanted for said in READERS_ALONE)]


def accepts(text: str) -> bool:
    """Read as the reader does, and ask the schema."""
    document = yaml_file.parse("tenant.yaml", text)
    return bool(VALIDATOR.is_valid(document.value))


def test_the_schema_is_one() -> None:
    """It keeps the rules of its own draft, refers to nothing outside, and every property has a text."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert "$ref" not in json.dumps(SCHEMA)

    def undocumented(schema: Any, path: str) -> Iterator[str]:
        for name, member in schema.get("properties", {}).items():
            if "description" not in member:
                yield f"{path}.{name}"
            for part in (member, member.get("items", {}), *member.get("anyOf", ())):
                yield from undocumented(part, f"{path}.{name}")

    assert list(undocumented(SCHEMA, "")) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_tenant_of_ours_validates(file: Path) -> None:
    """The demo's tenants and the templates have no fault to an editor."""
    document = yaml_file.parse("tenant.yaml", file.read_text(encoding="utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(document.value)] == []


def test_every_form_of_a_secret_validates() -> None:
    """A value, the three references, and those of doors."""
    assert accepts("tenant: acme\nsecrets: {geo: {A: b, B: {env: X}, C: {file: x}, D: {stored: D}}}\n")
    assert accepts(
        "tenant: acme\ndoors: {kratos: {secrets: [{env: X}, {stored: 1}], mfa_required_as: native}, authzen: {}}\n"
    )


@pytest.mark.parametrize("text", OF_FORM)
def test_what_the_reader_refuses_by_form_is_refused(text: str) -> None:
    """Each fault of the reader's own tests is a fault to an editor, but for those that a schema cannot say."""
    assert not accepts(f"tenant: acme\n{text}")


def test_what_a_schema_cannot_say_is_little() -> None:
    """Each reason is one of a fault that exists, and most faults are of form."""
    assert [said for said in READERS_ALONE if not any(said in wanted for _, wanted in FAULTS)] == []
    assert len(OF_FORM) > 0.75 * len(FAULTS)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`vestibule schema tenant` prints the schema."""
    assert main.main(["schema", "tenant"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
