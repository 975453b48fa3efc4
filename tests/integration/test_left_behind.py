"""Nothing is left when a run of the tests, or `make run`, is interrupted: by Ctrl-C, by SIGTERM, by SIGKILL."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.fixtures.commands import TIED, clean_environment
from tests.fixtures.processes import Process
from tests.fixtures.waiting import PATIENCE_S, until
from tests.host import require
from tests.load.usage import family

pytestmark = pytest.mark.long  # a drill

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("LISTEN=127.0.0.1:0", "METRICS_LISTEN=127.0.0.1:0")
# What an interrupted run of tests was in the middle of.
SLEEPS = """\
import time
from tests.fixtures.tenants import GATE, define
from tests.fixtures.daemons import served

def test_sleeps(tmp_path):
    with served(tmp_path) as daemon:
        daemon.publish(define("acme", GATE))
        daemon.call("acme")
        print("pid", daemon.process.pid, flush=True)
        time.sleep(300)
"""


@contextmanager
def started(*command: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own, and end it in the end."""
    process = subprocess.Popen(
        [*TIED, *command],
        cwd=cwd,
        env=clean_environment() | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "proto" / "python")))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watch = threading.Timer(6 * PATIENCE_S, process.kill)
    watch.start()
    try:
        with process:
            yield process
            process.kill()
    finally:
        watch.cancel()


def read_to(process: subprocess.Popen[str], pattern: str) -> str:
    """Read its output up to a line that matches, and return all of it."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if re.search(pattern, line):
            return "".join(said)
    raise AssertionError(f"no {pattern} in {''.join(said)}")


def gone(pids: set[int]) -> bool:
    """Return whether none of these processes runs any more."""
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            return False
    return True


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGKILL, 0),
        (signal.SIGTERM, 1),
        *(
            pytest.param(number, workers, marks=pytest.mark.long)
            for number, workers in product((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL), (0, 1))
        ),
    ],
)
def test_a_run_of_tests(tmp_path: Path, number: signal.Signals, workers: int) -> None:
    """Whatever ends pytest, the daemon of the test that ran ends too, with its zygote and workers."""
    require(bool(TIED), "setpriv: there is none here")
    file = tmp_path / "test_sleeps.py"
    file.write_text(SLEEPS)
    options = ["-s", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    options += ["-p", "no:cacheprovider", "-o", "addopts=", "--basetemp", str(tmp_path / "temporary")]
    if workers:
        options += ["-n", str(workers)]
    with started(sys.executable, "-m", "pytest", *options, str(file), cwd=ROOT) as run:
        if workers:
            # What a worker of xdist prints is not shown: a daemon with two workers has seven processes at least.
            until(lambda: len(family(run.pid)) >= 6, "the daemon of the test")
        else:
            read_to(run, r"pid \d+")
        processes = set(family(run.pid))
        assert len(processes) >= 4
        run.send_signal(number)
        until(lambda: gone(processes), f"the end of {len(processes)} processes", 2 * PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_make_run(tmp_path: Path, small: Path, number: signal.Signals) -> None:
    """Into a pipe it shows at once where it still serves; when make ends, the demo's daemon does too, ports and all."""
    require(bool(TIED), "setpriv: there is none here")
    with started(*make_run(), *PORTS, f"ARGS=--from {small}", cwd=tmp_path) as make:
        text = read_to(make, "execute --tenant acme")
        assert "still serving: gRPC on 127.0.0.1:" in text
        processes = set(family(make.pid))
        assert len(processes) >= 4
        if number == signal.SIGINT:
            # A terminal sends it to everybody in front.
            os.killpg(make.pid, number)
        else:
            make.send_signal(number)
        until(lambda: gone(processes), f"the end of {len(processes)} processes")


def test_control_a_demo_that_is_not_tied(tmp_path: Path, small: Path) -> None:
    """Control: without setpriv before it the demo's daemon outlives a make that is killed."""
    with started(*make_run(), *PORTS, f"ARGS=--from {small}", "TIED=", cwd=tmp_path) as make:
        read_to(make, "execute --tenant acme")
        processes = set(family(make.pid)) - {make.pid}
        seen = [process for process in map(Process.read, processes) if process is not None]
        make.kill()
        make.wait()
        try:
            assert not gone(processes)
        finally:
            for process in seen:
                process.kill()
        until(lambda: gone(processes), "their end")


def test_a_taken_port_is_found_before_anything_is_applied(tmp_path: Path, small: Path) -> None:
    """Each address that is taken is named, with what `make run` can pass on; no store is made; exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        taken = [f"127.0.0.1:{server.getsockname()[1]}" for server in (one, other)]
        ports = (f"LISTEN={taken[0]}", f"METRICS_LISTEN={taken[1]}")
        with started(*make_run(), *ports, f"ARGS=--from {small}", cwd=tmp_path) as make:
            text, _ = make.communicate(timeout=2 * PATIENCE_S)
    assert f"listen: cannot listen on {taken[0]}: address already in use" in text
    assert f"metrics_listen: cannot listen on {taken[1]}: address already in use" in text
    assert "make run LISTEN=127.0.0.1:0 METRICS_LISTEN=127.0.0.1:0" in text
    assert "Error 1" in text
    assert "applying" not in text
    assert not list(tmp_path.rglob("*.db"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A copy of the demo with one of its tenants and one login."""
    copy = tmp_path / "demo"
    shutil.copytree(ROOT / "deploy" / "demo" / "events", copy / "events")
    shutil.copytree(ROOT / "deploy" / "demo" / "tenants" / "acme", copy / "tenants" / "acme")
    login = {"tenant": "acme", "event": "ordinary.json", "title": "one", "outcome": "allow", "see": "it is decided"}
    (copy / "logins.yaml").write_text(yaml.safe_dump({"logins": [login]}))
    return copy


def make_run() -> tuple[str, ...]:
    """Return the command, with the environment that these tests run in for the one it would set up."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("there is no make")
    return (make, "--no-print-directory", "-f", str(ROOT / "Makefile"), "-o", "setup", f"VENV={sys.prefix}", "run")
