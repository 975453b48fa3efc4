"""Kernel calls that the standard library does not offer, through libc by ctypes; failures are `OSError`.

What a child calls is ready before the fork, down to the last argument (`call`), and is made in one loop (`make`):
each function, name and object that Python touches on its way costs the child a page of its own.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import signal
from collections.abc import Sequence
from typing import Any, Final

MACHINE: Final = platform.machine()

# prctl(2), linux/prctl.h
PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_GET_DUMPABLE: Final = 3
PR_SET_NAME: Final = 15
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
PR_GET_SPECULATION_CTRL: Final = 52
PR_SET_SPECULATION_CTRL: Final = 53
PR_SPEC_STORE_BYPASS: Final = 0
PR_SPEC_INDIRECT_BRANCH: Final = 1
PR_SPEC_PRCTL: Final = 1
PR_SPEC_ENABLE: Final = 2
PR_SPEC_FORCE_DISABLE: Final = 8

# unshare(2), linux/sched.h
CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWCGROUP: Final = 0x0200_0000
CLONE_NEWUTS: Final = 0x0400_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000

# mount(2), umount2(2)
MS_RDONLY: Final = 0x1
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REMOUNT: Final = 0x20
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x4_0000
MNT_DETACH: Final = 0x2

# System calls without a wrapper in glibc 2.36; those from 424 on have one number on every architecture.
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
SYS_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
SYS_CLONE: Final = {"x86_64": 56, "aarch64": 220}
SYS_CLOSE_RANGE: Final = 436
SYS_LANDLOCK_CREATE_RULESET: Final = 444
SYS_LANDLOCK_RESTRICT_SELF: Final = 446

_CAPABILITY_VERSION_3: Final = 0x2008_0522

_libc: Final = ctypes.CDLL(None, use_errno=True)
# Keeps the interpreter's lock during the call: there is no other thread to give it to.
_libc_locked: Final = ctypes.PyDLL(None)

LibcCall = tuple[Any, tuple[ctypes.c_ulong, ...]]
"""A function of libc and its arguments. What the arguments point to is the caller's to keep."""


class SchedParam(ctypes.Structure):
    """The struct sched_param."""

    _fields_ = (("priority", ctypes.c_int),)


class Rlimit(ctypes.Structure):
    """The struct rlimit of 64-bit machines."""

    _fields_ = (("soft", ctypes.c_uint64), ("hard", ctypes.c_uint64))


Word = int | ctypes.c_ulong | ctypes.Array[ctypes.c_char] | ctypes.Structure


def call(name: str, *args: Word) -> LibcCall:
    """Make a call of libc ready; integers go as unsigned longs, structures and buffers by their address."""
    return _function(name), tuple(_word(arg) for arg in args)


@functools.cache
def _function(name: str) -> Any:
    return _libc[name]


def _word(arg: Word) -> ctypes.c_ulong:
    if isinstance(arg, ctypes.c_ulong):
        return arg
    return _constant(arg if isinstance(arg, int) else ctypes.addressof(arg))


@functools.cache
def _constant(value: int) -> ctypes.c_ulong:
    return ctypes.c_ulong(value)


def make(calls: Sequence[LibcCall]) -> list[int]:
    """Make calls in order, failed ones too; return the results, the negated errno of those that failed."""
    results = []
    for function, args in calls:
        result = function(*args)
        results.append(-ctypes.get_errno() if result == -1 else result)
    return results


def forking() -> LibcCall:
    """Make the call ready that forks a process of one thread, without what `os.fork` does for others.

    That puts locks and threads of the interpreter right in the child, of which there are none, and writes to some
    hundred pages on the way, which takes half a millisecond. Raises: OSError on a machine we have no number for.
    """
    return locked_call("syscall", number_of(SYS_CLONE), signal.SIGCHLD, 0, 0, 0, 0)


def locked_call(name: str, *args: Word) -> LibcCall:
    """Make a call ready, as `call` does, that keeps the interpreter's lock and loses the errno: it writes to less."""
    return _libc_locked[name], tuple(_word(arg) for arg in args)


def run(name: str, *args: Word) -> int:
    """Call a function of libc now, with arguments as `call` takes them. Raises: OSError."""
    (result,) = make((call(name, *args),))
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def syscall(number: int, *args: Word) -> int:
    """Make a system call. Raises: OSError."""
    return run("syscall", number, *args)


def prctl(option: int, *args: int) -> int:
    """Call prctl(2) with zeroes for the arguments not given. Raises: OSError."""
    return run("prctl", option, *(*args, 0, 0, 0, 0)[:4])


def set_name(name: str) -> None:
    """Set the name that `ps` and `top` show; at most 15 bytes."""
    run("prctl", PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:15]), 0, 0, 0)


def unshare(flags: int) -> None:
    """Enter new namespaces. `os.unshare` exists from Python 3.12 only. Raises: OSError."""
    run("unshare", flags)


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """Call mount(2). Raises: OSError."""
    buffer = [ctypes.create_string_buffer(text.encode()) for text in (source, target, kind, options)]
    run("mount", buffer[0], buffer[1], buffer[2], flags, buffer[3])


def umount_detach(target: str) -> None:
    """Take a mount and all below it out of sight. Raises: OSError."""
    run("umount2", ctypes.create_string_buffer(target.encode()), MNT_DETACH)


def pivot_root_here() -> None:
    """Make the current directory, a mount point, the root, stacked on the old one.

    Source: pivot_root(2), "pivot_root(".", ".")". Raises: OSError.
    """
    dot = ctypes.create_string_buffer(b".")
    syscall(number_of(_PIVOT_ROOT), dot, dot)


def number_of(numbers: dict[str, int]) -> int:
    """Pick the number for this machine. Raises: OSError with ENOSYS on a machine we have no numbers for."""
    if MACHINE not in numbers:
        raise OSError(errno.ENOSYS, f"no system call numbers for {MACHINE}")
    return numbers[MACHINE]


def close_from(first: int) -> None:
    """Close every descriptor from `first` on. Raises: OSError."""
    syscall(SYS_CLOSE_RANGE, first, 0xFFFF_FFFF, 0)


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    # Two triples of effective, permitted, inheritable: the low and the high 32 capabilities.
    _fields_ = (("words", ctypes.c_uint32 * 6),)


def drop_capabilities() -> None:
    """Give up every capability for good, the bounding set included where that is allowed. Raises: OSError."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # past the last capability of this kernel
                break
            # EPERM without CAP_SETPCAP: the bounding set then stays, and no_new_privs makes it worthless.
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    syscall(number_of(_CAPSET), _CapHeader(_CAPABILITY_VERSION_3, 0), _CapData())
