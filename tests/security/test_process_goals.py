"""What an attacker past the language wants next, tried by unrestricted Python in a worker: each goal under all layers.

The table is `runtime.doctor.goals`: each succeeds with every layer off (the control), fails with all of them on, and
fails under the named layers alone. `test_lockdown.py` looks closer, at the errors that each layer answers with.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from runtime.doctor import single
from runtime.doctor.goals import CPU_S, FILTER, GOALS, Goal
from sandbox.contract.layers import PARENT_DEATH
from tests.security.cells import LAYERS, Cells, ProbeOutcome, cells, only, require

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def zygotes() -> AsyncIterator[dict[frozenset[str], Cells]]:
    """Zygotes by what they leave off, each started once."""
    async with AsyncExitStack() as stack:
        started = {}
        for omit in (frozenset[str](), LAYERS, *{only(*alone) for goal in GOALS for alone in goal.alone}):
            started[omit] = await stack.enter_async_context(cells(omit, cpu_s=CPU_S))
        yield started


@pytest.fixture(scope="module")
def host() -> Iterator[dict[str, str]]:
    """What an attacker looks for on this host."""
    with single.host_facts() as facts:
        yield facts


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
async def test_goal(zygotes: dict[frozenset[str], Cells], host: dict[str, str], goal: Goal) -> None:
    """Reached without layers; not reached under all of them, nor under each set that is said to be enough."""
    if goal.as_root and os.geteuid() != 0:
        pytest.skip("root: no other user could get there")
    source = single.text(goal, host)
    control = await zygotes[LAYERS].probe(source)
    if goal.alone[-1] == ("speculation",) and not single.reached(goal, control):
        pytest.skip("speculation: the processor offers no switch")
    assert single.reached(goal, control), control
    held = await zygotes[frozenset()].probe(source)
    assert not single.reached(goal, held), held
    tried = 0
    for alone in goal.alone:
        async with zygotes[only(*alone)].cell() as cell:
            if single.lacks(cell, alone, goal):
                continue
            outcome = await cell.run(source)
        tried += 1
        assert not single.reached(goal, outcome), (alone, outcome)
        if alone == FILTER:
            assert outcome.filtered or outcome.error is not None or outcome.exit_code not in (None, 0), outcome
    require(tried > 0, f"{goal.alone[-1][-1]}: and no other layer of this host holds it alone")


async def test_every_layer_has_goals_of_its_own() -> None:
    """For each layer there is something that it prevents by itself; the death of a zygote has a test of its own."""
    attacked = {alone[-1] for goal in GOALS for alone in goal.alone}
    assert attacked | {PARENT_DEATH} == LAYERS
    assert len({goal.name for goal in GOALS}) == len(GOALS)


# Neighbours: a second worker of the same zygote, named by its process id as the zygote's namespace sees it.
NEIGHBOUR = """
marker = ctypes.create_string_buffer(b'vestibule-neighbour-secret')
contextlib.marker = marker
result = [os.getpid(), ctypes.addressof(marker)]
"""
BY_CALL = """
class Vector(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
into = ctypes.create_string_buffer(26)
ours = Vector(ctypes.addressof(into), 26)
theirs = Vector({address}, 26)
if libc.process_vm_readv({pid}, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) == -1:
    raise OSError(ctypes.get_errno(), '')
result = into.raw.decode()
"""
BY_FILE = """
fd = os.open('/proc/{pid}/mem', os.O_RDONLY)
result = os.pread(fd, 26, {address}).decode()
os.close(fd)
"""
BY_TRACE = """
if libc.ptrace(16, {pid}, 0, 0) == -1:
    raise OSError(ctypes.get_errno(), '')
os.waitpid({pid}, 0x40000000)
libc.ptrace(17, {pid}, 0, 0)
result = 'vestibule-neighbour-secret'
"""


@pytest.mark.parametrize("source", [BY_CALL, BY_FILE, BY_TRACE], ids=["by call", "by file", "by trace"])
@pytest.mark.parametrize("layers", [None, (), FILTER], ids=["control", "all layers", "filter alone"])
async def test_memory_of_another_worker(
    zygotes: dict[frozenset[str], Cells], source: str, layers: tuple[str, ...] | None
) -> None:
    """A neighbour's memory is not read; the control, root with no layer at all, reads it."""
    free = zygotes[LAYERS]
    omit = LAYERS if layers is None else frozenset[str]() if layers == () else only(*layers)
    async with free.cell() as neighbour, zygotes[omit].cell() as attacker:
        pid, address = (await neighbour.run(NEIGHBOUR)).value
        outcome = await attacker.run(source.format(pid=pid, address=address))
        if layers is None:
            if os.geteuid() != 0 and not outcome.succeeded:
                pytest.skip("this host lets no process read another of the same user")
            assert outcome.value == "vestibule-neighbour-secret", outcome
        else:
            assert outcome.filtered or outcome.error is not None, outcome


async def test_memory_of_another_worker_that_is_not_dumpable() -> None:
    """Were the reader's filter gone, a locked neighbour would still not be read by another of its user."""
    if os.geteuid() != 0:
        pytest.skip("root: needs two workers of one unprivileged user")
    async with cells(only("uid")) as open_ones, cells(only("uid", "not_dumpable")) as closed_ones:
        # The kernel makes a process that changes its user not dumpable too: the control undoes both.
        control = await steal(open_ones, "assert libc.prctl(4, 1, 0, 0, 0) == 0\n", open_ones)
        if not control.succeeded:
            pytest.skip("this host lets no process read another of the same user")
        assert control.value == "vestibule-neighbour-secret"
        assert (await steal(closed_ones, "", open_ones)).refused(errno.EPERM)


async def steal(owners: Cells, first: str, thieves: Cells) -> ProbeOutcome:
    """Let a worker of one kind read the memory of one of another kind."""
    async with owners.cell() as neighbour, thieves.cell() as attacker:
        pid, address = (await neighbour.run(first + NEIGHBOUR)).value
        return await attacker.run(BY_CALL.format(pid=pid, address=address))


EVERY_DESCRIPTOR = """
written = []
for fd in range(1, 1024):
    try:
        if os.write(fd, b'') == 0:
            written.append(fd)
    except OSError:
        pass
result = written
"""


async def test_write_to_the_control_descriptor(zygotes: dict[frozenset[str], Cells]) -> None:
    """No descriptor but its own socket takes a byte: neither the zygote's control socket nor stderr are there."""
    assert len((await zygotes[LAYERS].probe(EVERY_DESCRIPTOR)).value) >= 2
    assert (await zygotes[frozenset()].probe(EVERY_DESCRIPTOR)).value == []
    async with cells(only("descriptors")) as closed:
        assert (await closed.probe(EVERY_DESCRIPTOR)).value == []
    assert (await zygotes[only(*FILTER)].probe(EVERY_DESCRIPTOR)).value == []


async def test_a_forbidden_call_ends_the_process_and_not_the_thread(zygotes: dict[frozenset[str], Cells]) -> None:
    """What the filter kills dies by SIGSYS, which no handler of the attacker's can take."""
    outcome = await zygotes[frozenset()].probe("os.fork()")
    assert outcome.exit_code == -signal.SIGSYS
