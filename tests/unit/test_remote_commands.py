"""The commands about versions by `--target`: what they say, write and exit with is what they do by `--store`."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.rpc import status_pb2

from runtime.admin.service import AdminService
from runtime.callers import key_text
from runtime.callers.caller import Caller, Scope
from runtime.calls.calls import Calls, NoAnswer
from runtime.catalog.keyed import KeyedDatabase
from runtime.catalog.opening import open_database
from runtime.catalog.store_keys import NO_STORE_KEYS
from runtime.cli import main
from runtime.config.effective import Config
from runtime.errors import CannotReach, Fault
from runtime.offline import check
from runtime.ops.log import build
from runtime.ops.metrics import Metrics
from runtime.rpc import admin_client
from runtime.rpc.admin_client import AdminClient, CallRefused
from tests.unit.test_apply import ACTION, write

SECRET = "secrets: {main: {KEY: {env: KEY}}}\n"
STORED = "secrets: {main: {KEY: {stored: KEY}}}\n"
WHEN = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
WORST = "raise SystemExit\n" + ACTION


def faults(sources: Any, log: Any = None) -> list[Fault]:
    """What a worker would find, without one."""
    return [Fault(f"{label}:1:1", "is wrong") for label, source, *_ in sources if source.startswith("raise")]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VESTIBULE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KEY", "hush-one")
    monkeypatch.setattr(check, "findings", faults)


class Daemon:
    """An AdminService over a store, without ports. `failing` are called in turn after calls, and may lose an answer."""

    def __init__(self, database: KeyedDatabase) -> None:
        self.caller = Caller("ada", frozenset(Scope))
        self.failing: list[Callable[[], None]] = []
        self.called: list[str] = []
        self._loop = asyncio.new_event_loop()
        config = Config()
        self.log = io.StringIO()
        log = build(config.log, self.log)

        async def made() -> AdminService:
            logins: Any = SimpleNamespace(serves=None, decide=None, describe=None)
            return AdminService(database, Calls(logins, config, Metrics("test"), log), log)

        self._service = self._loop.run_until_complete(made())

    def __call__(self, method: str, data: bytes) -> bytes:
        self.called.append(method)
        work = self._service.methods[method](data, lambda: None, lambda: self.caller)
        answer = self._loop.run_until_complete(work)
        if self.failing:
            self.failing.pop(0)()
        if isinstance(answer, NoAnswer):
            raise CallRefused(answer.code, answer.status)
        return answer

    def close(self) -> None:
        self._service.close()
        self._loop.close()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    database = open_database(f"sqlite:{tmp_path / 's2de.db'}", keys=lambda: NO_STORE_KEYS)
    made = Daemon(database)

    @contextlib.contextmanager
    def connected(target: str, credentials: Any) -> Iterator[AdminClient]:
        assert credentials.api_key
        yield AdminClient(target, made, sleep=lambda _: None)

    monkeypatch.setattr(admin_client, "connected", connected)
    monkeypatch.setenv("VESTIBULE_API_KEY", str(key_text.generate()))
    yield made
    made.close()
    database.close()


class Both:
    """Runs each command by `--store` and by `--target`, on stores that hold the same, and wants the same of both."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], daemon: Daemon) -> None:
        self.folder, self._capsys, self.daemon = folder, capsys, daemon

    def __call__(self, *words: object, changes: bool = True) -> tuple[int, str, str]:
        who = ("--as", "ada") if changes else ()
        here = self.run("s1de", *words, *who, "--store", f"sqlite:{self.folder / 's1de.db'}")
        there = self.run("s2de", *words, "--target", "127.0.0.1:1")
        assert there == here
        return there

    def run(self, side: str, *words: object) -> tuple[int, str, str]:
        given = [str(word).replace("SIDE", side) for word in words]
        code = main.main(given)
        found = self._capsys.readouterr()
        err = "".join(line for line in found.err.splitlines(True) if "lie there as plain text" not in line)
        return code, self._masked(found.out, side), self._masked(err, side)

    def _masked(self, text: str, side: str) -> str:
        text = re.sub(WHEN, "WHEN", text.replace(side, "SIDE"))
        text = re.sub(r'("(?:made_at|until|held_at)": ?)\d+', r"\g<1>0", text)
        text = re.sub(r',\{"where":"store [^}]*\}|\{"where":"store [^}]*\}', "", text)
        return text.replace(f"sqlite:{self.folder / 'SIDE.db'}", "NAME").replace("127.0.0.1:1", "NAME")


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    write(tmp_path / "tenants", "acme", SECRET, main=ACTION)
    write(tmp_path / "tenants", "beta", main=ACTION)
    return tmp_path / "tenants"


@pytest.fixture
def both(tmp_path: Path, capsys: pytest.CaptureFixture[str], daemon: Daemon, tenants: Path) -> Both:
    made = Both(tmp_path, capsys, daemon)
    for side in ("s1de", "s2de"):
        words = ("apply", tenants, "--as", "ada", "--secret-env", "acme:KEY", "--message", "first")
        assert made.run(side, *words, "--store", f"sqlite:{tmp_path / f'{side}.db'}")[0] == 0
    return made


class TestTheSame:
    def test_reading(self, both: Both, tenants: Path) -> None:
        write(tenants, "acme", "mfa: {policy: always}\n" + STORED, main=ACTION.replace("pass", "return"))
        code, out, _ = both("apply", tenants, "--message", "ticket 1")
        assert (code, "changed acme: version 2" in out) == (0, True)
        for words in (
            ("list",),
            ("show", "acme"),
            ("show", "acme@1", "--sources"),
            ("history", "acme"),
            ("diff", "acme@1", "acme"),
            ("diff", "acme@1", tenants),
            ("export", both.folder / "out-SIDE"),
            ("show", "acme@9"),
            ("history", "nope"),
            ("diff", "nope", "acme"),
        ):
            for form in ((), *([("--json",)] if words[0] != "export" else [])):
                code, out, err = both(*words, *form, changes=False)
                assert code == (3 if "nope" in words or "acme@9" in words else 0), (words, out, err)
        here, there = written(both, "s1de"), written(both, "s2de")
        assert [name for name, text in here.items() if there[name] != text and ".vestibule" not in name] == []
        assert len(here) == len(there) == 6

    def test_an_apply_that_is_refused_or_only_planned(self, both: Both, tenants: Path) -> None:
        write(tenants, "acme", STORED, main=WORST)
        for form in ((), ("--json",)):
            code, out, err = both("apply", tenants, *form)
            assert (code, f"{tenants}/acme/actions/main.py" in out + err) == (3, True)
        write(tenants, "acme", "secrets: {main: {OTHER: {stored: OTHER}}}\n", main=ACTION)
        assert both("apply", tenants)[0] == 3
        write(tenants, "acme", SECRET, main=ACTION)
        code, _, err = both("apply", tenants)
        assert (code, "allow it with --secret-env acme:KEY" in err) == (3, True)
        write(tenants, "gone", main=ACTION)
        both("apply", tenants / "gone")
        os.rename(tenants / "gone", both.folder / "gone")
        write(tenants, "acme", STORED, main=ACTION + "#\n")
        for forms in ([], ["--json"], ["--prune"], ["--prune", "--json"]):
            code, out, _ = both("apply", tenants, "--dry-run", *forms)
            assert (code, "another source" in out, "gone" in out) == (0, True, "--prune" in forms)
        code, _, err = both("apply", tenants, "--prune")
        assert (code, "would remove 1 tenant: gone" in err) == (2, True)
        code, out, _ = both("apply", tenants, "--prune", "--yes")
        assert (code, "removed gone" in out) == (0, True)
        code, out, _ = both("apply", tenants, "--json")
        assert (code, json.loads(out)["versions"]) == (0, {"acme": 2, "beta": 1})

    def test_two_editors(self, both: Both, tenants: Path) -> None:
        """The second is shown what the first did, and with --force replaces it."""
        out = both.folder / "out-SIDE"
        both("export", out, changes=False)
        for side in ("s1de", "s2de"):
            Path(str(out).replace("SIDE", side), "acme/actions/main.py").write_text(ACTION + "# mine\n")
        write(tenants, "acme", STORED, main=ACTION + "# theirs\n")
        both("apply", tenants, "--message", "theirs")
        for form in ((), ("--json",)):
            code, told, err = both("apply", out, *form)
            assert (code, "# theirs" in told + err) == (6, True)
        assert both("apply", out, "--expect", "beta@7", "--dry-run")[0] == 6
        code, told, _ = both("apply", out, "--force")
        assert (code, "changed acme: version 3" in told) == (0, True)
        assert both("apply", out)[0] == 0
        code, _, err = both("apply", tenants, "--expect", "acme@2")
        assert (code, "is at version 3" in err) == (6, True)

    def test_going_back_holding_and_removing(self, both: Both, tenants: Path) -> None:
        write(tenants, "acme", STORED, main=ACTION + "#\n")
        both("apply", tenants)
        for words in (
            ("hold", "acme", "--to", "1", "--for", "2h", "--message", "the night"),
            ("list",),
            ("show", "acme"),
            ("history", "acme"),
            ("rollback", "acme", "--message", "back"),
            ("rollback", "acme", "--to", "1"),
            ("rollback", "acme", "--to", "1", "--json"),
            ("rollback", "acme", "--to", "9"),
            ("rollback", "beta"),
            ("hold", "acme", "--to", "policy", "--for", "30m", "--json"),
            ("hold", "acme", "--release"),
            ("hold", "acme", "--release", "--json"),
            ("hold", "nope", "--to", "1", "--for", "1h"),
            ("delete", "beta"),
            ("delete", "beta", "--yes", "--message", "over"),
            ("delete", "beta", "--yes"),
            ("delete", "acme", "--yes", "--json"),
            ("rollback", "acme"),
            ("rollback", "acme", "--force"),
            ("list", "--json"),
        ):
            code, out, err = both(*words, changes=words[0] in ("hold", "rollback", "delete"))
            assert out + err, words
            assert code == (3 if "nope" in words or words[-1] == "9" or words == ("rollback", "beta") else code)
        assert json.loads(out)[0]["number"] == 5

    def test_trials(self, both: Both, tenants: Path) -> None:
        write(tenants, "acme", STORED, main=ACTION + "#\n")
        for words in (
            ("apply", tenants, "--gradual", 10),
            ("apply", tenants, "--gradual", 50, "--denied-points", 7, "--json"),
            ("list", "--json"),
            ("list",),
            ("promote", "acme", "--message", "good"),
            ("promote", "acme"),
            ("history", "acme"),
            ("apply", tenants, "--report-only"),
        ):
            code, out, err = both(*words, changes=words[0] in ("apply", "promote"))
            assert (code, bool(out + err)) == (3 if words == ("promote", "acme") else 0, True)
        assert out == "nothing is different, so nothing is on trial\n"
        write(tenants, "acme", STORED, main=ACTION + "##\n")
        assert both("apply", tenants, "--report-only")[0] == 0
        write(tenants, "acme", STORED, main=ACTION + "###\n")
        code, _, err = both("apply", tenants, "--gradual", 5)
        assert (code, "promote or abandon it first" in err) == (3, True)
        assert both("abandon", "acme")[:2] == (0, "abandoned acme@4\n")
        code, _, err = both("abandon", "acme", "--json")
        assert (code, "ended: abandoned by ada" in err) == (3, True)


def written(both: Both, side: str) -> dict[str, str]:
    """Return what an export wrote, without instants."""
    root = both.folder / f"out-{side}"
    found = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): re.sub(WHEN, "", path.read_text()) for path in found}


class TestRemote:
    """What only a daemon has."""

    def remote(self, both: Both, *words: object) -> tuple[int, str, str]:
        return both.run("s2de", *words, "--target", "127.0.0.1:1")

    def test_what_is_lost_on_its_way_is_sent_again_and_made_once(self, both: Both, daemon: Daemon) -> None:
        """The first answer to each change never arrives; the second try gets it, by the same request id."""

        def lost() -> None:
            raise CannotReach("the connection broke")

        for words in (("hold", "acme", "--to", "1", "--for", "1h"), ("delete", "beta", "--yes"), ("rollback", "beta")):
            daemon.failing = [] if words[0] != "delete" else [lambda: None]
            daemon.failing.append(lost)
            assert self.remote(both, *words)[0] == 0, words
        assert daemon.called.count("DeleteTenant") == 2
        history = json.loads(self.remote(both, "history", "beta", "--json")[1])
        assert [version["how"] for version in history] == ["rollback", "delete", "apply"]

    def test_a_pipeline_that_runs_again_names_its_request(self, both: Both, tenants: Path) -> None:
        write(tenants, "acme", STORED, main=ACTION + "#\n")
        for _ in range(2):
            code, out, _ = self.remote(both, "apply", tenants, "--request-id", "build 7")
            assert (code, "changed acme: version 2" in out) == (0, True)
        code, _, err = self.remote(both, "delete", "acme", "--yes", "--request-id", "build 7")
        assert (code, "REQUEST_ID_USED" in err) == (1, True)

    def test_it_gives_up(self, both: Both, daemon: Daemon) -> None:
        def lost() -> None:
            raise CannotReach("no daemon answers")

        daemon.failing = [lost] * 9
        assert self.remote(both, "list") == (5, "", "vestibule: no daemon answers\n")
        assert len(daemon.failing) == 6

    def test_secrets_are_sent_and_never_shown(self, both: Both, daemon: Daemon, tenants: Path) -> None:
        """Those that flags allow, and no others; the daemon's own environment is not asked."""
        (both.folder / "secrets/acme").mkdir(parents=True)
        (both.folder / "secrets/acme/deep").write_text("hush-two\n")
        (both.folder / "secrets/acme/deep").chmod(0o600)
        write(tenants, "acme", "secrets: {main: {KEY: {env: KEY}, DEEP: {file: deep}}}\n", main=ACTION)
        flags = ("--secret-env", "acme:KEY", "--secrets-dir", both.folder / "secrets")
        code, out, err = self.remote(both, "apply", tenants, *flags)
        assert (code, "secret main.DEEP: added" in out) == (0, True)
        shown = self.remote(both, "show", "acme", "--json")[1]
        assert "hush" not in out + err + shown + daemon.log.getvalue()

    def test_a_key_that_may_not(self, both: Both, daemon: Daemon) -> None:
        daemon.caller = Caller("reader", frozenset({Scope.READ}), "acme")
        assert self.remote(both, "show", "acme")[0] == 0
        code, _, err = self.remote(both, "rollback", "acme")
        assert (code, "SCOPE_MISSING" in err) == (1, True)
        code, _, err = self.remote(both, "show", "beta")
        assert (code, "TENANT_NOT_ALLOWED" in err) == (1, True)
        assert [one["tenant"] for one in json.loads(self.remote(both, "list", "--json")[1])] == ["acme"]

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("list", "--target", "127.0.0.1:1", "--store", "sqlite:x.db"), "names a store, and --target a daemon"),
            (("delete", "acme", "--target", "127.0.0.1:1", "--as", "bob"), "the daemon names the key"),
            (("list", "--target", "nonsense"), "http://host:port"),
            (("list", "--target", "http://h.example:80"), "without TLS"),
            (("list", "--target", "http://127.0.0.1:80", "--tls"), "write https://"),
            (("list", "--tls-ca", "ca.pem"), "--target: is missing"),
            (("rollback", "acme", "--request-id", "7"), "is for a daemon"),
        ],
        ids=" ".join,
    )
    def test_what_does_not_go_together(self, both: Both, words: tuple[str, ...], says: str) -> None:
        code, _, err = both.run("s2de", *words)
        assert (code, says in err) == (2, True)

    def test_a_variable_does_not_lead_to_a_daemon(
        self, both: Both, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exported VESTIBULE_TARGET is for logins; no command changes another store for it."""
        monkeypatch.setenv("VESTIBULE_TARGET", "127.0.0.1:1")
        assert both.run("s1de", "list", "--store", f"sqlite:{both.folder / 's1de.db'}")[0] == 0
        assert daemon.called == []

    def test_more_than_a_call_takes(self, both: Both, tenants: Path) -> None:
        for name in range(5):
            sources = {f"a{at}": ACTION + "# " + "x" * 99_000 + "\n" for at in range(9)}
            write(tenants, f"big{name}", **sources)
        code, _, err = self.remote(both, "apply", tenants, "--secret-env", "acme:KEY")
        assert (code, "send fewer tenants at a time" in err) == (2, True)

    def test_another_server(self) -> None:
        """What is no Vestibule daemon is named as such, whatever it answers."""
        for body in (b"<html>", b"[]", b'{"code": 1}', b'{"code": "internal", "message": 3}', b'{"message": "x"}'):
            client = AdminClient("http://h:1", lambda *_, body=body: refuse(body))
            with pytest.raises(Exception, match="none of a Vestibule daemon's"):
                client.call("ListTenants", status_pb2.Status(), status_pb2.Status)


def refuse(body: bytes) -> bytes:
    raise admin_client.refusal(502, body)
