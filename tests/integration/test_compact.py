"""What the zygote does to its heap before it forks."""

from __future__ import annotations

import subprocess
import sys

from sandbox.process import compact

_RUNS = """
from sandbox.process import compact

holes = [bytes(100) for _ in range(20_000)]
del holes[::3]
kept = compact.fill() if FILL else []
made = [bytes(100) for _ in range(100)]
addresses = sorted(id(item) for item in made)
print(len({address // 4096 for address in addresses}))
"""


def _pages(*, fill: bool) -> int:
    """Return how many pages a hundred new objects lie on, in a process whose heap is full of holes."""
    code = f"FILL = {fill}\n{_RUNS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def test_new_objects_lie_together_once_the_holes_are_filled() -> None:
    """A hundred objects of 144 bytes fit on five pages; among holes they lie on many more."""
    assert _pages(fill=True) <= 6
    assert _pages(fill=False) > 6


def test_every_size_class_is_filled_with_objects_of_its_own_size() -> None:
    """A filler of another class would fill nothing."""
    for size in range(16, 513, 16):
        assert size - 16 < compact.maker(size)().__sizeof__() <= size
