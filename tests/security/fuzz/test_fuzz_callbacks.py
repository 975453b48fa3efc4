"""Programs in which CPython calls an action back while it uses a thing: none kills its process.

Made of the record of callbacks, so that what is added to it is tried. With freed memory overwritten; in the profile
`long` many more, and some under valgrind: a run that ended well may have used freed memory all the same.
"""

from __future__ import annotations

import random
import shutil

import pytest

from tests.effort import profile, scaled
from tests.security import callback_programs

PROGRAMS = 20
"""Tried under valgrind, which makes each take seconds."""


def test_no_program_crashes() -> None:
    """Each way to use a thing, with random parts: no signal but that of the clock ends a program."""
    each = scaled(1)
    seed = str(random.random()) if profile() == "long" else ""
    programs = [("", choice) for choice in callback_programs.choices(each, seed)]
    assert len(programs) >= 150
    crashed = callback_programs.crashes(programs, timeout_s=60 * (1 + each))
    assert [(name, callback_programs.shown(choice), choice) for _, choice, name in crashed] == []


@pytest.mark.long
def test_none_uses_freed_memory() -> None:
    """Under valgrind nothing that was freed is read or written. Control: without a wrapper it is."""
    if shutil.which(callback_programs.VALGRIND[0]) is None:
        pytest.skip("valgrind is not installed")
    programs = [("", one.program()) for one in callback_programs.WRAPPERS.values()]
    programs += [("", choice) for choice in random.Random(0).sample(list(callback_programs.choices(1)), PROGRAMS)]
    control = ("chain", callback_programs.WRAPPERS["chain"].program())
    crashed = callback_programs.crashes([control, *programs], callback_programs.VALGRIND, timeout_s=1800)
    assert [(wrapper, callback_programs.shown(choice)) for wrapper, choice, _ in crashed] == [
        (control[0], callback_programs.shown(control[1]))
    ]
