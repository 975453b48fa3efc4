"""Exit codes of the zygote and of its workers, by which the daemon learns how a process ended."""

from __future__ import annotations

from typing import Final

CLOSED: Final = 0
"""The daemon closed the worker's questions."""
PROTOCOL: Final = 3
"""The daemon sent what no daemon of this version sends."""
MEMORY: Final = 4
"""Not even a report could be built within the memory limit."""
ANSWERED: Final = 5
"""A child of a template has answered its one question."""
BROKE_OUT: Final = 42
"""A self-test did what a worker must not be able to do."""
REFUSED: Final = 43
"""The kernel refused what a self-test tried."""
FAILED: Final = 70
"""The zygote could not start, or a worker's loop failed."""
ORPHAN: Final = 71
"""The zygote died between the fork of a worker and its parent-death signal."""
BY_SIGNAL: Final = 128
"""A template exits with this and the number of the signal that ended its child: it may not signal itself."""
