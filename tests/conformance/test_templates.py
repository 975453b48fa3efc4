"""The template gallery: actions that an author can copy as they are.

What they decide is in `cases/templates`; here is what all of them have in common.
"""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from runtime import local
from runtime.catalog import directory
from sandbox import stubgen
from tests.conformance import case_files

GALLERY = case_files.TEMPLATES
SOURCES = sorted(GALLERY.glob("*/actions/*.py"))


def test_the_gallery_can_be_applied() -> None:
    """Every tenant file is valid, and every action compiles in a locked-down worker."""
    found = directory.load(GALLERY, local.run_sync_check)
    assert len(found) >= 30


def test_the_actions_satisfy_a_strict_type_checker(tmp_path: Path) -> None:
    """All of them at once, against the stubs that authors use."""
    flags = ["--strict", "--config-file=", f"--cache-dir={tmp_path}"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, *map(str, SOURCES)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(stubgen.STUB.parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_any_of_them_fit_into_one_tenant() -> None:
    """No two actions have the same name."""
    assert [name for name, count in Counter(path.stem for path in SOURCES).items() if count > 1] == []


def test_every_action_is_bound() -> None:
    """A template holds no draft."""
    bound = {(name, b.action) for name, found in case_files.templates().items() for b in found.flow.bindings}
    assert {(path.parents[1].name, path.stem) for path in SOURCES} == bound


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_action_says_what_it_is(path: Path) -> None:
    """Its docstring tells the secrets it wants and the example it comes from."""
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    sentences = " ".join(said.split())
    assert re.search(r"^Source: post-login examples, ", said, re.MULTILINE)
    wanted = set(re.findall(r'event\.secrets(?:\["|\.get\(")([A-Z_]+)', path.read_text()))
    assert wanted == set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", said.partition("Secrets:")[2])), said
    assert wanted or "ants no secrets" in sentences


def test_the_index_lists_every_template() -> None:
    """README.md has a row for each folder, and for nothing else."""
    rows = re.findall(r"^\| \[`([a-z-]+)`\]\(\1\) \|", (GALLERY / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(case_files.templates())
