"""The threat model's table of claims: the architecture's claims are in it, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "sandbox" / "README.md"
TESTS = ROOT / "tests"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")

# Architecture, section 6, in its own words.
CLAIMS = (
    "no file", "no network", "no process", "no signal", "no other tenant's memory", "no other tenant's decision",
    "no state is kept between two logins", "no secret and no event content in a log", "no unbounded cpu",
    "no unbounded memory", "no unbounded output", "no unbounded reply", "a required layer that is missing refuses",
    "`vestibule doctor` tells what is active", "it works without root in an ordinary container",
)  # fmt: skip


def rows() -> list[tuple[str, ...]]:
    """Read the table of claims: claim, layer, tests."""
    text = README.read_text(encoding="utf-8").partition("## Claims, and what shows them")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]


def defined(file: str) -> set[str]:
    """List the tests of a file; files' names are unique over all folders."""
    (path,) = TESTS.rglob(file)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_claim_names_its_layer_and_tests_that_exist(row: tuple[str, ...]) -> None:
    """Each claim has a layer that carries it, and at least one test, every one of which is there."""
    claim, layer, shown = row
    assert claim
    assert layer
    named = NAMED.findall(shown)
    assert named
    assert NAMED.sub("", shown).strip(" ,") == "", "whatever is named is a test"
    for file, test in named:
        assert test in defined(file), f"{file} has no {test}"


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_of_the_architecture_are_in_the_table(claim: str) -> None:
    """What section 6 claims is claimed here too."""
    assert [row for row in ROWS if row[0].lower().startswith(claim)], claim


def test_control_a_test_that_is_gone_is_noticed() -> None:
    """Control: a name that no file defines is not found."""
    assert "test_that_never_was" not in defined("test_threat_model.py")
    assert "test_control_a_test_that_is_gone_is_noticed" in defined("test_threat_model.py")
