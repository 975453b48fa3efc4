"""The filter program against its table, by a BPF machine of our own: both architectures, no kernel."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.process import seccomp, syscalls
from sandbox.process.syscalls import SYSCALLS, Act, Arg, Compare, Syscall, numbered
from tests.security.table import decide, holds

MACHINES = ("x86_64", "aarch64")
PROGRAMS = {machine: seccomp.program(machine) for machine in MACHINES}
OUTCOMES = {
    seccomp.RET_ALLOW: Act.ALLOW,
    seccomp.RET_ERRNO | errno.EPERM: Act.ERRNO,
    seccomp.RET_KILL_PROCESS: Act.KILL,
}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def run(machine: str, number: int, args: tuple[int, ...], arch: int | None = None) -> Act:
    """Run the program as the kernel does."""
    data = struct.pack("<iIQ6Q", number, syscalls.AUDIT_ARCH[machine] if arch is None else arch, 0, *args)
    code = PROGRAMS[machine]
    accumulator = position = 0
    for _ in range(len(code) + 1):
        step = code[position]
        position += 1
        if step.code == seccomp.LD_W_ABS:
            accumulator = struct.unpack_from("<I", data, step.k)[0]
        elif step.code == seccomp.ALU_AND_K:
            accumulator &= step.k
        elif step.code == seccomp.RET_K:
            return OUTCOMES[step.k]
        else:
            taken = {
                seccomp.JMP_JEQ_K: accumulator == step.k,
                seccomp.JMP_JGT_K: accumulator > step.k,
                seccomp.JMP_JGE_K: accumulator >= step.k,
                seccomp.JMP_JSET_K: bool(accumulator & step.k),
            }[step.code]
            position += step.jt if taken else step.jf
    raise AssertionError("the program does not end")


def interesting(row: Syscall) -> list[tuple[int, ...]]:
    """Arguments on both sides of every condition of a row."""
    values = {0, 1, 2, 3, 0xFFFF_FFFF, 1 << 32, (1 << 64) - 1}
    for arg in row.args:
        for operand in arg.operands:
            values |= {operand, operand + 1, max(operand - 1, 0), operand | 1 << 32, ~operand & 0xFFFF_FFFF}
    return [tuple(value if index == at else 0x22 for index in range(6)) for at in range(4) for value in values]


@pytest.mark.parametrize("machine", MACHINES)
def test_program_says_what_the_table_says(machine: str) -> None:
    """For every number and arguments around every condition, the program decides as the table does."""
    rows = numbered(machine)
    for number in range(600):
        for args in interesting(rows[number]) if number in rows else [(0,) * 6, (1,) * 6]:
            assert run(machine, number, args) is decide(machine, number, args), (number, args)


@given(
    machine=st.sampled_from(MACHINES),
    number=st.integers(-(1 << 31), (1 << 31) - 1),
    args=st.tuples(*[st.integers(0, (1 << 64) - 1)] * 6),
)
def test_program_says_what_the_table_says_about_anything(machine: str, number: int, args: tuple[int, ...]) -> None:
    """Any number with any arguments is decided as the table does; what is not listed kills."""
    assert run(machine, number, args) is decide(machine, number, args)


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_kills(machine: str) -> None:
    """A call that arrives with the numbering of another architecture kills, whatever its number."""
    others = {0x4000_0003, 0x4000_0028, 0, *syscalls.AUDIT_ARCH.values()} - {syscalls.AUDIT_ARCH[machine]}
    for arch in others:
        for number in numbered(machine):
            assert run(machine, number, (0,) * 6, arch) is Act.KILL


def test_x32_kills() -> None:
    """Every listed call kills under its x32 number."""
    for number in numbered("x86_64"):
        assert run("x86_64", number | syscalls.X32_BIT, (0,) * 6) is Act.KILL


@pytest.mark.parametrize(
    ("name", "args", "act"),
    [
        ("read", (1, 0, 0, 0, 0, 0), Act.ALLOW),
        ("read", (0, 0, 0, 0, 0, 0), Act.ERRNO),
        ("write", (0, 0, 0, 0, 0, 0), Act.ALLOW),
        ("write", (1, 0, 0, 0, 0, 0), Act.ERRNO),
        ("read", (3, 0, 0, 0, 0, 0), Act.ERRNO),
        ("write", (2, 0, 0, 0, 0, 0), Act.ERRNO),
        ("mmap", (0, 4096, 3, 0x22, 0xFFFF_FFFF, 0), Act.ALLOW),
        ("mmap", (0, 4096, 7, 0x22, 0xFFFF_FFFF, 0), Act.KILL),
        ("mmap", (0, 4096, 3, 0x2, 5, 0), Act.KILL),
        ("mmap", (0, 4096, 3, 0x21, 0xFFFF_FFFF, 0), Act.KILL),
        ("mmap", (0, 4096, 3, 0x4_0022, 0xFFFF_FFFF, 0), Act.KILL),
        ("mprotect", (0, 4096, 5, 0, 0, 0), Act.KILL),
        ("setitimer", (0, 0, 0, 0, 0, 0), Act.ALLOW),
        ("setitimer", (1, 0, 0, 0, 0, 0), Act.KILL),
        ("clock_gettime", (3, 0, 0, 0, 0, 0), Act.ALLOW),
        ("clock_gettime", ((-6) & (1 << 64) - 1, 0, 0, 0, 0, 0), Act.ERRNO),
        ("futex", (0, 137, 0, 0, 0, 0), Act.ALLOW),
        ("futex", (0, 6, 0, 0, 0, 0), Act.ERRNO),
        ("madvise", (0, 0, 12, 0, 0, 0), Act.ERRNO),
    ],
)
@pytest.mark.parametrize("machine", MACHINES)
def test_argument_conditions(machine: str, name: str, args: tuple[int, ...], act: Act) -> None:
    """The conditions on arguments mean what their reasons say."""
    number = next(number for number, row in numbered(machine).items() if row.name == name)
    assert run(machine, number, args) is act


@pytest.mark.parametrize("row", SYSCALLS, ids=lambda row: row.name)
def test_every_call_has_its_reason(row: Syscall) -> None:
    """Every row says why it is there, and can be reached by some architecture."""
    assert len(row.reason) > 5
    assert row.x86_64 is not None or row.aarch64 is not None
    assert row.act is not Act.KILL


def test_no_row_twice() -> None:
    """A name or a number appears once."""
    assert len({row.name for row in SYSCALLS}) == len(SYSCALLS)
    for machine in MACHINES:
        numbers = [row.x86_64 if machine == "x86_64" else row.aarch64 for row in SYSCALLS]
        known = [number for number in numbers if number is not None]
        assert len(set(known)) == len(known)


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernel_headers(machine: str) -> None:
    """Every number is the one in the C headers of its architecture."""
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    text = header.read_text()
    defined = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    # asm-generic calls a few by the name they share with 32-bit machines.
    aliases = {"newfstatat": "fstatat"}
    for number, row in numbered(machine).items():
        name = row.name if row.name in defined else aliases.get(row.name, row.name)
        assert defined[name] == number, row.name


def test_a_condition_reads_the_low_half() -> None:
    """The table looks at the low 32 bits, as the program does."""
    assert holds(Arg(0, Compare.ONE_OF, (0,)), (1 << 32, 0, 0, 0, 0, 0))
    assert not holds(Arg(0, Compare.AT_MOST, (7,)), ((1 << 64) - 1, 0, 0, 0, 0, 0))


def test_program_fits_the_kernel() -> None:
    """The program is within BPF_MAXINSNS and every jump lands inside it."""
    for code in PROGRAMS.values():
        assert len(code) <= 4096
        for position, step in enumerate(code):
            if step.code not in (seccomp.LD_W_ABS, seccomp.ALU_AND_K, seccomp.RET_K):
                assert position + 1 + max(step.jt, step.jf) < len(code)


def test_unknown_machine_is_refused() -> None:
    """A machine without numbers gets no filter, with an error that names it."""
    with pytest.raises(OSError, match="riscv64"):
        seccomp.Filter("riscv64")
