"""What actions did in logins: in the log under a switch for each tenant, and by `vestibule logs`, without secrets."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin import reads
from runtime.callers import key_text
from runtime.catalog import api_keys
from runtime.catalog.api_keys import ApiKey
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.store_keys import NO_STORE_KEYS
from runtime.cli import kept_executions, main
from runtime.errors import CannotReach, NoDecision, UnknownVersion
from runtime.rpc.admin_client import AdminClient, connected
from runtime.rpc.client import Credentials
from tests.calls import Refused
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import ADA, BOB, MFA, define
from tests.fixtures.waiting import until

SECRET = "correct horse battery"
SAYS = """\
def on_execute_post_login(event, api):
    print("key", event.secrets["KEY"])
    print("user", event.user.user_id)
    if event.user.user_id == "auth0|2":
        raise ValueError("no " + event.secrets["KEY"])
"""


class Desk:
    """A daemon that keeps the executions of acme, and not of beta; and a key that may read them."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.all, self.of_beta, self.author = self._key("*"), self._key("beta"), self._key("*", "author")
        daemon.publish(*(define(name, SAYS, secrets={"KEY": SECRET}) for name in ("acme", "beta")))
        for event in (ADA, BOB):
            daemon.call("acme", event, request_id="first")
        daemon.call("beta")
        until(lambda: len(self.kept()) == 2, "the executions are in the store")

    def _key(self, tenant: str, scope: str = "read") -> Credentials:
        made = key_text.generate()
        stored = ApiKey(made.key_id, key_text.digest(made.secret), "", (scope,), tenant, int(time.time()))
        api_keys.add(SqliteDatabase(self.daemon.path), stored)
        return Credentials(api_key=str(made))

    def kept(self, tenant: str = "acme") -> list[pb.KeptExecution]:
        request = pb.FollowExecutionsRequest(tenant_id=tenant, last=1000)
        with SqliteDatabase(self.daemon.path).reading() as connection:
            return list(reads.last_executions(connection, request, None)[0].executions)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    flags = ("--http-listen", "127.0.0.1:0", "--log-executions", "acme,shop")
    with served(tmp_path_factory.mktemp("executions"), *flags) as daemon:
        yield Desk(daemon)


def test_what_is_kept(desk: Desk) -> None:
    """Verdict, error, line and output, with the ids of the login; of beta nothing is kept."""
    good, bad = desk.kept()
    assert (good.action, good.verdict, good.outcome, good.request_id) == ("a0", "completed", "allow", "first")
    assert good.output == "key ***\nuser auth0|1\n"
    assert (bad.verdict, bad.error_type, bad.error_message, bad.line) == ("raised", "ValueError", "no ***", 5)
    assert (len(bad.revision), bad.tenant_version, bad.outcome) == (64, 1, "mfa_required")
    assert bad.wall_us > 0
    assert desk.kept("beta") == []


def test_the_log_has_the_texts_of_that_tenant_alone(desk: Desk) -> None:
    """The line of beta has verdict, error and line; that of acme message and output too, masked."""
    desk.daemon.call("beta", BOB, request_id="of beta")
    line = desk.daemon.wait_for("login.decided", request_id="of beta")
    assert not {"output", "message"} & line["executions"][0].keys()
    assert line["executions"][0]["error"] == "ValueError"
    (line,) = [line for line in desk.daemon.events("login.decided") if line["tenant"] == "acme" and line["degraded"]]
    assert line["executions"][0]["message"] == "no ***"
    assert "key ***" in line["executions"][0]["output"]
    assert SECRET not in json.dumps(desk.daemon.lines)


@pytest.mark.parametrize("door", ["store", "grpc", "http"])
def test_the_command_shows_them(desk: Desk, door: str, capsys: pytest.CaptureFixture[str]) -> None:
    """From a store, and from a daemon by gRPC and by HTTP, the same lines."""
    where = {
        "store": ("--store", f"sqlite:{desk.daemon.path}"),
        "grpc": ("--target", desk.daemon.target),
        "http": ("--target", f"http://{desk.daemon.doors}"),
    }[door]
    with pytest.MonkeyPatch.context() as patch:
        if door != "store":
            patch.setenv("VESTIBULE_API_KEY", desk.all.api_key)
        assert main.main(["logs", "acme", "--last", "2", *where]) == 0
        shown = capsys.readouterr().out
        assert main.main(["logs", "acme", "--failed", "--json", *where]) == 0
        (failed,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "a0 of version 1: raised, login mfa_required, request first" in shown
    assert "  ValueError: no *** (line 5)\n  | key ***\n  | user auth0|2\n" in shown
    assert failed["error_type"] == "ValueError"
    assert SECRET not in shown


SHARED = """\
def ask(api, factor):
    if factor == "voice":
        api.access.deny("no")
    api.multifactor.enable(factor)
"""
SHOP = """\
from lib import rules
def on_execute_post_login(event, api):
    if event.purpose != "refresh":
        rules.ask(api, "voice" if event.user.user_id == "auth0|2" else "any")
    print(event.secrets[{secret}])
"""
TENANT = """\
tenant: shop
mfa: {{policy: never, factors: [otp]}}
flows:
  post_login:
    - {{action: gate, uses: [multifactor], timeout_ms: {timeout_ms}}}
secrets:
  gate: {{KEY: {{env: SHOP_KEY}}}}
"""


@pytest.mark.parametrize("door", ["grpc", pytest.param("http", marks=pytest.mark.long)])
def test_a_folder_from_its_faults_to_a_login(
    desk: Desk, tmp_path: Path, door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`apply --strict --target` of shared code under `uses`: findings stop it, an error is placed in its file."""
    folder = tmp_path / "shop"
    for name in ("actions", "lib"):
        (folder / name).mkdir(parents=True)
    (folder / "lib/rules.py").write_text(SHARED)

    def apply(*flags: str, secret: str = '"KEY"', timeout_ms: int = 500) -> tuple[int, str]:
        (folder / "actions/gate.py").write_text(SHOP.format(secret=secret))
        (folder / "tenant.yaml").write_text(TENANT.format(timeout_ms=timeout_ms))
        target = desk.daemon.target if door == "grpc" else f"http://{desk.daemon.doors}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VESTIBULE_API_KEY", desk.author.api_key)
            patch.setenv("SHOP_KEY", SECRET)
            code = main.main(["apply", str(folder), "--secret-env", "shop:SHOP_KEY", "--target", target, *flags])
        return code, "".join(capsys.readouterr())

    code, said = apply(secret='"KEYS"')
    assert (code, f"{folder}/actions/gate.py:5:25: tenant.yaml gives this action no secret 'KEYS'" in said) == (3, True)
    doubts: list[tuple[dict[str, Any], str]] = [
        ({"secret": 'event.get("secrets.OTHER", "KEY")'}, "missing-secret"),
        ({"timeout_ms": 6000}, "timeout-above-flow"),
    ]
    for given, found in doubts:
        code, said = apply("--strict", **given)
        assert (code, f"[{found}]" in said) == (3, True), said
    code, said = apply("--strict")
    assert code == 0, said

    def knows_the_shop() -> bool:
        # The daemon reads a change behind its answer: it may not know the tenant yet.
        with contextlib.suppress(Refused):
            return desk.daemon.call("shop").outcome == MFA
        return False

    until(knows_the_shop, "what was applied is served")
    (report,) = desk.daemon.call("shop", BOB, request_id=f"of shop by {door}").executions
    assert (report.error.type, report.error.file, report.error.line) == ("PermissionError", "lib/rules.py", 3)
    line = desk.daemon.wait_for("login.decided", request_id=f"of shop by {door}")
    assert (line["executions"][0]["file"], line["executions"][0]["line"]) == ("lib/rules.py", 3)
    until(lambda: any(kept.file == "lib/rules.py" for kept in desk.kept("shop")), "the execution is in the store")
    assert main.main(["logs", "shop", "--failed", "--store", f"sqlite:{desk.daemon.path}"]) == 0
    assert "(line 3 of lib/rules.py)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "door", [pytest.param("store", marks=pytest.mark.long), "grpc", pytest.param("http", marks=pytest.mark.long)]
)
def test_what_is_kept_from_now_on_follows(desk: Desk, door: str) -> None:
    """A follower sees what was there, then each login that is decided, once, in order."""
    request = pb.FollowExecutionsRequest(tenant_id="acme", last=1)

    def check(found: Iterator[pb.KeptExecution]) -> None:
        assert len(list(islice(found, 1))) == 1
        for at in range(2):
            name = f"{door} {at}"
            desk.daemon.call("acme", request_id=name)
            assert [kept.request_id for kept in islice(found, 1)] == [name]

    if door == "store":
        database = KeyedDatabase(SqliteDatabase(desk.daemon.path), lambda: NO_STORE_KEYS)
        check(kept_executions.of_store(database, request, follow=True, sleep=lambda _: time.sleep(0.05)))
        return
    target = desk.daemon.target if door == "grpc" else f"http://{desk.daemon.doors}"
    with connected(target, desk.all) as client:
        assert client.streams is (door == "grpc")
        check(kept_executions.of_daemon(client, request, follow=True, sleep=lambda _: time.sleep(0.05)))


@pytest.mark.parametrize("method", ["ListExecutions", "FollowExecutions"])
def test_a_key_of_another_tenant_sees_none(desk: Desk, method: str) -> None:
    """Nor does a caller without a key; a tenant that never was is not found."""
    for credentials, code in ((desk.of_beta, "PERMISSION_DENIED"), (Credentials(), "UNAUTHENTICATED")):
        with connected(desk.daemon.target, credentials) as client, pytest.raises(NoDecision) as caught:
            _ask(client, method, "acme")
        assert caught.value.code == code
    with connected(desk.daemon.target, desk.all) as client, pytest.raises(UnknownVersion):
        _ask(client, method, "nowhere")


def _ask(client: AdminClient, method: str, tenant: str) -> object:
    if method == "ListExecutions":
        return client.call(method, pb.ListExecutionsRequest(tenant_id=tenant), pb.ListExecutionsResponse)
    request = pb.FollowExecutionsRequest(tenant_id=tenant)
    return next(client.answers(method, request, pb.FollowExecutionsResponse))


def test_a_follower_does_not_hold_the_drain(desk: Desk) -> None:
    """A daemon that is stopped ends the stream by itself, long before its drain is over."""
    with connected(desk.daemon.target, desk.all) as client:
        request = pb.FollowExecutionsRequest(tenant_id="acme")
        answers = client.answers("FollowExecutions", request, pb.FollowExecutionsResponse)
        next(answers)
        began = time.monotonic()
        assert desk.daemon.stop() == 0
        assert time.monotonic() - began < 10
        with pytest.raises(CannotReach):
            list(answers)
