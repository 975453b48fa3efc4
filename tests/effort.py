"""How hard to try: a little in every run of the tests, FUZZ_FACTOR times as much in `make fuzz`.

What `make fuzz` finds goes into `seeds/`, one line a finding, so that it is tried for ever.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))

SEEDS = Path(__file__).parent / "seeds"


def effort(examples: int) -> settings:
    """Settings of a property. The same programs in every short run, new ones in every long one."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        database=None if FACTOR == 1 else settings.default.database,  # type: ignore[union-attr]  # the default has one
        suppress_health_check=list(HealthCheck),
    )


def seeds(name: str) -> list[str]:
    """Read the seeds of one fuzzer: a line each, `#` begins a remark, `\\n` stands for a line's end."""
    lines = (SEEDS / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in lines if line and not line.startswith("#")]
