"""The zygote and its client with real processes: spawn, exit, death of each at any moment, hosts that allow less."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import mmap
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from vestibule.worker.v1 import worker_pb2, zygote_pb2

from runtime.errors import WorkerStartError
from runtime.workers import zygote as client
from runtime.workers.launch import describe_end, import_path, is_runnable, launch, make_journal
from runtime.workers.zygote import Zygote
from sandbox.contract import frames
from sandbox.process import (
    kernel,
    probe,  # noqa: F401  imported before a fork becomes a user who cannot read it
)
from sandbox.process import zygote as sandbox_zygote
from tests.fixtures.commands import TIED
from tests.host import require
from tests.run_as import CALLS, refuse
from tests.security.cells import LAYERS, cells, hold

NO_PID_NAMESPACE = {name for name in LAYERS if name.startswith("namespaces.")}


async def gone(pid: int) -> bool:
    """Wait until a process is gone or a zombie."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        await asyncio.sleep(0.01)
    return False


def children(pid: int) -> list[int]:
    """List the children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors() -> int:
    """Count our own open descriptors. Fewer than before is right: the end of an earlier test may be seen meanwhile."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def test_spawned_worker_shares_its_journal() -> None:
    """What a worker writes into its journal is seen by the daemon, and neither can change its size."""
    async with cells() as made, made.cell() as cell:
        assert (await cell.run("view[10:15] = b'hello'\nresult = len(view)")).value == 4096
        assert cell.worker.journal[10:15] == b"hello"


def test_journal_cannot_be_resized() -> None:
    """The journal's memory is sealed: no SIGBUS for the daemon."""
    journal, fd = make_journal(8192)
    try:
        for size in (0, 4096, 16384):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size)
        with pytest.raises(ValueError, match="greater than file size"):
            mmap.mmap(fd, 16384)
    finally:
        journal.close()
        os.close(fd)


async def test_exit_is_reported_with_its_cause() -> None:
    """Exit codes and signals of workers arrive by worker id."""
    async with cells() as made:
        assert (await made.probe("os._exit(7)")).exit_code == 7
        async with made.cell() as cell:
            cell.worker.kill()
            assert await cell.exit == -signal.SIGKILL
            cell.worker.kill()  # a dead one is fine
        async with made.cell() as cell:
            await made.zygote._send(zygote_pb2.ZygoteRequest(kill=zygote_pb2.Kill(id=cell.worker.id)))
            assert await cell.exit == -signal.SIGKILL


async def test_a_closed_pipe_ends_the_worker() -> None:
    """A worker whose questions are closed leaves by itself."""
    async with cells() as made, made.cell() as cell:
        cell.worker.pipes.close()
        async with asyncio.timeout(5):
            assert await cell.exit == 0


@pytest.mark.long
async def test_many_at_once_leave_nothing_behind() -> None:
    """Fifty workers spawned at once work; afterwards the daemon has as many descriptors as before."""
    before = descriptors()
    async with cells() as made:
        outcomes = await asyncio.gather(*(made.probe(f"result = {n}") for n in range(50)))
        assert [outcome.value for outcome in outcomes] == list(range(50))
    assert descriptors() <= before


async def test_workers_are_apart() -> None:
    """What one worker writes into memory it shares with the zygote is not seen by the next."""
    async with cells() as made, made.cell() as first:
        assert (await first.run("sys.canary = 1\nring.append(5)")).succeeded
        async with made.cell() as second:
            assert (await second.run("result = [hasattr(sys, 'canary'), ring]")).value == [False, []]


async def test_hashes_are_the_same_in_every_worker() -> None:
    """Sets iterate in one order in every worker and every zygote, so an execution can be run again."""
    orders = set()
    for _ in range(2):
        async with cells() as made:
            for _ in range(2):
                outcome = await made.probe("result = ''.join({'alpha', 'beta', 'gamma', 'delta', 'epsilon'})")
                orders.add(outcome.value)
    assert len(orders) == 1


@pytest.mark.parametrize("omit", [(), NO_PID_NAMESPACE], ids=["caged", "no namespaces"])
async def test_death_of_the_zygote_is_noticed(omit: tuple[str, ...]) -> None:
    """A killed zygote takes its workers along, fails spawns in flight, and is reported once with its cause."""
    deaths: list[str] = []
    zygote = Zygote(hold(omit), None, deaths.append)
    await zygote.start()
    worker = await zygote.spawn()
    try:
        host_pid = worker.host_pid()
        inner = children(zygote.pid)
        spawns = [asyncio.ensure_future(zygote.spawn()) for _ in range(4)]
        await asyncio.sleep(0)
        os.kill(inner[0] if not omit else zygote.pid, signal.SIGKILL)
        results = await asyncio.gather(*spawns, return_exceptions=True)
        for result in results:
            if isinstance(result, WorkerStartError):
                continue
            assert not isinstance(result, BaseException)
            result.close()
        assert await gone(host_pid)
        for _ in range(200):
            if deaths:
                break
            await asyncio.sleep(0.01)
        assert deaths == ["the zygote was killed by SIGKILL"]
        assert not zygote.alive
        with pytest.raises(WorkerStartError, match="not running"):
            await zygote.spawn()
    finally:
        worker.close()
        await zygote.close()


async def test_worker_survives_the_zygote_without_parent_death() -> None:
    """Control: without the parent-death signal and the PID namespace a worker outlives its zygote."""
    zygote = Zygote(hold({*NO_PID_NAMESPACE, "parent_death"}))
    await zygote.start()
    worker = await zygote.spawn()
    try:
        os.kill(zygote.pid, signal.SIGKILL)
        await zygote._exited
        await asyncio.sleep(0.05)
        assert not await asyncio.wait_for(asyncio.to_thread(_is_gone, worker.pidfd), 5)
        worker.kill()
    finally:
        worker.close()
        await zygote.close()


def _is_gone(pidfd: int) -> bool:
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("omit", [(), NO_PID_NAMESPACE], ids=["caged", "no namespaces"])
async def test_death_of_the_daemon_ends_everything(omit: tuple[str, ...]) -> None:
    """When the daemon is killed, zygote and workers go too, without anybody left to tell them."""
    code = (
        "import asyncio, sys, json\n"
        "from tests.security.cells import hold\n"
        "from runtime.workers.zygote import Zygote\n"
        "async def main():\n"
        "    zygote = Zygote(hold(json.loads(sys.argv[1])))\n"
        "    await zygote.start()\n"
        "    worker = await zygote.spawn()\n"
        "    print(json.dumps([zygote.pid, worker.host_pid()]), flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join(import_path())}
    daemon = await asyncio.create_subprocess_exec(
        *TIED, sys.executable, "-c", code, json.dumps(sorted(omit)), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert daemon.stdout is not None
    pids = json.loads(await daemon.stdout.readline())
    assert len(pids) == 2
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    daemon.kill()
    await daemon.wait()
    for pid in pids:
        assert await gone(pid)


async def test_signals_to_the_group_do_not_end_it() -> None:
    """SIGTERM, SIGINT and SIGHUP to zygote and workers change nothing: the daemon drains, and then closes them."""
    async with cells() as made, made.cell() as cell:
        for pid in (made.zygote.pid, *children(made.zygote.pid), cell.worker.host_pid()):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
        assert (await cell.run("result = 1")).value == 1
        assert (await made.probe("result = 2")).value == 2


async def test_spawn_cancelled_in_the_turn_of_its_answer_leaves_no_worker() -> None:
    """The answer is there and the task has not seen it: no other may close its worker and its pipes."""
    async with cells() as made:
        zygote = made.zygote
        loop = asyncio.get_running_loop()
        control = zygote._control
        assert control is not None
        await zygote.kill(first := await zygote.spawn())
        first.close()
        before = descriptors()
        spawn = asyncio.create_task(zygote.spawn())

        def read_and_cancel() -> None:
            zygote._read_control()
            if not zygote._pending:
                spawn.cancel()

        while not zygote._pending:
            await asyncio.sleep(0)
        (pending,) = zygote._pending.values()
        loop.add_reader(control.fileno(), read_and_cancel)
        with pytest.raises(asyncio.CancelledError):
            await spawn
        # Control: there was an answer, and not a cancelled question.
        assert pending.future.result().id
        assert descriptors() <= before


async def test_cancelled_spawn_leaves_no_worker() -> None:
    """A spawn that no login waits for any more is undone."""
    before = descriptors()
    async with cells() as made:
        spawns = [asyncio.ensure_future(made.zygote.spawn()) for _ in range(8)]
        await asyncio.sleep(0)
        for spawn in spawns:
            spawn.cancel()
        await asyncio.gather(*spawns, return_exceptions=True)
        assert (await made.probe("result = 1")).value == 1
        assert not made.zygote._pending
    assert descriptors() <= before


async def test_a_full_control_socket_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped zygote whose socket takes no more requests is replaced in the end, and told as such; none hangs."""
    monkeypatch.setattr(client, "WRITABLE_TIMEOUT_S", 0.05)
    deaths: list[str] = []
    zygote = Zygote(hold(), None, deaths.append)
    await zygote.start()
    inner = children(zygote.pid)
    before = descriptors()
    try:
        for pid in (*inner, zygote.pid):
            os.kill(pid, signal.SIGSTOP)
        absent = zygote_pb2.ZygoteRequest(kill=zygote_pb2.Kill(id=1 << 30)).SerializeToString()
        assert zygote._control is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                zygote._control.send(absent)
        with pytest.raises(WorkerStartError, match="took no request"):
            await zygote.spawn()
        assert not zygote.alive
        assert descriptors() < before
        for pid in (*inner, zygote.pid):
            assert await gone(pid)
        async with asyncio.timeout(5):
            await zygote._exited
        assert len(deaths) == 1
        assert "took no request" in deaths[0]
    finally:
        await zygote.close()


async def test_a_zygote_that_only_lacks_a_processor_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is full it is waited for beyond the time after which a silent one is replaced."""
    monkeypatch.setattr(client, "ZYGOTE_ANSWER_S", 0.05)
    monkeypatch.setattr(client, "is_runnable", lambda _pid: True)
    monkeypatch.setattr(client, "ANSWER_WAITS_MAX", 1000)
    async with cells() as made:
        stopped = [made.zygote.pid, *children(made.zygote.pid)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        spawn = asyncio.create_task(made.zygote.spawn())
        await asyncio.sleep(0.5)
        assert not spawn.done()
        assert made.zygote.alive
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        (await spawn).undo()


async def test_who_lacks_a_processor_is_distinguished_from_who_is_stopped() -> None:
    """A process that computes is runnable, one that sleeps or is stopped is not."""
    code = "import sys, time\nprint(flush=True)\nsys.stdin.readline()\nwhile True: pass"
    child = await asyncio.create_subprocess_exec(
        *TIED, sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )

    async def becomes(runnable: bool) -> bool:
        for _ in range(500):
            if is_runnable(child.pid) is runnable:
                return True
            await asyncio.sleep(0.02)
        return False

    try:
        assert child.stdin is not None
        assert child.stdout is not None
        await child.stdout.readline()
        assert await becomes(False)
        child.stdin.write(b"\n")
        assert await becomes(True)
        child.send_signal(signal.SIGSTOP)
        assert await becomes(False)
    finally:
        child.kill()
        await child.wait()
    assert not is_runnable(child.pid)


async def test_no_descriptor_left_fails_one_spawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the daemon has no descriptor left, the spawn says so, and the next one works."""
    async with cells() as made:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        for spare in range(5):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + spare, hard))
            try:
                with contextlib.suppress(WorkerStartError):
                    (await made.zygote.spawn()).close()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await made.probe("result = 1")).value == 1


async def test_no_descriptor_left_for_a_zygote_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zygote that cannot be watched is not kept: the start says so, and neither process nor descriptor is left."""
    before, mine = descriptors(), children(os.getpid())

    def full(_pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", full)
    with pytest.raises(WorkerStartError, match="no descriptor for the zygote: Too many open files"):
        await Zygote(hold()).start()
    assert children(os.getpid()) == mine
    assert descriptors() <= before


@pytest.mark.long
def test_whichever_descriptor_a_zygote_lacks_none_is_kept() -> None:
    """Where the n-th descriptor that is needed cannot be had, it is not executed, and those before it are closed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before, (soft, hard) = descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
        most, refused = os.dup(ours.fileno()), 0
        os.close(most)
        while True:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            try:
                process, stderr = launch(theirs.fileno(), hold().uid, hold().entry)
            except OSError:
                refused += 1
            else:
                break
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert descriptors() <= before
            most += 1
        # The null device, and two ends of two pipes.
        assert refused >= 5
        with process:
            process.kill()
        os.close(stderr)


async def test_missing_module_is_one_line() -> None:
    """A zygote that cannot import what it needs says so in one line, and leaves nothing behind."""
    before = descriptors()
    zygote = Zygote(hold(entry="no_such_module"))
    with pytest.raises(WorkerStartError, match="cannot start: ModuleNotFoundError: No module named 'no_such_module'"):
        await zygote.start()
    assert descriptors() <= before


async def test_broken_interpreter_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that dies before our code runs is reported with the last line it wrote."""
    monkeypatch.setattr("runtime.workers.launch._BOOT", "raise SystemExit('no such luck')")
    with pytest.raises(WorkerStartError, match="exited with code 1: no such luck"):
        await Zygote(hold()).start()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WorkerStartError, match="cannot be executed"):
        await Zygote(hold()).start()


async def test_zygote_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zygote that never gets ready is killed after its time."""
    monkeypatch.setattr("runtime.workers.launch._BOOT", "import time; time.sleep(60)")
    monkeypatch.setattr(client, "START_TIMEOUT_S", 0.2)
    monkeypatch.setattr(client, "CLOSE_TIMEOUT_S", 0.2)
    with pytest.raises(WorkerStartError, match="not ready"):
        await Zygote(hold()).start()


async def test_import_that_starts_a_thread_is_refused(tmp_path: Path) -> None:
    """An entry that leaves a thread behind cannot be forked safely, and is refused."""
    (tmp_path / "threaded.py").write_text(
        "import threading, time\ndef prepare(): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
    )
    with pytest.raises(WorkerStartError, match="started a thread"):
        await Zygote(hold(entry="threaded", path=(str(tmp_path),))).start()


async def test_works_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zygote finds its modules whatever the current directory, and takes none from there."""
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "__init__.py").write_text("raise SystemExit('taken from the current directory')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    async with cells() as made:
        assert (await made.probe("result = 1")).value == 1


async def test_uvloop() -> None:
    """The client works on uvloop as on asyncio."""

    async def main() -> int:
        async with cells() as made:
            assert (await made.probe("os._exit(3)")).exit_code == 3
            value = (await made.probe("result = 4")).value
            assert isinstance(value, int)
            return value

    def run() -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())

    assert await asyncio.to_thread(run) == 4


def test_ending_is_named() -> None:
    """An end is reported as a signal or a code, with the last line that was written."""
    assert describe_end(-9, b"") == "the zygote was killed by SIGKILL"
    assert describe_end(137, b"") == "the zygote was killed by SIGKILL"
    assert describe_end(1, b"Traceback\n  x\nValueError: no\n") == "the zygote exited with code 1: ValueError: no"


# -- hosts that allow less -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def forked_zygote(before: Callable[[], None], omit: frozenset[str] = frozenset()) -> Iterator[socket.socket]:
    """Run a zygote in a fork of this process, after `before` has made it less than it was: no exec, so the interpreter
    may live where an ordinary user cannot read.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(20)
    options = {"control_fd": theirs.fileno(), "entry": "sandbox.process.probe", "uid": 65534, "gid": 65534}
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(theirs.fileno(), 200)
            os.closerange(3, 200)
            before()
            sandbox_zygote.main(json.dumps({**options, "control_fd": 200, "omit": sorted(omit)}))
        finally:
            os._exit(99)
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        os.waitpid(pid, 0)


def hear(control: socket.socket) -> zygote_pb2.ZygoteReport:
    """Read one report, dropping its descriptor."""
    data, fds, _, _ = socket.recv_fds(control, 65536, 1)
    for fd in fds:
        os.close(fd)
    return zygote_pb2.ZygoteReport.FromString(data)


def ask(control: socket.socket, spawn_id: int) -> socket.socket:
    """Ask for one worker by hand, give it a socket for both of its pipes, and return our end."""
    journal, journal_fd = make_journal(4096)
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    profile = zygote_pb2.SpawnProfile(memory_bytes=64 << 20, cpu_s=5)
    request = zygote_pb2.ZygoteRequest(spawn=zygote_pb2.Spawn(id=spawn_id, profile=profile))
    socket.send_fds(control, [request.SerializeToString()], [theirs.fileno(), theirs.fileno(), journal_fd])
    theirs.close()
    os.close(journal_fd)
    journal.close()
    return ours


def spawn_once(control: socket.socket) -> tuple[dict[str, worker_pb2.Layer], list[tuple[str, object]]]:
    """Drive the control socket by hand: one worker, its layers, and the ends of three probes."""
    started = hear(control)
    assert started.HasField("started"), started
    with ask(control, 1) as ours:
        assert hear(control).HasField("spawned")
        layers = {layer.name: layer for layer in worker_pb2.Ready.FromString(_frame(ours)).layers}
        answers = []
        for source in ("result = 1", "os.open('/etc/passwd', 0)", "os.fork()"):
            ours.sendall(frames.encode(source.encode()))
            frame = _frame(ours)
            answers.append(tuple(json.loads(frame).items())[-1] if frame else ("gone", None))
    return layers, answers


def _frame(sock: socket.socket) -> bytes:
    reader = frames.Reader()
    try:
        while data := sock.recv(65536):
            frame = reader.feed(data, 65536)
            if frame is not None:
                return frame
    except ConnectionResetError:
        pass
    return b""


CONTAINED = [("value", 1), ("errno", errno.EPERM), ("gone", None)]
ALWAYS = ("parent_death", "descriptors", "not_dumpable", "no_new_privs", "landlock", "rlimits", "seccomp")


def become_ordinary(uid: int = 54321) -> None:
    """Be an ordinary user, if we are root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)


def test_ordinary_user() -> None:
    """An ordinary user gets every layer, the namespaces out of a user namespace of its own."""
    with forked_zygote(become_ordinary) as control:
        layers, answers = spawn_once(control)
    assert answers == CONTAINED
    assert all(layers[name].active for name in (*ALWAYS, "uid", "environment")), layers
    require(layers["namespaces.user"].active, f"namespaces.user: {layers['namespaces.user'].detail}")
    assert all(layers[f"namespaces.{name}"].active for name in ("net", "mount", "ipc", "uts", "cgroup", "pid")), layers


@pytest.mark.parametrize("ordinary", [False, True], ids=["as started", "ordinary user"])
def test_container_without_namespaces(ordinary: bool) -> None:
    """Where unshare is refused, the namespaces are reported with the reason, and everything else holds."""

    def before() -> None:
        if ordinary:
            become_ordinary()
        refuse(kernel.number_of(CALLS["unshare"]))

    with forked_zygote(before) as control:
        layers, answers = spawn_once(control)
    assert answers == CONTAINED
    assert all(layers[name].active for name in (*ALWAYS, "uid")), layers
    for name in (name for name in LAYERS if name.startswith("namespaces.")):
        assert not layers[name].active
        assert "Operation not permitted" in layers[name].detail


def test_host_that_refuses_mounts() -> None:
    """Where namespaces are allowed but mounts are not, only the empty root is missing."""

    def before() -> None:
        become_ordinary()
        refuse(kernel.number_of(CALLS["mount"]), error=errno.EACCES)

    with forked_zygote(before) as control:
        layers, answers = spawn_once(control)
    assert answers == CONTAINED
    require(layers["namespaces.user"].active, f"namespaces.user: {layers['namespaces.user'].detail}")
    assert not layers["namespaces.mount"].active
    assert "empty root: Permission denied" in layers["namespaces.mount"].detail
    assert layers["namespaces.net"].active
    assert layers["namespaces.pid"].active


def test_kernel_without_landlock() -> None:
    """A kernel without Landlock is reported as such; the worker is locked down by the rest."""
    with forked_zygote(lambda: refuse(444, 445, 446, error=errno.ENOSYS)) as control:
        layers, answers = spawn_once(control)
    assert answers == CONTAINED
    assert not layers["landlock"].active
    assert "Function not implemented" in layers["landlock"].detail


def test_a_layer_refused_to_the_worker_is_reported() -> None:
    """What the kernel offers to the zygote and then refuses to a worker is said by that worker, with the reason."""
    with forked_zygote(lambda: refuse(446, error=errno.EACCES)) as control:
        layers, answers = spawn_once(control)
    assert answers == CONTAINED
    assert not layers["landlock"].active
    assert layers["landlock"].detail == "the host refuses it: Permission denied"
    assert all(layers[name].active for name in ALWAYS if name != "landlock"), layers


def test_a_class_of_scheduling_that_is_refused_costs_no_worker() -> None:
    """The kernel refuses it to a daemon at the lowest priority; every layer holds all the same."""
    with forked_zygote(lambda: refuse(kernel.number_of(CALLS["sched_setscheduler"]))) as control:
        layers, answers = spawn_once(control)
    assert answers == CONTAINED
    assert all(layers[name].active for name in ALWAYS), layers


def test_failing_fork_fails_one_spawn() -> None:
    """When the user has no process left, that spawn says so; the zygote lives, and the next one works."""
    if os.geteuid() != 0:
        pytest.skip("root: needs to be a user without other processes")

    def before() -> None:
        become_ordinary(54322)
        resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))

    with forked_zygote(before, frozenset({"namespaces.pid"})) as control:
        assert hear(control).HasField("started")
        first = ask(control, 1)
        assert hear(control).spawned.id == 1
        ask(control, 2).close()
        failed = hear(control).spawn_failed
        assert (failed.id, failed.errno) == (2, errno.EAGAIN)
        assert failed.reason
        first.close()
        assert hear(control).exited.id == 1
        with ask(control, 3):
            assert hear(control).spawned.id == 3


def test_start_is_quick_enough_to_restart() -> None:
    """A zygote of probes takes less processor time than that after which a pool would give up on a worker."""

    def spent_s() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in used)

    started_s = spent_s()

    async def main() -> None:
        async with cells() as made:
            assert (await made.probe("result = 1")).value == 1

    asyncio.run(main())
    assert spent_s() - started_s < 5
