"""What earlier fuzzing found: a line each in `seeds/`, so that it is tried for ever."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("seeds")


def seeds(name: str) -> list[str]:
    """Read the seeds of one fuzzer: a line each, `#` begins a remark, `\\n` stands for a line's end."""
    lines = (_FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in lines if line and not line.startswith("#")]
