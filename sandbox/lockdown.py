"""The lock-down of one worker: what a forked child does to itself before its first tenant byte, and what came of it.

Knows the layers, their order and the limits. Must not know requests, sockets' content or tenants. Called by
`sandbox.zygote`: everything that can be prepared is prepared there once, so that a child makes system calls only.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sandbox import kernel, landlock, seccomp
from sandbox.layers import Layer
from sandbox.syscalls import WORKER_FD

__all__ = ["LAYERS", "Layer", "Lockdown", "OwnSize", "Profile"]

PARENT_DEATH: Final = "parent_death"
DESCRIPTORS: Final = "descriptors"
NOT_DUMPABLE: Final = "not_dumpable"
NO_NEW_PRIVS: Final = "no_new_privs"
SPECULATION: Final = "speculation"
LANDLOCK: Final = "landlock"
RLIMITS: Final = "rlimits"
SECCOMP: Final = "seccomp"

LAYERS: Final = (PARENT_DEATH, DESCRIPTORS, NOT_DUMPABLE, NO_NEW_PRIVS, SPECULATION, LANDLOCK, RLIMITS, SECCOMP)
"""In the order in which a child takes them on. Landlock needs a descriptor, so the limits follow it."""

MIB: Final = 1024 * 1024
EXIT_ORPHAN: Final = 71
"""Exit code of a child whose zygote died between the fork and the parent-death signal."""

_PAGE_BYTES: Final = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Profile:
    """How one worker is held."""

    memory_bytes: int = 128 * MIB
    """What it may take on top of what it shares with the zygote."""
    cpu_s: int = 60
    """Processor time of its whole life."""
    omit: frozenset[str] = frozenset()
    """Layers to leave off. Tests do, to show that a probe is alive; the daemon never does."""


# What RLIMIT_* does not depend on the profile, each with its reason; soft and hard limit alike.
_FIXED_LIMITS: Final = (
    (resource.RLIMIT_CORE, 0),  # memory of a tenant never reaches a disk
    (resource.RLIMIT_FSIZE, 0),  # no file grows
    (resource.RLIMIT_NOFILE, WORKER_FD + 1),  # the socket it has, and no other
    (resource.RLIMIT_NPROC, 0),  # no process or thread; the kernel exempts uid 0
    (resource.RLIMIT_MSGQUEUE, 0),  # no message queue outlives it
    (resource.RLIMIT_MEMLOCK, 0),  # no page is kept from being swapped
    (resource.RLIMIT_RTPRIO, 0),  # no place before others
    (resource.RLIMIT_NICE, 0),
    (resource.RLIMIT_STACK, 8 * MIB),  # room for the interpreter's own recursion limit, and an end
)


@dataclass(frozen=True, slots=True)
class OwnSize:
    """Address space and private data of a process, bytes."""

    space_bytes: int
    data_bytes: int

    @classmethod
    def parse(cls, statm: bytes) -> OwnSize:
        """Read /proc/PID/statm. Source: proc_pid_statm(5)."""
        fields = statm.split()
        return cls(int(fields[0]) * _PAGE_BYTES, int(fields[5]) * _PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class _Child:
    socket_fd: int
    parent_pid: int
    size: OwnSize


class _Refuser(Protocol):
    """What a filter and a ruleset have in common."""

    detail: str


_T = TypeVar("_T", bound=_Refuser)


class _Speculation:
    """Which speculation of the processor this process may switch off for itself."""

    __slots__ = ("active", "detail", "switches")

    def __init__(self) -> None:
        self.switches: list[int] = []
        parts = []
        self.active = True
        for which, name in (
            (kernel.PR_SPEC_STORE_BYPASS, "store bypass"),
            (kernel.PR_SPEC_INDIRECT_BRANCH, "indirect branches"),
        ):
            try:
                state = kernel.prctl(kernel.PR_GET_SPECULATION_CTRL, which)
            except OSError as error:
                self.active = False
                parts.append(f"{name}: {error.strerror}")
                continue
            # Source: Documentation/userspace-api/spec_ctrl.rst
            if state & kernel.PR_SPEC_PRCTL:
                self.switches.append(which)
                parts.append(f"{name}: off")
            elif state == 0:
                parts.append(f"{name}: processor not affected")
            elif state & kernel.PR_SPEC_ENABLE:
                self.active = False
                parts.append(f"{name}: the host offers no switch")
            else:
                parts.append(f"{name}: off for the whole host")
        self.detail = ", ".join(parts)


class Lockdown:
    """A profile, prepared for children that will take it on."""

    __slots__ = ("_cpu_s", "_filter", "_fixed", "_landlock", "_memory_bytes", "_speculation", "_steps")

    def __init__(self, profile: Profile) -> None:
        """Ask the kernel what it has, and build what can be built beforehand."""
        self._memory_bytes = profile.memory_bytes
        self._cpu_s = profile.cpu_s
        self._fixed = [(which, (_within_hard(which, value),) * 2) for which, value in _FIXED_LIMITS]
        self._speculation = _Speculation()
        self._filter, filter_layer = _offered(SECCOMP, lambda: seccomp.Filter(kernel.MACHINE))
        self._landlock, landlock_layer = _offered(LANDLOCK, landlock.Ruleset)
        limits = f"{profile.memory_bytes // MIB} MiB of memory, {profile.cpu_s} s of processor time"
        steps: tuple[tuple[Callable[[_Child], None], Layer], ...] = (
            (self._die_with_parent, Layer(PARENT_DEATH, True, "SIGKILL when the zygote dies")),
            (self._keep_only_socket, Layer(DESCRIPTORS, True, "its socket and nothing else")),
            (self._not_dumpable, Layer(NOT_DUMPABLE, True, "no core, no ptrace, its /proc entries belong to root")),
            (self._no_new_privs, Layer(NO_NEW_PRIVS, True, "no set-uid program, no file capability")),
            (self._switch_speculation, Layer(SPECULATION, self._speculation.active, self._speculation.detail)),
            (self._enter_landlock, landlock_layer),
            (self._limit, Layer(RLIMITS, True, limits)),
            (self._install_filter, filter_layer),
        )
        self._steps = [(step, layer) for step, layer in steps if layer.name not in profile.omit]

    def take_on(self, socket_fd: int, parent_pid: int, size: OwnSize) -> list[Layer]:
        """Lock the calling process down; afterwards its socket is `WORKER_FD`, and there is no way back.

        Args:
            socket_fd: the worker's end of its socketpair.
            parent_pid: the zygote's process id, as the child sees it.
            size: what the process measured when it was forked; limits come on top.

        A layer that the host refuses is reported as not active; the daemon decides whether that will do.
        """
        child = _Child(socket_fd, parent_pid, size)
        os.setsid()
        os.dup2(socket_fd, WORKER_FD)
        report = []
        for step, layer in self._steps:
            try:
                step(child)
            except OSError as error:
                report.append(Layer(layer.name, False, f"the host refuses it: {error.strerror}"))
            else:
                report.append(layer)
        return report

    def _die_with_parent(self, child: _Child) -> None:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != child.parent_pid:
            os._exit(EXIT_ORPHAN)

    def _keep_only_socket(self, child: _Child) -> None:
        kernel.close_from(WORKER_FD + 1)

    def _not_dumpable(self, child: _Child) -> None:
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)

    def _no_new_privs(self, child: _Child) -> None:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)

    def _switch_speculation(self, child: _Child) -> None:
        for which in self._speculation.switches:
            kernel.prctl(kernel.PR_SET_SPECULATION_CTRL, which, kernel.PR_SPEC_FORCE_DISABLE)

    def _enter_landlock(self, child: _Child) -> None:
        if self._landlock is not None:
            self._landlock.enter()

    def _limit(self, child: _Child) -> None:
        for which, limits in self._fixed:
            resource.setrlimit(which, limits)
        # SIGXCPU at the soft limit names the cause; SIGKILL at the hard one is for whoever would ignore it.
        resource.setrlimit(resource.RLIMIT_CPU, (self._cpu_s, self._cpu_s + 1))
        # Every private page counts as data; the address space also counts what is shared or only reserved.
        data_bytes = child.size.data_bytes + self._memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
        space_bytes = child.size.space_bytes + self._memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (space_bytes, space_bytes))

    def _install_filter(self, child: _Child) -> None:
        if self._filter is not None:
            self._filter.install()


def _offered(name: str, make: Callable[[], _T]) -> tuple[_T | None, Layer]:
    try:
        made = make()
    except OSError as error:
        return None, Layer(name, False, f"the kernel does not offer it: {error.strerror}")
    return made, Layer(name, True, made.detail)


def _within_hard(which: int, value: int) -> int:
    """An ordinary user cannot set more than the hard limit that the zygote was started with."""
    _, hard = resource.getrlimit(which)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)
