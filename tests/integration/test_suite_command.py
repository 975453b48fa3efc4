"""`vestibule init` and `vestibule test`: a tenant to begin with, its cases run, failures at their places."""

import json
import textwrap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from runtime.cli import main

REDIRECT = """\
def on_execute_post_login(event, api):
    token = api.redirect.encode_token(secret=event.secrets["KEY"], payload={"plan": "gold"})
    api.redirect.send_user_to("https://a.example/terms", query={"session_token": token})


def on_continue_post_login(event, api):
    claims = api.redirect.validate_token(secret=event.secrets["KEY"])
    api.user.set_app_metadata("accepted", claims["accepted"])
    api.prompt.render("ap_1", fields={"phone": "+49"}, vars={"n": 3})
"""
FORM = """\
def on_execute_post_login(event, api):
    seen = int(api.cache.get("seen").value) if api.cache.get("seen") else 0
    api.cache.set("seen", str(seen + 1))
    print("seen", seen)
    if event.stats.logins_count == 0:
        raise ValueError("no such login")
    if seen == 0:
        api.authentication.challenge_with({"type": "otp"})
"""


def tenant(root: Path, suite: str, **actions: str) -> Path:
    folder = root / "acme"
    (folder / "actions").mkdir(parents=True)
    (folder / "tests").mkdir()
    for name, source in actions.items():
        (folder / "actions" / f"{name}.py").write_text(source)
    bound = "".join(f"    - action: {name}\n" for name in actions)
    secrets = "secrets: {page: {KEY: k}}\n" if "page" in actions else ""
    (folder / "tenant.yaml").write_text(f"tenant: acme\nflows:\n  post_login:\n{bound}{secrets}")
    (folder / "tests" / "all.yaml").write_text(textwrap.dedent(suite))
    return folder


def test_what_init_makes_is_tested_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its cases pass and run every branch; it writes over nothing."""
    folder = tmp_path / "shop"
    assert main.main(["init", str(folder)]) == 0
    assert main.main(["test", str(folder), "--threshold", "100"]) == 0
    printed = capsys.readouterr()
    assert "4 cases in 1 suite passed" in printed.out
    assert json.loads((folder / ".vestibule/suite.schema.json").read_text())["properties"]["cases"]
    assert main.main(["init", str(folder)]) == 2
    assert "tenant.yaml: exists; name another folder, or move it away" in capsys.readouterr().err
    assert main.main(["init", str(tmp_path / "Not A Name")]) == 2
    assert not (tmp_path / "Not A Name").exists()


SUITE = """\
    secrets: {page: {KEY: 0123456789abcdef0123456789abcdef}}
    cases:
      - name: a page that signs, and a form
        flow: [page]
        expect: {outcome: suspend, suspension: {action: page, redirect: {url: "https://a.example/terms?*"}}}
        then:
          - page: {secret: KEY, claims: {accepted: true}}
            expect: {outcome: suspend, suspension: {prompt: {id: ap_1, vars: {n: 3}}}}
          - form: {phone: "+49 1"}
            now: now+1m
            expect: {outcome: mfa_required, errors: {page: "*"}}
      - name: two logins with one cache
        flow: [form]
        expect:
          outcome: suspend
          factors: [otp]
          commands: [cache.set, authentication.challenge_with]
          output: "seen 0\\n"
        then:
          - completed: [otp]
            expect: {outcome: allow}
          - begins: true
            now: now+10m
            expect: {outcome: allow, output: {form: "seen 1\\n"}, commands: [{cache.set: {value: "2"}}], errors: {}}
      - name: a failure
        flow: [form]
        event: {stats: {logins_count: 0}}
        expect:
          outcome: mfa_required
          verdicts: [raised]
          errors: {form: {type: ValueError, message: no such login, line: 6}}
          warnings: ["form: raised, counts as require_mfa"]
"""


def test_everything_that_can_follow_a_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page's token and a form are made for the author, the cache is kept, and each short word is compared."""
    folder = tenant(tmp_path, SUITE, page=REDIRECT, form=FORM)
    assert main.main(["test", str(folder), "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], [case["misses"] for case in found["cases"]]) == (3, [[], [], []])


WRONG = """\
    users: {ada: {user_id: u, email: ada@example.com}}
    cases:
      - {name: right, user: ada, expect: {outcome: allow}}
      - name: wrong
        user: ada
        expect:
          outcome: deny
          output: x
          commands: [access.deny]
      - {name: continues, user: ada, expect: {outcome: allow}, then: [{expect: {outcome: allow}}]}
      - {name: pages, user: ada, expect: {}, then: [{page: {secret: K}, begins: true, expect: {}}]}
"""
GATE = """\
from lib import people


def on_execute_post_login(event, api):
    if people.is_eve(event.user.email):
        api.access.deny("x")
"""
PEOPLE = "def is_eve(email):\n    if not email:\n        return False\n    return email == 'eve'\n"
SILENT = "def on_execute_post_login(event, api):\n    pass\n"


def test_failures_and_coverage_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each miss is at the place of what was wanted, for a person, a program and a pipeline."""
    folder = tenant(tmp_path, WRONG, gate=GATE)
    (folder / "lib").mkdir()
    (folder / "lib" / "people.py").write_text(PEOPLE)
    suite = folder / "tests" / "all.yaml"
    assert main.main(["test", str(folder)]) == 4
    assert capsys.readouterr().out.split("\n")[:6] == [
        f"{suite}:4:5: FAILED wrong",
        f"  {suite}:7:7: outcome is 'allow', and 'deny' is wanted",
        f"  {suite}:8:7: output is '', and 'x' is wanted",
        f"  {suite}:9:7: commands is [], and ['access.deny'] is wanted",
        "  decided: ALLOW",
        "",
    ]
    assert main.main(["test", str(suite), "-o", "junit", "--coverage"]) == 4
    root = ElementTree.fromstring(capsys.readouterr().out)
    assert (root.get("tests"), root.get("failures")) == ("4", "3")
    failures = {case.get("name"): case.findtext("failure") for case in root.iter("testcase") if len(case)}
    assert "not suspended" in str(failures["continues"])
    assert "`page`: the user was not sent to a page" in str(failures["pages"])
    assert main.main(["test", str(folder), "-o", "json", "--filter", "RIGHT", "--threshold", "90"]) == 4
    printed = capsys.readouterr()
    found: dict[str, Any] = json.loads(printed.out)
    assert found["ok"]
    gate, people = found["coverage"]["files"].values()
    assert (gate["missing_lines"], gate["missing_branches"]) == ([6], [[5, 6]])
    assert (people["missing_lines"], people["missing_branches"]) == ([3], [[2, 3]])
    assert "--threshold wants 90 %" in printed.err


def test_faulty_input_is_listed_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that are no text, too large, or named in vain: every fault at once, and nothing runs."""
    folder = tenant(tmp_path, "cass: []\n", gate=SILENT)
    tests = folder / "tests"
    (tests / "latin.yaml").write_bytes("cases: [{name: a\u00f6}]".encode("latin-1"))
    (tests / "wide.yaml").write_text("cases: []", encoding="utf-16")
    (tests / "large.yaml").write_text("cases: []\n" + "#" * (1 << 20))
    (tests / "tab.yaml").write_text("cases:\n\t- name: x\n")
    (tests / "bom.yaml").write_text("cases: []", encoding="utf-8-sig")
    assert main.main(["test", str(folder)]) == 3
    said = [line.removeprefix("vestibule: ").removeprefix(f"{tests}/") for line in capsys.readouterr().err.split("\n")]
    assert said[0].startswith("all.yaml:1:1: cass: unknown key")
    assert said[1:5] == [
        "large.yaml: is larger than 1048576 bytes, the limit; split it into several",
        "latin.yaml:1:17: byte 16 is not UTF-8; save the file as UTF-8",
        "tab.yaml:2:1: YAML is not indented by tabs; write spaces",
        "wide.yaml:1:1: is UTF-16; save the file as UTF-8",
    ]
    assert said[5] == "5 faults; nothing was done"


def test_no_case_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline whose tests are gone, or whose filter is misspelt, must not be green."""
    folder = tenant(tmp_path, "cases: []\n", gate=SILENT)
    assert main.main(["test", str(folder)]) == 2
    assert "there is no case to run; write tests/NAME.yaml" in capsys.readouterr().err
    (folder / "tests/all.yaml").write_text("cases: [{name: a, expect: {outcome: allow}}]\n")
    assert main.main(["test", str(folder), "--filter", "b c"]) == 2
    assert "no case has 'b c'" in capsys.readouterr().err
    assert main.main(["test", str(folder / "actions/gate.py")]) == 2
    assert "is no folder, and no suite" in capsys.readouterr().err
