"""What `vestibule apply` says and asks: what is added, changed and removed, and nothing removed by accident."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from runtime.catalog import applies, images
from runtime.catalog.base import Binding, Flow
from runtime.catalog.comparison import changes
from runtime.catalog.sqlite import SqliteDatabase
from runtime.cli import main
from runtime.core.model import Experience, OnError, Policy, Settings
from runtime.errors import CatalogError
from runtime.offline import check

ACTION = "def on_execute_post_login(event, api):\n    pass\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from outside, and no workers: what a source may be is not the question here."""
    for name in list(os.environ):
        if name.startswith("VESTIBULE_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(check, "findings", lambda sources: [])


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    """A directory of three tenants."""
    for name in ("acme", "beta", "zeta"):
        write(tmp_path / "tenants", name)
    return tmp_path / "tenants"


def write(root: Path, name: str, text: str = "", **actions: str) -> None:
    folder = root / name / "actions"
    folder.mkdir(parents=True, exist_ok=True)
    bound = "".join(f"    - action: {action}\n" for action in actions or ("main",))
    (folder.parent / "tenant.yaml").write_text(f"tenant: {name}\n{text}flows:\n  post_login:\n{bound}")
    for action, source in (actions or {"main": ACTION}).items():
        (folder / f"{action}.py").write_text(source)


class Apply:
    """Runs the command against one store and gives exit code, output and what the store holds."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self._capsys = path, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        code = main.main(["apply", *map(str, arguments), "--store", f"sqlite:{self.path}"])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def tenants(self) -> set[str]:
        with SqliteDatabase(self.path, timeout_s=1.0).reading() as connection:
            image = images.read(connection, None, str(self.path))
        return set() if image is None else set(image.snapshot.tenants)


@pytest.fixture
def apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Apply:
    return Apply(tmp_path / "flows.db", capsys)


class TestPruning:
    def test_one_tenants_directory_prunes_nothing(self, tenants: Path, apply: Apply) -> None:
        """The others would go: refused, whatever is agreed to."""
        assert apply(tenants)[0] == 0
        for more in ((), ("--yes",), ("--dry-run",), ("--json",)):
            code, out, err = apply(tenants / "acme", "--prune", *more)
            assert code == 2
            assert "one tenant's own directory" in out + err
            assert "leave --prune out" in out + err
        assert apply.tenants() == {"acme", "beta", "zeta"}
        assert apply(tenants / "acme")[0] == 0

    def test_it_is_listed_and_needs_a_yes(self, tenants: Path, apply: Apply, tmp_path: Path) -> None:
        """Without an answer nothing is done, not even what would be added; with --yes it is."""
        apply(tenants)
        write(tmp_path / "fewer", "acme", "login_experience: classic\n")
        code, out, err = apply(tmp_path / "fewer", "--prune")
        assert (code, out) == (2, "")
        assert err == (
            "vestibule: --prune: would remove 2 tenants: beta, zeta; add --yes if that is meant; nothing was done\n"
        )
        code, out, _ = apply(tmp_path / "fewer", "--prune", "--json")
        assert (code, json.loads(out)["ok"]) == (2, False)
        assert apply.tenants() == {"acme", "beta", "zeta"}
        code, out, _ = apply(tmp_path / "fewer", "--prune", "--yes")
        assert (code, "removed beta\nremoved zeta\n" in out) == (0, True)
        assert apply.tenants() == {"acme"}

    def test_nothing_to_remove_needs_no_yes(self, tenants: Path, apply: Apply) -> None:
        """A pipeline that prunes each time is only stopped when something would go."""
        assert apply(tenants, "--prune")[0] == 0
        assert apply(tenants, "--prune")[0] == 0

    @pytest.mark.parametrize(("answer", "left"), [("y\n", {"acme"}), ("Yes\n", {"acme"}), ("n\n", None), ("", None)])
    def test_a_terminal_is_asked(
        self,
        tenants: Path,
        apply: Apply,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        answer: str,
        left: set[str] | None,
    ) -> None:
        """Only yes is yes."""
        apply(tenants)
        write(tmp_path / "fewer", "acme")

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        screen = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        monkeypatch.setattr(sys, "stderr", screen)
        code, _, _ = apply(tmp_path / "fewer", "--prune")
        assert screen.getvalue().startswith("would remove beta\nwould remove zeta\nremove 2 tenants? [y/N] ")
        assert (code == 0) is (left is not None)
        assert apply.tenants() == (left or {"acme", "beta", "zeta"})

    def test_no_more_goes_than_was_agreed_to(self, tenants: Path, apply: Apply) -> None:
        """A tenant that somebody adds between the question and the answer stays, and nothing is done."""
        apply(tenants)
        with pytest.raises(CatalogError, match=r"the store .* has changed: zeta would be removed too; apply again"):
            applies.apply(SqliteDatabase(apply.path), [], prune=True, agreed=["acme", "beta"])
        assert apply.tenants() == {"acme", "beta", "zeta"}


class TestDryRun:
    def test_it_shows_everything_and_writes_nothing(self, tenants: Path, apply: Apply, tmp_path: Path) -> None:
        """Added, changed with what and how, removed; names of secrets and no value; the store stays as it is."""
        secret = "secrets: {main: {KEY: hush-one, OLD: hush-two}}\n"
        write(tenants, "acme", "mfa: {policy: never}\n" + secret, main=ACTION, gone=ACTION)
        apply(tenants)
        before = apply.path.read_bytes()
        more = tmp_path / "more"
        secret = "secrets: {main: {KEY: hush-three, NEW: hush-four}}\n"
        write(more, "acme", "mfa: {policy: always}\n" + secret, new=ACTION, main=ACTION + "#\n")
        write(more, "beta")
        write(more, "gamma")
        code, out, err = apply(more, "--dry-run", "--prune")
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "added gamma",
            "changed acme",
            "  setting mfa.policy: never -> always",
            "  action gone: removed",
            "  action main: another source",
            "  action new: added",
            "  secret main.KEY: another value",
            "  secret main.NEW: added",
            "  secret main.OLD: removed",
            "removed zeta",
            f"dry run, nothing was written: 3 tenants would be applied; sqlite:{apply.path} is at revision 1",
        ]
        assert "removed" not in apply(more, "--dry-run")[1].replace(": removed", "")
        code, out, _ = apply(more, "--dry-run", "--prune", "--json")
        told = json.loads(out)
        assert (told["created"], told["changed"], told["pruned"]) == (["gamma"], ["acme"], ["zeta"])
        assert {"what": "secret", "name": "main.KEY", "how": "another value"} in told["changes"]["acme"]
        assert (told["ok"], told["dry_run"], told["revision"]) == (True, True, 1)
        assert "hush" not in out
        assert apply.path.read_bytes() == before
        assert apply.tenants() == {"acme", "beta", "zeta"}
        # The real one says the same of the change, and the control: it does write.
        code, out, _ = apply(more)
        assert "changed acme: version 2\n  setting mfa.policy: never -> always\n" in out
        assert apply.tenants() == {"acme", "beta", "gamma", "zeta"}

    def test_a_missing_store_is_not_made(self, tenants: Path, apply: Apply) -> None:
        """Everything would be added, and there is still no file."""
        code, out, _ = apply(tenants, "--dry-run")
        assert (code, out.splitlines()[:3]) == (0, ["added acme", "added beta", "added zeta"])
        assert not apply.path.exists()

    def test_faults_are_faults(self, tenants: Path, apply: Apply) -> None:
        """A directory that could not be applied is refused by a dry run too."""
        (tenants / "acme/tenant.yaml").write_text("tenant: acme\ncolour: red\n")
        assert apply(tenants, "--dry-run")[0] == 3


def test_a_warning_stops_nothing(tenants: Path, apply: Apply) -> None:
    """An action that no flow binds is warned of on standard error, and in JSON."""
    (tenants / "acme/actions/draft.py").write_text(ACTION)
    code, _, err = apply(tenants)
    assert code == 0
    assert err.startswith("vestibule: warning: ")
    assert "acme/actions/draft.py: no flow binds this action" in err
    (warning,) = json.loads(apply(tenants, "--json")[1])["warnings"]
    assert warning["where"].endswith("draft.py")


class TestSecrets:
    def test_flags_give_a_tenant_its_secrets(
        self, tenants: Path, apply: Apply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By flag, by a file of allowances and by a folder; without them the same directory is refused."""
        monkeypatch.setenv("ONE", "1")
        monkeypatch.setenv("TWO", "2")
        write(tenants, "acme", "secrets: {main: {A: {env: ONE}, B: {env: TWO}, C: {file: three}}}\n")
        (tmp_path / "allowed").write_text("# acme only\nacme:TWO\n")
        (tmp_path / "secrets/acme").mkdir(parents=True)
        (tmp_path / "secrets/acme/three").write_text("3\n")
        code, _, err = apply(tenants)
        assert code == 3
        for named in ("--secret-env acme:ONE", "--secret-env acme:TWO", "--secrets-dir"):
            assert named in err
        flags = ["--secret-env", "acme:ONE", "--secret-env-file", tmp_path / "allowed"]
        assert apply(tenants, *flags, "--secrets-dir", tmp_path / "secrets")[0] == 0
        with SqliteDatabase(apply.path, timeout_s=1.0).reading() as connection:
            stored = dict(connection.execute("SELECT name, value FROM secrets WHERE tenant = 'acme'").fetchall())
        assert stored == {"A": "1", "B": "2", "C": "3"}

    def test_a_line_that_is_no_allowance(self, tenants: Path, apply: Apply, tmp_path: Path) -> None:
        """The fault has file and line; the exit code is that of usage."""
        (tmp_path / "allowed").write_text("acme:A\nacme\n")
        code, _, err = apply(tenants, "--secret-env-file", tmp_path / "allowed")
        assert code == 2
        assert f"{tmp_path}/allowed:2: got 'acme'; want TENANT:NAME" in err


OLD = Flow("acme", Settings(), (Binding("a", "1"), Binding("b", "2")))


class TestChanges:
    @pytest.mark.parametrize(
        ("new", "wanted"),
        [
            (Flow("acme", Settings(), (Binding("a", "1"), Binding("b", "2"))), []),
            (
                Flow("acme", Settings(experience=Experience.CLASSIC), (Binding("a", "1"), Binding("b", "2"))),
                ["setting login_experience: new -> classic"],
            ),
            (
                Flow("acme", Settings(policy=Policy.ALWAYS, factors=("otp", "duo")), OLD.bindings),
                [
                    "setting mfa.policy: never -> always",
                    f"setting mfa.factors: [{', '.join(Settings().factors)}] -> [otp, duo]",
                ],
            ),
            (
                Flow("acme", Settings(), (Binding("b", "2"), Binding("a", "1", OnError.DENY, 5000))),
                [
                    "action a: on_error require_mfa -> deny",
                    "action a: timeout_ms the default -> 5",
                    "order flows.post_login: b, a",
                ],
            ),
            (Flow("acme", Settings(), (Binding("b", "2"),)), ["action a: removed"]),
        ],
    )
    def test_each_difference_is_listed(self, new: Flow, wanted: list[str]) -> None:
        """In the words of tenant.yaml; what is the same is not listed."""
        assert [str(change) for change in changes(OLD, new)] == wanted
