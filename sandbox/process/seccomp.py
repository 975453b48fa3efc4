"""The system call filter: the table of `syscalls.py` as a BPF program, and its installation.

The zygote builds the program once; a forked child makes one system call, which is ready.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from sandbox.process import kernel
from sandbox.process.syscalls import AUDIT_ARCH, SYSCALLS, X32_BIT, Act, Arg, Compare, Syscall, numbered

SECCOMP_SET_MODE_FILTER: Final = 1

RET_KILL_PROCESS: Final = 0x8000_0000
RET_ERRNO: Final = 0x0005_0000
RET_ALLOW: Final = 0x7FFF_0000
_RETURNS: Final = {Act.ALLOW: RET_ALLOW, Act.ERRNO: RET_ERRNO | errno.EPERM, Act.KILL: RET_KILL_PROCESS}

# linux/bpf_common.h: class | size or operation | mode or source
LD_W_ABS: Final = 0x20
JMP_JEQ_K: Final = 0x15
JMP_JGT_K: Final = 0x25
JMP_JGE_K: Final = 0x35
JMP_JSET_K: Final = 0x45
ALU_AND_K: Final = 0x54
RET_K: Final = 0x06

# struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }; both machines are little-endian
_AT_NUMBER: Final = 0
_AT_ARCH: Final = 4
_AT_ARGS: Final = 16

_INSTRUCTION: Final = struct.Struct("<HBBI")
INSTRUCTION_BYTES: Final = _INSTRUCTION.size


class Instruction(NamedTuple):
    """One BPF instruction; `jt` and `jf` count instructions to skip."""

    code: int
    jt: int
    jf: int
    k: int


def _load(offset: int) -> Instruction:
    return Instruction(LD_W_ABS, 0, 0, offset)


def _return(act: Act) -> Instruction:
    return Instruction(RET_K, 0, 0, _RETURNS[act])


def _condition(arg: Arg, otherwise: Act) -> list[Instruction]:
    """Fall through when the condition holds, else return `otherwise`."""
    load = _load(_AT_ARGS + 8 * arg.index)
    fail = _return(otherwise)
    if arg.test is Compare.ONE_OF:
        count = len(arg.operands)
        tests = [Instruction(JMP_JEQ_K, count - position, 0, operand) for position, operand in enumerate(arg.operands)]
        return [load, *tests, fail]
    (operand,) = arg.operands
    if arg.test is Compare.AT_MOST:
        return [load, Instruction(JMP_JGT_K, 0, 1, operand), fail]
    if arg.test is Compare.NO_BITS:
        return [load, Instruction(JMP_JSET_K, 0, 1, operand), fail]
    return [load, Instruction(ALU_AND_K, 0, 0, operand), Instruction(JMP_JEQ_K, 1, 0, operand), fail]


def _row(number: int, row: Syscall) -> list[Instruction]:
    """Decide a call known to lie nearest to `number`: it is that one, or not listed."""
    body = [instruction for arg in row.args for instruction in _condition(arg, row.otherwise)]
    body.append(_return(row.act))
    return [Instruction(JMP_JEQ_K, 0, len(body), number), *body, _return(Act.KILL)]


def _search(rows: list[tuple[int, Syscall]]) -> list[Instruction]:
    """Return a binary search: the kernel runs the whole filter for every number at installation, in every worker."""
    if len(rows) == 1:
        return _row(*rows[0])
    middle = len(rows) // 2
    below, rest = _search(rows[:middle]), _search(rows[middle:])
    if len(below) > 255:
        raise ValueError("the table has outgrown one-byte jumps")
    return [Instruction(JMP_JGE_K, len(below), 0, rows[middle][0]), *below, *rest]


def program(machine: str, table: Sequence[Syscall] = SYSCALLS) -> list[Instruction]:
    """Return the filter for `x86_64` or `aarch64`: the architecture first, then the table. Raises: KeyError."""
    code = [_load(_AT_ARCH), Instruction(JMP_JEQ_K, 1, 0, AUDIT_ARCH[machine]), _return(Act.KILL), _load(_AT_NUMBER)]
    if machine == "x86_64":
        code += [Instruction(JMP_JGE_K, 0, 1, X32_BIT), _return(Act.KILL)]
    return code + _search(sorted(numbered(machine, table).items()))


def encode(code: list[Instruction]) -> bytes:
    """Return the program as the kernel reads it."""
    return b"".join(_INSTRUCTION.pack(*step) for step in code)


class Program(ctypes.Structure):
    # struct sock_fprog
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """A program ready to be installed: `install` puts a process under it for good; it needs no_new_privs or root."""

    __slots__ = ("_bytes", "_program", "detail", "install", "locked_install")

    def __init__(self, machine: str, table: Sequence[Syscall] = SYSCALLS) -> None:
        """Build the program of a table. Raises: OSError with ENOSYS on a machine the table has no numbers for."""
        if machine not in AUDIT_ARCH:
            raise OSError(errno.ENOSYS, f"no system call table for {machine}")
        code = encode(program(machine, table))
        self._bytes = ctypes.create_string_buffer(code, len(code))
        self._program = Program(len(code) // INSTRUCTION_BYTES, ctypes.addressof(self._bytes))
        allowed = sum(row.act is Act.ALLOW for row in table)
        self.detail = f"{allowed} calls allowed, {len(table) - allowed} answered with EPERM, any other kills"
        words = (kernel.SYS_SECCOMP[machine], SECCOMP_SET_MODE_FILTER, 0, self._program)
        self.install, self.locked_install = kernel.call("syscall", *words), kernel.locked_call("syscall", *words)
