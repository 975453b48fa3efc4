"""What an attacker past the language wants next, tried by unrestricted Python in a worker: each goal under all layers.

One table: the probe succeeds with every layer off (the control), fails with all of them on, and fails under the named
layers alone. `test_lockdown.py` has the files, networks and processes; here are the ways around those.
"""

# ruff: noqa: E501  a table of attempts: one a line

from __future__ import annotations

import errno
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.security.cells import LAYERS, Cells, Outcome, cells, only

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILTER = ("no_new_privs", "seccomp")
LANDLOCK = ("no_new_privs", "landlock")
ROOT = ("namespaces.user", "namespaces.mount")


@dataclass(frozen=True)
class Goal:
    """One thing an attacker wants."""

    name: str
    source: str
    alone: tuple[tuple[str, ...], ...] = (FILTER,)
    """Sets of layers each of which is enough."""


_READ = "fd = os.open({!r}, os.O_RDONLY)\nresult = os.read(fd, 64).hex()\nassert result\nos.close(fd)"
_EXPECT = "if r == -1: raise OSError(ctypes.get_errno(), '')"

GOALS = [
    Goal("read its own environment", _READ.format("/proc/self/environ"), (FILTER, ("rlimits",), LANDLOCK, ROOT)),
    Goal("read its own memory map", _READ.format("/proc/self/maps"), (FILTER, ("rlimits",), LANDLOCK, ROOT)),
    Goal("read its parent's command line", "fd = os.open(f'/proc/{os.getppid()}/cmdline', 0)\nos.read(fd, 9)"),
    Goal("write its own memory by a file", "fd = os.open('/proc/self/mem', os.O_RDWR)", (FILTER, ("rlimits",), LANDLOCK)),
    Goal("list its descriptors by name", "assert os.listdir('/proc/self/fd')", (FILTER, ("rlimits",), LANDLOCK, ROOT)),
    Goal("read a link of a process", "assert os.readlink('/proc/self/exe')", (FILTER, ROOT)),
    Goal("look at a file without opening it", "os.stat('/etc/passwd')", (FILTER, ROOT)),
    Goal("open by a directory's descriptor", "d = os.open('/', os.O_PATH)\nos.open('etc/passwd', 0, dir_fd=d)"),
    Goal("a link to a file", "os.symlink('/etc/passwd', f'/tmp/vestibule-{os.getpid()}')\nos.unlink(f'/tmp/vestibule-{os.getpid()}')", (FILTER, LANDLOCK, ROOT)),
    Goal("a named pipe", "p = f'/tmp/vestibule-pipe-{os.getpid()}'\nos.mkfifo(p)\nos.unlink(p)", (FILTER, LANDLOCK, ROOT)),
    Goal("fork by vfork's wrapper", "import subprocess\nassert subprocess.call(['/bin/true']) == 0", (FILTER,)),
    Goal("a process by posix_spawn", "pid = os.posix_spawn('/bin/true', ['true'], {})\nassert os.waitpid(pid, 0)[1] == 0"),
    Goal("a program from memory", "fd = os.memfd_create('x')\nos.write(fd, open('/bin/true', 'rb').read())\nassert os.fork() or os.execve(fd, ['true'], {})\nassert os.wait()[1] == 0"),
    Goal("a socket pair", "a, b = socket.socketpair()"),
    Goal("a socket to the kernel", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()"),
    Goal("a socket of packets", "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).close()"),
    Goal("listen", "s = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()"),
    Goal("be traced", "r = libc.ptrace(0, 0, 0, 0)\n" + _EXPECT),
    Goal("signal itself", "os.kill(os.getpid(), 0)"),
    Goal("signal its group", "os.killpg(0, 0)"),
    Goal("signal by a handle of itself", "signal.pidfd_send_signal(os.pidfd_open(os.getpid()), 0)"),
    Goal("ignore what should end it", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)"),
    Goal("block what should end it", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\nassert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])"),
    Goal("leave its session", "if os.fork() == 0: os.setsid(); os._exit(0)\nassert os.wait()[1] == 0"),
    Goal("outlive its parent", "r = libc.prctl(1, 0, 0, 0, 0)\n" + _EXPECT),
    Goal("be dumpable again", "r = libc.prctl(4, 1, 0, 0, 0)\n" + _EXPECT),
    Goal("a process name that lies", "r = libc.prctl(15, b'systemd', 0, 0, 0)\n" + _EXPECT),
    Goal("memory that is executable", "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7).close()"),
    Goal("the executable's own pages made writable", "a = ctypes.cast(libc.getpid, ctypes.c_void_p).value & ~4095\nr = libc.mprotect(ctypes.c_void_p(a), 4096, 7)\n" + _EXPECT),
    Goal("memory shared by key", "r = libc.shmget(0, 4096, 0o1600)\nassert r != -1 and libc.shmctl(r, 0, 0) == 0"),
    Goal("a semaphore by key", "r = libc.semget(0, 1, 0o1600)\nassert r != -1 and libc.semctl(r, 0, 0) == 0"),
    Goal("a message queue by key", "r = libc.msgget(0, 0o1600)\nassert r != -1 and libc.msgctl(r, 0, 0) == 0"),
    Goal("memory held in place", "a = ctypes.create_string_buffer(8192)\nr = libc.mlock(a, 4096)\n" + _EXPECT, (FILTER, ("uid", "rlimits"))),
    Goal("a descriptor that waits", "select.epoll().close()", (FILTER, ("rlimits",))),
    Goal("a descriptor that counts", "os.eventfd(0)", (FILTER, ("rlimits",))),
    Goal("a descriptor that watches files", "r = libc.inotify_init1(0)\n" + _EXPECT, (FILTER, ("rlimits",))),
    Goal("a descriptor that keeps time", "r = libc.timerfd_create(1, 0)\n" + _EXPECT, (FILTER, ("rlimits",))),
    Goal("a descriptor that takes signals", "m = ctypes.create_string_buffer(128)\nr = libc.signalfd(-1, m, 0)\n" + _EXPECT, (FILTER, ("rlimits",))),
    Goal("a copy of its socket under another number", "os.dup2(sock_fd, 900)"),
    Goal("its socket made non-blocking for the daemon", "os.set_blocking(sock_fd, False)\nos.set_blocking(sock_fd, True)"),
    Goal("who is at the other end of its socket", "s = socket.socket(fileno=sock_fd)\ntry: s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)\nfinally: s.detach()"),
    Goal("its socket's buffers grown", "s = socket.socket(fileno=sock_fd)\ntry: s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)\nfinally: s.detach()"),
    Goal("another user", "os.setresuid(-1, -1, -1)"),
    Goal("other groups", "os.setresgid(-1, -1, -1)"),
    Goal("a namespace of its own", "r = libc.unshare(0)\n" + _EXPECT),
    Goal("another root", "os.chroot('/')"),
    Goal("a file mode mask", "os.umask(os.umask(0))"),
    Goal("a higher limit", "resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))"),
    Goal("a better place in the queue", "os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))"),
    Goal("another processor", "os.sched_setaffinity(0, os.sched_getaffinity(0))"),
    Goal("sleep without using time", "time.sleep(0.001)"),
    Goal("the host's name", "os.uname()"),
    Goal("the host's load", "r = libc.sysinfo(ctypes.create_string_buffer(512))\n" + _EXPECT),
    Goal("the host's entropy", "os.getrandom(8)"),
    Goal("its process group", "assert os.getpgid(0) >= 0"),
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def zygotes() -> AsyncIterator[dict[frozenset[str], Cells]]:
    """Zygotes by what they leave off, each started once."""
    async with AsyncExitStack() as stack:
        started = {}
        for omit in (frozenset[str](), LAYERS, *{only(*alone) for goal in GOALS for alone in goal.alone}):
            started[omit] = await stack.enter_async_context(cells(omit))
        yield started


async def ran(made: Cells, source: str, needed: Iterable[str]) -> Outcome | None:
    """Run a probe; None where the host lacks one of the needed layers."""
    async with made.cell() as cell:
        if not all(cell.layers[name].active for name in needed):
            return None
        return await cell.run(source)


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
async def test_goal(zygotes: dict[frozenset[str], Cells], goal: Goal) -> None:
    """Reached without layers; not reached under all of them, nor under each set that is said to be enough."""
    control = await zygotes[LAYERS].probe(goal.source)
    assert control.succeeded, control
    held = await zygotes[frozenset()].probe(goal.source)
    assert not held.succeeded, held
    for alone in goal.alone:
        outcome = await ran(zygotes[only(*alone)], goal.source, alone)
        assert outcome is None or not outcome.succeeded, (alone, outcome)
        if alone == FILTER and outcome is not None:
            assert outcome.filtered or outcome.error is not None, outcome


# Neighbours: a second worker of the same zygote, named by its process id as the zygote's namespace sees it.
NEIGHBOUR = """
marker = ctypes.create_string_buffer(b'vestibule-neighbour-secret')
contextlib.marker = marker
result = [os.getpid(), ctypes.addressof(marker)]
"""
BY_CALL = """
class Vector(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
into = ctypes.create_string_buffer(26)
ours = Vector(ctypes.addressof(into), 26)
theirs = Vector({address}, 26)
if libc.process_vm_readv({pid}, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) == -1:
    raise OSError(ctypes.get_errno(), '')
result = into.raw.decode()
"""
BY_FILE = """
fd = os.open('/proc/{pid}/mem', os.O_RDONLY)
result = os.pread(fd, 26, {address}).decode()
os.close(fd)
"""
BY_TRACE = """
if libc.ptrace(16, {pid}, 0, 0) == -1:
    raise OSError(ctypes.get_errno(), '')
os.waitpid({pid}, 0x40000000)
libc.ptrace(17, {pid}, 0, 0)
result = 'vestibule-neighbour-secret'
"""


@pytest.mark.parametrize("source", [BY_CALL, BY_FILE, BY_TRACE], ids=["by call", "by file", "by trace"])
@pytest.mark.parametrize("layers", [None, (), FILTER], ids=["control", "all layers", "filter alone"])
async def test_memory_of_another_worker(
    zygotes: dict[frozenset[str], Cells], source: str, layers: tuple[str, ...] | None
) -> None:
    """A neighbour's memory is not read; the control, root with no layer at all, reads it."""
    free = zygotes[LAYERS]
    omit = LAYERS if layers is None else frozenset[str]() if layers == () else only(*layers)
    async with free.cell() as neighbour, zygotes[omit].cell() as attacker:
        pid, address = (await neighbour.run(NEIGHBOUR)).value
        outcome = await attacker.run(source.format(pid=pid, address=address))
        if layers is None:
            if os.geteuid() != 0 and not outcome.succeeded:
                pytest.skip("this host lets no process read another of the same user")
            assert outcome.value == "vestibule-neighbour-secret", outcome
        else:
            assert outcome.filtered or outcome.error is not None, outcome


async def test_memory_of_another_worker_that_is_not_dumpable() -> None:
    """Were the reader's filter gone, a locked neighbour would still not be read by another of its user."""
    if os.geteuid() != 0:
        pytest.skip("needs to start as root, to make two workers of one unprivileged user")
    async with cells(only("uid")) as open_ones, cells(only("uid", "not_dumpable")) as closed_ones:
        # The kernel makes whoever changes its user not dumpable too: the control undoes both.
        control = await steal(open_ones, "assert libc.prctl(4, 1, 0, 0, 0) == 0\n", open_ones)
        if not control.succeeded:
            pytest.skip("this host lets no process read another of the same user")
        assert control.value == "vestibule-neighbour-secret"
        assert (await steal(closed_ones, "", open_ones)).refused(errno.EPERM)


async def steal(owners: Cells, first: str, thieves: Cells) -> Outcome:
    """Let a worker of one kind read the memory of one of another kind."""
    async with owners.cell() as neighbour, thieves.cell() as attacker:
        pid, address = (await neighbour.run(first + NEIGHBOUR)).value
        return await attacker.run(BY_CALL.format(pid=pid, address=address))


EVERY_DESCRIPTOR = """
written = []
for fd in range(1, 1024):
    try:
        if os.write(fd, b'') == 0:
            written.append(fd)
    except OSError:
        pass
result = written
"""


async def test_write_to_the_control_descriptor(zygotes: dict[frozenset[str], Cells]) -> None:
    """No descriptor but its own socket takes a byte: neither the zygote's control socket nor stderr are there."""
    assert len((await zygotes[LAYERS].probe(EVERY_DESCRIPTOR)).value) >= 2
    assert (await zygotes[frozenset()].probe(EVERY_DESCRIPTOR)).value == []
    async with cells(only("descriptors")) as closed:
        assert (await closed.probe(EVERY_DESCRIPTOR)).value == []
    assert (await zygotes[only(*FILTER)].probe(EVERY_DESCRIPTOR)).value == []


async def test_a_forbidden_call_ends_the_process_and_not_the_thread(zygotes: dict[frozenset[str], Cells]) -> None:
    """What the filter kills dies by SIGSYS, which no handler of the attacker's can take."""
    outcome = await zygotes[frozenset()].probe("os.fork()")
    assert outcome.exit_code == -signal.SIGSYS
