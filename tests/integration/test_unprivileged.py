"""The daemon as root, as an ordinary user, and where the host allows no namespaces: held, serving, and gone cleanly."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from vestibule.v1 import decision_pb2

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import OnError
from tests import run_as
from tests.fixtures.commands import TIED, clean_environment
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.processes import Process
from tests.fixtures.states import right, settled
from tests.fixtures.tenants import DENY, GATE, HOARD, LOOP, define
from tests.fixtures.waiting import until
from tests.host import require

NOBODY = 65534
REQUIRED = {"seccomp", "landlock", "rlimits", "no_new_privs"}
READS = """\
def on_execute_post_login(event, api):
    print(open("/etc/passwd").read())
"""

AS = {
    "as started": (os.geteuid(), ""),
    "ordinary user": (NOBODY if os.geteuid() == 0 else os.geteuid(), ""),
    "container": (os.geteuid(), "unshare"),
    "ordinary user in a container": (NOBODY if os.geteuid() == 0 else os.geteuid(), "unshare"),
}


def launcher(uid: int, refused: str) -> tuple[str, ...]:
    """Return what goes before `-m`; skips where this host does not let us become that user."""
    prefix = (str(Path(run_as.__file__)), str(uid), refused)
    probe = subprocess.run(
        [*TIED, sys.executable, *prefix, "-c", "import grpc, runtime.cli.main"],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    require(probe.returncode != run_as.NOT_POSSIBLE, f"another user: {probe.stderr.strip()}")
    assert probe.returncode == 0, probe.stderr
    return prefix


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="vestibule-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def given_to(path: Path, uid: int) -> None:
    """Give a directory and all in it to a user."""
    for each in (path, *path.rglob("*")):
        shutil.chown(each, uid, uid)


def uid_of(process: Process) -> int:
    """Return the user of a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[2]) for line in lines if line.startswith("Uid:"))


@pytest.mark.long
@pytest.mark.parametrize("who", AS)
def test_a_daemon_serves(place: Path, who: str) -> None:
    """It starts with the required layers, decides, contains what is hostile, recovers from kills and drains with 0."""
    uid, refused = AS[who]
    SqliteDatabase(place / "flows.db").prepare()
    given_to(place, uid)
    # Time is what the first one runs out of, and none of the others, however busy the machine.
    hostile = {"loop": (LOOP, 300), "hoard": (HOARD, 30_000), "reads": (READS, 30_000)}
    flags: tuple[str, ...] = ("--sandbox-flow-timeout-ms", "30000", "--pool-queue-wait-ms", "20000")
    flags += ("--grpc-max-connection-age-grace-s", "60")
    with served(place, *flags, launcher=launcher(uid, refused)) as daemon:
        started = daemon.events("daemon.started")[0]
        assert set(started["layers"]) >= REQUIRED
        namespaces = [name for name in started["layers"] if name.startswith("namespaces.")]
        if refused:
            assert not namespaces
        else:
            require(bool(namespaces), "namespaces.user: the host refuses every namespace")
        daemon.publish(
            define("acme", GATE),
            *(define(name, source, on_error=OnError.DENY, timeout_ms=ms) for name, (source, ms) in hostile.items()),
        )
        right(daemon)
        settled(daemon)
        zygote, workers = daemon.tree()
        assert {uid_of(process) for process in (zygote, *workers)} == {NOBODY if os.geteuid() == 0 else uid}
        verdicts = []
        for name in hostile:
            decision = daemon.call(name)
            assert (decision.outcome, decision.degraded) == (DENY, True)
            verdicts.append(decision_pb2.Verdict.Name(decision.executions[0].verdict))
        assert verdicts == ["VERDICT_TIMED_OUT", "VERDICT_EXHAUSTED", "VERDICT_REJECTED"]
        for worker in daemon.workers():
            worker.kill()
        right(daemon)
        zygote, _ = daemon.tree()
        zygote.kill()
        right(daemon)
        until(lambda: daemon.metric("vestibule_zygote_starts_total") == 2, "the second zygote")
        assert daemon.stop() == 0
        assert not daemon.family()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor has no second half")
@pytest.mark.long  # a drill
@pytest.mark.parametrize("who", AS)
def test_a_tenant_that_runs_on_and_on_keeps_to_half_of_the_processors(place: Path, who: str) -> None:
    """While others log in, and only then: its workers, and the making of new ones, leave half of the processors free;
    the others' workers are where they were. No privilege is needed for it, nor to undo it."""
    uid, refused = AS[who]
    SqliteDatabase(place / "flows.db").prepare()
    given_to(place, uid)
    everywhere = sorted(os.sched_getaffinity(0))
    aside = set(everywhere[(len(everywhere) + 1) // 2 :])
    with served(place, "--pool-long-run-share", "0.005", launcher=launcher(uid, refused)) as daemon:
        daemon.publish(define("acme", GATE), define("loops", LOOP, timeout_ms=4000))
        right(daemon)
        # Who compiled acme's flow is replaced, and neither of the two may be taken for the one that loops.
        settled(daemon)
        with logging_in(daemon, "acme"), logging_in(daemon, "loops"):
            running = until(lambda: aside_now(daemon, aside), "the loop is set aside")
            assert daemon.metric("vestibule_tenants_aside") == 1
            zygote, workers = daemon.tree()
            until(lambda: os.sched_getaffinity(zygote.pid) == aside, "workers are made aside")
            # Its login is tried again: a blank worker takes its place, and a new one that of the blank one.
            running.kill()
            until(lambda: aside_now(daemon, aside, running), "its next worker is set aside")
            until(lambda: {one.pid for one in daemon.workers()} - {one.pid for one in workers}, "a new blank worker")
            until(lambda: others_stay(daemon, set(everywhere)), "the others stay")
        # Once, or again where the machine was so busy that no other tenant logged in for seconds.
        assert {event["tenant"] for event in daemon.events("tenant.set_aside")} == {"loops"}
        # No other tenant logs in any more, so that none is disturbed.
        until(lambda: roams(daemon, set(everywhere)), "alone, it has every processor")
        until(lambda: daemon.metric("vestibule_tenants_aside") == 0, "no tenant is set aside")
        until(lambda: os.sched_getaffinity(daemon.tree()[0].pid) == set(everywhere), "workers are made everywhere")


@contextlib.contextmanager
def logging_in(daemon: Daemon, tenant: str) -> Iterator[None]:
    """Let a tenant log in again and again meanwhile, as soon as it has its answer."""
    over = threading.Event()

    def log_in() -> None:
        while not over.wait(0.05):
            daemon.call(tenant)

    with ThreadPoolExecutor(1) as pool:
        logins = pool.submit(log_in)
        try:
            yield
        finally:
            over.set()
        logins.result()


def aside_now(daemon: Daemon, aside: set[int], other: Process | None = None) -> Process | None:
    """Return the worker that is kept aside and has run for long, which one that is being made there has not."""
    for worker in daemon.workers():
        with contextlib.suppress(ProcessLookupError):
            if worker != other and os.sched_getaffinity(worker.pid) == aside and worker.ticks() >= 8:
                return worker
    return None


def others_stay(daemon: Daemon, everywhere: set[int]) -> bool:
    """Return whether every worker but the one that loops may run on all processors."""
    places = []
    for worker in daemon.workers():
        with contextlib.suppress(ProcessLookupError):
            places.append(os.sched_getaffinity(worker.pid))
    return len(places) >= 3 and places.count(everywhere) == len(places) - 1


def roams(daemon: Daemon, everywhere: set[int]) -> bool:
    """Let the loop run once more, and say where it may."""
    call = daemon.begin("loops")
    running = daemon.running_worker()
    found = os.sched_getaffinity(running.pid)
    call.result()
    return found == everywhere


def run(place: Path, who: tuple[int, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody, to its end."""
    command = [sys.executable, *launcher(*who), "-m", "runtime.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=place, env=clean_environment(), check=False
    )


@pytest.mark.parametrize(
    "layers", [pytest.param("namespaces.user", marks=pytest.mark.long), "seccomp,namespaces.net,namespaces.pid"]
)
def test_a_missing_required_layer_refuses_to_start(place: Path, layers: str) -> None:
    """Where namespaces are refused and required, the daemon names each missing one in one line and serves nothing."""
    flags = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--sandbox-required-layers", layers)
    failed = run(place, AS["container"], "serve", "--store", f"sqlite:{place / 'x.db'}", *flags)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1, failed.stderr
    for name in layers.split(","):
        assert (f"{name} (the host refuses it: Operation not permitted" in failed.stderr) is (name != "seccomp")
    assert "daemon.started" not in failed.stderr


def test_an_ordinary_users_store_that_may_not_be_written_is_served(place: Path) -> None:
    """Where owner and mode keep this user from writing, and no log can be made, the store is served and healthy."""
    who = AS["ordinary user"]
    store = place / "flows.db"
    applies.apply(SqliteDatabase(store), [define("acme", GATE)])
    given_to(place, who[0])
    store.chmod(0o444)
    place.chmod(0o555)
    try:
        with served(place, launcher=launcher(*who), store=store) as daemon:
            assert daemon.metric("vestibule_catalog_healthy") == 1
            right(daemon)
    finally:
        place.chmod(0o755)


def test_a_store_that_may_not_be_read_is_one_line(place: Path) -> None:
    """A store of another user, not readable, stops the start with one line that names it."""
    if os.geteuid() != 0:
        pytest.skip("root: only root can make a file of another user")
    store = place / "flows.db"
    applies.apply(SqliteDatabase(store), [define("acme", GATE)])
    store.chmod(0o600)
    flags = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--log-level", "error")
    failed = run(place, AS["ordinary user"], "serve", "--store", f"sqlite:{store}", *flags)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1, failed.stderr
    assert str(store) in failed.stderr
    assert "Traceback" not in failed.stderr
