"""What the control group of this process allows: memory, processes, processors. Version 2 alone.

Must not know the settings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
GROUPS: Final = Path("/sys/fs/cgroup")


def limit(file: str, proc: Path | None = None, groups: Path | None = None) -> int | None:
    """Return the least number that a file such as `memory.max` has, of our group and those above; None for no limit."""
    found = [int(text) for text in _texts(file, proc, groups) if text.isdecimal()]
    return min(found, default=None)


def processors(proc: Path | None = None, groups: Path | None = None) -> float | None:
    """Return how many processors' time the quota of our group, or of one above, allows; None for no quota."""
    found = []
    for text in _texts("cpu.max", proc, groups):
        quota, _, period = text.partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            found.append(int(quota) / int(period))
    return min(found, default=None)


def _texts(file: str, proc: Path | None, groups: Path | None) -> Iterator[str]:
    proc, groups = proc or PROC, groups or GROUPS
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for path in (line.removeprefix("0::/") for line in lines if line.startswith("0::/")):
        for group in (groups / path, *(groups / path).parents):
            if not group.is_relative_to(groups):
                break
            # No limit is the word "max"; the root group has no such file.
            with contextlib.suppress(OSError):
                yield (group / file).read_text().strip()
