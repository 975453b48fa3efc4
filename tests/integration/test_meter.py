"""The memory of a process, as the kernel counts it."""

from __future__ import annotations

import subprocess
import sys

from runtime.workers import meter

MIB = 1 << 20
HOARD = """
import sys
print('ready', flush=True)
sys.stdin.readline()
held = bytearray(b'x') * (64 << 20)
print('held', flush=True)
sys.stdin.read()
"""


def test_memory_is_what_the_kernel_says_of_the_process() -> None:
    """It grows by what a real process fills, and is not known of one that is gone."""
    with subprocess.Popen([sys.executable, "-c", HOARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        before = meter.anonymous_bytes(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"held\n"
        after = meter.anonymous_bytes(process.pid)
        assert before is not None
        assert after is not None
        assert 60 * MIB < after - before < 80 * MIB
        process.kill()
    assert meter.anonymous_bytes(process.pid) is None
    assert meter.anonymous_bytes(-1) is None
