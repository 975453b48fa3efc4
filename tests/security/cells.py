"""What the tests of the layers need of `runtime.doctor.cells`, and skips that a host can turn into failures."""

from __future__ import annotations

import errno

from runtime.doctor.cells import ANSWER_TIMEOUT_S, LAYERS, MIB, Cell, Cells, ProbeOutcome, cells, hold, only
from sandbox.contract.layers import SPECULATION
from tests.host import require

__all__ = [
    "ANSWER_TIMEOUT_S", "LAYERS", "MIB", "REFUSALS", "SPECULATION", "Cell", "Cells", "ProbeOutcome", "cells",
    "hold", "only", "require",
]  # fmt: skip

REFUSALS = (errno.EPERM, errno.EACCES)
