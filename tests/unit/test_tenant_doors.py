"""`doors` of a tenant.yaml: what reaches the catalog, what an apply refuses, and that no secret is quoted."""

from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies, directory, rows
from runtime.catalog.base import Definition, Flow
from runtime.catalog.comparison import changes
from runtime.catalog.door_sections import MULTI_FACTOR, SECTIONS, DoorsSection, step_up_acr
from runtime.catalog.hook_door import HookDoor
from runtime.catalog.secret_values import Secrets, allowances
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.stored import StoredCatalog
from runtime.core.model import Settings
from runtime.errors import CatalogError
from runtime.login.plan import Plan

KEY, OTHER = "k" * 32, "o" * 32
WEBHOOK = "v1,whsec_" + "c2VjcmV0" * 4
ALL = f"""\
doors:
  cas-trigger:
    secrets: [{KEY}]
    mfa_required_as: native
    providers: {{otp: mfa-gauth, webauthn-roaming: mfa-webauthn}}
    fallback_provider: mfa-gauth
  cas-policy: {{secrets: [{{env: CAS}}], mfa_required_as: native}}
  kratos: {{secrets: [{KEY}, {OTHER}], mfa_required_as: native}}
  hydra: {{secrets: [{KEY}], mfa_required_as: claim, acr: "urn:loa:2"}}
  zitadel: {{secrets: [{KEY}], mfa_required_as: claim, claim: urn:acme:mfa}}
  supabase: {{secrets: ["{WEBHOOK}"], mfa_required_as: claim}}
  envoy: {{mfa_required_as: native, max_age_s: 900, login_url: "https://id.example.com/authorize?client_id=a"}}
  authzen: {{acr: "urn:acme:loa2"}}
"""


def read(root: Path, text: str, **options: Any) -> Flow:
    (root / "acme").mkdir(exist_ok=True)
    (root / "acme/tenant.yaml").write_text(f"tenant: acme\n{text}")
    secrets = Secrets({"CAS": KEY}, allowances([("", "acme:CAS")]), **options)
    (definition,) = directory.load(root, secrets=secrets).definitions
    return definition.flow


def refused(root: Path, text: str) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        read(root, text)
    return [str(fault).removeprefix(f"{root}/acme/tenant.yaml:") for fault in caught.value.faults]


def test_every_door_reaches_the_flow(tmp_path: Path) -> None:
    """Each dialect has its secrets, what a second factor becomes, and its options with their defaults."""
    doors = read(tmp_path, ALL).doors
    assert list(doors) == list(SECTIONS)
    assert doors["kratos"] == HookDoor("kratos", "native", (KEY, OTHER))
    assert doors["cas-policy"].secrets == (KEY,)
    assert doors["cas-trigger"].options == {
        "providers": {"otp": "mfa-gauth", "webauthn-roaming": "mfa-webauthn"},
        "fallback_provider": "mfa-gauth",
    }
    assert doors["hydra"].options == {"claim": "mfa_required", "acr": "urn:loa:2"}
    assert doors["envoy"].options["acr"] == MULTI_FACTOR
    assert doors["authzen"] == HookDoor("authzen", "native", (), {"acr": "urn:acme:loa2"})
    assert (step_up_acr(doors), step_up_acr({})) == ("urn:acme:loa2", MULTI_FACTOR)
    assert doors["envoy"].options["cache_s"] == 5
    assert KEY not in repr(doors)


def test_every_dialect_has_a_member() -> None:
    """The table of dialects and the section of the file name the same ones."""
    members = {member.alias or name for name, member in DoorsSection.model_fields.items()}
    assert members == set(SECTIONS)


FAULTS = [
    ("kratoss: {}", "doors.kratoss: unknown key; known here are cas-trigger, cas-policy, kratos, hydra, zitadel"),
    ("kratoss: {}", "did you mean 'kratos'?"),
    ("kratos: {mfa_required_as: deny}", "doors.kratos.secrets: is missing; add it"),
    ("kratos: {mfa_required_as: deny, secrets: []}", "doors.kratos.secrets: has no entry; want 1 to 2"),
    (
        f"kratos: {{mfa_required_as: deny, secrets: [{KEY}, {KEY}, {KEY}]}}",
        "doors.kratos.secrets: has 3 entries; at most 2 are allowed",
    ),
    (f"kratos: {{secrets: [{KEY}]}}", "doors.kratos.mfa_required_as: is missing; add it"),
    (
        f"supabase: {{secrets: ['{WEBHOOK}'], mfa_required_as: native}}",
        "want one of deny, claim; the product cannot ask for a factor at this point",
    ),
    (
        f"kratos: {{secrets: [{KEY}], mfa_required_as: claim}}",
        "got text 'claim'; want one of deny, native; an answer of this dialect has no claims",
    ),
    (
        f"cas-trigger: {{secrets: [{KEY}], mfa_required_as: deny, fallback_provider: mfa-duo}}",
        "want one of native; an answer of this dialect cannot refuse a login",
    ),
    (
        f"cas-trigger: {{secrets: [{KEY}], mfa_required_as: native, fallback_provider: mfa-duo}}",
        "doors.cas-trigger: cannot refuse a login, and CAS takes an error of it for no second factor; add cas-",
    ),
    (
        f"cas-policy: {{secrets: [{KEY}], mfa_required_as: native}}",
        "doors.cas-policy.mfa_required_as: 'native' leaves the second factor to cas-trigger",
    ),
    (
        f"cas-trigger: {{secrets: [{KEY}], mfa_required_as: native, fallback_provider: 'a b'}}",
        "doors.cas-trigger.fallback_provider: got text 'a b'; want the id of a CAS provider",
    ),
    (
        f"cas-trigger: {{secrets: [{KEY}], mfa_required_as: native, fallback_provider: a, providers: {{topt: b}}}}",
        "doors.cas-trigger.providers: got a mapping; 'topt' is not a factor; known are webauthn-roaming",
    ),
    (f"hydra: {{secrets: [{KEY}], mfa_required_as: claim, claim: sub}}", "doors.hydra.claim: got text 'sub'; want"),
    (f"hydra: {{secrets: [{KEY}], mfa_required_as: deny, acr: 'a\"b'}}", "doors.hydra.acr: got text"),
    ("envoy: {mfa_required_as: native, cache_s: 600}", "doors.envoy.cache_s: got 600; want a whole number from 1"),
    ("envoy: {mfa_required_as: native, login_url: 'http://a.example/x'}", "want an absolute https URL"),
    ("envoy: {mfa_required_as: native, secrets: [x]}", "doors.envoy.secrets: unknown key; known here are mfa_req"),
    ("kratos: yes", "doors.kratos: got text 'yes'; want a mapping"),
    ("kratos: {secrets: [short], mfa_required_as: deny}", "doors.kratos.secrets[0]: want 16 or more printable"),
    (f"supabase: {{secrets: [{KEY}], mfa_required_as: deny}}", "want a secret as Supabase has it: v1,whsec_, then"),
    ("supabase: {secrets: ['v1,whsec_c2g='], mfa_required_as: deny}", "base64 of 16 bytes or more"),
    ("kratos: {secrets: [{env: NOPE}], mfa_required_as: deny}", "tenant 'acme' may not read the environment"),
]


@pytest.mark.parametrize(("text", "wanted"), FAULTS)
def test_what_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    """Each fault names the member, what is wrong and what is wanted."""
    listed = refused(tmp_path, f"doors:\n  {text}\n")
    assert any(wanted in fault for fault in listed), listed


def test_no_secret_is_quoted(tmp_path: Path) -> None:
    """A secret of the wrong form or in the wrong place is in no message."""
    text = (
        "doors:\n"
        "  kratos: {secrets: hunter2hunter2, mfa_required_as: deny}\n"
        "  hydra: {secrets: [hunter2], mfa_required_as: deny}\n"
        "  zitadel: {secrets: [{hunter2: x}, 12], mfa_required_as: deny}\n"
        "  supabase: {secrets: ['v1,whsec_hunter2'], mfa_required_as: deny}\n"
    )
    listed = refused(tmp_path, text)
    assert len(listed) == 5
    assert not [fault for fault in listed if "hunter2" in fault]


def test_checking_needs_no_secret(tmp_path: Path) -> None:
    """Where no value is given, its placeholder is of no wrong form."""
    text = "doors:\n  supabase: {secrets: [{env: NOPE}], mfa_required_as: claim}\n"
    assert read(tmp_path, text, placeholders=True).doors["supabase"].secrets == ("placeholder-of-NOPE",)


async def test_doors_go_through_the_store(tmp_path: Path) -> None:
    """What was applied is what a daemon reads; a removed tenant leaves no secret in its row."""
    flow = read(tmp_path, ALL)
    path = tmp_path / "vestibule.db"
    applies.apply(SqliteDatabase(path), [Definition(flow)])
    catalog = StoredCatalog(SqliteDatabase(path), poll_s=60)
    await catalog.start()
    served = catalog.snapshot().tenants["acme"]
    await catalog.close()
    assert served.doors == flow.doors
    assert applies.apply(SqliteDatabase(path), [Definition(flow)]).unchanged == ("acme",)
    assert not [fault for fault in changes(served, flow) if fault.what == "door"]
    applies.apply(SqliteDatabase(path), [Definition(Flow("other", Settings()))], prune=True)
    with SqliteDatabase(path, timeout_s=1.0).reading() as connection:
        assert connection.execute("SELECT doors FROM tenants WHERE tenant = 'acme'").fetchall() == [(None,)]


def test_a_change_of_a_door_is_a_change(tmp_path: Path) -> None:
    """An apply lists what is different about doors, without their secrets; a tenant without doors keeps its digest."""
    old, new = read(tmp_path, ALL), read(tmp_path, ALL.replace(OTHER, "n" * 32).replace("urn:loa:2", "urn:loa:3"))
    without = read(tmp_path, "")
    listed = [str(change) for change in changes(old, new)]
    assert listed == ["door hydra: another acr", "door kratos: other secrets"]
    assert "door envoy: opened" in [str(change) for change in changes(without, new)]
    assert len({rows.digest(old), rows.digest(new), rows.digest(without)}) == 3
    assert rows.digest(without).hex() == rows.digest(Flow("acme", Settings())).hex()


def test_no_worker_gets_a_doors_secret(tmp_path: Path) -> None:
    """What is sent to a worker of a flow has its actions' secrets, and none of its doors."""
    (tmp_path / "acme/actions").mkdir(parents=True)
    (tmp_path / "acme/actions/geo.py").write_text("def on_execute_post_login(event, api):\n    pass\n")
    (tmp_path / "acme/tenant.yaml").write_text(
        f"tenant: acme\n{ALL}flows: {{post_login: [{{action: geo}}]}}\nsecrets: {{geo: {{TOKEN: of the action}}}}\n"
    )
    (made,) = directory.load(tmp_path, secrets=Secrets({"CAS": KEY}, allowances([("", "acme:CAS")]))).definitions
    sent = Plan(made.flow, made.sources, 1_000_000).all_steps
    assert b"of the action" in sent
    assert not [secret for door in made.flow.doors.values() for secret in door.secrets if secret.encode() in sent]
