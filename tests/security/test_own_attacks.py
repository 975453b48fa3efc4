"""Attacks of our own: against plain Python, where each succeeds; against the language alone; against a whole worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from runtime.doctor import corpus, plain_python
from runtime.doctor.cells import LAYERS
from runtime.doctor.corpus import Attack
from runtime.doctor.desk import desk
from runtime.workers.launch import import_path

ENTRIES = corpus.load(corpus.OWN)
SHARED = corpus.load(corpus.SHARED)

# Attacks on time, memory and the process do harm where they succeed: these are tried by the other corpus and, with
# limits around the control, by the tests of the layers.
HARMFUL = {
    *("gil_holding_c_loop", "infinite_loop", "interpreter_crash", "memory", "os_layer", "regex", "timeout_swallow"),
}


# What success means in attacks that only the process holds: it takes too long, too much, or brings the process down.
UNHELD_BY_LANGUAGE = {"hang", "resource", "crash"}


def test_there_are_enough_and_no_two_are_one() -> None:
    """Six hundred, in every family that can be tried without harm, each with a text of its own."""
    assert len(ENTRIES) >= 600
    assert {entry.family for entry in ENTRIES} >= {entry.family for entry in SHARED} - HARMFUL
    texts = {entry.code.replace(entry.mark, "MARK") + (entry.followup or "") for entry in ENTRIES}
    assert len(texts) == len({entry.id for entry in ENTRIES}) == len(ENTRIES)
    assert not {entry.id for entry in SHARED} & {entry.id for entry in ENTRIES}


@pytest.mark.long
def test_control_every_attack_succeeds_in_plain_python() -> None:
    """Without a sandbox each one shows its mark: what stops it below is the sandbox."""
    ran = subprocess.run(
        [sys.executable, "-I", plain_python.__file__, *import_path()],
        input=corpus.text(corpus.OWN).encode(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    ended = json.loads(ran.stdout)
    # The others are written in the syntax of a newer Python: refused below, and with a control there.
    assert set(ended) == {entry.id for entry in ENTRIES if entry.needs <= sys.version_info[:2]}
    assert [name for name, succeeded in ended.items() if not succeeded] == []


async def escapes(entries: Iterable[Attack], omit: Iterable[str]) -> list[tuple[str, str, str]]:
    """Run attacks one after the other in a worker; return those that showed their mark, with what they showed."""
    shown = []
    async with desk(omit) as sat:
        for entry in entries:
            answers = [await sat.login(entry.code)]
            if entry.followup is not None:
                answers.append(await sat.login(entry.followup))
            if entry.mark in " ".join(answer.text for answer in answers) or any(answer.gone for answer in answers):
                shown.append((entry.id, entry.goal, answers[-1].text))
    return shown


async def test_the_language_alone_holds_every_attack() -> None:
    """With every layer of the process left off no attack gets its mark out or ends the worker."""
    assert await escapes(ENTRIES, LAYERS) == []


async def test_the_language_alone_holds_the_shared_corpus() -> None:
    """So it does the attacks that others have found, but for those on time and memory, which no language holds."""
    entries = [entry for entry in SHARED if entry.success not in UNHELD_BY_LANGUAGE]
    assert len(entries) > 60
    assert await escapes(corpus.storable(entries), LAYERS) == []
    assert not [entry.id for entry in entries if (Path("/tmp") / entry.mark).exists()]


async def test_a_whole_worker_holds_every_attack() -> None:
    """Under all layers likewise: and not one attack leads to a forbidden system call, which would end the worker."""
    assert await escapes(ENTRIES, ()) == []


@pytest.mark.parametrize("omit", [(), LAYERS], ids=["all layers", "language alone"])
async def test_control_of_the_harness(omit: Iterable[str]) -> None:
    """What is open does show its mark, in the very harness that looks for it."""
    handler = f"def {plain_python.HANDLER}(event, api):\n    api.access.deny('ESCAPED_control')\n"
    entry = Attack("control", "", "", handler)
    assert [name for name, _, _ in await escapes([entry], omit)] == ["control"]
