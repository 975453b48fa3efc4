"""The template gallery: actions that an author can copy as they are.

What they decide is in the suite of each; here is what all of them have in common.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import directory
from runtime.cli import main
from runtime.offline import check
from runtime.offline import run as offline
from runtime.offline.event_line import Line
from runtime.suites import values
from sandbox.authoring import stubs
from tests.conformance import case_files

GALLERY = case_files.TEMPLATES
SOURCES = sorted(GALLERY.glob("*/actions/*.py"))


def test_the_gallery_can_be_applied() -> None:
    """Every tenant file is valid, and every action compiles in a locked-down worker."""
    found = directory.load(GALLERY, check.findings)
    assert len(found.definitions) >= 30
    assert found.warnings == []


def test_the_actions_satisfy_a_strict_type_checker(tmp_path: Path) -> None:
    """All of them at once, against the stubs that authors use."""
    flags = ["--strict", "--config-file=", f"--cache-dir={tmp_path}"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, *map(str, SOURCES)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(stubs.STUB.parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def events() -> dict[str, dict[str, Any]]:
    """Return logins by what they lack: nothing, one member of the event or of one of its objects, almost everything.

    None lacks the ids of the user and the client: no action sees such an event.
    """
    whole = values.rendered(values.base("browser"), datetime.fromisoformat(values.NOW))
    ids = {"user": {"user_id": whole["user"]["user_id"]}, "client": {"client_id": whole["client"]["client_id"]}}
    found: dict[str, dict[str, Any]] = {"nothing": whole, "everything": ids}
    for name, value in whole.items():
        found[name] = {key: kept for key, kept in whole.items() if key != name}
        if name in ids:
            found[name][name] = ids[name]
        for inner in value if isinstance(value, dict) else ():
            if inner in ids.get(name, ()):
                continue
            found[f"{name}.{inner}"] = whole | {name: {key: kept for key, kept in value.items() if key != inner}}
    return found


# A token names its issuer, so there is none without one.
SIGNED = {("mfa-by-redirect", "everything")}


async def test_no_template_fails_for_want_of_a_member() -> None:
    """Whatever the event lacks, each template decides: an author who copies one needs no further test for None."""
    templates = list(case_files.templates().values())
    failed = set()
    async with offline.open_tenants(templates) as runners:
        for template, runner in zip(templates, runners, strict=True):
            text = "".join(template.sources.values())
            for lack, event in events().items():
                name = lack.rpartition(".")[2]
                read = name in text or re.sub("([A-Z])", r"_\1", name).lower() in text
                if not read and name not in ("nothing", "everything"):
                    continue
                line = Line(json.dumps({"event": event, "now": values.NOW, "seed": 1}), secrets_of=None)
                if (await runner.decision(line)).get("degraded"):
                    failed.add((template.flow.tenant, lack))
    assert failed == SIGNED


def test_every_template_is_tested_by_its_own_suite(capsys: pytest.CaptureFixture[str]) -> None:
    """`vestibule test` of the gallery: each has cases, all pass, and every line and branch of an action runs."""
    code = main.main(["test", str(GALLERY), "-o", "json", "--threshold", "100"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    failed = [case for case in found["cases"] if not case["ok"]]
    assert (code, failed, found["coverage"]["percent"]) == (0, [], 100), printed.err
    assert {Path(case["suite"]).parents[1].name for case in found["cases"]} == set(case_files.templates())


async def test_the_logins_beside_a_template_go_through_it() -> None:
    """What README.md shows: challenged, challenged again, let in."""
    folder = GALLERY / "challenge-by-context"
    (found,) = directory.load(folder).definitions
    lines = (folder / "logins.jsonl").read_text().splitlines()
    async with offline.open_tenant(found) as runner:
        outcomes = [answer["outcome"] async for answer, _ in offline.run_lines(runner, lines, action=None)]
    assert outcomes == ["OUTCOME_SUSPEND", "OUTCOME_SUSPEND", "OUTCOME_ALLOW"]


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
