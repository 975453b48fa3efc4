"""Text that a terminal would obey, in everything that a tenant or a caller chooses: no command shows it raw."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cli import main
from tests.fixtures.commands import clean_environment
from tests.fixtures.daemons import served
from tests.fixtures.tenants import GATE, define

# Colours, a cleared screen by C1, a reversed line, other line ends, a bell, and a second line with words of ours.
HOSTILE = "\x1b[31m\x9b2J\u202e\u2066x\u2028\u2029\x85\x7f\x07\rok\nvestibule: all is well"
QUOTED = json.dumps(HOSTILE)
PRINTS = f"""\
def on_execute_post_login(event, api):
    print({QUOTED})
    api.access.deny({json.dumps(HOSTILE.replace(chr(10), " "))})
"""
RAISES = f"def on_execute_post_login(event, api):\n    raise ValueError({QUOTED})\n"
REFUSED = f"x = 1 +* '{HOSTILE!s}'\n"


class Vestibule:
    """Runs commands in a directory of their own; returns all that they wrote, held to what a terminal may be shown."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> str:
        main.main(arguments)
        captured = self._capfd.readouterr()
        return harmless(captured.out + captured.err)


def harmless(written: str) -> str:
    """Hold a command's output to one line for each that it says, and nothing that a terminal obeys."""
    assert "Traceback" not in written, written
    shown = [line for line in written.split("\n") if not line.isprintable()]
    assert shown == [], [ascii(line) for line in shown]
    assert "\nvestibule: all is well" not in written
    return written


@pytest.fixture
def vestibule(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Vestibule:
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Vestibule(capfd)


def folder(root: Path, name: str, text: str, **actions: str) -> Path:
    (root / name / "actions").mkdir(parents=True, exist_ok=True)
    (root / name / "tenant.yaml").write_text(text)
    for action, source in actions.items():
        (root / name / "actions" / f"{action}.py").write_text(source)
    return root


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Tenants whose names, files, keys, values and sources are hostile."""
    root = folder(
        tmp_path / "faulty",
        "acme",
        f"tenant: acme\n{QUOTED}: 1\nmfa: {{policy: {QUOTED}, merge: !<{chr(0x9B)}> x}}\nflows:\n  post_login:\n"
        f"    - action: {QUOTED}\nsecrets:\n  main: {{{QUOTED}: {{env: {QUOTED}}}, A: {{file: {QUOTED}}}}}\n"
        f"unused: [{QUOTED}]\n",
        main=REFUSED,
    )
    folder(root, "raw", f"tenant: raw\nmfa: {HOSTILE}\n")
    folder(root, "beta\x1b[31m\x9b\nvestibule: all is well", "tenant: beta\n")
    name = HOSTILE.replace("/", "")
    (root / "acme/actions" / f"{name}.py").write_text(GATE)
    (
        root / "acme/actions" / "x\udcff\x9b.py".encode(errors="surrogateescape").decode("utf-8", "surrogateescape")
    ).touch()
    (root / "acme/actions" / f"{name}2.py").symlink_to(HOSTILE)
    return root


EVENT = json.dumps({"user": {"user_id": "u"}, "client": {"client_id": "c"}, "tenant": {"id": "acme"}})


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A tenant that can be applied, whose actions print, deny and raise hostile text."""
    (tmp_path / "event.json").write_text(EVENT)
    bound = "mfa: {policy: never}\nflows: {post_login: [{action: raises, on_error: continue}, {action: prints}]}\n"
    return folder(tmp_path / "good", "acme", f"tenant: acme\n{bound}", prints=PRINTS, raises=RAISES, draft=GATE)


def test_faults_of_check_and_apply(vestibule: Vestibule, faulty: Path) -> None:
    """Every fault is one line, whatever the file, the key, the parser or the source says; JSON is JSON."""
    written = vestibule("check", str(faulty))
    assert "\\x9b" in written
    assert written.count("\n") > 8
    assert not json.loads(vestibule("check", str(faulty), "--json"))["ok"]
    files = sorted(str(path) for path in (faulty / "acme/actions").iterdir())
    vestibule("check", *files)
    vestibule("run", files[0], "--event", "event.json")
    vestibule("apply", str(faulty), "--store", "sqlite:x.db")
    assert json.loads(vestibule("apply", str(faulty), "--json"))["ok"] is False


def test_what_actions_say(vestibule: Vestibule, good: Path, tmp_path: Path) -> None:
    """Output, errors and reasons of actions, of `run` and of `execute`, are the same values in JSON."""
    written = vestibule("run", str(good / "acme"), "--event", "event.json")
    decision = json.loads(written[written.index("{") :].split("\n")[0])
    assert decision["denial"]["description"] == HOSTILE.replace("\n", " ")
    assert HOSTILE in decision["executions"][1]["output"]
    written = vestibule("run", str(good / "acme/actions/raises.py"), "--event", "event.json")
    assert json.loads(written)["error"]["type"] == "ValueError"
    with served(tmp_path) as daemon:
        daemon.publish(define("acme", RAISES, PRINTS))
        ask = ["execute", "--event", "event.json", "--target", daemon.target]
        for more in ((), ("--json",)):
            written = vestibule(*ask, "--tenant", "acme", *more)
            assert json.loads(written)["denial"]["description"] == HOSTILE.replace("\n", " ")
        for refused in (("--tenant", HOSTILE), ("--tenant", "acme", "--request-id", HOSTILE)):
            assert "INVALID_ARGUMENT" in vestibule(*ask, *refused)
        vestibule(*ask, "--tenant", "acme", "--continuation", HOSTILE)
        assert daemon.stop() == 0


def test_the_demo(good: Path, tmp_path: Path) -> None:
    """The demo's own walk: titles, reasons and errors."""
    demo = tmp_path / "demo"
    demo.mkdir()
    good.rename(demo / "tenants")
    (demo / "events").mkdir()
    (demo / "events/e.json").write_text(EVENT)
    login = {"tenant": "acme", "event": "e.json", "title": HOSTILE, "outcome": "deny", "see": HOSTILE}
    (demo / "logins.yaml").write_text(json.dumps({"logins": [login | {"verdicts": {"raises": "raised"}}]}))
    ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", "demo", "--once", "--from", str(demo), *ports],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env=clean_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    written = harmless((done.stdout + done.stderr).decode())
    assert "1 of 1 logins decided as expected" in written, written
    assert "\\x9b2J" in written


def test_arguments_and_configuration(vestibule: Vestibule, tmp_path: Path) -> None:
    """What a script passes on, names of files, and what a configuration holds."""
    (tmp_path / "c.toml").write_text(f"{QUOTED} = 1\nlisten = {QUOTED}\nstore = {QUOTED}\n", encoding="utf-8")
    (tmp_path / "allowed").write_text(f"acme:A\n{HOSTILE}\n")
    for arguments in (
        ("check-config", "--config", "c.toml"),
        ("check-config", "--config", HOSTILE),
        ("check-config", "--listen", HOSTILE),
        ("serve", "--store", HOSTILE),
        ("check", HOSTILE),
        ("run", HOSTILE, "--event", HOSTILE),
        ("apply", HOSTILE),
        ("apply", ".", "--secret-env", HOSTILE),
        ("apply", ".", "--secret-env-file", "allowed"),
        ("execute", "--tenant", "a", "--event", HOSTILE),
        ("execute", "--tenant", "a", "--event", "allowed", "--target", HOSTILE),
        (HOSTILE,),
    ):
        assert vestibule(*arguments), arguments


def test_control_raw_text_is_noticed() -> None:
    """The control: what is held above is not held by text as it came."""
    with pytest.raises(AssertionError):
        harmless(f"acme: {HOSTILE}")
