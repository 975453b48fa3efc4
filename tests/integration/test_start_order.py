"""What a command imports, and when: help waits for nothing, and a zygote imports while its client does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from runtime.config.effective import Config
from runtime.workers.launch import Launched
from runtime.workers.zygote import zygotes
from sandbox.contract.layers import WORKER_UID

ACTION = "def on_execute_post_login(event, api):\n    print(event.user.user_id)\n"
EVENT = {"user": {"user_id": "auth0|1"}, "client": {"client_id": "c"}}
READS_FILES = ("pydantic", "yaml", "runtime.config.settings", "runtime.catalog.tenant_file")
HEAVY = ("asyncio", "structlog", "google.protobuf", "runtime.offline.run")
HELP = """
import json, sys
from runtime.cli import main
assert main.main(sys.argv[1:]) == 0
print(json.dumps([name for name in sys.modules]), file=sys.stderr)
"""
RUN = """
import json, subprocess, sys
from runtime.cli import main
start, found = subprocess.Popen.__init__, []
def noted(*args, **kwargs):
    found.append(list(sys.modules))
    start(*args, **kwargs)
subprocess.Popen.__init__ = noted
assert main.main(sys.argv[1:]) == 0
print(json.dumps({"first": found[0], "last": list(sys.modules), "count": len(found)}), file=sys.stderr)
"""


def command(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a fresh interpreter; the last line of its standard error is the code's own."""
    return subprocess.run([sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, check=True)


def test_help_imports_no_command() -> None:
    """The list of commands is there before any of them, the configuration or the package's metadata is imported."""
    imported = json.loads(command(HELP, "--help").stderr.splitlines()[-1])
    assert set(imported).isdisjoint(
        {*HEAVY, *READS_FILES, "runtime.cli.serve", "runtime.cli.run", "importlib.metadata"}
    )
    control = json.loads(command(HELP, "serve", "--help").stderr.splitlines()[-1])
    assert "runtime.config.settings" in control


def test_a_run_starts_its_zygote_first(tmp_path: Path) -> None:
    """Both interpreters import at the same time: nothing that takes long comes before the zygote's start, and what
    reads configurations and tenants' files, which takes longest, is not imported for an action by itself.
    """
    (tmp_path / "greet.py").write_text(ACTION)
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    done = command(RUN, "run", str(tmp_path / "greet.py"), "--event", str(tmp_path / "event.json"))
    assert json.loads(done.stdout)["output"] == "auth0|1\n"
    found = json.loads(done.stderr.splitlines()[-1])
    assert set(found["first"]).isdisjoint({*HEAVY, *READS_FILES})
    assert set(HEAVY) <= set(found["last"])
    assert set(found["last"]).isdisjoint(READS_FILES)
    assert found["count"] == 1


def test_a_run_that_fails_at_once_leaves_no_zygote(tmp_path: Path) -> None:
    """A zygote that was started ahead ends with a command that has no use for it."""
    (tmp_path / "event.json").write_text("")
    code = "import sys\nfrom runtime.cli import main\nsys.exit(main.main(sys.argv[1:]))"
    words = ("run", "none.py", "--event", str(tmp_path / "event.json"))
    # Its pipes close when the last process that holds them has ended.
    done = subprocess.run([sys.executable, "-P", "-c", code, *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "is empty" in done.stderr


def test_a_zygote_that_was_started_otherwise_is_ended() -> None:
    """One that the configuration does not want is no zygote of this daemon; the control is kept."""
    other, fitting = Launched(WORKER_UID - 1), Launched()
    with closing(fitting):
        zygotes(Config(), other)
        zygotes(Config(), fitting)
        assert other.process.returncode == -signal.SIGKILL
        assert fitting.process.poll() is None
    assert fitting.process.returncode is not None
