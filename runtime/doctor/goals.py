"""What an attacker past the language wants next, as data: Python that gets there, and each set of layers that prevents it.

A goal is tried by `sandbox.process.probe` and shows success by raising nothing; none does harm where it is reached.
"""

# ruff: noqa: E501  a table of attempts: one a line

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbox.contract import layers
from sandbox.contract.layers import LANDLOCK_SCOPES_ABI, LANDLOCK_TCP_ABI

Layers = tuple[str, ...]
"""Layers that hold together; the last one is what the others are needed for. Root does not need a user namespace."""

FILTER: Final[Layers] = (layers.NO_NEW_PRIVS, layers.SECCOMP)
LANDLOCK: Final[Layers] = (layers.NO_NEW_PRIVS, layers.LANDLOCK)
LIMITS: Final[Layers] = (layers.RLIMITS,)
USER_LIMITS: Final[Layers] = (layers.UID, layers.RLIMITS)
"""Limits from which the kernel exempts uid 0."""
ROOT: Final[Layers] = (layers.USER, layers.MOUNT)
NET: Final[Layers] = (layers.USER, layers.NET)
PIDS: Final[Layers] = (layers.USER, layers.PID)

CPU_S: Final = 1
"""Processor time that a worker gets in which goals are tried: one of them uses it up."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing an attacker wants.

    Words in capitals that begin with HOST_ stand for what the host has: see `runtime.doctor.single`.
    """

    name: str
    source: str
    alone: tuple[Layers, ...] = (FILTER,)
    """Sets of layers each of which is enough."""
    landlock_abi: int = 1
    """The version of Landlock that knows of it."""
    as_root: bool = False
    """Only a process that starts as root can get there, layers or not."""
    by_exit: bool = False
    """Its process ends in success, with exit code 0."""


_READ = "fd = os.open({!r}, os.O_RDONLY)\nresult = os.read(fd, 64).hex()\nassert result\nos.close(fd)"
_EXPECT = "if r == -1: raise OSError(ctypes.get_errno(), '')"
_NEW = "p = f'/tmp/vestibule-{os.getpid()}-{time.monotonic_ns()}'\n"

# Files.
_FILES = [
    Goal("read a file", "os.close(os.open('/etc/passwd', os.O_RDONLY))", (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("list a directory", "assert os.listdir('/')", (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("make a file", _NEW + "os.close(os.open(p, os.O_CREAT | os.O_EXCL | os.O_WRONLY))\nos.unlink(p)", (FILTER, LIMITS, LANDLOCK, ROOT)),
    # In the place of one of its own pipes, the only numbers that the limit on descriptors leaves.
    Goal("let a file grow", _NEW + "os.close(question_fd)\nfd = os.open(p, os.O_CREAT | os.O_EXCL | os.O_WRONLY)\nos.unlink(p)\nos.write(fd, b'x')\nos._exit(0)", (FILTER, LIMITS, LANDLOCK, ROOT), by_exit=True),
    Goal("read its own environment", _READ.format("/proc/self/environ"), (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("read its own memory map", _READ.format("/proc/self/maps"), (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("read its parent's command line", "fd = os.open(f'/proc/{os.getppid()}/cmdline', 0)\nos.read(fd, 9)", (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("write its own memory by a file", "fd = os.open('/proc/self/mem', os.O_RDWR)", (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("list its descriptors by name", "assert os.listdir('/proc/self/fd')", (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("read a link of a process", "assert os.readlink('/proc/self/exe')", (FILTER, ROOT)),
    Goal("look at a file without opening it", "os.stat('/etc/passwd')", (FILTER, ROOT)),
    Goal("open by a directory's descriptor", "d = os.open('/', os.O_PATH)\nos.open('etc/passwd', 0, dir_fd=d)", (FILTER, LIMITS, LANDLOCK, ROOT)),
    Goal("a link to a file", _NEW + "os.symlink('/etc/passwd', p)\nos.unlink(p)", (FILTER, LANDLOCK, ROOT)),
    Goal("a named pipe", _NEW + "os.mkfifo(p)\nos.unlink(p)", (FILTER, LANDLOCK, ROOT)),
    Goal("another root", "os.chroot('/')", as_root=True),
    Goal("a file mode mask", "os.umask(os.umask(0))"),
]  # fmt: skip

# Other processes: making, telling, watching them.
_PROCESSES = [
    Goal("fork a process", "pid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)", (FILTER, USER_LIMITS)),
    Goal("start a thread", "t = threading.Thread(target=int)\nt.start()\nt.join()", (FILTER, USER_LIMITS)),
    Goal("execute a program", "os.execv('/bin/true', ['true'])", (FILTER, LANDLOCK, ROOT), by_exit=True),
    Goal("fork by vfork's wrapper", "import subprocess\nassert subprocess.call(['/bin/true']) == 0", (FILTER,)),
    Goal("a process by posix_spawn", "pid = os.posix_spawn('/bin/true', ['true'], {})\nassert os.waitpid(pid, 0)[1] == 0", (FILTER, USER_LIMITS, LANDLOCK, ROOT)),
    Goal("a program from memory", "fd = os.memfd_create('x')\nos.write(fd, open('/bin/true', 'rb').read())\nassert os.fork() or os.execve(fd, ['true'], {})\nassert os.wait()[1] == 0"),
    Goal("be traced", "r = libc.ptrace(0, 0, 0, 0)\n" + _EXPECT),
    Goal("signal its parent", "os.kill(os.getppid(), 0)", (FILTER, LANDLOCK), landlock_abi=LANDLOCK_SCOPES_ABI),
    Goal("signal a process of the host", "os.kill(HOST_PID, 0)", (FILTER, LANDLOCK, PIDS), landlock_abi=LANDLOCK_SCOPES_ABI),
    Goal("signal a process of root", "os.kill(HOST_PID, 0)", (FILTER, ("uid",)), as_root=True),
    Goal("signal itself", "os.kill(os.getpid(), 0)"),
    Goal("signal its group", "os.killpg(0, 0)"),
    Goal("signal by a handle of itself", "signal.pidfd_send_signal(os.pidfd_open(os.getpid()), 0)"),
    Goal("ignore what should end it", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)"),
    Goal("block what should end it", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\nassert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])"),
    Goal("leave its session", "if os.fork() == 0: os.setsid(); os._exit(0)\nassert os.wait()[1] == 0", (FILTER, USER_LIMITS)),
    Goal("outlive its parent", "r = libc.prctl(1, 0, 0, 0, 0)\n" + _EXPECT),
    Goal("be dumpable again", "r = libc.prctl(4, 1, 0, 0, 0)\n" + _EXPECT),
    Goal("be read by others of its user", "assert libc.prctl(3, 0, 0, 0, 0) == 1", (FILTER, ("not_dumpable",))),
    Goal("a process name that lies", "r = libc.prctl(15, b'systemd', 0, 0, 0)\n" + _EXPECT),
    Goal("its process group", "assert os.getpgid(0) >= 0"),
]  # fmt: skip

# Networks and sockets.
_NETWORKS = [
    Goal("reach a service of the host by TCP", "socket.socket().connect(('127.0.0.1', HOST_PORT))", (FILTER, LIMITS, LANDLOCK, NET), landlock_abi=LANDLOCK_TCP_ABI),
    Goal("a way for datagrams", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))", (FILTER, LIMITS, NET)),
    Goal("reach a local service by name", "socket.socket(socket.AF_UNIX).connect(HOST_ABSTRACT)", (FILTER, LIMITS, LANDLOCK, NET), landlock_abi=LANDLOCK_SCOPES_ABI),
    Goal("listen", "s = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()", (FILTER, LIMITS, LANDLOCK), landlock_abi=LANDLOCK_TCP_ABI),
    Goal("a socket pair", "a, b = socket.socketpair()", (FILTER, LIMITS)),
    Goal("a socket to the kernel", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()", (FILTER, LIMITS)),
    Goal("a socket of packets", "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).close()", (FILTER, LIMITS)),
    Goal("a copy of its pipe under another number", "os.dup2(answer_fd, 900)", (FILTER, LIMITS)),
    Goal("its pipe made non-blocking for the daemon", "os.set_blocking(answer_fd, False)\nos.set_blocking(answer_fd, True)"),
    Goal("its pipe grown", "fcntl.fcntl(answer_fd, fcntl.F_SETPIPE_SZ, 1 << 17)"),
    Goal("what waits in its pipe counted", "fcntl.ioctl(question_fd, 0x541B, bytes(4))"),
    # Nothing waits there: the kernel says so where the filter does not.
    Goal("a question passed on as an answer", "r = libc.tee(question_fd, answer_fd, 1, 2)\nassert r == -1 and ctypes.get_errno() == errno.EAGAIN"),
    Goal("its own pages lent to the daemon", "assert libc.vmsplice(answer_fd, None, 0, 0) == 0"),
    Goal("a descriptor that is not its own", "found = []\nfor fd in range(2, 1024):\n    with contextlib.suppress(OSError):\n        found.append(os.fstat(fd))\nassert found", (FILTER, ("descriptors",))),
]  # fmt: skip

# Memory, time and other things that are counted.
_RESOURCES = [
    Goal("memory beyond its limit", "result = len(bytearray(200 << 20))", (LIMITS,)),
    Goal("processor time beyond its limit", f"end = time.process_time() + {CPU_S + 0.3}\nwhile time.process_time() < end: pass", (LIMITS,)),
    Goal("a core file", "resource.setrlimit(resource.RLIMIT_CORE, (1, 1))", (FILTER, USER_LIMITS)),
    Goal("a higher limit", "resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))"),
    Goal("memory held in place", "a = ctypes.create_string_buffer(8192)\nr = libc.mlock(a, 4096)\n" + _EXPECT, (FILTER, USER_LIMITS)),
    Goal("memory that is executable", "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7).close()"),
    Goal("the executable's own pages made writable", "a = ctypes.cast(libc.getpid, ctypes.c_void_p).value & ~4095\nr = libc.mprotect(ctypes.c_void_p(a), 4096, 7)\n" + _EXPECT),
    Goal("memory shared by key", "r = libc.shmget(0, 4096, 0o1600)\nassert r != -1 and libc.shmctl(r, 0, 0) == 0"),
    Goal("a semaphore by key", "r = libc.semget(0, 1, 0o1600)\nassert r != -1 and libc.semctl(r, 0, 0) == 0"),
    Goal("a message queue by key", "r = libc.msgget(0, 0o1600)\nassert r != -1 and libc.msgctl(r, 0, 0) == 0"),
    Goal("a descriptor that waits", "select.epoll().close()", (FILTER, LIMITS)),
    Goal("a descriptor that counts", "os.eventfd(0)", (FILTER, LIMITS)),
    Goal("a descriptor that watches files", "r = libc.inotify_init1(0)\n" + _EXPECT, (FILTER, LIMITS)),
    Goal("a descriptor that keeps time", "r = libc.timerfd_create(1, 0)\n" + _EXPECT, (FILTER, LIMITS)),
    Goal("a descriptor that takes signals", "m = ctypes.create_string_buffer(128)\nr = libc.signalfd(-1, m, 0)\n" + _EXPECT, (FILTER, LIMITS)),
    Goal("a better place in the queue", "os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))"),
    Goal("another processor", "os.sched_setaffinity(0, os.sched_getaffinity(0))"),
    Goal("sleep without using time", "time.sleep(0.001)"),
]  # fmt: skip

# Who it is, and what it can see of its host.
_IDENTITY = [
    Goal("become root", "os.setresuid(0, 0, 0)", (FILTER, ("uid",)), as_root=True),
    Goal("become another user", "os.setresuid(1, 1, 1)", (FILTER, ("namespaces.user",)), as_root=True),
    Goal("another user", "os.setresuid(-1, -1, -1)"),
    Goal("other groups", "os.setresgid(-1, -1, -1)"),
    Goal("privileges of a program that has them", "libc.prctl(38, 0, 0, 0, 0)\nassert libc.prctl(39, 0, 0, 0, 0) == 0", (FILTER, ("no_new_privs",))),
    Goal("a namespace of its own", "r = libc.unshare(0)\n" + _EXPECT),
    Goal("what its zygote was started with", "libc.getenv.restype = ctypes.c_char_p\nassert os.environ or libc.getenv(b'PYTHONHASHSEED')", (("environment",),)),
    *(Goal(f"the host's {kind} namespace", f"assert os.readlink('/proc/self/ns/{kind}') == HOST_NS_{kind.upper()}", (FILTER, ("namespaces.user", f"namespaces.{kind}"))) for kind in ("net", "ipc", "uts", "cgroup")),
    Goal("the host's user namespace", "assert os.readlink('/proc/self/ns/user') == HOST_NS_USER", (FILTER, ("namespaces.user",))),
    Goal("the host's pid namespace", "assert os.readlink('/proc/self/ns/pid_for_children') == HOST_NS_PID", (FILTER, PIDS)),
    Goal("the host's name", "os.uname()"),
    Goal("the host's load", "r = libc.sysinfo(ctypes.create_string_buffer(512))\n" + _EXPECT),
    Goal("the host's entropy", "os.getrandom(8)"),
    Goal("speculate past a store", "r = libc.prctl(53, 0, 2, 0, 0)\n" + _EXPECT, (FILTER, ("speculation",))),
]  # fmt: skip

GOALS: Final = (*_FILES, *_PROCESSES, *_NETWORKS, *_RESOURCES, *_IDENTITY)
