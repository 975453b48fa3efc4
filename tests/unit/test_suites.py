"""Suites are read to complete cases, and every fault of one is listed at its place with a remedy."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog.base import Binding, Definition, Flow
from runtime.core.model import OnError, Settings
from runtime.errors import CatalogError, Fault
from runtime.suites import decisions, schema
from runtime.suites.reading import Case, SuiteReader
from runtime.suites.tenants import CaseTenants
from sandbox.contract.vocabulary import FACTOR_TYPES
from tests.deploy_scripts import pages

SOURCE = "def on_execute_post_login(event, api):\n    pass\n"
REVISION = "a" * 64
ACME = Definition(
    Flow("acme", Settings(), (Binding("gate", REVISION, OnError.DENY),), {"gate": {"KEY": "k", "OTHER": "o"}}),
    {REVISION: SOURCE},
)


def read(files: Mapping[str, str] | str, name: str = "a.yaml") -> list[Case]:
    texts = {"a.yaml": files} if isinstance(files, str) else files

    def text(file: str) -> str:
        if file not in texts:
            raise CatalogError([Fault(f"tests/{file}", "is missing")])
        return texts[file]

    return SuiteReader("tests", text, CaseTenants(ACME, "acme")).read(name)


def faults(files: Mapping[str, str] | str, name: str = "a.yaml") -> list[str]:
    with pytest.raises(CatalogError) as refused:
        read(files, name)
    return [str(fault) for fault in refused.value.faults]


def test_a_case_is_laid_over_what_it_names() -> None:
    """A user and a client are whole; a request and an event are laid over those of the base."""
    (case,) = read("""
users:
  ada: {user_id: u1, email: ada@example.com, enrolledFactors: []}
  bob: {extends: ada, user_id: u2}
requests: {office: {ip: 192.0.2.1}}
cases:
  - {name: one, user: bob, client: {client_id: c}, request: office, event: {stats: null}, expect: {outcome: allow}}
""")
    event = case.legs[0].event
    assert event["user"] == {"user_id": "u2", "email": "ada@example.com", "enrolledFactors": []}
    assert event["client"] == {"client_id": "c"}
    assert event["request"]["ip"] == "192.0.2.1"
    assert event["request"]["hostname"] == "login.example.com"
    assert "stats" not in event
    assert (case.where, case.seed, case.now, case.exact) == ("tests/a.yaml:7:5", 1, None, False)


def test_a_case_extends_another() -> None:
    """Objects are laid over those of the other case; an expectation replaces the other's; the suite's come first."""
    first, second = read("""
now: 2026-02-01T00:00:00Z
seed: 7
settings: {policy: always}
cases:
  - {name: second, extends: first, secrets: {gate: {KEY: null}}, settings: {merge: strictest}, expect: {outcome: deny}}
  - name: first
    event: {stats: {logins_count: 1}}
    secrets: {gate: {NEW: n}}
    expect: {outcome: allow, factors: []}
""")
    assert first.legs[0].event["stats"] == {"logins_count": 1}
    assert first.legs[0].expect == {"outcome": "deny"}
    assert first.tenant.flow.secrets == {"gate": {"OTHER": "o", "NEW": "n"}}
    assert second.tenant.flow.secrets == {"gate": {"KEY": "k", "OTHER": "o", "NEW": "n"}}
    settings = first.tenant.flow.settings
    assert (settings.policy.value, settings.merge.value) == ("always", "strictest")
    assert (first.seed, first.now, second.seed) == (7, "2026-02-01T00:00:00Z", 7)


def test_a_suite_extends_another_file() -> None:
    """Names and settings of the other file are this one's too; its cases are not."""
    shared = "users: {ada: {user_id: u1}, eve: {user_id: u9}}\nseed: 3\ncases: [{name: x, expect: {outcome: allow}}]\n"
    files = {"people.yaml": shared, "a.yaml": "extends: people.yaml\nusers: {ada: {user_id: u2}}\ncases:\n"
             "  - {name: one, user: ada, expect: {outcome: allow}}\n"
             "  - {name: two, user: eve, expect: {outcome: allow}}\n"}  # fmt: skip
    one, two = read(files)
    assert (one.legs[0].event["user"], two.legs[0].event["user"], one.seed) == ({"user_id": "u2"}, {"user_id": "u9"}, 3)


def test_a_flow_of_its_own() -> None:
    """A binding keeps what the tenant says of it, unless the case says otherwise; other actions come with a source."""
    (case,) = read("""
actions: {more: "def on_execute_post_login(event, api): pass"}
cases: [{name: one, flow: [more, {action: gate, timeout_ms: 50}], expect: {outcome: allow}}]
""")
    more, gate = case.tenant.flow.bindings
    assert (more.action, more.on_error, more.timeout_us) == ("more", OnError.REQUIRE_MFA, None)
    assert (gate.action, gate.on_error, gate.timeout_us) == ("gate", OnError.DENY, 50_000)


def test_equal_tenants_are_one() -> None:
    """So that their cases share a worker."""
    cases = read("cases:\n" + "".join(f"  - {{name: n{at}, expect: {{outcome: allow}}}}\n" for at in range(3)))
    assert len({id(case.tenant) for case in cases}) == 1


def test_every_fault_of_the_form_at_once() -> None:
    """Wrong keys, types and words of a whole suite, in the order of the file."""
    assert faults("""
cass: []
seed: true
now: yesterday
users: {ada: 7}
settings: {polcy: never, factors: [otpp]}
cases:
  - name: one
    usr: ada
    expect: {outcom: allow, outcome: alow, factors: [ot], commands: [multifactor.enabel], denial: {reasn: x}}
  - expect: {outcome: allow}
    then: [{completed: [otpp]}]
""") == [
        "tests/a.yaml:2:1: cass: unknown key; known here are base, now, seed, settings, secrets, gateway, actions, "
        "flow, exact, extends, users, clients, requests, cases; did you mean 'cases'?",
        "tests/a.yaml:3:1: seed: want a number or text",
        "tests/a.yaml:4:1: now: want an instant such as 2026-01-31T12:00:00Z, or one from the case's on, now+1h",
        "tests/a.yaml:5:9: users.ada: got a number 7; want a mapping",
        *faults_of_settings(),
        "tests/a.yaml:9:5: cases[0].usr: unknown key; known here are base, now, seed, settings, secrets, gateway, "
        "actions, flow, exact, name, source, extends, user, client, request, event, expect, then; did you mean 'user'?",
        *faults_of_expectations(),
        "tests/a.yaml:11:5: cases[1].name: is missing; add it",
        "tests/a.yaml:12:12: cases[1].then[0].expect: is missing; add it",
        "tests/a.yaml:12:25: cases[1].then[0].completed[0]: got text 'otpp'; want one of "
        + ", ".join(FACTOR_TYPES) + "; did you mean 'otp'?",
    ]  # fmt: skip


def faults_of_settings() -> list[str]:
    known = ", ".join(schema.SettingsSection.model_fields)
    return [
        f"tests/a.yaml:6:12: settings.polcy: unknown key; known here are {known}; did you mean 'policy'?",
        "tests/a.yaml:6:36: settings.factors[0]: got text 'otpp'; want one of the factors that a tenant.yaml can list",
    ]


def faults_of_expectations() -> list[str]:
    def known(section: Any) -> str:
        return ", ".join(section.model_fields)

    expect = schema.section(("cases", "expect"))
    denial = schema.section(("cases", "expect", "denial"))
    return [
        f"tests/a.yaml:10:14: cases[0].expect.outcom: unknown key; known here are {known(expect)}; "
        "did you mean 'outcome'?",
        "tests/a.yaml:10:29: cases[0].expect.outcome: got text 'alow'; want one of allow, mfa_required, deny, suspend, "
        "mfa_required_by_token, suspend_by_token; did you mean 'allow'?",
        "tests/a.yaml:10:44: cases[0].expect.factors: 'ot' is no factor; want a list of push-notification, sms, voice, "
        "otp, email, webauthn-roaming, webauthn-platform, recovery-code, duo, phone; of several steps, a list for each",
        "tests/a.yaml:10:59: cases[0].expect.commands: 'multifactor.enabel' is no operation of `api`; did you mean "
        "'multifactor.enable'?",
        f"tests/a.yaml:10:100: cases[0].expect.denial.reasn: unknown key; known here are {known(denial)}; "
        "did you mean 'reason'?",
    ]


def test_every_fault_of_what_cases_name() -> None:
    """Names, circles, members that no event has, and values of a wrong type."""
    assert faults("""
users: {ada: {user_id: u, emial: x}, a: {extends: b}, b: {extends: a}}
cases:
  - {name: one, user: bob, expect: {outcome: allow}}
  - {name: one, extends: thre, flow: [gat], expect: {outcome: allow}}
  - {name: three, extends: four, event: {authentication: {method: []}}}
  - {name: four, extends: three, event: {user: {email: 7}}}
""") == [
        "tests/a.yaml:2:27: users.ada.emial: is no member of event.user; did you mean email? What a provider added "
        "goes into event.user.attributes",
        "tests/a.yaml:2:59: users.b.extends: a -> b -> a is a circle; remove one `extends`",
        "tests/a.yaml:4:17: cases[0].user: there is no 'bob'; known here are ada, a, b",
        "tests/a.yaml:5:6: cases[1].name: 'one' is the name of the case on line 4 too",
        "tests/a.yaml:5:17: cases[1].extends: there is no 'thre' to extend; did you mean 'three'?",
        "tests/a.yaml:5:32: cases[1].flow: there is no action 'gat' in the tenant's flow; did you mean 'gate'?",
        "tests/a.yaml:6:5: cases[2]: expects nothing; add `expect`, for example `expect: {outcome: allow}`",
        "tests/a.yaml:6:34: cases[2].event.user.email: expected a string, got a number",
        "tests/a.yaml:6:59: cases[2].event.authentication.method: is no member of event.authentication; "
        "did you mean methods?",
        "tests/a.yaml:7:5: cases[3]: expects nothing; add `expect`, for example `expect: {outcome: allow}`",
        "tests/a.yaml:7:18: cases[3].extends: three -> four -> three is a circle; remove one `extends`",
        "tests/a.yaml:7:49: cases[3].event.user.email: expected a string, got a number",
    ]


def test_suites_that_extend_one_another_in_a_circle() -> None:
    """One fault, with the circle; a file that is not there is one too."""
    files = {"a.yaml": "extends: b.yaml\n", "b.yaml": "extends: a.yaml\n", "c.yaml": "extends: d.yaml\n"}
    assert faults(files) == ["tests/b.yaml:1:1: extends: a.yaml -> b.yaml -> a.yaml is a circle; remove one `extends`"]
    assert faults(files, "c.yaml") == ["tests/c.yaml:1:1: extends: d.yaml cannot be used: is missing"]


def test_tabs_are_listed_line_by_line() -> None:
    """All of them at once, not the parser's first."""
    assert faults("cases:\n\t- name: x\n\t  expect: {}\n") == [
        "tests/a.yaml:2:1: YAML is not indented by tabs; write spaces",
        "tests/a.yaml:3:1: YAML is not indented by tabs; write spaces",
    ]


def test_anchors_are_bounded() -> None:
    """A case may share what another says by YAML's own means, but no small file stands for a large value."""
    first, second = read("""
cases:
  - {name: one, expect: &allowed {outcome: allow}}
  - {name: two, expect: *allowed}
""")
    assert first.legs[0].expect == second.legs[0].expect
    bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"b{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 9)
    )
    (fault,) = faults(bomb)
    assert "aliases make it too deep or too large" in fault
    (fault,) = faults("cases: &a [*a]")
    assert "aliases make it too deep or too large" in fault


def test_no_fault_quotes_a_secret() -> None:
    """Its kind is enough."""
    found = faults("secrets: {gate: {KEY: 12345678}}\ncases: [{name: a, secrets: {gate: 87654321}, expect: {}}]")
    assert found == [
        "tests/a.yaml:1:11: secrets.gate: KEY: want text: put it in quotes; or null for none",
        "tests/a.yaml:2:29: cases[0].secrets.gate: got a number; want a mapping",
    ]


@pytest.mark.parametrize("text", ["", "7", "[]", "a: b: c", "cases: {}", "cases: [7]", "cases:\n- - x", "{", "\x00"])
def test_what_is_no_suite_is_refused(text: str) -> None:
    """Whatever a file holds, its author gets a fault with a place."""
    assert all(found.startswith("tests/a.yaml:") for found in faults(text))


def test_the_suites_of_the_page_are_suites() -> None:
    """The first is the beginning of what `init` writes; the other reads without a fault."""
    root = Path(__file__).resolve().parents[2]
    starter, following = pages.blocks((root / "sandbox/docs/TESTING.md").read_text(), "yaml")
    assert (root / "deploy/starter/tests/require_mfa.yaml").read_text().startswith(starter)
    cases = read(following)
    assert [len(case.legs) for case in cases] == [2, 2, 2, 2]
    assert [bool(leg.page) for leg in cases[1].legs] == [False, True]


def test_the_page_names_every_member() -> None:
    """What a suite, a case and a request may say is in the tables of the page, and so is each short word."""
    page = (Path(__file__).resolve().parents[2] / "sandbox/docs/TESTING.md").read_text()
    members = {*schema.SuiteFile.model_fields, *schema.CaseSection.model_fields, *schema.LegSection.model_fields}
    for name in (members | {*decisions.SAID}) - {"source"}:
        assert re.search(rf"^\| [^|]*`{name}`|\b{name}: ", page, re.MULTILINE), name
