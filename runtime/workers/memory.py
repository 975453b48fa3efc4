"""How much private memory a worker holds, and how much all of them may: what the kernel says, nothing a worker says.

Knows /proc, control groups and pages. Must not know pools or tenants.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
# Of the machine's memory, or the control group's, where no ceiling is configured: the rest is the daemon's and others'.
_SHARE: Final = 0.75

SHARED_BROKEN_BYTES: Final = 2 << 20
"""Private copies of pages that a worker was forked with. The kernel counts these pages as the worker's before and after
the copy, so that the growth does not show them. Measured on CPython 3.11: 1.8 MiB in a warm worker of three actions."""


def anonymous_bytes(pid: int) -> int | None:
    """Return the anonymous memory that a process holds in RAM; None when it is gone or may not be seen.

    Takes some 10 us. `smaps_rollup` would tell private pages exactly, takes a hundred times as long because it walks
    them all, and may not be read by an ordinary user's daemon. Source: proc_pid_statm(5).
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            fields = file.read(128).split()
        return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None


def available_bytes(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return what this process and its children may use at most: the machine's memory, or the control group's."""
    least = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return least
    # Version 2 only, where each group above may set a limit too.
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    for path in paths:
        for group in (groups / path, *(groups / path).parents):
            if not group.is_relative_to(groups):
                break
            try:
                least = min(least, int((group / "memory.max").read_text()))
            except (OSError, ValueError):
                # No limit is the word "max"; the root group has no such file.
                continue
    return least


def ceiling_bytes(configured: int) -> int:
    """Return what all workers may hold together; `configured` is 0 for a share of what there is."""
    return configured or int(available_bytes() * _SHARE)
