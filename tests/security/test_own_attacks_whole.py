"""Our own attacks against the whole stack: catalog, pool, locked workers and decision, as one tenant among others."""

from __future__ import annotations

import pytest

from runtime.config.effective import Config
from runtime.doctor import assault, corpus

# None of them is about time or the process: one that runs into its time limit, or dies, has found something.
EXPECTED = {"completed", "raised", "rejected", "exhausted"}
DEEP = "own_deep_"
"""Freeing what is nested so deep takes about an action's budget; which of them time out depends on the machine."""


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
async def test_no_attack_shows_in_any_login(every: int) -> None:
    """No mark gets into a decision; what failed asks for a second factor; a neighbour is decided rightly after each."""
    attacks = corpus.load(corpus.OWN)[::every]
    found = await assault.attack(Config(), attacks, lambda _text: None)
    assert found.escapes == []
    assert found.ended.keys() == {attack.id for attack in attacks}
    strange = {name: ended for name, ended in found.ended.items() if ended not in EXPECTED}
    assert {name: ended for name, ended in strange.items() if ended != "timed_out" or not name.startswith(DEEP)} == {}
