"""What is nested as deep as memory allows, and what recurses with no memory left, kills no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.reach import stacks
from tests.security.cells import cells, hold

DEEP = {
    "hash": ("x = ()", "x = (x,)", "x in {1: 2}"),
    "free": ("x = 1", "x = collections.deque([x])", "x = None"),
    "free a cause": ("x = OSError()", "x = raised(x)", "x = None"),
}
ACTION = """
import collections, functools
def raised(cause):
    try:
        raise OSError() from cause
    except OSError as error:
        return error
def on_execute_post_login(event, api):
    {}
    for _ in range(100000):
        {}
    {}
"""
RUN = """
import resource
limit = resource.getrlimit(resource.RLIMIT_STACK)[1]
resource.setrlimit(resource.RLIMIT_STACK, (2 << 20, limit))
from sandbox.language import compiler
from sandbox.reach import environment
{before}
code = compiler.compile_action({action!r})
namespace = environment.begin(0, b"", environment.ActionOutput())
exec(code, namespace)
namespace["on_execute_post_login"](None, None)
"""
# Takes all memory, lets go of a little, and goes down from Python to Python.
FULL = """
def down(f):
    return [f(f)]
kept = None
def fill():
    global kept
    for size in (1000000, 30000, 1000, 1000):
        try:
            while True:
                kept = (kept, bytes(size))
        except MemoryError:
            pass
def go():
    global kept
    for attempt in range(40):
        try:
            fill()
            down(down)
        except Exception:
            pass
        for _ in range(attempt):
            kept = kept and kept[0]
def limited():
    for limit, field in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        size = int(open("/proc/self/statm").read().split()[field]) * 4096 + (32 << 20)
        resource.setrlimit(limit, (size, size))
    go()
"""


def ended(program: str) -> int:
    """Run a program in a process of its own; return its exit code, negative for a signal."""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).returncode


@pytest.mark.parametrize("what", DEEP)
def test_nesting_does_not_run_over_the_stack(what: str) -> None:
    """CPython goes down in C for what is nested; the stack is deep enough. Control: a usual one is not."""
    action = ACTION.format(*DEEP[what])
    assert ended(RUN.format(before="", action=action)) == 0
    assert ended(RUN.format(before="environment.STACK.append(0)", action=action)) == -signal.SIGSEGV


def test_recursion_with_memory_full_is_an_exception() -> None:
    """A call from Python to Python finds room for its frame. Control: CPython 3.11 crashes where there is none."""
    head = f"import resource, sys\nfrom sandbox.reach import stacks\n{FULL}\n"
    assert ended(f"{head}stacks.grow(stacks.deep_enough(1 << 25))\nstacks.above_all_frames(limited)") >= 0
    if sys.version_info < (3, 12):
        assert ended(f"{head}limited()") == -signal.SIGSEGV


async def test_a_worker_has_its_whole_stack_from_the_beginning() -> None:
    """It need not grow when the worker's memory is full; it takes address space, and hardly a page."""
    async with cells(()) as made, made.cell() as cell:
        memory_bytes = hold(()).memory_bytes
        status = Path(f"/proc/{cell.worker.host_pid()}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        assert int(fields["VmStk"].split()[0]) * 1024 >= stacks.deep_enough(memory_bytes)
        assert int(fields["VmRSS"].split()[0]) * 1024 < memory_bytes
