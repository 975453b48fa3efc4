"""Checks in real workers: what stands outside of functions is run once, held like a login; findings in each format."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runtime.cli import main
from runtime.config.sections import LogConfig
from runtime.findings import Source
from runtime.offline import check
from runtime.ops import log
from runtime.workers.launch import Hold

HEAD = "def on_execute_post_login(event, api):\n    print(event.user.email)\n"
# What stands outside of functions -> words of the finding.
HELD = {
    "an endless loop": ("while True:\n    pass\n", "budget"),
    "memory": ("x = ['x' * 1000000 for _ in range(100000)]\n", "memory"),
    "an exception": ("LIMIT = int('ten')\n", "ValueError"),
    "deep recursion": ("def f():\n    f()\n\nf()\n", "RecursionError"),
}


def test_code_outside_of_functions_is_held() -> None:
    """What does not end, takes all memory or raises is a fault of its action; the others of its tenant are checked."""
    sources = [Source(name, text + HEAD, "acme") for name, (text, _) in HELD.items()]
    sources.append(Source("misspelt", HEAD.replace("email", "emial"), "acme"))
    found = check.findings(sources)
    for name, (_, words) in HELD.items():
        (finding,) = [one for one in found if one.where.startswith(f"{name}:")]
        assert (finding.code, words in finding.message) == ("module-body", True), finding
    assert [(one.where, one.code) for one in found if one.where.startswith("misspelt:")] == [
        ("misspelt:2:22", "unknown-member")
    ]


def test_control_the_same_code_ends_elsewhere() -> None:
    """Control: code that ends, in the same place, is no finding; no function of an action is called."""
    text = "LIMIT = sum(range(10))\n\n" + HEAD + "    raise OSError  # vestibule: allow raise-to-deny a control\n"
    assert check.findings([Source("fine", text, "acme"), Source("other", text, "bank")]) == []


def test_a_mistake_in_the_check_says_nothing_against_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the check itself fails, or kills its worker, an action is not inspected, its body is; the log says so."""
    honest, root = Hold.of, str(Path(__file__).resolve().parents[2])
    monkeypatch.setattr(Hold, "of", lambda config: replace(honest(config), entry="tests.faulty_check", path=(root,)))
    lines = io.StringIO()
    sources = {
        "raises": HEAD + "# look: raises\n",
        "dies": HEAD + "# look: dies\n",
        "and fails": "LIMIT = int('ten')\n" + HEAD + "# look: raises\n",
        "warns": HEAD + "    return 1\n",
    }
    found = check.findings(
        [Source(f"/x/{name}", text, "acme") for name, text in sources.items()],
        log.build(LogConfig(level="warning", format="json"), lines),
    )
    codes = [(one.where, one.code) for one in found]
    assert codes == [
        ("/x/raises:1:1", "not-inspected"),
        ("/x/dies:1:1", "not-inspected"),
        ("/x/and fails:1:1", "not-inspected"),
        ("/x/and fails:1:1", "module-body"),
        ("/x/warns:3:5", "returned-value"),
    ]
    assert "a mistake in the check itself (KeyError at tests/faulty_check.py:" in found[0].message
    assert "print" not in found[0].message
    assert "killed its worker" in found[1].message
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert {(line["event"], line["tenant"], line["where"]) for line in said} == {
        ("check.unfinished", "acme", f"{name}:1:1") for name in ("raises", "dies", "and fails")
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two actions with findings, one that is fine, one file that is none, and one that is not text."""
    made: Path = tmp_path_factory.mktemp("actions")
    (made / "typo.py").write_text(HEAD.replace("email", "emial"))
    (made / "warned.py").write_text(HEAD + "    return 1\n")
    (made / "fine.py").write_text(HEAD)
    (made / "latin.py").write_bytes(b"# caf\xe9\n" + HEAD.encode())
    return made


def checked(folder: Path, form: str, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str, str]:
    files = [str(folder / name) for name in ("latin.py", "typo.py", "warned.py", "fine.py")]
    code = main.main(["check", *files, "--format", form, *flags])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_each_format_has_every_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read hides no finding of the others; file, line, column and end stand apart."""
    code, out, err = checked(folder, "text", capsys)
    assert code == 3
    assert f"{folder}/typo.py:2:22: event.user has no attribute 'emial'; did you mean 'email'? [unknown-member]" in out
    assert "    2 |     print(event.user.emial)\n      |                      ^^^^^" in out
    assert f"warning: {folder}/warned.py:3:5: " in err
    assert "latin.py:" in err
    assert "is not UTF-8; save the file as UTF-8" in err

    _, out, _ = checked(folder, "json", capsys)
    found = json.loads(out)
    (typo,) = [one for one in found["faults"] if one["code"] == "unknown-member"]
    assert (typo["file"], typo["line"], typo["column"]) == (f"{folder}/typo.py", 2, 22)
    assert (typo["end_line"], typo["end_column"], typo["severity"]) == (2, 27, "error")
    assert [one["code"] for one in found["warnings"]] == ["returned-value"]
    assert not found["ok"]

    _, out, _ = checked(folder, "github", capsys)
    assert f"::error file={folder}/typo.py,line=2,col=22,endLine=2,endColumn=27,title=unknown-member::event.user" in out
    assert f"::warning file={folder}/warned.py,line=3," in out

    _, out, _ = checked(folder, "sarif", capsys)
    (run,) = json.loads(out)["runs"]
    assert {result["ruleId"] for result in run["results"]} == {"unknown-member", "returned-value", "file"}
    (rule,) = [rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == "unknown-member"]
    assert rule["help"]["markdown"].startswith("### unknown-member\n")
    region = next(one for one in run["results"] if one["ruleId"] == "unknown-member")["locations"][0]
    assert region["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 22, "endLine": 2, "endColumn": 27}

    _, out, _ = checked(folder, "junit", capsys)
    (suite,) = ElementTree.fromstring(out)
    assert (suite.get("tests"), suite.get("failures")) == ("4", "2")


def test_strict_makes_a_warning_a_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning exits with 0, and with --strict with 3."""
    warned = str(folder / "warned.py")
    assert main.main(["check", warned]) == 0
    assert main.main(["check", warned, "--strict"]) == 3
    assert "returned-value" in capsys.readouterr().out
