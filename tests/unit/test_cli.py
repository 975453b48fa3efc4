"""The command line's edge: help, usage, exit codes, and no traceback for anybody who did not ask."""

import io
import json
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime import errors
from runtime.cli import check_config, main, output
from runtime.cli import test as suite_command
from runtime.config.settings import SETTINGS
from runtime.continuation import keys
from sandbox.contract.codes import CODES


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VESTIBULE_"):
            monkeypatch.delenv(name)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `check-config` fail with this error."""

    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(check_config, "run", fail)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` names the program and its version."""
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"vestibule {main.version()}\n"


@pytest.mark.parametrize("command", [[], *[[name.replace("_", "-")] for name in main.COMMANDS]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself on standard output and exits with 0."""
    assert main.main([*command, "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("usage: vestibule")
    assert captured.err == ""


def test_a_code_is_explained_as_on_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    """`check --explain` prints what the author's page says of each code, and knows what was meant by another."""
    page = (Path(main.__file__).parents[2] / "sandbox/docs/CHECKS.md").read_text()
    for code in CODES:
        assert main.main(["check", "--explain", code]) == 0
        assert f"\n{capsys.readouterr().out}\n" in page.replace("<!-- end", "\n<!-- end")
    assert main.main(["check", "--explain", "unknown-membr"]) == 2
    assert "there is no code 'unknown-membr'; did you mean 'unknown-member'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["bogus"], ["execute"], ["check-config", "--bogus"], ["run", "x"], ["check"]]
)
def test_usage_faults_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What argparse refuses is said on standard error, with the way to help."""
    assert main.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "vestibule" in captured.err


def test_flags_are_not_abbreviated() -> None:
    """A flag that would start to mean something else with the next setting is refused."""
    assert main.main(["check-config", "--sandbox-iso", "login"]) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError(["a", "b"]), 2),
        (errors.InvalidEvent("is odd"), 2),
        (errors.CatalogError([errors.Fault("acme/tenant.yaml", "is odd")]), 3),
        (errors.CatalogUnavailable(["the disk is full"]), 1),
        (errors.CannotReach("no daemon answers at h:1"), 5),
        (errors.NoDecision("NOT_FOUND", "NOT_FOUND: no such tenant"), 1),
        (errors.StartError("port in use"), 1),
        (errors.WorkerStartError("no seccomp"), 1),
        (KeyError("hunter2"), 1),
        (RecursionError(), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_is_lines_and_a_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a command raises, the user sees lines and a script sees a code; never a traceback."""
    failing(monkeypatch, error)
    assert main.main(["check-config"]) == code
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert "hunter2" not in text
    if isinstance(error, errors.FaultsError):
        assert all(f"vestibule: {fault}\n" in text for fault in error.faults)


@pytest.mark.parametrize("arguments", [["--debug", "check-config"], ["check-config", "--debug"]])
def test_debug_shows_the_traceback(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --debug, before or after the command, the traceback comes too, and the code stays."""
    failing(monkeypatch, KeyError("hunter2"))
    assert main.main(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_unexpected_error_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of ours says its kind and asks to be reported, in one line."""
    failing(monkeypatch, ZeroDivisionError())
    main.main(["check-config"])
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "unexpected ZeroDivisionError" in text
    assert "report" in text


def test_check_config_says_where_values_come_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The effective configuration names the source of each value."""
    file = tmp_path / "c.toml"
    file.write_text("drain_s = 3")
    monkeypatch.setenv("VESTIBULE_LOG_SAMPLE", "0.5")
    assert main.main(["check-config", "--json", "--config", str(file), "--pool-idle-s", "9"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["drain_s"] == {"value": 3.0, "source": f"file {file}, drain_s"}
    assert found["log.sample"] == {"value": 0.5, "source": "environment VESTIBULE_LOG_SAMPLE"}
    assert found["pool.idle_s"] == {"value": 9.0, "source": "flag --pool-idle-s"}
    assert found["listen"]["source"] == "default"
    assert main.main(["check-config"]) == 0
    assert "sandbox.memory_bytes" in capsys.readouterr().out


def test_check_config_lists_every_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two faults are two lines and exit 2."""
    monkeypatch.setenv("VESTIBULE_LISTEN", "x")
    assert main.main(["check-config", "--log-level", "loud"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("vestibule: environment VESTIBULE_LISTEN: ")
    assert lines[1].startswith("vestibule: flag --log-level: ")


def test_check_config_reads_the_keys(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A keys file that could not be used is a fault of the configuration; what it holds is never printed."""
    path = tmp_path / "keys"
    path.write_text(keys.text([keys.generate()]))
    path.chmod(0o644)
    assert main.main(["check-config", "--continuation-keys-file", str(path)]) == 2
    assert f"vestibule: continuation.keys_file {path}: has mode 0644" in capsys.readouterr().err
    path.chmod(0o600)
    assert main.main(["check-config", "--continuation-keys-file", str(path)]) == 0
    captured = capsys.readouterr()
    assert str(path) in captured.out
    assert path.read_text().strip() not in captured.out + captured.err


def test_the_reference_has_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """One reference, made from the declaration, for people and for programs."""
    assert main.main(["check-config", "--reference"]) == 0
    text = capsys.readouterr().out
    assert all(setting.env in text and setting.flag in text and setting.doc in text for setting in SETTINGS)
    assert main.main(["check-config", "--reference", "--json"]) == 0
    assert {entry["key"] for entry in json.loads(capsys.readouterr().out)} == {setting.key for setting in SETTINGS}


def test_input_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file that is missing, a directory, or no text is named, with exit 2."""
    for path in (tmp_path / "none.json", tmp_path):
        assert main.main(["execute", "--tenant", "a", "--event", str(path)]) == 2
        assert f"vestibule: {path}: cannot be read" in capsys.readouterr().err


def test_an_event_fault_names_the_member(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The message names the member of the event that is wrong, before any daemon is asked."""
    event = tmp_path / "event.json"
    event.write_text('{"user": {"email": 3}}')
    assert main.main(["execute", "--tenant", "a", "--event", str(event)]) == 2
    assert capsys.readouterr().err == "vestibule: event.user.email: expected a string, got a number\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--completed", "otp"], "--completed: is for a suspended login; name it by --continuation"),
        (["--continuation", "AA==", "--completed", "sms"], "--completed: 'sms' is no factor; write otp, "),
        (["--continuation", "no token!"], "--continuation: is neither the file of an answer nor Base64"),
        (["--continuation", "{answer}"], "holds no decision that suspends its login"),
        (["--gateway", "{answer}"], "is not the ProtoJSON of a GatewayContext"),
    ],
)
def test_what_continues_a_login_is_checked_before_it_is_sent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    """A mistaken file, factor or token is named, and no daemon is asked."""
    event, answer = tmp_path / "event.json", tmp_path / "answer.json"
    event.write_text("{}")
    answer.write_text('{"outcome": "OUTCOME_ALLOW"}')
    given = [argument.replace("{answer}", str(answer)) for argument in arguments]
    assert main.main(["execute", "--tenant", "a", "--event", str(event), *given]) == 2
    assert said in capsys.readouterr().err


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xef\xbb\xbfhello")))
    assert output.read_text("-") == "hello"


@pytest.mark.parametrize("target", ["", "localhost", "http://h:1", "h:x", "unix:x"])
def test_a_target_that_is_no_address_is_refused(
    target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The target is host:port; anything else is refused before it is tried, by the name of where it was given."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"{}")))
    if target:
        assert main.main(["execute", "--tenant", "a", "--event", "-", "--target", target]) == 2
        assert "vestibule: --target: " in capsys.readouterr().err
    monkeypatch.setenv("VESTIBULE_TARGET", target or "localhost")
    assert main.main(["execute", "--tenant", "a", "--event", "-"]) == 2
    assert "vestibule: environment VESTIBULE_TARGET: " in capsys.readouterr().err


def test_counts_read_well() -> None:
    """One file, two files."""
    assert (output.plural(1, "file"), output.plural(2, "file")) == ("1 file", "2 files")


def test_tables_align(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns align, the last one is not padded."""
    output.say_table([("seccomp", "active", "x"), ("a", "-", "")], ("LAYER", "STATE", "DETAIL"))
    assert capsys.readouterr().out.splitlines() == ["LAYER    STATE   DETAIL", "seccomp  active  x", "a        -"]


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("command", [[], *[[name.replace("_", "-")] for name in main.COMMANDS]])
def test_help_fits_the_terminal(
    command: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line of it is longer than the terminal is wide; a description stays readable on a wide one."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main.main([*command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # A flag with the form of its value cannot be broken.
    unbroken = re.compile(r" *(\[-.*\]|\(-.*\)|\S+)")
    assert [line for line in lines if len(line) > columns and not unbroken.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["aply", "x"], "there is no command 'aply'; did you mean 'apply'?"),
        (["api_keys"], "there is no command 'api_keys'; did you mean 'api-keys'?"),
        (["xyzzy"], "there is no command 'xyzzy'\n"),
        (["store", "stats"], "there is no action 'stats'; did you mean 'status'?"),
        (["check-config", "--log-levl", "info"], "there is no flag --log-levl; did you mean --log-level?"),
        (["check-config", "--log_level=info"], "there is no flag --log_level; did you mean --log-level?"),
        (["run", "x", "--evnet", "y"], "there is no flag --evnet; did you mean --event?"),
        (["completion", "fsh"], "argument SHELL: got 'fsh'; want one of bash, zsh, fish; did you mean 'fish'?"),
    ],
)
def test_what_was_meant(arguments: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt command, action, flag or value is answered with what it is most like."""
    assert main.main(arguments) == 2
    captured = capsys.readouterr()
    assert wanted in captured.err
    assert captured.out == ""


def test_a_word_behind_two_dashes_is_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is suggested for what is not a flag, nor for a flag that is like none."""
    main.main(["check-config", "--qqqq", "--", "--log-levl"])
    assert "did you mean" not in capsys.readouterr().err


def test_an_event_with_a_misspelt_member_is_never_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`execute` says which was meant, before it looks for a daemon."""
    event = tmp_path / "event.json"
    event.write_text('{"user": {"user_id": "u", "emial": "x"}, "client": {"client_id": "c"}}')
    assert main.main(["execute", "--tenant", "acme", "--event", str(event)]) == 2
    assert "event.user.emial: is no member of event.user; did you mean email?" in capsys.readouterr().err


def test_watching_runs_again_when_a_file_has_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A faulty suite ends no watch; each change of a tenant's file is one more run, until Ctrl-C."""
    folder = tmp_path / "acme"
    (folder / "tests").mkdir(parents=True)
    suite = folder / "tests" / "a.yaml"
    suite.write_text("cases: []")
    looks: list[int] = []
    runs: list[str] = []

    def once(_: object) -> int:
        runs.append(suite.read_text())
        if len(runs) == 1:
            raise errors.CatalogError(["is faulty"])
        return 0

    def look(_: float) -> None:
        looks.append(len(runs))
        if len(looks) == 3:
            suite.write_text("cases: [7]")
        if len(looks) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(suite_command, "once", once)
    monkeypatch.setattr(time, "sleep", look)
    assert main.main(["test", str(folder), "--watch"]) == 130
    assert (runs, looks) == (["cases: []", "cases: [7]"], [1, 1, 1, 2, 2])
    assert "vestibule: is faulty" in capsys.readouterr().err
