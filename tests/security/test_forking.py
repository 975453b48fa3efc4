"""A worker that may fork, and what its children keep of that: each beside a control that shows the probe alive."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from runtime.errors import ProtocolViolation
from runtime.workers.children import TemplateChildren, make_renewals
from runtime.workers.launch import make_journal
from sandbox.contract import exit_codes
from sandbox.contract.layers import PARENT_DEATH, RLIMITS, SECCOMP, UID
from sandbox.process import kernel
from sandbox.process.syscalls import AUDIT_ARCH, FORKING_SYSCALLS, SYSCALLS, Act, numbered
from tests.security.cells import Cell, cells, require

X86 = kernel.MACHINE == "x86_64"
CLONE = kernel.SYS_CLONE.get(kernel.MACHINE, -1)
FORK = f"""
pid = raw({CLONE}, {int(signal.SIGCHLD)}, 0, 0, 0, 0)
if pid == 0:
    os._exit(7)
result = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
BECOME = "children.serve(answer)"
KILLED_BY = exit_codes.BY_SIGNAL


@asynccontextmanager
async def forking(omit: set[str] | frozenset[str] = frozenset()) -> AsyncIterator[Cell]:
    """One cell that may fork."""
    require(kernel.MACHINE in AUDIT_ARCH, f"seccomp: no system call table for {kernel.MACHINE}")
    async with cells(omit, forks=True) as made, made.cell() as cell:
        yield cell


async def next_child(cell: Cell) -> int:
    """Wait until a child has taken its place; return its process id."""
    renewals = cell.worker.renewals
    assert renewals is not None
    loop, said = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(renewals.fileno(), said.set)
    try:
        async with asyncio.timeout(20):
            await said.wait()
    finally:
        loop.remove_reader(renewals.fileno())
    data, ancillary, _, _ = renewals.recvmsg(16, socket.CMSG_SPACE(12))
    assert data == b"\1"
    pid: int = struct.unpack("3i", ancillary[0][2])[0]
    # 0 is a process that cannot be seen from here, and to a signal our own group.
    assert pid > 1
    return pid


async def template(cell: Cell) -> int:
    """Let a cell become a template; return the process id of its first child."""
    await cell.send(BECOME.encode())
    return await next_child(cell)


async def gone(pid: int) -> bool:
    """Wait for the end of a process that is not ours."""
    for _ in range(400):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.01)
    return False


# -- what the kernel lets it do ---------------------------------------------------------------------------------------


async def test_a_template_forks_and_its_child_does_not() -> None:
    """The same call works before, as the control, and kills the child; the template ends with its child."""
    async with forking() as cell:
        assert (await cell.run(FORK)).value == 7
        await template(cell)
        assert (await cell.run(FORK)).exit_code == KILLED_BY + signal.SIGSYS


async def test_a_worker_that_becomes_no_template_forks_no_more() -> None:
    """What serves a login or compiles by itself gives the right up first."""
    async with forking() as cell:
        assert (await cell.run(FORK)).value == 7
        assert (await cell.run("children.narrow()")).succeeded
        assert (await cell.run(FORK)).filtered


async def test_no_process_by_the_limit_alone() -> None:
    """Without the filter the child's limit of processes refuses; a template of the same uid may."""
    async with forking(frozenset({SECCOMP})) as cell:
        require(cell.layers[UID].active, "the uid has no limit of processes")
        assert (await cell.run(FORK)).value == 7
        await template(cell)
        assert (await cell.run(FORK)).errno == errno.EAGAIN
        await next_child(cell)
    async with forking(frozenset({SECCOMP, RLIMITS})) as cell:
        await template(cell)
        assert (await cell.run(FORK)).value == 7


def calls() -> list[tuple[str, str]]:
    """What a process that may fork may not do: the call, and its arguments."""
    flags = {
        "shared memory": 0x100, "a thread": 0x10F00, "its parent's child": 0x8000, "a user namespace": 0x1000_0000,
        "a process namespace": 0x2000_0000, "a pidfd": 0x1000, "vfork": 0x4000, "untraced": 0x80_0000,
    }  # fmt: skip
    made = [("clone", f"{CLONE}, {flag | signal.SIGCHLD}, 0, 0, 0, 0") for flag in flags.values()]
    made += [("clone without a signal", f"{CLONE}, 0, 0, 0, 0, 0"), ("clone3", "435, 0, 0")]
    if X86:
        made += [
            ("fork", "57"),
            ("vfork", "58"),
            ("execve", "59, 0, 0, 0"),
            ("kill", "62, -1, 0"),
            ("waitid", "247, 0"),
        ]
        made += [("socket", "41, 1, 1, 0"), ("unshare", "272, 0"), ("prctl of another option", "157, 38, 1, 0, 0, 0")]
        made += [("tgkill", "234, 1, 1, 0"), ("waitid", "247, 0"), ("ptrace", "101, 0, 0"), ("sendmsg", "46, 2, 0, 0")]
        made += [("seccomp with flags", "317, 1, 1, 0"), ("pidfd_open", "434, 1, 0"), ("process_vm_readv", "310, 1")]
    return made


async def test_it_may_do_nothing_else() -> None:
    """Each other way to make a process, and what a forked process could be used for, kills it."""
    found = {}
    async with cells(forks=True) as made:
        require(kernel.MACHINE in AUDIT_ARCH, "no system call table")
        for name, args in calls():
            found[f"{name}({args})"] = (await made.probe(f"raw({args})")).filtered
        assert (await made.probe("resource.setrlimit(resource.RLIMIT_CPU, (1, 1))")).succeeded is False
        assert (await made.probe("os.write(3, b'x')")).errno == errno.EPERM
        assert (await made.probe("os.close(1)")).errno == errno.EPERM
        assert (await made.probe("os.open('/', 0)")).errno == errno.EPERM
    assert {name for name, filtered in found.items() if not filtered} == set()
    assert len(found) >= 10


def test_the_wider_table_is_the_narrow_one_and_eight_calls() -> None:
    """No row goes unseen: what is added, and what of it the worker's own table refuses."""
    narrow = {row.name: row for row in SYSCALLS}
    added = {row.name for row in FORKING_SYSCALLS if narrow.get(row.name) != row}
    assert added == {"clone", "wait4", "prctl", "getppid", "prlimit64", "write", "close", "seccomp"}
    assert narrow.keys() <= {row.name for row in FORKING_SYSCALLS}
    for machine in AUDIT_ARCH:
        table = {row.name: row for row in numbered(machine).values()}
        assert not {"clone", "wait4", "prctl", "seccomp"} & table.keys()
        assert {table[name].act for name in ("getppid", "prlimit64", "close")} == {Act.ERRNO}


async def test_a_child_has_two_descriptors() -> None:
    """Without the filter: it has closed what it said on, which its template has still open."""
    async with forking(frozenset({SECCOMP})) as cell:
        assert (await cell.run("os.fstat(2)")).succeeded
        await template(cell)
        assert (await cell.run("os.fstat(2)")).errno == errno.EBADF
        await next_child(cell)
        assert (await cell.run("os.dup(0)")).errno == errno.EMFILE


# -- one login, one process -------------------------------------------------------------------------------------------


async def test_no_child_sees_what_another_one_wrote() -> None:
    """Each is another process, with memory as the template left it. Control: one process shows what it wrote."""
    write = "ring.append(7); result = len(ring)"
    async with forking() as cell:
        pids = [await template(cell)]
        for _ in range(4):
            assert (await cell.run(write)).value == 1
            pids.append(await next_child(cell))
    assert len(set(pids)) == 5
    async with forking() as cell:
        assert [(await cell.run(write)).value for _ in range(3)] == [1, 2, 3]


async def test_no_child_begins_before_the_last_one_is_gone() -> None:
    """A child that answered and still runs keeps the next one from being forked; its template ends with it."""
    async with forking() as cell:
        pid = await template(cell)
        assert cell.worker.renewals is not None
        await cell.send(b"os.write(answer_fd, b'\\0\\0\\0\\1x')\nwhile True: pass")
        assert await cell.receive() == b"x"
        await asyncio.sleep(0.2)
        with pytest.raises(BlockingIOError):
            cell.worker.renewals.recv(16)
        os.kill(pid, signal.SIGKILL)
        assert await cell.ended() == KILLED_BY + signal.SIGKILL
        assert await gone(pid)
    async with forking() as cell:  # the control: it answers and ends
        await template(cell)
        assert (await cell.run("")).succeeded
        await next_child(cell)


async def test_a_child_dies_with_its_template() -> None:
    """Also one that never asks the kernel for anything. Control: without the layer it runs on."""
    async with forking() as cell:
        pid = await template(cell)
        await cell.send(b"while True: pass")
        cell.worker.kill()
        assert await gone(pid)
    async with forking(frozenset({PARENT_DEATH, "namespaces.pid"})) as cell:
        pid = await template(cell)
        await cell.send(b"while True: pass")
        cell.worker.kill()
        assert await cell.ended() == -signal.SIGKILL
        try:
            os.kill(pid, 0)  # ProcessLookupError, if it were gone
        finally:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("os._exit(0)", 0),
        ("os._exit(4)", exit_codes.MEMORY),
        ("ctypes.string_at(0)", KILLED_BY + signal.SIGSEGV),
        ("raw(435)", KILLED_BY + signal.SIGSYS),
    ],
)
async def test_a_template_ends_as_its_child_does(source: str, code: int) -> None:
    """No child follows one that did not answer, and the exit code says how it ended."""
    async with forking() as cell:
        await template(cell)
        assert (await cell.run(source)).exit_code == code


# -- what the daemon believes -----------------------------------------------------------------------------------------


Said = tuple[TemplateChildren, socket.socket, mmap.mmap]
SAYS = "import os, sys, signal; os.write(int(sys.argv[1]), bytes.fromhex(sys.argv[2])); signal.pause()"


@pytest.fixture
def said() -> Iterator[Said]:
    """The daemon's end of a template's socket, the other one, and a journal."""
    ours, theirs = make_renewals()
    journal, fd = make_journal(8192)
    os.close(fd)
    renewals = TemplateChildren(ours, journal)
    with ours, theirs:
        yield renewals, theirs, journal
    renewals.close()
    journal.close()


@contextmanager
def told(said: Said, data: bytes = b"\1") -> Iterator[subprocess.Popen[bytes]]:
    """Let a process say something, and live until the end of the block."""
    fd = said[1].fileno()
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", SAYS, str(fd), data.hex()], pass_fds=[fd]) as one:
        select.select([said[0].fd], [], [], 20)
        try:
            yield one
        finally:
            one.kill()


def test_a_slot_is_taken_when_the_last_child_is_gone(said: Said) -> None:
    """By the kernel's word, whatever the template says: a child that lives, or is not reaped, is a violation."""
    renewals = said[0]
    with told(said) as first:
        assert renewals.renew()
        assert renewals.pid == first.pid
        with told(said), pytest.raises(ProtocolViolation, match="before the process of the last one was gone"):
            renewals.renew()
        first.kill()
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
        with told(said), pytest.raises(ProtocolViolation):  # a zombie is not gone
            renewals.renew()
    with told(said) as last:
        assert renewals.renew()
        assert renewals.pid == last.pid
    assert renewals.renew() is None


@pytest.mark.parametrize("data", [b"\0", b"\1\1", b"\1" + bytes(64)])
def test_other_news_are_a_violation(said: Said, data: bytes) -> None:
    """A child says one byte."""
    with told(said, data), pytest.raises(ProtocolViolation):
        said[0].renew()


def leaves(said: Said) -> bytes:
    """Return what a second child finds in a journal that a first one has filled."""
    renewals, _, journal = said
    journal[:] = b"\xca" * len(journal)
    with told(said):
        assert renewals.renew()
        return journal[:]


def test_nothing_in_the_journal_reaches_the_next_child(said: Said) -> None:
    """Not in any byte of it, wherever it was written."""
    assert leaves(said) == bytes(8192)


def test_control_a_journal_that_is_not_cleared_keeps_it(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the clearing each byte is there for the next login."""
    monkeypatch.setattr(TemplateChildren, "clear", lambda _renewals: None)
    assert leaves(said) == b"\xca" * 8192


def test_the_end_of_the_socket_is_no_child(said: Said) -> None:
    """A worker that becomes no template closes it."""
    renewals, theirs, _ = said
    theirs.close()
    assert renewals.renew() is False
