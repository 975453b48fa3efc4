"""What processes use, from /proc: processor time of a family, private memory, descriptors.

Knows the files of /proc. Must not know who the processes are.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """The line of /proc/PID/stat, as far as it is needed."""

    pid: int
    parent: int
    cpu_s: float
    """Its own time, and that of its children that were reaped."""
    own_s: float = 0.0


def parse_stat(line: str) -> Stat:
    """Read a line of /proc/PID/stat. The command may hold anything, spaces and brackets too; what follows may not."""
    pid, _, rest = line.partition(" (")
    fields = rest.rpartition(")")[2].split()
    # Fields 14 to 17 of proc(5); `fields` begins with the third.
    ticks = [int(field) for field in fields[11:15]]
    return Stat(int(pid), int(fields[1]), sum(ticks) / _TICKS_PER_S, sum(ticks[:2]) / _TICKS_PER_S)


def parse_private_bytes(rollup: str) -> int:
    """Return the private memory in a text of /proc/PID/smaps_rollup, pages of huge size included."""
    total = 0
    for line in rollup.splitlines():
        name, _, value = line.partition(":")
        if name in ("Private_Clean", "Private_Dirty", "Private_Hugetlb"):
            total += int(value.split()[0]) * 1024
    return total


def family(root: int) -> dict[int, Stat]:
    """Return a process and its descendants by process id; those that end meanwhile are left out."""
    stats: dict[int, Stat] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = parse_stat((entry / "stat").read_text())
        except OSError:
            continue
        stats[stat.pid] = stat
        children[stat.parent].append(stat.pid)
    found: dict[int, Stat] = {}
    ahead = [root]
    while ahead:
        pid = ahead.pop()
        if pid in stats:
            found[pid] = stats[pid]
            ahead.extend(children[pid])
    return found


def cpu_s(root: int) -> float:
    """Return the processor time that a process and its descendants have used, in seconds; a tick is 10 ms."""
    return sum(stat.cpu_s for stat in family(root).values())


def all_s() -> float:
    """Return the processor time of everything on this machine so far, in seconds."""
    times = [int(field) for field in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    # Idle and waiting for disks are the fourth and the fifth; time of guests is in that of users already.
    return (sum(times[:3]) + sum(times[5:8])) / _TICKS_PER_S


def forked(root: int) -> list[int]:
    """Return the children of the descendant that has most of them: the zygote's workers, below a daemon."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in family(root).values():
        children[stat.parent].append(stat.pid)
    children.pop(root, None)
    return max(children.values(), key=len, default=[])


def private_bytes(pid: int) -> int | None:
    """Return the private memory of a process, or None where the kernel does not tell: workers are not dumpable."""
    try:
        return parse_private_bytes((_PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:
        return None


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int((_PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process, or return -1 where the kernel does not tell: it is not dumpable."""
    try:
        return len(os.listdir(_PROC / str(pid) / "fd"))
    except PermissionError:
        return -1


def threads(pid: int) -> int:
    """Count the threads of a process."""
    return len(os.listdir(_PROC / str(pid) / "task"))


def parent(pid: int) -> int:
    """Return the process that a process is a child of."""
    return parse_stat((_PROC / str(pid) / "stat").read_text()).parent


def name(pid: int) -> str:
    """Return the name of a process, or nothing when it is gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""
