"""A daemon as the first process of a container: it waits for processes whose parents have died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from runtime.ops.orphans import Orphans
from tests.fixtures.commands import TIED, clean_environment, serve_command
from tests.fixtures.processes import Process, children
from tests.fixtures.tenants import GATE, define
from tests.fixtures.waiting import PATIENCE_S, until
from tests.host import require

# A namespace whose first process is the command. Killing `unshare` ends it.
FIRST = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL")


def ended(pid: int) -> list[int]:
    """Return the children of a process that have ended and that it has not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if (state, parent) == ("Z", str(pid)):
                found.append(int(stat.parent.name))
    return found


@contextmanager
def first_process(tmp_path: Path, *flags: str) -> Iterator[Process]:
    """Run a daemon, or a supervisor, as process 1 of a namespace of its own."""
    tried = subprocess.run([*FIRST, "true"], capture_output=True, check=False)
    require(tried.returncode == 0, "a namespace of processes: unshare --pid is refused here")
    applies.apply(SqliteDatabase(tmp_path / "flows.db"), [define("acme", GATE)])
    command = serve_command(tmp_path / "flows.db", *flags)
    log = tmp_path / "log"
    with open(log, "wb") as file:
        outer = subprocess.Popen([*TIED, *FIRST, *command], stderr=file, env=clean_environment())
    try:
        wanted = "supervisor.started" if "--processes" in flags else "daemon.started"
        until(lambda: any(json.loads(line)["event"] == wanted for line in log.read_text().splitlines()), wanted)
        (found,) = children(outer.pid)
        yield found
        os.kill(found.pid, signal.SIGTERM)
        assert outer.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        outer.kill()
        outer.wait()


@pytest.mark.long
@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one", "several"])
def test_no_zombie_stays(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """The zygote's parent is killed: its zygote comes to the first process, which waits for it, and serves on."""
    with first_process(tmp_path, *flags) as first:
        for _ in range(2):
            kill_a_child(first)
        until(lambda: not ended(first.pid), "no child has ended and stays")


def kill_a_child(first: Process) -> None:
    """Kill one whose own children then come to the first process, and wait until they are gone."""
    killed = until(lambda: children(first.pid), "a child")[0]
    orphans = until(lambda: grandchildren(killed), "whose children become orphans")
    assert killed.kill()
    until(lambda: not any(Path("/proc", str(each.pid)).exists() for each in orphans), "orphans are waited for")


def grandchildren(process: Process) -> list[Process]:
    """Return what is two steps below: a zygote of a daemon, or the parent of one of a supervisor."""
    return [each for child in children(process.pid) for each in [child, *children(child.pid)]]


def test_a_child_is_left_to_its_owner_for_a_while(tmp_path: Path) -> None:
    """One that has ended is waited for at the second look; before, its owner may ask for its code."""
    now = [0.0]
    orphans = Orphans(lambda: now[0], first=True)
    child = subprocess.Popen([*TIED, sys.executable, "-IS", "-c", ""])
    until(lambda: child.pid in ended(os.getpid()), "it has ended")
    orphans.look()
    assert child.pid in ended(os.getpid())
    orphans.look()
    assert child.pid in ended(os.getpid()), "no time has passed"
    now[0] += 60
    Orphans(lambda: now[0], first=False).look()
    assert child.pid in ended(os.getpid()), "a control: where orphans go elsewhere, nothing is waited for"
    orphans.look()
    assert child.pid not in ended(os.getpid())
    child.wait()
