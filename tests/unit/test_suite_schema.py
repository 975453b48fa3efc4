"""The JSON Schema of a suite: our suites validate, and what the reader refuses by form is refused by both."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from runtime.catalog import yaml_file
from runtime.cli import main
from runtime.suites import schema
from tests.unit.test_suites import faults

ROOT = Path(__file__).resolve().parents[2]
SUITES = sorted(path for top in ("templates", "starter") for path in (ROOT / "deploy" / top).rglob("tests/*.yaml"))
SCHEMA = schema.SuiteFile.model_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

FAULTY = (
    "case: []",
    "cases: {}",
    "cases: [7]",
    "cases: [{nam: one, expect: {outcome: allow}}]",
    "cases: [{name: one, expect: {outcom: allow}}]",
    "cases: [{name: one, expect: {outcome: alow}}]",
    "cases: [{name: one, expect: {outcome: 7}}]",
    "users: [ada]",
    "seed: [1]",
    "settings: {policy: alwais}",
    "settings: {remember_idle_h: 0}",
)


def accepts(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml_file.parse("a.yaml", text, aliases=True).value))


def test_the_schema_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """It keeps the rules of its draft, and `vestibule schema suite` prints it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert main.main(["schema", "suite"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA


def test_every_suite_of_ours_validates() -> None:
    """The suites of the templates and of `init` have no fault to an editor."""
    assert len(SUITES) > 40
    for file in SUITES:
        found = VALIDATOR.iter_errors(yaml_file.parse(file.name, file.read_text(encoding="utf-8"), aliases=True).value)
        assert [error.message for error in found] == [], file


@pytest.mark.parametrize("text", FAULTY)
def test_what_the_reader_refuses_by_form_is_refused(text: str) -> None:
    """Unknown keys, other types and words that no vocabulary has."""
    assert faults(text)
    assert not accepts(text)
