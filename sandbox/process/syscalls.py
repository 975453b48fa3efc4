"""What a locked worker may ask of the kernel, as data: every system call with its reason, for x86_64 and aarch64.

A call that is not listed kills. `seccomp.py` makes the filter of it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ANSWER_FD: Final = 0
QUESTION_FD: Final = 1
"""The two descriptors of a worker, ends of pipes: it writes to the one and reads from the other. Standard input and
output are the other way round: what a library prints or reads goes against the direction, and is refused."""
WORKER_FDS: Final = 2
RENEWAL_FD: Final = 2
"""The one descriptor more of a worker that may fork: a socket on which each child says that it is there, and which it
then closes."""


class Act(enum.Enum):
    """What the kernel does with a call."""

    ALLOW = "allow"
    ERRNO = "errno"  # EPERM: a stray library call becomes a Python error, not a dead worker
    KILL = "kill"


class Compare(enum.Enum):
    """A condition on the low 32 bits of an argument: the kernel takes an int, or looks at no higher bit."""

    ONE_OF = "one_of"  # equal to one of the operands
    AT_MOST = "at_most"  # unsigned
    NO_BITS = "no_bits"  # none of these is set
    ALL_BITS = "all_bits"  # each of these is set


@dataclass(frozen=True, slots=True)
class Arg:
    """`index` of the argument (from 0), the condition, and its operands: one, or several for ONE_OF."""

    index: int
    test: Compare
    operands: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Syscall:
    """One row: `act` when every condition holds, else `otherwise`. No number: the machine lacks the call."""

    name: str
    x86_64: int | None
    aarch64: int | None
    reason: str
    act: Act = Act.ALLOW
    args: tuple[Arg, ...] = ()
    otherwise: Act = Act.KILL


_PROT_EXEC: Final = 0x4
_MAP_SHARED: Final = 0x1
_MAP_PRIVATE: Final = 0x2
_MAP_ANONYMOUS: Final = 0x20
_MAP_HUGETLB: Final = 0x4_0000
_MADV_DONTNEED: Final = 4
_MADV_FREE: Final = 8
_MADV_HUGEPAGE: Final = 14
_MADV_NOHUGEPAGE: Final = 15
_CLOCK_BOOTTIME: Final = 7
_ITIMER_REAL: Final = 0
_RUSAGE_SELF: Final = 0
# WAIT, WAKE, WAIT_BITSET, WAKE_BITSET; plain, process-private, and the wait against CLOCK_REALTIME
_FUTEX_WAITS_AND_WAKES: Final = (0, 1, 9, 10, 128, 129, 137, 138, 265, 393)

_ONLY_QUESTIONS: Final = (Arg(0, Compare.ONE_OF, (QUESTION_FD,)),)
_ONLY_ANSWERS: Final = (Arg(0, Compare.ONE_OF, (ANSWER_FD,)),)
_NO_EXEC: Final = (Arg(2, Compare.NO_BITS, (_PROT_EXEC,)),)

ALLOWED: Final = (
    Syscall("read", 0, 63, "the next question; only from its own pipe", args=_ONLY_QUESTIONS, otherwise=Act.ERRNO),
    Syscall(
        "write",
        1,
        64,
        "the answer; only to its own pipe. A C library that prints or complains gets an error, not death",
        args=_ONLY_ANSWERS,
        otherwise=Act.ERRNO,
    ),
    Syscall("setitimer", 38, 103, "the soft timeout", args=(Arg(0, Compare.ONE_OF, (_ITIMER_REAL,)),)),
    Syscall(
        "clock_gettime",
        228,
        113,
        "CPU time of an execution, and every clock where the vDSO cannot answer; fixed clocks only, since a negative "
        "number is the CPU clock of another process",
        args=(Arg(0, Compare.AT_MOST, (_CLOCK_BOOTTIME,)),),
        otherwise=Act.ERRNO,
    ),
    Syscall("brk", 12, 214, "malloc grows and trims the heap"),
    Syscall(
        "mmap",
        9,
        222,
        "malloc takes large blocks and pymalloc arenas; private and anonymous only, never executable, never from the "
        "machine's pool of huge pages",
        args=(
            *_NO_EXEC,
            Arg(3, Compare.ALL_BITS, (_MAP_PRIVATE | _MAP_ANONYMOUS,)),
            Arg(3, Compare.NO_BITS, (_MAP_SHARED | _MAP_HUGETLB,)),
        ),
    ),
    Syscall("munmap", 11, 215, "malloc gives large blocks back"),
    Syscall("mremap", 25, 216, "realloc of a large block moves its pages; a mapping keeps its protection"),
    Syscall(
        "madvise",
        28,
        233,
        "malloc returns pages of a heap it keeps; not the advice to merge equal pages of two processes, a side channel",
        args=(Arg(2, Compare.ONE_OF, (_MADV_DONTNEED, _MADV_FREE, _MADV_HUGEPAGE, _MADV_NOHUGEPAGE)),),
        otherwise=Act.ERRNO,
    ),
    Syscall("mprotect", 10, 226, "malloc grows a secondary heap; never executable", args=_NO_EXEC),
    Syscall("rt_sigreturn", 15, 139, "the return from the handler of the soft timeout"),
    Syscall(
        "futex",
        202,
        98,
        "contended locks of the interpreter and of re2; waits and wakes only: the kernel's bugs were in the "
        "priority-inheriting and requeueing operations",
        args=(Arg(1, Compare.ONE_OF, _FUTEX_WAITS_AND_WAKES),),
        otherwise=Act.ERRNO,
    ),
    Syscall("restart_syscall", 219, 128, "the kernel's own: continues a wait after a stop signal"),
    Syscall("gettimeofday", 96, 169, "the clock where the vDSO cannot answer"),
    Syscall(
        "getrusage",
        98,
        165,
        "the worker's peak memory, to retire itself",
        args=(Arg(0, Compare.ONE_OF, (_RUSAGE_SELF,)),),
        otherwise=Act.ERRNO,
    ),
    Syscall("exit", 60, 93, "the end of a thread, which a C library may ask for the main one"),
    Syscall("exit_group", 231, 94, "the end"),
)

# Harmless to ask, never granted. Each is here because a library call makes it on a path that ends in a Python error.
REFUSED: Final = tuple(
    Syscall(name, x86_64, aarch64, reason, Act.ERRNO)
    for name, x86_64, aarch64, reason in (
        ("open", 2, None, "C libraries of old that open a file: locale, nss, gconv"),
        ("openat", 257, 56, "a lazy import, linecache, /dev/urandom, /proc/self/maps"),
        ("stat", 4, None, "a lazy import on x86_64"),
        ("lstat", 6, None, "realpath"),
        ("fstat", 5, 80, "the opening of a file object"),
        ("newfstatat", 262, 79, "a lazy import; stat of glibc"),
        ("statx", 332, 291, "stat of newer libraries"),
        ("access", 21, None, "the loader looking for ld.so.preload"),
        ("faccessat", 269, 48, "os.access"),
        ("faccessat2", 439, 439, "os.access of newer libraries"),
        ("readlink", 89, None, "realpath on x86_64"),
        ("readlinkat", 267, 78, "realpath"),
        ("getcwd", 79, 17, "os.path.abspath in an error message"),
        ("getdents64", 217, 61, "the import system lists a directory"),
        ("close", 3, 57, "the end of life of a Python object made before the lock-down"),
        ("lseek", 8, 62, "file objects ask where they stand"),
        ("ioctl", 16, 29, "isatty"),
        ("fcntl", 72, 25, "file objects ask for their flags"),
        ("getpid", 39, 172, "os.getpid in a library; the number stays unknown"),
        ("gettid", 186, 178, "lock owners of absl and of the interpreter; only a name"),
        ("getppid", 110, 173, "as getpid"),
        ("getuid", 102, 174, "expanduser"),
        ("geteuid", 107, 175, "expanduser"),
        ("getgid", 104, 176, "expanduser"),
        ("getegid", 108, 177, "expanduser"),
        ("uname", 63, 160, "platform, uuid"),
        ("sysinfo", 99, 179, "sysconf asks for the memory of the machine, as qsort of glibc does before it sorts"),
        ("prlimit64", 302, 261, "sysconf asks for limits"),
        ("getrlimit", 97, 163, "sysconf asks for limits on older libraries"),
        ("sched_getaffinity", 204, 123, "absl and re2 count processors"),
        ("sched_yield", 24, 124, "a spinning lock; nothing to yield to"),
        ("getrandom", 318, 278, "os.urandom; randomness comes from the execution's seed"),
        ("nanosleep", 35, 101, "a sleep of a library; time stands still"),
        ("clock_nanosleep", 230, 115, "time.sleep"),
        ("clock_getres", 229, 114, "time.get_clock_info"),
        ("rt_sigaction", 13, 134, "a signal handler; the one there is stays"),
        ("rt_sigprocmask", 14, 135, "abort and thread start block signals; the mask stays open"),
    )
)

SYSCALLS: Final = ALLOWED + REFUSED

_SIGCHLD: Final = 17
_PR_SET_PDEATHSIG: Final = 1
_SECCOMP_SET_MODE_FILTER: Final = 1
_RLIMIT_NPROC: Final = 6
# What a worker has on top that may become a template, until it, or its child, is about to see a login or a source.
# Nothing here opens anything, and each row is narrower than the call.
_FORKING: Final = (
    Syscall(
        "clone",
        56,
        220,
        "a template forks the next child. No flag but the signal of its end: no thread, no shared memory, no namespace",
        args=(Arg(0, Compare.ONE_OF, (_SIGCHLD,)),),
    ),
    Syscall("wait4", 61, 260, "a template waits for its child, and forks no other before that one is gone"),
    Syscall("prctl", 157, 167, "a child dies with its template", args=(Arg(0, Compare.ONE_OF, (_PR_SET_PDEATHSIG,)),)),
    Syscall("getppid", 110, 173, "a child finds that its template died before it was tied to it"),
    Syscall(
        "prlimit64",
        302,
        261,
        "a child sets its own limit of processes, which it can lower only",
        args=(Arg(0, Compare.ONE_OF, (0,)), Arg(1, Compare.ONE_OF, (_RLIMIT_NPROC,))),
        otherwise=Act.ERRNO,
    ),
    Syscall(
        "write",
        1,
        64,
        "a child says that it has taken its place; a worker says that it is ready, or has loaded its code",
        args=(Arg(0, Compare.ONE_OF, (ANSWER_FD, RENEWAL_FD)),),
        otherwise=Act.ERRNO,
    ),
    Syscall(
        "close",
        3,
        57,
        "a child closes what it said that on",
        args=(Arg(0, Compare.ONE_OF, (RENEWAL_FD,)),),
        otherwise=Act.ERRNO,
    ),
    Syscall(
        "seccomp",
        317,
        277,
        "a child puts the filter of every worker on top of this one, for good",
        args=(Arg(0, Compare.ONE_OF, (_SECCOMP_SET_MODE_FILTER,)), Arg(1, Compare.ONE_OF, (0,))),
    ),
)
_NARROWER: Final = frozenset(row.name for row in _FORKING)
FORKING_SYSCALLS: Final = tuple(row for row in SYSCALLS if row.name not in _NARROWER) + _FORKING
"""The table of a worker that may fork."""

# linux/audit.h: EM_X86_64 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE, EM_AARCH64 | the same
AUDIT_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
BEYOND_FILTERS: Final = {"x86_64": {335: "uretprobe", 336: "uprobe"}, "aarch64": {}}
"""Calls that newer kernels let past every filter, since they belong to the kernel's own probe trampolines. Called from
anywhere else the kernel itself refuses: 335 with SIGILL, 336 with ENXIO. Measured on 6.18; older kernels have neither.
"""
X32_BIT: Final = 0x4000_0000
"""x86_64 answers a second numbering, x32, under this bit; nothing of ours uses it, so it kills."""


def numbered(machine: str, table: Sequence[Syscall] = SYSCALLS) -> dict[int, Syscall]:
    """Return a table by number for `x86_64` or `aarch64`. Raises: KeyError for another machine."""
    if machine not in AUDIT_ARCH:
        raise KeyError(machine)
    rows = ((row.x86_64 if machine == "x86_64" else row.aarch64, row) for row in table)
    return {number: row for number, row in rows if number is not None}
