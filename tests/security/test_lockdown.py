"""Each layer of the lock-down alone, against any Python an attacker may run, beside the control without any layer."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from runtime.doctor import single
from sandbox.contract import exit_codes
from sandbox.contract.attempts import ATTEMPTS
from sandbox.contract.layers import LANDLOCK_SCOPES_ABI, LANDLOCK_TCP_ABI, ZYGOTE
from sandbox.process import landlock
from tests.security.cells import LAYERS, REFUSALS, SPECULATION, Cells, ProbeOutcome, cells, only, require

pytestmark = pytest.mark.asyncio(loop_scope="module")

FilterAlone = ("no_new_privs", "seccomp")
Get = Callable[[Iterable[str]], Awaitable[Cells]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def get() -> AsyncIterator[Get]:
    """Zygotes by what they leave off, each started once."""
    async with AsyncExitStack() as stack:
        started: dict[frozenset[str], Cells] = {}

        async def find(omit: Iterable[str]) -> Cells:
            key = frozenset(omit)
            if key not in started:
                started[key] = await stack.enter_async_context(cells(key))
            return started[key]

        yield find


async def held_by(get: Get, layers: Iterable[str], source: str) -> ProbeOutcome:
    """Run a probe under these layers alone; skip where the host has one of them not."""
    layers = tuple(layers)
    async with (await get(only(*layers))).cell() as cell:
        for name in layers:
            if name not in single.means(layers):
                require(cell.layers[name].active, f"{name}: {cell.layers[name].detail}")
        return await cell.run(source)


def has_landlock(abi: int) -> None:
    """Skip where the kernel's Landlock is older."""
    try:
        known = landlock.Ruleset().abi
    except OSError as error:
        require(False, f"landlock: {error.strerror}")
    else:
        require(known >= abi, f"landlock version: ABI {known}, {abi} is needed")


async def contained_and_alive(get: Get, source: str) -> ProbeOutcome:
    """Run a probe without any layer, where it must succeed, and with all of them, where it must not."""
    control = await (await get(LAYERS)).probe(source)
    assert control.succeeded, control
    held = await (await get(())).probe(source)
    assert not held.succeeded, held
    return held


async def test_every_layer_is_reported(get: Get) -> None:
    """A worker names every layer there is, each with what it does or why it is missing."""
    async with (await get(())).cell() as cell:
        assert set(cell.layers) == LAYERS
        assert all(layer.detail for layer in cell.layers.values())
        for name in LAYERS - set(ZYGOTE):
            if name != SPECULATION:  # the processor and the host decide about this one
                require(cell.layers[name].active, f"{name}: {cell.layers[name].detail}")


async def test_nothing_is_reported_that_was_left_off(get: Get) -> None:
    """A layer that is left off does not appear in the report at all."""
    async with (await get(LAYERS)).cell() as cell:
        assert cell.layers == {}


READ_A_FILE = "os.close(os.open('/etc/passwd', os.O_RDONLY))"


async def test_read_a_file(get: Get) -> None:
    """No file can be read: the filter, Landlock, the empty root and the descriptor limit each refuse alone."""
    assert (await contained_and_alive(get, READ_A_FILE)).refused(errno.EPERM)
    assert (await held_by(get, FilterAlone, READ_A_FILE)).refused(errno.EPERM)
    assert (await held_by(get, ("rlimits",), READ_A_FILE)).refused(errno.EMFILE)
    has_landlock(1)
    assert (await held_by(get, ("no_new_privs", "landlock"), READ_A_FILE)).refused(errno.EACCES)


async def test_empty_root(get: Get) -> None:
    """The mount namespace alone hides every file, /proc included, and its root cannot be written."""
    layers = ("namespaces.user", "namespaces.mount")
    assert (await held_by(get, layers, READ_A_FILE)).refused(errno.ENOENT)
    assert (await held_by(get, layers, "result = os.listdir('/')")).value == []
    assert (await held_by(get, layers, "os.mkdir('/x')")).refused(errno.EROFS, errno.EACCES)
    assert (await (await get(LAYERS)).probe("result = os.listdir('/')")).value != []


async def test_write_a_file(get: Get, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No file can be created."""
    folder = tmp_path_factory.mktemp("open")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o777)
    source = f"os.close(os.open({str(folder / 'new')!r}, os.O_CREAT | os.O_WRONLY))"
    assert (await contained_and_alive(get, source)).refused(errno.EPERM)
    has_landlock(1)
    assert (await held_by(get, ("no_new_privs", "landlock"), source)).refused(errno.EACCES)


async def test_list_a_directory(get: Get) -> None:
    """No directory can be listed."""
    source = "os.listdir('/')"
    assert (await contained_and_alive(get, source)).refused(errno.EPERM)
    has_landlock(1)
    assert (await held_by(get, ("no_new_privs", "landlock"), source)).refused(errno.EACCES)


async def test_connect_by_tcp(get: Get) -> None:
    """No TCP connection leaves: the filter kills, Landlock and the empty network refuse."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"socket.socket().connect({server.getsockname()!r})"
        assert (await contained_and_alive(get, source)).filtered
        assert (await held_by(get, FilterAlone, source)).filtered
        alone = await held_by(get, ("namespaces.user", "namespaces.net"), source)
        assert alone.refused(errno.ENETUNREACH, errno.EADDRNOTAVAIL)
        has_landlock(LANDLOCK_TCP_ABI)
        assert (await held_by(get, ("no_new_privs", "landlock"), source)).refused(errno.EACCES)


async def test_send_by_udp(get: Get) -> None:
    """No datagram leaves; Landlock does not know UDP, so the filter and the empty network stand for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        source = f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {server.getsockname()!r})"
        assert (await contained_and_alive(get, source)).filtered
        assert (await held_by(get, FilterAlone, source)).filtered
        alone = await held_by(get, ("namespaces.user", "namespaces.net"), source)
        assert alone.refused(errno.ENETUNREACH)


async def test_connect_to_an_abstract_socket(get: Get) -> None:
    """No local service is reached through an abstract socket."""
    name = f"\0vestibule-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        source = f"socket.socket(socket.AF_UNIX).connect({name!r})"
        assert (await contained_and_alive(get, source)).filtered
        alone = await held_by(get, ("namespaces.user", "namespaces.net"), source)
        assert alone.refused(errno.ECONNREFUSED)
        has_landlock(LANDLOCK_SCOPES_ABI)
        assert (await held_by(get, ("no_new_privs", "landlock"), source)).refused(errno.EPERM)


FORK = "pid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)"


async def test_fork(get: Get) -> None:
    """No process: the filter kills, and for an unprivileged uid the limit refuses."""
    assert (await contained_and_alive(get, FORK)).filtered
    assert (await held_by(get, FilterAlone, FORK)).filtered
    assert (await held_by(get, ("uid", "rlimits"), FORK)).refused(errno.EAGAIN)


async def test_start_a_thread(get: Get) -> None:
    """No thread either."""
    # With the C stack that a worker reserves there may be no memory for a second one, and then no call to refuse.
    source = "threading.stack_size(1 << 16)\nt = threading.Thread(target=int)\nt.start()\nt.join()"
    assert (await contained_and_alive(get, source)).filtered
    alone = await held_by(get, ("uid", "rlimits"), source)
    assert alone.error is not None
    assert "thread" in alone.error


async def test_execute_a_program(get: Get) -> None:
    """No program: the filter kills, Landlock and the empty root refuse."""
    source = "os.execv('/bin/true', ['true'])"
    assert (await (await get(LAYERS)).probe(source)).exit_code == 0
    assert (await (await get(())).probe(source)).filtered
    assert (await held_by(get, FilterAlone, source)).filtered
    assert (await held_by(get, ("namespaces.user", "namespaces.mount"), source)).refused(errno.ENOENT)
    has_landlock(1)
    assert (await held_by(get, ("no_new_privs", "landlock"), source)).refused(errno.EACCES)


async def test_signal_the_zygote(get: Get) -> None:
    """No signal reaches the zygote, though it has the same uid."""
    source = "os.kill(os.getppid(), 0)"
    assert (await contained_and_alive(get, source)).filtered
    has_landlock(LANDLOCK_SCOPES_ABI)
    assert (await held_by(get, ("no_new_privs", "landlock"), source)).refused(errno.EPERM)


async def test_signal_another_process(get: Get) -> None:
    """No signal reaches a process of the host: it does not exist in the PID namespace, and its uid is another."""
    source = f"os.kill({os.getpid()}, 0)"
    assert (await contained_and_alive(get, source)).filtered
    assert (await held_by(get, ("namespaces.user", "namespaces.pid"), source)).refused(errno.ESRCH)
    if os.geteuid() == 0:
        assert (await held_by(get, ("uid",), source)).refused(errno.EPERM)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ptrace", "assert libc.ptrace(0, 0, 0, 0) == 0"),
        ("memfd", "os.close(os.memfd_create('x'))"),
        ("pipe", "[os.close(fd) for fd in os.pipe()]"),
        ("duplicate a descriptor", "os.close(os.dup(answer_fd))"),
        ("socketpair", "[s.close() for s in socket.socketpair()]"),
        ("pidfd", "os.close(os.pidfd_open(os.getpid()))"),
        ("prctl", "assert libc.prctl(3) >= 0"),
        ("personality", "assert libc.personality(0xFFFFFFFF) >= 0"),
        ("pass a descriptor", "assert libc.sendmsg(answer_fd, None, 0) == -1 and ctypes.get_errno() == errno.ENOTSOCK"),
        (
            "receive a descriptor",
            "assert libc.recvmsg(question_fd, None, 64) < 0 and ctypes.get_errno() == errno.ENOTSOCK",
        ),
        ("ask for a limit", "if libc.getrlimit(4, (ctypes.c_ulong * 2)()): raise OSError(ctypes.get_errno(), '')"),
        ("change the root", "os.chdir('/')"),
        ("wait", "select.select([], [], [], 0)"),
    ],
)
async def test_the_filter_knows_no(get: Get, name: str, source: str) -> None:
    """The filter alone stops what no library of a worker needs."""
    control = await (await get(LAYERS)).probe(source)
    assert control.succeeded, control
    alone = await held_by(get, FilterAlone, source)
    assert alone.filtered or alone.refused(errno.EPERM)
    held = await (await get(())).probe(source)
    assert held.filtered or held.refused(errno.EPERM)


async def test_map_executable_memory(get: Get) -> None:
    """No memory can be made executable, neither new nor old."""
    new = "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()"
    assert (await contained_and_alive(get, new)).filtered
    assert (await held_by(get, FilterAlone, new)).filtered
    old = (
        "m = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "a = ctypes.addressof(ctypes.c_char.from_buffer(m))\n"
        "assert libc.mprotect(ctypes.c_void_p(a), 4096, 5) == 0"
    )
    assert (await contained_and_alive(get, old)).filtered
    assert (await held_by(get, FilterAlone, old)).filtered


async def test_share_memory(get: Get) -> None:
    """No shared memory can be made, which would not count as the worker's own."""
    source = "mmap.mmap(-1, 4096).close()"
    assert (await contained_and_alive(get, source)).filtered
    assert (await held_by(get, FilterAlone, source)).filtered


async def test_write_to_another_descriptor(get: Get) -> None:
    """Were another descriptor open, the filter would still let the worker write to its own pipe only."""
    source = "result = os.write(2, b'x')"
    assert (await (await get(LAYERS)).probe(source)).value == 1
    assert (await held_by(get, FilterAlone, source)).refused(errno.EPERM)


async def test_inherited_descriptors(get: Get) -> None:
    """Only its two pipes are open: not the zygote's control socket, not its stderr, not the journal's memory."""
    source = (
        "def is_open(fd):\n"
        "    try: os.fstat(fd)\n"
        "    except OSError: return False\n"
        "    return True\n"
        "result = [fd for fd in range(256) if is_open(fd)]"
    )
    assert len((await (await get(LAYERS)).probe(source)).value) > 3
    assert (await held_by(get, ("descriptors",), source)).value == [0, 1]


@pytest.mark.parametrize("source", ["os.write(question_fd, b'x')", "os.read(answer_fd, 1)"])
async def test_each_pipe_has_one_direction(get: Get, source: str) -> None:
    """A worker can neither ask itself a question nor read what it answered: by the filter, and by the pipe as such."""
    assert (await (await get(LAYERS)).probe(source)).refused(errno.EBADF)
    assert (await held_by(get, FilterAlone, source)).refused(errno.EPERM)


async def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What little environment the zygote is given, for its interpreter's sake, is gone in a worker."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere/canary")
    source = "libc.getenv.restype = ctypes.c_char_p\nresult = [dict(os.environ), str(libc.getenv(b'LD_LIBRARY_PATH'))]"
    async with cells(only("environment")) as held, cells(LAYERS) as free:
        assert (await held.probe(source)).value == [{}, "None"]
        assert "/nowhere/canary" in json.dumps((await free.probe(source)).value)


async def test_secrets_of_the_daemon_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the daemon's environment nothing reaches the zygote, even with every layer off."""
    monkeypatch.setenv("VESTIBULE_CANARY", "secret")
    async with cells(LAYERS) as free:
        assert "VESTIBULE_CANARY" not in (await free.probe("result = dict(os.environ)")).value


async def test_memory(get: Get) -> None:
    """Memory has a limit, and running into it is an error that leaves the worker able to answer."""
    source = "result = len(bytearray(200 << 20))"
    assert (await (await get(LAYERS)).probe(source)).value == 200 << 20
    assert (await held_by(get, ("rlimits",), source)).error == "MemoryError"
    async with (await get(())).cell() as cell:
        assert (await cell.run(source)).error == "MemoryError"
        assert (await cell.run("result = len(bytearray(40 << 20))")).value == 40 << 20
        assert (await cell.run("kept = []\nwhile True: kept.append('x' * 100000)")).error == "MemoryError"
        assert (await cell.run("result = 1")).value == 1


@pytest.mark.long  # three seconds of a processor, which test_process_goals.py takes too for the same goal
async def test_processor_time() -> None:
    """A worker that uses up its processor time is ended by the kernel, even when no process watches it."""
    source = "end = time.process_time() + 1.6\nwhile time.process_time() < end: pass"
    async with cells((), cpu_s=1) as held, cells(LAYERS, cpu_s=1) as free:
        assert (await held.probe(source)).exit_code == -signal.SIGXCPU
        assert (await free.probe(source)).succeeded


async def test_no_new_privileges(get: Get) -> None:
    """The no_new_privs bit is set, and nowhere else."""
    source = "result = libc.prctl(39, 0, 0, 0, 0)"
    assert (await held_by(get, ("no_new_privs",), source)).value == 1
    assert (await (await get(LAYERS)).probe(source)).value == 0


async def test_not_dumpable(get: Get) -> None:
    """Its memory is not readable by a process of the same user."""
    source = "result = libc.prctl(3, 0, 0, 0, 0)"
    assert (await held_by(get, ("not_dumpable",), source)).value == 0
    assert (await (await get(LAYERS)).probe(source)).value == 1


async def test_unprivileged_uid(get: Get) -> None:
    """A daemon that is root has workers that are not, and cannot become it again."""
    if os.geteuid() != 0:
        pytest.skip("root: needs to start as it")
    source = "result = [*os.getresuid(), *os.getresgid(), *os.getgroups()]"
    assert (await held_by(get, ("uid",), source)).value == [65534] * 6
    assert (await (await get(LAYERS)).probe(source)).value[:3] == [0, 0, 0]
    assert (await held_by(get, ("uid",), "os.setuid(0)")).refused(errno.EPERM)
    assert (await (await get(LAYERS)).probe("os.setuid(0)")).succeeded


@pytest.mark.parametrize("name", ["user", "net", "ipc", "uts", "cgroup", "pid"])
async def test_namespace(get: Get, name: str) -> None:
    """A worker is in a namespace of its own kind; without the layer it is in the daemon's."""
    file = "pid_for_children" if name == "pid" else name
    source = f"result = os.readlink('/proc/self/ns/{file}')"
    ours = os.readlink(f"/proc/self/ns/{name}")
    assert (await (await get(LAYERS)).probe(source)).value == ours
    held = await held_by(get, ("namespaces.user", f"namespaces.{name}"), source)
    assert held.value != ours
    assert held.succeeded


async def test_soft_timer_works_when_locked(get: Get) -> None:
    """The timer of the soft timeout rings, and again, in a locked worker."""
    source = (
        "for want in (1, 2):\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.005)\n"
        "    end = time.monotonic() + 5\n"
        "    while len(ring) < want and time.monotonic() < end: pass\n"
        "result = len(ring)"
    )
    assert (await (await get(())).probe(source)).value == 2


async def test_ordinary_python_works_when_locked(get: Get) -> None:
    """What an action does all day is untouched by the filter: errors, recursion, large data, clocks, collection."""
    source = (
        "import json, re, math, datetime, decimal, hashlib, traceback\n"
        "def deep(n): return deep(n + 1)\n"
        "try: deep(0)\n"
        "except RecursionError as error: text = ''.join(traceback.format_exception(error, limit=5))\n"
        "data = json.loads(json.dumps([{'k': 'v' * 1000}] * 10000))\n"
        "data.sort(key=lambda item: item['k'])\n"
        "gc.collect()\n"
        "clocks = [time.time(), time.monotonic(), time.thread_time(), time.process_time(), time.perf_counter()]\n"
        "big = str(10 ** 3000)\n"
        "text = ('x' * (10 << 20)).upper()\n"
        "hashlib.sha256(text.encode()).hexdigest()\n"
        "datetime.datetime.now(datetime.timezone.utc).isoformat()\n"
        "decimal.Decimal(2).sqrt()\n"
        "resource.getrusage(resource.RUSAGE_SELF)\n"
        "result = [len(data), len(big), all(clock >= 0 for clock in clocks)]"
    )
    assert (await (await get(LAYERS)).probe(source)).value == [10000, 3001, True]
    assert (await (await get(())).probe(source)).value == [10000, 3001, True]


async def test_a_stray_library_call_is_an_error_and_not_death(get: Get) -> None:
    """A library that looks for a file, a terminal, randomness or its process id gets an error or nothing."""
    async with (await get(())).cell() as cell:
        for source in (
            "os.open('/dev/null', 0)",
            "os.stat('/')",
            "os.urandom(8)",
            "os.getcwd()",
            "os.listdir()",
            "time.sleep(0.001)",
            "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
            "os.write(2, b'complaint')",
            "os.uname()",
        ):
            assert (await cell.run(source)).refused(*REFUSALS), source
        assert (await cell.run("result = os.isatty(0)")).value is False
        assert (await cell.run("import wave")).error is not None
        assert (await cell.run("result = 1")).value == 1


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_self_test(get: Get, attempt: str) -> None:
    """Each built-in attempt to break out fails under all layers, and works without any."""
    for omit, wanted in (((), (exit_codes.REFUSED, -signal.SIGSYS)), (LAYERS, (exit_codes.BROKE_OUT,))):
        made = await get(omit)
        worker = await made.zygote.spawn(self_test=attempt)
        try:
            assert await made.exit_of(worker.id) in wanted
        finally:
            worker.close()
