"""What the tests of the layers add to `runtime.attack.cells`: skips that a host can turn into failures."""

from __future__ import annotations

import errno
import os

import pytest

from runtime.attack.cells import ANSWER_TIMEOUT_S, LAYERS, LENGTH, MIB, Cell, Cells, Outcome, cells, hold, only
from sandbox.lockdown import SPECULATION

__all__ = [
    "ANSWER_TIMEOUT_S", "LAYERS", "LENGTH", "MIB", "REFUSALS", "SPECULATION", "Cell", "Cells", "Outcome", "cells",
    "hold", "only", "require",
]  # fmt: skip

REFUSALS = (errno.EPERM, errno.EACCES)


def require(condition: bool, reason: str) -> None:
    """Skip where the kernel or the host lacks something; fail instead where it must not."""
    if condition:
        return
    if os.environ.get("VESTIBULE_REQUIRE_KERNEL") == "1":
        pytest.fail(f"required of this host: {reason}")
    pytest.skip(reason)
