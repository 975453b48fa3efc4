"""The lock-down of one worker: what a forked child does to itself before its first tenant byte.

The zygote prepares everything once, so that a child makes system calls only, in one loop. Measured on CPython 3.11: a
worker has 0.3 MiB fewer private pages than with a function for each layer.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sandbox.contract import exit_codes
from sandbox.contract.layers import (
    DESCRIPTORS,
    LANDLOCK,
    NO_NEW_PRIVS,
    NOT_DUMPABLE,
    PARENT_DEATH,
    RLIMITS,
    SECCOMP,
    SPECULATION,
    Layer,
)
from sandbox.process import kernel, landlock, seccomp
from sandbox.process.children import Children
from sandbox.process.syscalls import (
    ANSWER_FD,
    FORKING_SYSCALLS,
    QUESTION_FD,
    RENEWAL_FD,
    SYSCALLS,
    WORKER_FDS,
)
from sandbox.reach import stacks

# What a child does first is no layer: what it can do without, and what it needs.
_MANNERS: Final = "manners"
_NEEDED: Final = "needed"
_FIRST: Final = (_MANNERS, _MANNERS, _NEEDED, _NEEDED, _NEEDED)

MIB: Final = 1024 * 1024

_PAGE_BYTES: Final = resource.getpagesize()
# CPython specialises a function at its eighth call, and what branches a little later.
_REHEARSALS: Final = 32


@dataclass(frozen=True, slots=True)
class Profile:
    """How one worker is held."""

    memory_bytes: int = 128 * MIB
    """What it may take on top of what it shares with the zygote."""
    cpu_s: int = 60
    """Processor time of its whole life."""
    omit: frozenset[str] = frozenset()
    """Layers to leave off. Tests do, to show that a probe is alive; the daemon never does."""
    forks: bool = False
    """It may become a template, and has for that a filter that is wider, one descriptor more and no limit of processes,
    until it serves a login, compiles, or is a template's child."""


# What RLIMIT_* does not depend on the profile, each with its reason; soft and hard limit alike.
_FIXED_LIMITS: Final = (
    (resource.RLIMIT_CORE, 0),  # memory of a tenant never reaches a disk
    (resource.RLIMIT_FSIZE, 0),  # no file grows
    (resource.RLIMIT_NOFILE, WORKER_FDS),  # the two pipes it has, and no other
    (resource.RLIMIT_MSGQUEUE, 0),  # no message queue outlives it
    (resource.RLIMIT_MEMLOCK, 0),  # no page is kept from being swapped
    (resource.RLIMIT_RTPRIO, 0),  # no place before others
    (resource.RLIMIT_NICE, 0),
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


class _Refuser(Protocol):
    """What a filter and a ruleset have in common."""

    detail: str


_T = TypeVar("_T", bound=_Refuser)


_Part = tuple[Layer, list[kernel.LibcCall]]
"""A layer, and the calls by which a child takes it on."""


def _speculation() -> _Part:
    """Switch off what speculation of the processor a process may switch off for itself."""
    calls: list[kernel.LibcCall] = []
    details = []
    active = True
    for which, name in (
        (kernel.PR_SPEC_STORE_BYPASS, "store bypass"),
        (kernel.PR_SPEC_INDIRECT_BRANCH, "indirect branches"),
    ):
        try:
            state = kernel.prctl(kernel.PR_GET_SPECULATION_CTRL, which)
        except OSError as error:
            active = False
            details.append(f"{name}: {error.strerror}")
            continue
        # Source: Documentation/userspace-api/spec_ctrl.rst
        if state & kernel.PR_SPEC_PRCTL:
            calls.append(_prctl(kernel.PR_SET_SPECULATION_CTRL, which, kernel.PR_SPEC_FORCE_DISABLE))
            details.append(f"{name}: off")
        elif state == 0:
            details.append(f"{name}: processor not affected")
        elif state & kernel.PR_SPEC_ENABLE:
            active = False
            details.append(f"{name}: the host offers no switch")
        else:
            details.append(f"{name}: off for the whole host")
    return Layer(SPECULATION, active, ", ".join(details)), calls


class Lockdown:
    """A profile, prepared for children that will take it on."""

    __slots__ = (
        "_answer_fd", "_calls", "_data", "_kept", "_memory_bytes", "_parent_at", "_parent_pid", "_part_of",
        "_question_fd", "_renewal_fd", "_ruleset",
        "_space", "_stack_bytes", "children", "layers",
    )  # fmt: skip

    def __init__(self, profile: Profile) -> None:
        """Ask the kernel what it has, and make every call ready that a child will make."""
        self._memory_bytes = profile.memory_bytes
        self._stack_bytes = stacks.grow(stacks.deep_enough(profile.memory_bytes))
        self._parent_pid = os.getpid()
        self._question_fd, self._answer_fd, self._renewal_fd = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_ulong()
        self._data = kernel.Rlimit()
        self._space = kernel.Rlimit()
        table, fds = (FORKING_SYSCALLS, WORKER_FDS + 1) if profile.forks else (SYSCALLS, WORKER_FDS)
        self._ruleset, landlock_layer = _offered(LANDLOCK, landlock.Ruleset)
        program, filter_layer = _offered(SECCOMP, lambda: seccomp.Filter(kernel.MACHINE, table))
        self._kept: list[object] = [program]
        limits = f"{profile.memory_bytes // MIB} MiB of memory, {profile.cpu_s} s of processor time"
        parts: tuple[_Part, ...] = (
            (
                Layer(PARENT_DEATH, True, "SIGKILL when the zygote dies"),
                [_prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL), kernel.call("getppid")],
            ),
            (
                Layer(NOT_DUMPABLE, True, "no core, no ptrace, its /proc entries belong to root"),
                [_prctl(kernel.PR_SET_DUMPABLE, 0)],
            ),
            (
                Layer(NO_NEW_PRIVS, True, "no set-uid program, no file capability"),
                [_prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)],
            ),
            _speculation(),
            (landlock_layer, [] if self._ruleset is None else [self._ruleset.enter]),
            (
                Layer(DESCRIPTORS, True, "its two pipes and nothing else"),
                [kernel.call("syscall", kernel.SYS_CLOSE_RANGE, fds, 0xFFFF_FFFF, 0)],
            ),
            (Layer(RLIMITS, True, limits), self._limits(profile)),
            (filter_layer, [] if program is None else [program.install]),
        )
        held = [(layer, calls) for layer, calls in parts if layer.name not in profile.omit]
        self.layers: Sequence[Layer] = tuple(layer for layer, _ in held)
        """What `take_on` returns where the host refuses nothing."""
        first = self._first(profile.forks)
        active = frozenset(layer.name for layer in self.layers if layer.active)
        self.children = Children(active) if profile.forks else None
        """How it forks, if it may."""
        # The call after the one that ties the child to its parent: a zygote that died before is found to be gone.
        self._parent_at = len(first) + 1 if PARENT_DEATH not in profile.omit else None
        self._calls = (*first, *(call for _, calls in held for call in calls))
        needed = (_NEEDED,) * (len(first) - len(_FIRST))
        self._part_of = (*_FIRST, *needed, *(layer.name for layer, calls in held for _ in calls))

    def aim(self, question_fd: int, answer_fd: int, size: OwnSize, renewal_fd: int = 0) -> None:
        """Say, in the zygote, what the next child is given.

        Args:
            question_fd: the end of a pipe from which the worker reads.
            answer_fd: the end of another one to which it writes.
            size: of this process with its stack; limits come on top.
            renewal_fd: of a worker that may fork, the socket for its children.
        """
        self._renewal_fd.value = renewal_fd
        self._question_fd.value, self._answer_fd.value = question_fd, answer_fd
        # The kernel counts every private page as data but the stack's, which statm adds; the address space also counts
        # what is shared or only reserved.
        self._data.soft = self._data.hard = size.data_bytes - self._stack_bytes + self._memory_bytes
        self._space.soft = self._space.hard = size.space_bytes + self._memory_bytes

    def take_on(self) -> Sequence[Layer]:
        """Lock the calling process down for good; afterwards its pipes are `QUESTION_FD` and `ANSWER_FD`.

        Returns: `layers` itself, or with those not active that the host refused; the daemon decides about them.

        Raises: OSError when what failed is no layer, and yet needed.
        """
        results = kernel.make(self._calls)
        if self._parent_at is not None and results[self._parent_at] != self._parent_pid:
            os._exit(exit_codes.ORPHAN)
        return self.layers if min(results) >= 0 else self._refused(results)

    def rehearse(self) -> None:
        """Let CPython specialise what a child runs, in pages that all children share; the calls are harmless ones."""
        calls, parent_pid = self._calls, self._parent_pid
        self._calls, self._parent_pid = (kernel.call("getppid"),) * len(calls), os.getppid()
        for _ in range(_REHEARSALS):
            self.take_on()
        self._calls, self._parent_pid = calls, parent_pid
        if self.children is not None:
            self.children.rehearse()

    def close(self) -> None:
        """Let go of what the kernel keeps for it."""
        if self._ruleset is not None:
            self._ruleset.close()

    def _refused(self, results: list[int]) -> Sequence[Layer]:
        """Say of each layer whether it holds, and why not by the first of its calls that failed."""
        reasons: dict[str, str] = {}
        for part, result in zip(self._part_of, results, strict=True):
            if result < 0:
                reasons.setdefault(part, os.strerror(-result))
        if _NEEDED in reasons:
            raise OSError(reasons[_NEEDED])
        if all(layer.name not in reasons for layer in self.layers):
            return self.layers
        return [
            Layer(layer.name, False, f"the host refuses it: {reasons[layer.name]}") if layer.name in reasons else layer
            for layer in self.layers
        ]

    def _first(self, forks: bool) -> tuple[kernel.LibcCall, ...]:
        """Return the calls that are no layer, as _FIRST has them."""
        name = ctypes.create_string_buffer(b"vst-worker")
        priority = kernel.SchedParam(0)
        self._kept += [name, priority]
        return (
            _prctl(kernel.PR_SET_NAME, ctypes.addressof(name)),
            # A worker that wakes does not push aside the daemon that woke it, which has other logins to send on their
            # way; measured, up to a fifth more decisions with eight in flight, and nothing lost with two. Linux refuses
            # it to a daemon at the lowest of priorities.
            kernel.call("sched_setscheduler", 0, os.SCHED_BATCH, priority),
            kernel.call("setsid"),
            # Both numbers are taken in the zygote, so that neither of the two is overwritten before it is copied.
            kernel.call("dup2", self._answer_fd, ANSWER_FD),
            kernel.call("dup2", self._question_fd, QUESTION_FD),
            *([kernel.call("dup2", self._renewal_fd, RENEWAL_FD)] if forks else []),
        )

    def _limits(self, profile: Profile) -> list[kernel.LibcCall]:
        cpu_s, stack_bytes = profile.cpu_s, stacks.deep_enough(profile.memory_bytes)
        limits = [(which, kernel.Rlimit(*(_within_hard(which, value),) * 2)) for which, value in _FIXED_LIMITS]
        if not profile.forks:  # one that does sets it later, see `children.py`
            # No process or thread; the kernel exempts uid 0.
            limits.append((resource.RLIMIT_NPROC, kernel.Rlimit(0, 0)))
        # SIGXCPU at the soft limit names the cause; SIGKILL at the hard one ends what would ignore it.
        # As deep as anything that fits into its memory can be nested, and an end; the zygote has grown it to that.
        limits.append((resource.RLIMIT_STACK, kernel.Rlimit(*(_within_hard(resource.RLIMIT_STACK, stack_bytes),) * 2)))
        limits.append((resource.RLIMIT_CPU, kernel.Rlimit(cpu_s, cpu_s + 1)))
        limits += [(resource.RLIMIT_DATA, self._data), (resource.RLIMIT_AS, self._space)]
        self._kept.append(limits)
        return [kernel.call("setrlimit", which, limit) for which, limit in limits]


def _prctl(option: int, *args: int) -> kernel.LibcCall:
    return kernel.call("prctl", option, *(*args, 0, 0, 0, 0)[:4])


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
