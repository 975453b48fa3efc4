"""AdminService of a real daemon, by gRPC and HTTP: what each method does, who may call it, what is kept of calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from vestibule.v1 import admin_service_pb2 as pb

from runtime.callers import key_text
from runtime.catalog import api_keys, applies
from runtime.catalog.api_keys import ApiKey
from runtime.catalog.sqlite import SqliteDatabase
from runtime.cli import main
from tests.calls import Refused
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.http_client import ask
from tests.fixtures.states import right
from tests.fixtures.tenants import ADA, DENY, GATE, MFA, define, write_directory
from tests.fixtures.waiting import PATIENCE_S, until

SERVICE = pb.DESCRIPTOR.services_by_name["AdminService"]
SECRET = "s3cret-of-a-test"
REFUSE = f"""\
def on_execute_post_login(event, api):
    if event.secrets["WHY"] == "{SECRET}":
        api.access.deny("known")
"""
YAML = "tenant: {}\nflows:\n  post_login: [{{action: gate}}]\n"
WITH_SECRET = "tenant: {}\nflows:\n  post_login: [{{action: gate}}]\nsecrets:\n  gate:\n    WHY: {{env: WHY}}\n"


class Desk:
    """A daemon whose logins need no credentials, and keys for its admin service."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.channel = grpc.insecure_channel(daemon.target, options=[("grpc.enable_retries", 0)])
        self.author = self.key("author")
        self.reader = self.key("read")
        self.operator = self.key("operator")
        self.key_of_all = self.key("author", "operator")

    def key(self, *scopes: str, tenant: str = "*") -> str:
        made = key_text.generate()
        key = ApiKey(made.key_id, key_text.digest(made.secret), "", scopes, tenant, int(time.time()))
        api_keys.add(SqliteDatabase(self.daemon.path), key)
        until(
            lambda: self.reason("ListTenants", pb.ListTenantsRequest(), str(made)) != "KEY_UNKNOWN", "the key is known"
        )
        return str(made)

    def call(self, method: str, request: Message, key: str | None = None) -> Any:
        """Return the response. Raises: Refused."""
        described = SERVICE.methods_by_name[method]
        call: Any = self.channel.unary_unary(
            f"/{SERVICE.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        try:
            return call(request, timeout=PATIENCE_S, metadata=metadata)
        except grpc.RpcError as error:
            raise Refused(error) from None

    def reason(self, method: str, request: Message, key: str | None = None) -> str:
        try:
            self.call(method, request, key)
        except Refused as refused:
            return refused.reason
        return ""

    def put(self, tenant: str, source: str = GATE) -> None:
        """Make a version as a command does, which is quicker here."""
        applies.apply(SqliteDatabase(self.daemon.path), [define(tenant, source)])

    def apply(self, tenant: str, source: str = GATE, yaml: str = YAML, key: str | None = None, **members: Any) -> Any:
        secrets = members.pop("env_secrets", {})
        request = pb.ApplyTenantsRequest(tenants=[sent(tenant, source, yaml, env_secrets=secrets)], **members)
        return self.call("ApplyTenants", request, key or self.author)


def sent(tenant: str, source: str = GATE, yaml: str = YAML, **members: Any) -> pb.TenantSource:
    """Write a tenant of one action as a caller sends it."""
    files = {"tenant.yaml": yaml.format(tenant), "actions/gate.py": source}
    return pb.TenantSource(tenant_id=tenant, files=files, **members)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One daemon for all."""
    with served(tmp_path_factory.mktemp("admin"), "--http-listen", "127.0.0.1:0") as daemon:
        made = Desk(daemon)
        yield made
        made.channel.close()


def test_a_tenant_is_applied_served_and_read_back(desk: Desk) -> None:
    """What was sent decides logins within a second or so; its files come back, an apply of which changes nothing."""
    applied = desk.apply("acme", message="the first").tenants[0]
    assert (applied.version, applied.result) == (1, pb.AppliedTenant.RESULT_CREATED)
    until(lambda: outcome(desk, "acme") == MFA, "the tenant is served")
    right(desk.daemon, "acme")

    version = desk.call("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="acme"), desk.reader).version
    assert (version.number, version.message, version.author[:4]) == (1, "the first", "key ")
    assert version.files["actions/gate.py"] == GATE
    again = pb.ApplyTenantsRequest(tenants=[pb.TenantSource(tenant_id="acme", files=version.files)])
    assert desk.call("ApplyTenants", again, desk.author).tenants[0].result == pb.AppliedTenant.RESULT_UNCHANGED


def outcome(desk: Desk, tenant: str) -> int | None:
    try:
        return desk.daemon.call(tenant, ADA).outcome
    except Refused:
        return None


def test_versions_are_listed_compared_and_gone_back_to(desk: Desk) -> None:
    """Two versions, newest first and page by page; the difference; a rollback is a third one."""
    desk.put("older")
    desk.put("older", GATE + "# more\n")
    first = desk.call("ListTenantVersions", pb.ListTenantVersionsRequest(tenant_id="older", page_size=1), desk.reader)
    rest = pb.ListTenantVersionsRequest(tenant_id="older", page_size=1, page_token=first.next_page_token)
    last = desk.call("ListTenantVersions", rest, desk.reader)
    assert [first.versions[0].number, last.versions[0].number] == [2, 1]
    assert first.next_page_token
    assert not last.next_page_token
    compared = desk.call(
        "CompareTenantVersions", pb.CompareTenantVersionsRequest(tenant_id="older", base=1), desk.reader
    )
    assert "+# more" in compared.sources[0].diff
    done = desk.call("RollbackTenant", pb.RollbackTenantRequest(tenant_id="older", to_version=1), desk.author)
    assert (done.changed, done.version.number, done.version.copy_of) == (True, 3, 1)
    assert done.version.origin == pb.TenantVersion.ORIGIN_ROLLBACK


def test_the_second_of_two_editors_learns_of_the_first(desk: Desk) -> None:
    """ABORTED, and nothing is applied; the version that was read makes the difference."""
    desk.put("shared")
    desk.put("shared", GATE + "# by the first\n")
    mine = sent("shared", GATE + "# by the second\n", expected_version=1)
    with pytest.raises(Refused) as refused:
        desk.call("ApplyTenants", pb.ApplyTenantsRequest(tenants=[mine]), desk.author)
    assert (refused.value.code, refused.value.reason) == ("ABORTED", "VERSION_CONFLICT")
    assert "version 2" in refused.value.message
    mine.expected_version = 2
    assert desk.call("ApplyTenants", pb.ApplyTenantsRequest(tenants=[mine]), desk.author).tenants[0].version == 3
    late = pb.DeleteTenantRequest(tenant_id="shared", expected_version=2)
    assert desk.reason("DeleteTenant", late, desk.author) == "VERSION_CONFLICT"


def test_a_change_that_is_sent_again_is_made_once(desk: Desk) -> None:
    """The same answer; another content under the id is refused, and another caller has ids of its own."""
    first = desk.apply("again", request_id="r-1", message="once")
    assert desk.apply("again", request_id="r-1", message="once") == first
    history = desk.call("ListTenantVersions", pb.ListTenantVersionsRequest(tenant_id="again"), desk.reader)
    assert len(history.versions) == 1
    with pytest.raises(Refused) as refused:
        desk.apply("again", GATE + "# other\n", request_id="r-1")
    assert (refused.value.code, refused.value.reason) == ("ALREADY_EXISTS", "REQUEST_ID_USED")
    other = desk.apply("again", GATE + "# other\n", request_id="r-1", key=desk.key("author"))
    assert other.tenants[0].version == 2


def test_secrets_come_in_and_never_go_out(desk: Desk) -> None:
    """An action reads what was sent; versions have a reference, which keeps the value; the daemon's own stays out."""
    applied = desk.apply("keeps", REFUSE, WITH_SECRET, env_secrets={"WHY": SECRET})
    assert applied.tenants[0].version == 1
    until(lambda: outcome(desk, "keeps") == DENY, "the tenant is served")
    version = desk.call("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="keeps"), desk.reader).version
    assert SECRET not in version.files["tenant.yaml"]
    again = pb.ApplyTenantsRequest(tenants=[pb.TenantSource(tenant_id="keeps", files=version.files)])
    assert desk.call("ApplyTenants", again, desk.author).tenants[0].result == pb.AppliedTenant.RESULT_UNCHANGED
    with pytest.raises(Refused) as refused:
        desk.apply("keeps", REFUSE, WITH_SECRET.replace("WHY}}", "PATH}}"))
    assert refused.value.reason == "TENANT_FAULTY"
    assert "env_secrets" in refused.value.details["BadRequest"].field_violations[0].description


def test_every_fault_is_placed_and_nothing_is_applied(desk: Desk) -> None:
    """Of all tenants at once, at file, line and column as the caller knows them."""
    tenants = [sent("right"), sent("wrong", "import os\n"), sent("odd", yaml="tenant: {}\nflows: 5\n")]
    with pytest.raises(Refused) as refused:
        desk.call("ApplyTenants", pb.ApplyTenantsRequest(tenants=tenants), desk.author)
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "TENANT_FAULTY")
    places = [violation.field for violation in refused.value.details["BadRequest"].field_violations]
    assert "wrong/actions/gate.py:1:1" in places
    assert any(place.startswith("odd/tenant.yaml") for place in places)
    assert "/tmp" not in str(refused.value.details)
    assert (
        desk.reason("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="right"), desk.reader) == "UNKNOWN_VERSION"
    )


def test_validate_only_changes_nothing(desk: Desk) -> None:
    """It says what would be done."""
    told = desk.apply("later", validate_only=True, request_id="r-9").tenants[0]
    assert (told.version, told.result) == (0, pb.AppliedTenant.RESULT_CREATED)
    assert (
        desk.reason("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="later"), desk.reader) == "UNKNOWN_VERSION"
    )
    assert desk.apply("later", request_id="r-9").tenants[0].version == 1


def test_a_hold_is_served_and_released(desk: Desk) -> None:
    """Policy alone for an hour, shown in the list, until it is released."""
    desk.put("night")
    until(lambda: outcome(desk, "night") == MFA, "the tenant is served")
    request = pb.HoldTenantRequest(tenant_id="night", policy_only=True, message="3 a.m.")
    request.ttl.FromSeconds(3600)
    held = desk.call("HoldTenant", request, desk.operator).hold
    assert held.expire_time.seconds - held.create_time.seconds == 3600
    until(lambda: outcome(desk, "night") != MFA, "the policy alone decides")
    summaries = desk.call("ListTenants", pb.ListTenantsRequest(), desk.reader).tenants
    assert {one.version.tenant_id: one.hold.message for one in summaries if one.HasField("hold")} == {"night": "3 a.m."}
    assert desk.call("ReleaseTenant", pb.ReleaseTenantRequest(tenant_id="night"), desk.operator).released
    until(lambda: outcome(desk, "night") == MFA, "the newest version decides again")
    assert not desk.call("ReleaseTenant", pb.ReleaseTenantRequest(tenant_id="night"), desk.operator).released


def test_a_tenant_is_deleted_and_comes_back(desk: Desk) -> None:
    """Its versions stay."""
    desk.put("gone")
    deleted = desk.call("DeleteTenant", pb.DeleteTenantRequest(tenant_id="gone", message="moved away"), desk.author)
    assert deleted.version.origin == pb.TenantVersion.ORIGIN_DELETE
    names = [one.version.tenant_id for one in desk.call("ListTenants", pb.ListTenantsRequest(), desk.reader).tenants]
    assert "gone" not in names
    back = desk.call("RollbackTenant", pb.RollbackTenantRequest(tenant_id="gone", to_version=1), desk.author)
    assert back.version.number == 3


def test_lists_have_pages_and_masks(desk: Desk) -> None:
    """By name; only the wanted fields; what is no field, and no token of ours, is refused with its name."""
    for name in ("page-a", "page-b"):
        desk.put(name)
    request = pb.ListTenantsRequest(page_size=1, page_token="page")
    request.read_mask.paths.append("version.tenant_id")
    found = desk.call("ListTenants", request, desk.reader)
    assert list(found.tenants) == [pb.TenantSummary(version=pb.TenantVersion(tenant_id="page-a"))]
    request.page_token = found.next_page_token
    assert desk.call("ListTenants", request, desk.reader).tenants[0].version.tenant_id == "page-b"
    request.read_mask.paths.append("version.colour")
    with pytest.raises(Refused, match=r"version\.colour"):
        desk.call("ListTenants", request, desk.reader)
    for token in ("NO", "-1", "0x1"):
        versions = pb.ListTenantVersionsRequest(tenant_id="page-a", page_token=token)
        assert desk.reason("ListTenantVersions", versions, desk.reader) == "INVALID_REQUEST"


def test_credentials_are_always_needed(desk: Desk) -> None:
    """Logins of this daemon need none; a key of the scope makes the same call good."""
    assert desk.daemon.call("acme", ADA).outcome == MFA
    apply = pb.ApplyTenantsRequest(tenants=[sent("acme")])
    assert desk.reason("ApplyTenants", apply) == "NO_CREDENTIALS"
    assert desk.reason("ApplyTenants", apply, "vk_" + "a" * 10 + "_" + "a" * 52) == "KEY_UNKNOWN"
    assert desk.reason("ApplyTenants", apply, desk.reader) == "SCOPE_MISSING"
    assert desk.reason("ApplyTenants", apply, desk.operator) == "SCOPE_MISSING"
    assert desk.reason("ListAuditRecords", pb.ListAuditRecordsRequest(), desk.author) == "SCOPE_MISSING"
    assert desk.reason("ApplyTenants", apply, desk.author) == ""


def test_a_key_of_a_tenant_reaches_no_other(desk: Desk) -> None:
    """Neither by a name nor by a list, nor with its own tenant beside another one."""
    desk.put("mine")
    key = desk.key("author", "operator", tenant="mine")
    listed = desk.call("ListTenants", pb.ListTenantsRequest(), key).tenants
    assert [one.version.tenant_id for one in listed] == ["mine"]
    assert desk.call("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="mine"), key).version.number == 1
    others: dict[str, Message] = {
        "GetTenantVersion": pb.GetTenantVersionRequest(tenant_id="acme"),
        "ListTenantVersions": pb.ListTenantVersionsRequest(tenant_id="acme"),
        "CompareTenantVersions": pb.CompareTenantVersionsRequest(tenant_id="acme", base=1),
        "ApplyTenants": pb.ApplyTenantsRequest(tenants=[sent("mine"), sent("acme")]),
        "RollbackTenant": pb.RollbackTenantRequest(tenant_id="acme"),
        "PromoteTenant": pb.PromoteTenantRequest(tenant_id="acme"),
        "AbandonTenant": pb.AbandonTenantRequest(tenant_id="acme"),
        "DeleteTenant": pb.DeleteTenantRequest(tenant_id="acme"),
        "HoldTenant": pb.HoldTenantRequest(tenant_id="acme", policy_only=True),
        "ReleaseTenant": pb.ReleaseTenantRequest(tenant_id="acme"),
        "ListAuditRecords": pb.ListAuditRecordsRequest(),
        "ListExecutions": pb.ListExecutionsRequest(tenant_id="acme"),
        "FollowExecutions": pb.FollowExecutionsRequest(tenant_id="acme"),
    }
    assert {method: desk.reason(method, request, key) for method, request in others.items()} == dict.fromkeys(
        others, "TENANT_NOT_ALLOWED"
    )
    assert set(others) | {"ListTenants"} == set(SERVICE.methods_by_name)


def test_calls_are_in_the_trail_and_in_the_log(desk: Desk) -> None:
    """Whose, of what, and how it ended; refused ones too, but not those of strangers. No secret is in either."""
    desk.apply("traced", REFUSE, WITH_SECRET, env_secrets={"WHY": SECRET}, request_id="t-1", message="why not")
    assert desk.reason("DeleteTenant", pb.DeleteTenantRequest(tenant_id="traced"), desk.reader) == "SCOPE_MISSING"
    assert desk.reason("DeleteTenant", pb.DeleteTenantRequest(tenant_id="traced")) == "NO_CREDENTIALS"

    def calls() -> list[tuple[str, str, str, str]] | None:
        request = pb.ListAuditRecordsRequest(tenant_id="traced")
        found = desk.call("ListAuditRecords", request, desk.operator).records
        told = [(one.method, one.code, one.request_id, one.message) for one in found if one.method[0] != "L"]
        return told if len(told) == 2 else None

    assert until(calls, "both calls are kept") == [
        ("DeleteTenant", "PERMISSION_DENIED", "", ""),
        ("ApplyTenants", "OK", "t-1", "why not"),
    ]
    line = desk.daemon.wait_for("admin.called", method="ApplyTenants", request_id="t-1")
    assert (line["tenants"], line["code"]) == (["traced"], "OK")
    assert not any(SECRET in str(line) for line in desk.daemon.lines)
    page = desk.call("ListAuditRecords", pb.ListAuditRecordsRequest(page_size=1), desk.operator)
    older = pb.ListAuditRecordsRequest(page_size=1, page_token=page.next_page_token)
    assert desk.call("ListAuditRecords", older, desk.operator).records[0] != page.records[0]


def test_the_same_by_http(desk: Desk) -> None:
    """In JSON by Connect's rules, with the same credentials."""
    desk.put("by-http")
    path = f"/{SERVICE.full_name}/GetTenantVersion"
    answer = ask(desk.daemon.doors, path, {"tenantId": "by-http"}, authorization=f"Bearer {desk.reader}")
    assert answer.status == 200
    assert answer.json["version"]["files"]["actions/a0.py"] == GATE
    assert ask(desk.daemon.doors, path, {"tenantId": "by-http"}).status == 401
    missing = ask(desk.daemon.doors, path, {"tenantId": "nobody"}, authorization=f"Bearer {desk.reader}")
    assert (missing.status, missing.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="../etc"), "tenant_id"),
        ("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="acme", number=-1), "number"),
        ("ListTenants", pb.ListTenantsRequest(page_size=-1), "page_size"),
        ("CompareTenantVersions", pb.CompareTenantVersionsRequest(tenant_id="acme"), "base"),
        ("ApplyTenants", pb.ApplyTenantsRequest(), "tenants"),
        ("ApplyTenants", pb.ApplyTenantsRequest(tenants=[sent("acme"), sent("acme")]), "tenants[1].tenant_id"),
        (
            "ApplyTenants",
            pb.ApplyTenantsRequest(tenants=[pb.TenantSource(tenant_id="acme", files={"actions/../../x.py": ""})]),
            "tenants[0].files",
        ),
        ("ApplyTenants", pb.ApplyTenantsRequest(tenants=[pb.TenantSource(tenant_id="acme")]), "tenants[0].files"),
        ("ApplyTenants", pb.ApplyTenantsRequest(tenants=[sent("acme")], message="two\nlines"), "message"),
        ("ApplyTenants", pb.ApplyTenantsRequest(tenants=[sent("acme")], request_id="x" * 129), "request_id"),
        (
            "ApplyTenants",
            pb.ApplyTenantsRequest(tenants=[sent("acme", file_secrets={"../x": "y"})]),
            "tenants[0].file_secrets",
        ),
        ("HoldTenant", pb.HoldTenantRequest(tenant_id="acme"), "held_at"),
        ("HoldTenant", pb.HoldTenantRequest(tenant_id="acme", version=-2), "version"),
        ("HoldTenant", pb.HoldTenantRequest(tenant_id="acme", policy_only=True), "ttl"),
        ("RollbackTenant", pb.RollbackTenantRequest(tenant_id="acme", to_version=-1), "to_version"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_bad_requests_name_the_field(desk: Desk, method: str, request_: Message, field: str) -> None:
    """INVALID_ARGUMENT with a BadRequest; the daemon serves on."""
    with pytest.raises(Refused) as refused:
        desk.call(method, request_, desk.key_of_all)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert refused.value.details["BadRequest"].field_violations[0].field == field


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """UNAVAILABLE for a change, and nothing is changed; reading works as before."""
    with served(tmp_path) as daemon:
        desk = Desk(daemon)
        desk.apply("acme")
        with SqliteDatabase(daemon.path, timeout_s=10.0).writing():
            with pytest.raises(Refused) as refused:
                desk.apply("acme", GATE + "# more\n")
            assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "CATALOG_UNAVAILABLE")
            found = desk.call("GetTenantVersion", pb.GetTenantVersionRequest(tenant_id="acme"), desk.reader)
            assert found.version.number == 1
        assert desk.apply("acme", GATE + "# more\n").tenants[0].version == 2


def test_a_directory_is_changed_by_its_files_alone(tmp_path: Path) -> None:
    """UNIMPLEMENTED, with the remedy; the control is every other test here."""
    folder = tmp_path / "tenants" / "acme"
    (folder / "actions").mkdir(parents=True)
    (folder / "tenant.yaml").write_text(YAML.format("acme"))
    (folder / "actions" / "gate.py").write_text(GATE)
    state = SqliteDatabase(tmp_path / "flows.db")
    state.prepare()
    flags = ("--store", f"directory:{folder.parent}", "--catalog-state-store", f"sqlite:{tmp_path / 'flows.db'}")
    with served(tmp_path, *flags) as daemon:
        desk = Desk(daemon)
        with pytest.raises(Refused) as refused:
            desk.call("ListTenants", pb.ListTenantsRequest(), desk.reader)
        assert (refused.value.code, refused.value.reason) == ("UNIMPLEMENTED", "NOT_OFFERED")
        assert "files" in refused.value.message


def test_a_trial_is_begun_promoted_and_abandoned(desk: Desk) -> None:
    """It is a version beside the tenant's own, shown in the list; both of its ends; what is new cannot be tried."""
    desk.put("tries", REFUSE.replace(SECRET, "another"))
    report = pb.Trial(percent=0)
    begun = desk.call("ApplyTenants", trial("tries", GATE, report), desk.author).tenants[0]
    assert (begun.result, begun.version) == (pb.AppliedTenant.RESULT_ON_TRIAL, 2)
    summaries = desk.call("ListTenants", pb.ListTenantsRequest(), desk.reader).tenants
    (shown,) = [one for one in summaries if one.version.tenant_id == "tries"]
    assert (shown.version.number, shown.trial.version, shown.trial.denied_points) == (1, 2, 5)
    again = pb.Trial(percent=10, denied_points=2)
    assert desk.call("ApplyTenants", trial("tries", GATE, again), desk.author).tenants[0].version == 2
    promoted = desk.call("PromoteTenant", pb.PromoteTenantRequest(tenant_id="tries"), desk.author).version
    assert (promoted.origin, promoted.copy_of) == (pb.TenantVersion.ORIGIN_PROMOTE, 2)
    assert desk.reason("PromoteTenant", pb.PromoteTenantRequest(tenant_id="tries"), desk.author) == "UNKNOWN_VERSION"

    desk.call("ApplyTenants", trial("tries", GATE + "# more\n", again), desk.author)
    other = trial("tries", GATE + "# other\n", again)
    assert desk.reason("ApplyTenants", other, desk.author) == "VERSION_UNUSABLE"
    ended = desk.call("AbandonTenant", pb.AbandonTenantRequest(tenant_id="tries"), desk.author).trial
    assert (ended.percent, ended.denied_points) == (10, 2)
    assert desk.reason("ApplyTenants", trial("never-seen", GATE, again), desk.author) == "VERSION_UNUSABLE"
    for wrong in (pb.Trial(percent=100), pb.Trial(percent=-1), pb.Trial(denied_points=100)):
        assert desk.reason("ApplyTenants", trial("tries", GATE, wrong), desk.author) == "INVALID_REQUEST"


def trial(tenant: str, source: str, wanted: pb.Trial) -> pb.ApplyTenantsRequest:
    return pb.ApplyTenantsRequest(tenants=[sent(tenant, source)], trial=wanted)


def test_commands_work_on_a_daemon(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By gRPC and by HTTP: apply, read, hold, go back, two editors and remove; the daemon compiles what it is sent."""
    key = tmp_path / "author.key"
    key.touch(0o600)
    key.write_text(f"{desk.key_of_all}\n")
    http = f"http://{desk.daemon.wait_for('daemon.started')['http_listen']}"

    def run(target: str, *words: object, code: int = 0) -> str:
        found = main.main([*map(str, words), "--target", target, "--api-key-file", str(key)])
        said = "".join(capsys.readouterr())
        assert found == code, said
        return said

    folder = write_directory(tmp_path / "mine", "desk", GATE) / "desk"
    assert "added desk: version 1" in run(http, "apply", folder, "--message", "by HTTP")
    until(lambda: outcome(desk, "desk") == MFA, "what a command applied is served")
    write_directory(tmp_path / "mine", "desk", GATE.replace("api.", "api.access.deny('no')  # ", 1))
    run(desk.daemon.target, "export", tmp_path / "out", "--tenant", "desk")
    assert "changed desk: version 2" in run(desk.daemon.target, "apply", folder)
    assert "api.access.deny" in run(http, "diff", "desk@1", "desk")
    (tmp_path / "out/desk/actions/a0.py").write_text("import os\n" + GATE)
    refused = run(http, "apply", tmp_path / "out", code=3)
    assert f"{tmp_path}/out/desk/actions/a0.py:1:1" in refused
    (tmp_path / "out/desk/actions/a0.py").write_text(GATE + "# mine\n")
    assert "was changed meanwhile" in run(http, "apply", tmp_path / "out", code=6)
    assert "is held at version 1" in run(http, "hold", "desk", "--to", 1, "--for", "1h")
    assert "released desk" in run(desk.daemon.target, "hold", "desk", "--release")
    assert "desk@3 has the content of version 1" in run(http, "rollback", "desk")
    assert "removed desk: version 4" in run(desk.daemon.target, "delete", "desk", "--yes")
    assert "desk" not in run(http, "list")
    run("127.0.0.1:1", "list", code=5)
    run("http://127.0.0.1:1", "list", code=5)
    nothing = f"http://{desk.daemon.wait_for('daemon.started')['metrics_listen']}"
    assert "none of a Vestibule daemon's" in run(nothing, "list", code=1)
