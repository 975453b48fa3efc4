"""What an execution reports, as both sides name it: the verdict it ended with, the commands it recorded.

Must not know how a report is carried: that is `vestibule.worker.v1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Verdict(IntEnum):
    """How an execution ended. Numbers are those of `vestibule.v1.Verdict`; a worker may report the first five."""

    COMPLETED = 1
    RAISED = 2
    REJECTED = 3
    TIMED_OUT = 4
    EXHAUSTED = 5
    VIOLATED = 6
    CRASHED = 7
    SKIPPED = 8


@dataclass(slots=True)
class Command:
    """One recorded api call, checked against the surface table. `args` are plain JSON data by Python name.

    Not frozen, because that makes it four times as costly to make; even so it is never changed.
    """

    op: str
    args: dict[str, Any]
