"""Run a module as another user or with less than a host offers: `python run_as.py UID REFUSED -m MODULE ARGUMENT...`.

Makes what the interpreter imports reachable for that user first, in a mount namespace of its own: an interpreter may
live in root's home. REFUSED names rows of CALLS and USES that fail with EPERM, as in a container, separated by commas.
Knows nothing of Vestibule's daemon. Started by tests/fixtures/daemons.py in a process of its own.
"""

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.process import kernel, seccomp

_MS_BIND = 0x1000
NOT_POSSIBLE = 77
"""Exit code when this host does not let us."""


CALLS = {
    "unshare": {"x86_64": 272, "aarch64": 97},
    "mount": {"x86_64": 165, "aarch64": 40},
    "landlock": {"x86_64": kernel.SYS_LANDLOCK_CREATE_RULESET, "aarch64": kernel.SYS_LANDLOCK_CREATE_RULESET},
    "seccomp": kernel.SYS_SECCOMP,
    "prlimit64": {"x86_64": 302, "aarch64": 261},
    "prctl": {"x86_64": 157, "aarch64": 167},
    "sched_setscheduler": {"x86_64": 144, "aarch64": 119},
}
USES = {
    "setrlimit": ("prlimit64", 2, None),
    "no_new_privs": ("prctl", 0, kernel.PR_SET_NO_NEW_PRIVS),
}
"""One use of a call that has several: the argument that tells, and its low half; None for any but 0."""


def refuse(*numbers: int, error: int = errno.EPERM, uses: Sequence[str] = ()) -> None:
    """Install a filter that refuses these calls, and these USES of calls, as a container runtime does."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    refused = [seccomp.Instruction(seccomp.RET_K, 0, 0, seccomp.RET_ERRNO | error)]
    code = []
    for number in numbers:
        code += _if_call(number, refused)
    for name in uses:
        call, index, wanted = USES[name]
        code += _if_call(kernel.number_of(CALLS[call]), [*_if_argument(index, wanted), *refused])
    code.append(seccomp.Instruction(seccomp.RET_K, 0, 0, seccomp.RET_ALLOW))
    raw = ctypes.create_string_buffer(seccomp.encode(code))
    program = seccomp.Program(len(code), ctypes.addressof(raw))
    kernel.syscall(kernel.SYS_SECCOMP[kernel.MACHINE], seccomp.SECCOMP_SET_MODE_FILTER, 0, program)


def _if_call(number: int, then: Sequence[seccomp.Instruction]) -> list[seccomp.Instruction]:
    return [
        seccomp.Instruction(seccomp.LD_W_ABS, 0, 0, 0),
        seccomp.Instruction(seccomp.JMP_JEQ_K, 0, len(then), number),
        *then,
    ]


def _if_argument(index: int, wanted: int | None) -> list[seccomp.Instruction]:
    """Skip the one instruction behind unless the low half of an argument is this; of None, unless it is not 0."""
    jump = (1, 0, 0) if wanted is None else (0, 1, wanted)
    return [
        seccomp.Instruction(seccomp.LD_W_ABS, 0, 0, 16 + 8 * index),
        seccomp.Instruction(seccomp.JMP_JEQ_K, *jump),
    ]


def _closed_directories(needed: list[str]) -> list[Path]:
    """Return the outermost directories that others may not enter, on the way to what is needed."""
    closed = []
    for name in needed:
        path = Path(name).resolve()
        for directory in reversed((path, *path.parents)):
            if directory.is_dir() and not directory.stat().st_mode & 0o001:
                closed.append(directory)
                break
    return sorted(set(closed))


def _open(directory: Path, needed: list[str]) -> None:
    """Cover a directory by an open one in which only what is needed is there; in our own mount namespace."""
    inside = sorted({Path(name).resolve() for name in needed if Path(name).resolve().is_relative_to(directory)})
    inside = [path for path in inside if path.exists() and not any(other in path.parents for other in inside)]
    held = [(path, os.open(path, os.O_PATH)) for path in inside]
    kernel.mount("tmpfs", str(directory), "tmpfs", 0, "mode=755")
    for path, fd in held:
        if Path(f"/proc/self/fd/{fd}").is_dir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        kernel.mount(f"/proc/self/fd/{fd}", str(path), "", _MS_BIND | kernel.MS_REC, "")
        os.close(fd)


def main() -> None:
    """Make the way free, become the user, refuse the calls, run the module."""
    uid = int(sys.argv[1])
    names = [name for name in sys.argv[2].split(",") if name]
    uses = [name for name in names if name in USES]
    refused = [kernel.number_of(CALLS[name]) for name in names if name not in USES]
    needed = [sys.prefix, sys.base_prefix, *(entry for entry in sys.path if entry)]
    closed = _closed_directories(needed) if uid != os.geteuid() else []
    try:
        if closed:
            kernel.unshare(kernel.CLONE_NEWNS)
            kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE, "")
            for directory in closed:
                _open(directory, needed)
        if uid != os.geteuid():
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            # A change of user undoes it: see TIED in fixtures/commands.py.
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if names:
            refuse(*refused, uses=uses)
    except OSError as error:
        print(f"cannot become uid {uid} here: {error}", file=sys.stderr)
        sys.exit(NOT_POSSIBLE)
    os.execv(sys.executable, [sys.executable, *sys.argv[3:]])


if __name__ == "__main__":
    main()
