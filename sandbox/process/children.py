"""How a worker that may fork does so, and how it, or each child, gives that right up for good.

Knows system calls. Must not know questions or flows. All is made ready in the zygote, as in `lockdown.py`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from typing import Final, NoReturn

from sandbox.contract import exit_codes
from sandbox.contract.layers import DESCRIPTORS, PARENT_DEATH, RLIMITS, SECCOMP
from sandbox.process import kernel, seccomp
from sandbox.process.syscalls import RENEWAL_FD

_REHEARSALS: Final = 32


class Children:
    """Of one worker at most, which is this process or will be a fork of it."""

    __slots__ = ("_bind", "_fork", "_fork_args", "_kept", "_narrow", "_parent_pid", "_take_place")

    def __init__(self, held: frozenset[str]) -> None:
        """Prepare.

        Args:
            held: layers that the worker takes on; what it left off its children leave off too.

        Raises: OSError on a machine we have no numbers for.
        """
        self._fork, self._fork_args = kernel.forking()
        self._parent_pid = -1
        news, none = ctypes.create_string_buffer(b"\1"), kernel.Rlimit(0, 0)
        self._kept: list[object] = [news, none]
        call = kernel.locked_call
        bind = [call("prctl", kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)]
        lower = [call("setrlimit", resource.RLIMIT_NPROC, none)]
        forget = [call("close", RENEWAL_FD)]
        shut = []
        if SECCOMP in held:
            program = seccomp.Filter(kernel.MACHINE)
            self._kept.append(program)
            shut.append(program.locked_install)
        narrow = (lower if RLIMITS in held else []) + (forget if DESCRIPTORS in held else []) + shut
        say = call("write", RENEWAL_FD, news, 1)
        self._narrow = tuple(narrow)
        """Of a worker that serves by itself."""
        # Asked when it is tied: a template that died before is found to be gone.
        self._bind = (*(bind if PARENT_DEATH in held else []), call("getppid"))
        self._take_place = (say, *narrow)

    def rehearse(self) -> None:
        """Let CPython specialise what a child runs, in pages that all share; the calls are harmless ones."""
        asked = kernel.locked_call("getppid")
        bind, calls = self._bind, self._take_place
        self._bind, self._take_place, self._parent_pid = (asked,) * len(bind), (asked,) * len(calls), os.getppid()
        for _ in range(_REHEARSALS):
            self.take_place()
        self._bind, self._take_place, self._parent_pid = bind, calls, -1

    def begin(self, pid: int) -> None:
        """Note the template's own process id."""
        self._parent_pid = pid

    def left_with(self, held: frozenset[str]) -> Children:
        """Return how this very process forks where the host refused some of its layers."""
        made = Children(held)
        made.begin(self._parent_pid)
        return made

    def narrow(self) -> None:
        """Give up, in a worker that becomes no template, what it had on top of any other; or end it."""
        for function, args in self._narrow:
            if function(*args) < 0:
                os._exit(exit_codes.FAILED)

    def take_place(self) -> None:
        """Be the template's next child: die with it, say so, and keep nothing that another worker has not."""
        result = -1
        for function, args in self._bind:
            result = function(*args)
        # Asked once it is tied: a template that died before is found to be gone.
        if result != self._parent_pid:
            os._exit(exit_codes.ORPHAN)
        for function, args in self._take_place:
            if function(*args) < 0:
                os._exit(exit_codes.FAILED)

    def serve(self, answer: Callable[[], None]) -> NoReturn:
        """Fork one child after the other; each calls `answer`, which ends it. End with the first that fails."""
        fork, args = self._fork, self._fork_args
        while True:
            pid = fork(*args)
            if pid == 0:
                self.take_place()
                answer()
                os._exit(exit_codes.FAILED)
            if pid < 0:
                os._exit(exit_codes.FAILED)
            _, status = os.waitpid(pid, 0)
            if status >> 8 != exit_codes.ANSWERED or status & 0xFF:
                number = status & 0x7F
                os._exit(exit_codes.BY_SIGNAL + number if number else status >> 8)
