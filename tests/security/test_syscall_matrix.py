"""Every system call number tried in a locked worker, against the declared table."""

from __future__ import annotations

import asyncio
import errno
import signal

import pytest

from sandbox.process import kernel
from sandbox.process.syscalls import AUDIT_ARCH, BEYOND_FILTERS, X32_BIT, Act, numbered
from tests.security.cells import Cells, ProbeOutcome, cells, require
from tests.security.table import decide

ZEROES = (0,) * 6
LAST = 470
AT_ONCE = 8


def agrees(number: int, outcome: ProbeOutcome) -> bool:
    """Compare what happened with what the table says about this number with six zeroes."""
    if number in BEYOND_FILTERS[kernel.MACHINE]:
        return outcome.filtered or outcome.exit_code == -signal.SIGILL or outcome.errno == errno.ENXIO
    act = decide(kernel.MACHINE, number, ZEROES)
    if act is Act.KILL:
        return outcome.filtered
    if act is Act.ERRNO:
        return outcome.errno == errno.EPERM
    name = numbered(kernel.MACHINE)[number].name
    if name in ("exit", "exit_group"):
        return outcome.exit_code == 0
    if name == "rt_sigreturn":  # there is no signal to return from: the kernel finds garbage on the stack
        return outcome.exit_code == -signal.SIGSEGV
    return outcome.exit_code is None and outcome.errno != errno.EPERM


async def try_all(made: Cells, numbers: list[int]) -> dict[int, ProbeOutcome]:
    """Try each number in a worker of its own."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def attempt(number: int) -> tuple[int, ProbeOutcome]:
        async with slots:
            return number, await made.probe(f"raw({number}, 0, 0, 0, 0, 0, 0)")

    return dict(await asyncio.gather(*(attempt(number) for number in numbers)))


def numbers_to_try() -> list[int]:
    """Every number that exists, a few that do not, and on x86_64 the same under the x32 bit."""
    numbers = [*range(LAST + 1), 512, 547, 1000, 0x3FFF_FFFF]
    if kernel.MACHINE == "x86_64":
        numbers += [X32_BIT | number for number in (0, 1, 2, 57, 59, 60, 231, 520, 545)]
    return numbers


async def test_every_system_call_does_what_the_table_says() -> None:
    """In a worker under all layers each number is allowed, refused with EPERM, or deadly, as declared."""
    require(kernel.MACHINE in AUDIT_ARCH, f"seccomp: no system call table for {kernel.MACHINE}")
    async with cells() as made:
        async with made.cell() as cell:
            require(cell.layers["seccomp"].active, f"seccomp: {cell.layers['seccomp'].detail}")
        outcomes = await try_all(made, numbers_to_try())
    wrong = {number: outcome for number, outcome in outcomes.items() if not agrees(number, outcome)}
    assert wrong == {}
    assert sum(outcome.filtered for outcome in outcomes.values()) > 350


@pytest.mark.parametrize("name", ["getpid", "close", "sched_yield"])
async def test_control_without_the_filter(name: str) -> None:
    """The same attempt gets through when the filter is off, so the matrix tells filter from kernel."""
    number = next(number for number, row in numbered(kernel.MACHINE).items() if row.name == name)
    async with cells({"seccomp"}) as made:
        outcome = await made.probe(f"raw({number}, 63, 0, 0, 0, 0, 0)")
        assert outcome.exit_code is None
        assert outcome.errno != errno.EPERM
        # A number that does not exist anywhere gets the answer of the kernel itself.
        assert (await made.probe("raw(1000000)")).errno == errno.ENOSYS
