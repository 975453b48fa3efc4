"""The commands about versions: what they say, what they write, and that nothing foreign reaches a terminal raw."""

import io
import json
import os
import pwd
import re
import sys
from pathlib import Path

import pytest

from runtime.cli import main
from runtime.errors import Fault
from runtime.offline import check
from tests.unit.test_apply import ACTION, write

SECRET = "secrets: {main: {KEY: hush-one}}\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VESTIBULE_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(check, "findings", lambda sources: [])


class Command:
    """Runs commands against one store; gives exit code, output and errors."""

    def __init__(self, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.store, self._capsys = store, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        code = main.main([*map(str, arguments), "--store", f"sqlite:{self.store}"])
        captured = self._capsys.readouterr()
        # Of a store without a key, which is what these tests use.
        lines = captured.err.splitlines(keepends=True)
        return code, captured.out, "".join(line for line in lines if "lie there as plain text" not in line)

    def ok(self, *arguments: object) -> str:
        code, out, err = self(*arguments)
        # What is said of a store that is not sealed is not the question here.
        said = [line for line in err.splitlines() if "lie there as plain text" not in line]
        assert (code, said) == (0, []), (code, err)
        return out


@pytest.fixture
def vestibule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "flows.db", capsys)


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    write(tmp_path / "tenants", "acme", SECRET, main=ACTION)
    write(tmp_path / "tenants", "beta", main=ACTION)
    return tmp_path / "tenants"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestHistory:
    def test_who_when_and_why(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants, "--as", "ada", "--message", "the first one")
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        assert "changed acme: version 2" in vestibule.ok("apply", tenants)
        user = pwd.getpwuid(os.geteuid()).pw_name
        lines = vestibule.ok("history", "acme").splitlines()
        assert re.match(rf"2 +\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ +{user} +apply +[0-9a-f]{{12}}", lines[1])
        assert re.match(r"1 .* ada .* the first one$", lines[2])
        listed = json.loads(vestibule.ok("list", "--json"))
        assert [(one["tenant"], one["number"], one["made_by"]) for one in listed] == [
            ("acme", 2, user),
            ("beta", 1, "ada"),
        ]

    def test_an_author_and_a_message_are_one_line(self, vestibule: Command, tenants: Path) -> None:
        for given in ("two\nlines", "\x1b[31mred", "x" * 501):
            code, _, err = vestibule("apply", tenants, "--message", given)
            assert code == 2
            assert "printable characters" in err
        assert not vestibule.store.exists()

    def test_a_tenant_that_is_not_there(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        for words in (("history", "nope"), ("show", "nope"), ("delete", "nope", "--yes"), ("rollback", "nope")):
            code, out, err = vestibule(*words)
            assert (code, out) == (3, "")
            assert "there is no tenant 'nope' in the store" in err

    def test_a_store_that_is_not_there(self, vestibule: Command) -> None:
        for words in (("list",), ("history", "acme"), ("rollback", "acme"), ("hold", "acme", "--release")):
            code, _, err = vestibule(*words)
            assert (code, "is gone" in err) == (1, True)
        assert not vestibule.store.exists()


class TestShow:
    def test_a_version_with_names_of_secrets_alone(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants, "--message", "first")
        write(tenants, "acme", "mfa: {policy: always}\n" + SECRET, main=ACTION)
        vestibule.ok("apply", tenants)
        now, before = vestibule.ok("show", "acme"), vestibule.ok("show", "acme@1", "--sources")
        assert ("policy: always" in now, "policy" in before) == (True, False)
        assert now.startswith("acme@2, made ")
        assert "message: first" in before
        assert 'stored: "KEY"' in now
        assert "def on_execute_post_login(event, api):" in before
        assert "hush" not in now + before
        shown = json.loads(vestibule.ok("show", "acme@1", "--json"))
        assert shown["tenant_yaml"]["secrets"] == {"main": {"KEY": {"stored": "KEY"}}}
        assert shown["actions"][0]["source"] == ACTION


class TestDiff:
    def test_two_versions(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", "mfa: {policy: always}\n" + SECRET, main=ACTION.replace("pass", "return"))
        vestibule.ok("apply", tenants)
        assert vestibule.ok("diff", "acme@1", "acme").splitlines() == [
            "acme@1 -> acme@2",
            "  setting mfa.policy: never -> always",
            "  action main: another source",
            "--- acme@1/actions/main.py",
            "+++ acme@2/actions/main.py",
            "@@ -1,2 +1,2 @@",
            " def on_execute_post_login(event, api):",
            "-    pass",
            "+    return",
        ]
        assert vestibule.ok("diff", "acme", "acme@2") == "no difference\n"
        (found,) = json.loads(vestibule.ok("diff", "acme@1", "acme@2", "--json"))
        assert (found["equal"], found["changes"][0]["name"]) == (False, "mfa.policy")
        assert found["sources"][0]["diff"].endswith("+    return")

    def test_a_version_and_a_directory(self, vestibule: Command, tenants: Path) -> None:
        """Of all tenants or of one; the value of a secret is neither compared nor shown."""
        vestibule.ok("apply", tenants)
        write(tenants, "acme", "secrets: {main: {KEY: hush-two, NEW: hush}}\n", main=ACTION)
        for directory in (tenants, tenants / "acme"):
            out = vestibule.ok("diff", "acme", directory)
            assert out.splitlines()[1:] == ["  secret main.NEW: added"]

    def test_two_directories_need_no_store(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        write(tmp_path / "other", "acme", main=ACTION)
        out = vestibule.ok("diff", tenants, tmp_path / "other")
        assert "tenant beta: removed" in out
        assert "secret main.KEY: removed" in out

    def test_a_directory_is_written_with_a_slash(
        self, vestibule: Command, tenants: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vestibule.ok("apply", tenants)
        monkeypatch.chdir(tenants.parent)
        (tenants.parent / "Upper").mkdir()
        code, _, err = vestibule("diff", "Upper", "acme")
        assert code == 2
        assert "for the directory write ./Upper" in err
        assert vestibule.ok("diff", "./tenants/acme", "acme") == "no difference\n"

    @pytest.mark.parametrize("colours", [True, False])
    def test_hostile_text_never_reaches_a_terminal_raw(
        self, vestibule: Command, tenants: Path, monkeypatch: pytest.MonkeyPatch, colours: bool
    ) -> None:
        """Colours are ours alone: what a source holds is escaped, and NO_COLOR leaves it all out."""
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "# \x1b[2J\x1b]0;owned\x07 \u202e \x9b31m\r\n")
        vestibule.ok("apply", tenants)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "" if colours else "1")
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        assert main.main(["diff", "acme@1", "acme", "--store", f"sqlite:{vestibule.store}"]) == 0
        text = screen.getvalue()
        assert "\\x1b[2J" in text
        assert ("\x1b[32m+# " in text) is colours
        bare = re.sub(r"\x1b\[(?:0|1|31|32|36)m", "", text)
        assert all(char.isprintable() or char == "\n" for char in bare)


class TestRollback:
    def test_it_says_what_changed(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", "mfa: {policy: always}\n" + SECRET, main=ACTION)
        vestibule.ok("apply", tenants)
        out = vestibule.ok("rollback", "acme", "--as", "bob")
        assert out.splitlines() == ["acme@3 has the content of version 1", "  setting mfa.policy: always -> never"]
        assert "rollback to 1" in vestibule.ok("history", "acme")
        told = json.loads(vestibule.ok("rollback", "acme", "--to", 2, "--json"))
        assert (told["ok"], told["number"], told["copy_of"], told["changed"]) == (True, 4, 2, True)

    def test_a_secret_that_is_gone(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", main=ACTION + "#\n")
        vestibule.ok("apply", tenants)
        code, out, err = vestibule("rollback", "acme")
        assert (code, out) == (3, "")
        assert "acme@1 names secrets that are gone: main.KEY" in err
        code, out, err = vestibule("rollback", "acme", "--force")
        assert (code, "the secret main.KEY is gone" in err) == (0, True)

    def test_what_is_not_accepted_any_more(
        self, vestibule: Command, tenants: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A release may refuse what an earlier one took: neither a rollback nor a hold brings it back unseen."""
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        vestibule.ok("apply", tenants)
        monkeypatch.setattr(check, "findings", lambda sources: [Fault(f"{sources[0][0]}:2:5", "not accepted")])
        for words in (("rollback", "acme"), ("hold", "acme", "--to", 1, "--for", "1h")):
            code, _, err = vestibule(*words)
            assert code == 3
            assert "acme@1/actions/main.py:2:5: not accepted" in err
            vestibule.ok(*words, "--force")


class TestHold:
    def test_it_is_listed_until_it_is_released(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        vestibule.ok("apply", tenants)
        out = vestibule.ok("hold", "acme", "--to", 1, "--for", "2h", "--as", "bob", "--message", "ticket 7")
        assert re.match(r"acme is held at version 1 until \d{4}-\d\d-\d\dT.*Z by bob: ticket 7\n", out)
        assert "version 1 until" in vestibule.ok("list")
        listed = json.loads(vestibule.ok("list", "--json"))
        assert (listed[0]["hold"]["number"], listed[1]["hold"]) == (1, None)
        assert "is held at version 1" in vestibule.ok("history", "acme")
        write(tenants, "acme", SECRET, main=ACTION + "##\n")
        assert "acme is held at version 1" in vestibule.ok("apply", tenants)
        assert vestibule.ok("hold", "acme", "--release") == "released acme\n"
        assert vestibule.ok("hold", "acme", "--release") == "acme is not held; nothing to do\n"
        assert "version 1 until" not in vestibule.ok("list")

    def test_the_policy_alone(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        told = json.loads(vestibule.ok("hold", "acme", "--to", "policy", "--for", "30m", "--json"))
        assert told["number"] is None
        assert told["until"] - told["held_at"] == 1800
        assert "the policy alone until" in vestibule.ok("list")

    @pytest.mark.parametrize(
        ("words", "wanted"),
        [
            (("--to", "1"), "--for"),
            (("--to", "latest", "--for", "1h"), "neither a version's number nor the word policy"),
            (("--to", "1", "--for", "forever"), "write 30m, 2h or 1d"),
            (("--to", "1", "--for", "31d"), "at most 30d"),
            ((), "--to --release"),
        ],
    )
    def test_what_is_missing_or_wrong(
        self, vestibule: Command, tenants: Path, words: tuple[str, ...], wanted: str
    ) -> None:
        vestibule.ok("apply", tenants)
        code, _, err = vestibule("hold", "acme", *words)
        assert code == 2
        assert wanted in err


class TestTrials:
    def test_a_share_and_its_end(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        out = vestibule.ok("apply", tenants, "--gradual", 10, "--as", "ada")
        assert out.startswith("acme@2 decides the logins of 10 % of users: ")
        assert "version 2 for 10 % of logins" in vestibule.ok("list")
        listed = json.loads(vestibule.ok("list", "--json"))
        assert (listed[0]["number"], listed[0]["trial"]["number"], listed[1]["trial"]) == (1, 2, None)
        assert vestibule.ok("apply", tenants, "--gradual", 50).startswith("acme@2 decides the logins of 50 %")
        write(tenants, "acme", SECRET, main=ACTION + "##\n")
        code, _, err = vestibule("apply", tenants, "--gradual", 50)
        assert (code, "promote or abandon it first" in err) == (3, True)
        assert vestibule.ok("promote", "acme").startswith("acme@3 has the content of version 2, which was on trial\n")
        told = json.loads(vestibule.ok("apply", tenants, "--report-only", "--json"))
        assert (told["trials"][0]["number"], told["trials"][0]["percent"]) == (4, 0)
        assert vestibule.ok("abandon", "acme", "--as", "bob") == "abandoned acme@4\n"
        assert "the trial of version 4 ended: abandoned by bob" in vestibule.ok("history", "acme")
        code, _, err = vestibule("abandon", "acme")
        assert (code, "has no version on trial" in err) == (3, True)
        assert vestibule.ok("apply", tenants / "beta", "--gradual", 5).startswith("nothing is different")

    def test_an_exported_folder_is_its_trial_too(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        """While it runs, when promoted and when abandoned, its editor applies it again; another editor may not."""
        vestibule.ok("apply", tenants)
        vestibule.ok("export", tmp_path / "out")
        main_py = tmp_path / "out/acme/actions/main.py"
        main_py.write_text(ACTION + "# trial\n")
        vestibule.ok("apply", tmp_path / "out", "--gradual", 10)
        vestibule.ok("apply", tmp_path / "out", "--gradual", 20)
        vestibule.ok("promote", "acme")
        main_py.write_text(ACTION + "# more\n")
        assert "changed acme: version 4" in vestibule.ok("apply", tmp_path / "out")
        main_py.write_text(ACTION + "# another\n")
        vestibule.ok("apply", tmp_path / "out", "--gradual", 10)
        vestibule.ok("abandon", "acme")
        main_py.write_text(ACTION + "# mended\n")
        vestibule.ok("apply", tmp_path / "out", "--gradual", 10)
        vestibule.ok("apply", tenants)
        assert vestibule("apply", tmp_path / "out")[0] == 6

    def test_what_is_wrong(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        for words, wanted in (
            (("--gradual", "0"), "from 1 to 99"),
            (("--gradual", "100"), "from 1 to 99"),
            (("--gradual", "5", "--report-only"), "not allowed with"),
            (("--gradual", "5", "--prune"), "a trial changes none"),
        ):
            code, _, err = vestibule("apply", tenants, *words)
            assert (code, wanted in err) == (2, True), err
        (tenants / "new").mkdir()
        write(tenants, "new", main=ACTION)
        code, _, err = vestibule("apply", tenants, "--gradual", 5)
        assert (code, "apply it whole first" in err) == (3, True)

    def test_the_second_editor_is_shown_what_changed(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "##\n")
        code, _, err = vestibule("apply", tenants, "--gradual", 5, "--expect", "acme@1")
        assert (code, "+#" in err) == (6, True)


class TestDelete:
    def test_it_asks(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        code, _, err = vestibule("delete", "acme")
        assert (code, "add --yes" in err) == (2, True)
        assert "acme" in vestibule.ok("list")
        assert vestibule.ok("delete", "acme", "--yes") == "removed acme: version 2\n"
        assert "acme" not in vestibule.ok("list")
        assert "delete" in vestibule.ok("history", "acme")
        assert "the tenant was removed" in vestibule.ok("show", "acme")


class TestExport:
    def test_an_apply_of_it_changes_nothing(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        """And its secrets are references: the value is nowhere in it. Sources are the same to the byte."""
        write(
            tenants, "acme", SECRET + "mfa: {policy: adaptive, factors: [otp, phone]}\n", main=ACTION + "# \u00e9\r\n"
        )
        vestibule.ok("apply", tenants)
        assert "2 tenants written" in vestibule.ok("export", tmp_path / "out")
        told = json.loads(vestibule.ok("apply", tmp_path / "out", "--json"))
        assert (told["unchanged"], told["changed"]) == (["acme", "beta"], [])
        assert (tmp_path / "out/acme/actions/main.py").read_bytes() == (tenants / "acme/actions/main.py").read_bytes()
        assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file() and b"hush" in path.read_bytes()]

    def test_another_store_has_no_such_secret(
        self, vestibule: Command, tenants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        vestibule.ok("apply", tenants)
        vestibule.ok("export", tmp_path / "out")
        other = Command(tmp_path / "other.db", capsys)
        code, _, err = other("apply", tmp_path / "out")
        assert code == 3
        assert "the store has no secret 'KEY' of main of tenant 'acme'; write {env: NAME}" in err

    def test_it_overwrites_nothing_without_a_word(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        vestibule.ok("apply", tenants)
        out = tmp_path / "out"
        write(out, "acme", main="mine\n", other="mine\n")
        (out / "README").write_text("mine")
        code, _, err = vestibule("export", out)
        assert (code, "is not empty" in err) == (2, True)
        assert (out / "acme/actions/main.py").read_text() == "mine\n"
        vestibule.ok("export", out, "--force")
        assert sorted(path.name for path in (out / "acme/actions").iterdir()) == ["main.py"]
        assert (out / "README").read_text() == "mine"

    def test_a_version_of_one_tenant(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        vestibule.ok("apply", tenants)
        vestibule.ok("export", tmp_path / "out", "--tenant", "acme@1")
        assert (tmp_path / "out/acme/actions/main.py").read_text() == ACTION
        assert not (tmp_path / "out/beta").exists()


class TestTwoEditors:
    def test_the_second_gets_a_conflict_with_a_diff(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        vestibule.ok("apply", tenants)
        for name in ("hers", "his"):
            vestibule.ok("export", tmp_path / name)
        (tmp_path / "hers/acme/actions/main.py").write_text(ACTION + "# hers\n")
        vestibule.ok("apply", tmp_path / "hers", "--as", "ada", "--message", "mine")
        (tmp_path / "his/acme/actions/main.py").write_text(ACTION + "# his\n")
        code, out, err = vestibule("apply", tmp_path / "his", "--as", "bob")
        assert (code, out) == (6, "")
        assert "acme: was changed meanwhile: it is at version 2, and this was made from version 1" in err
        assert re.search(r"acme@2 was made .* by ada: mine", err)
        assert "+# hers" in err
        code, out, _ = vestibule("apply", tmp_path / "his", "--json")
        told = json.loads(out)
        assert (code, told["ok"], told["conflicts"][0]["expected"], told["conflicts"][0]["found"]) == (6, False, 1, 2)
        assert vestibule("apply", tmp_path / "his", "--dry-run")[0] == 6
        # The first one's directory knows its own apply, and the second one may insist.
        (tmp_path / "hers/acme/actions/main.py").write_text(ACTION + "# hers again\n")
        vestibule.ok("apply", tmp_path / "hers")
        assert "changed acme: version 4" in vestibule.ok("apply", tmp_path / "his", "--force")
        assert vestibule("apply", tmp_path / "hers")[0] == 6

    def test_an_expectation_by_flag(self, vestibule: Command, tenants: Path) -> None:
        vestibule.ok("apply", tenants)
        write(tenants, "acme", SECRET, main=ACTION + "#\n")
        vestibule.ok("apply", tenants, "--expect", "acme@1")
        write(tenants, "acme", SECRET, main=ACTION + "##\n")
        assert vestibule("apply", tenants, "--expect", "acme@1")[0] == 6
        assert vestibule("apply", tenants, "--expect", "acme")[0] == 2

    def test_a_secret_that_was_rotated_meanwhile_does_not_come_back(
        self, vestibule: Command, tenants: Path, tmp_path: Path
    ) -> None:
        """The exported directory refers to it: what it stands for is the store's value at the apply."""
        vestibule.ok("apply", tenants)
        vestibule.ok("export", tmp_path / "out")
        write(tenants, "acme", "secrets: {main: {KEY: hush-rotated}}\n", main=ACTION)
        vestibule.ok("apply", tenants)
        told = json.loads(vestibule.ok("apply", tmp_path / "out", "--json"))
        assert told["unchanged"] == ["acme", "beta"]

    def test_a_marker_that_is_damaged(self, vestibule: Command, tenants: Path, tmp_path: Path) -> None:
        vestibule.ok("apply", tenants)
        vestibule.ok("export", tmp_path / "out")
        for text in ("nonsense", '{"a": "b"}', "[" * 5000):
            (tmp_path / "out/acme/.vestibule-version").write_text(text)
            code, _, err = vestibule("apply", tmp_path / "out")
            assert (code, "remove it to apply" in err) == (2, True)
