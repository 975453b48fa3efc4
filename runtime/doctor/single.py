"""Attacks each layer of the sandbox by itself on this host, every other one left off, beside a control without any."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from runtime.doctor import corpus, plain_python
from runtime.doctor.cells import ANSWER_TIMEOUT_S, LAYERS, Cell, Cells, ProbeOutcome, cells, only
from runtime.doctor.desk import desk
from runtime.doctor.goals import CPU_S, GOALS, LANDLOCK, Goal, Layers
from runtime.workers.launch import import_path
from runtime.workers.spawned import CRASH_SIGNALS
from sandbox.contract.layers import PARENT_DEATH, USER

LANGUAGE: Final = "language"
TIME_LIMIT: Final = "time limit"
_KINDS: Final = ("net", "ipc", "uts", "cgroup", "user", "pid")
# How long to look whether what should live on does so.
_LOOK_S: Final = 0.2
_PLAIN_PYTHON_S: Final = 120.0
_NO_ANSWER: Final = f"no answer within {ANSWER_TIMEOUT_S:.0f} s"

_ENDLESS: Final = "signal.pthread_sigmask(signal.SIG_SETMASK, range(1, 65))\nwhile True: pass"


@dataclass(frozen=True, slots=True)
class Row:
    """One attack on one layer by itself; `control` is the same attack with no layer at all."""

    layer: str
    attempt: str
    held: bool
    detail: str
    control: bool
    """The attack succeeds where nothing stops it: without this, that it was held would prove nothing."""


def text(goal: Goal, host: Mapping[str, str]) -> str:
    """Return what is to be run, with the host's own names in it."""
    return functools.reduce(lambda source, word: source.replace(word, host[word]), host, goal.source)


@contextlib.contextmanager
def host_facts() -> Iterator[dict[str, str]]:
    """Offer what an attacker looks for on a host: a process, a port, a local service, namespaces; as Python source."""
    name = f"\0vestibule-attack-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as local:
        local.bind(name)
        local.listen()
        facts = {"HOST_PID": str(os.getpid()), "HOST_PORT": str(port.getsockname()[1]), "HOST_ABSTRACT": repr(name)}
        for kind in _KINDS:
            facts[f"HOST_NS_{kind.upper()}"] = repr(os.readlink(f"/proc/self/ns/{kind}"))
        yield facts


def held_by(layers: Iterable[str]) -> AbstractAsyncContextManager[Cells]:
    """Start a zygote whose workers are held by these layers alone. Raises: WorkerStartError."""
    return cells(only(*layers), cpu_s=CPU_S)


def means(layers: Sequence[str]) -> frozenset[str]:
    """Return those of the layers that may be missing: a user namespace, where it is only the way to another one.

    Root needs none, and a host may forbid it to root too: in a chroot, for example.
    """
    return frozenset({USER}) - {layers[-1]}


def stand(layers: Layers, active: Collection[str]) -> bool:
    """Can these layers hold on a host that has the active ones?"""
    return set(layers) - means(layers) <= set(active)


def lacks(cell: Cell, layers: Layers, goal: Goal | None = None) -> bool:
    """Does this host not have one of the layers, or too old a Landlock for a goal?"""
    if not stand(layers, {name for name, layer in cell.layers.items() if layer.active}):
        return True
    if goal is None or layers != LANDLOCK:
        return False
    version = cell.layers["landlock"].detail.partition("ABI ")[2].partition(":")[0]
    return int(version or 0) < goal.landlock_abi


def reached(goal: Goal, outcome: ProbeOutcome) -> bool:
    """Did the attacker get there?"""
    return outcome.exit_code == 0 if goal.by_exit else outcome.succeeded


def refused(goal: Goal, outcome: ProbeOutcome) -> bool:
    """Was it stopped? One that crashed or did not answer met something that is no layer: it shows nothing."""
    if reached(goal, outcome) or outcome.error == _NO_ANSWER:
        return False
    return outcome.exit_code is None or -outcome.exit_code not in CRASH_SIGNALS


def told(outcome: ProbeOutcome) -> str:
    """Say how an attempt ended."""
    if outcome.filtered:
        return "killed by the system call filter"
    if outcome.exit_code is not None:
        code = outcome.exit_code
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    if outcome.errno is not None:
        return f"refused by the kernel: {os.strerror(outcome.errno).lower()}"
    return outcome.error or "it succeeded"


async def attack(active: Collection[str], progress: Callable[[str], None]) -> list[Row]:
    """Attack every layer that this host has, each by itself.

    Args:
        active: names of layers that a worker reports.
        progress: gets a line on what is being attacked.

    Raises: WorkerStartError.
    """
    rows = await _language(progress)
    with host_facts() as host:
        goals = [goal for goal in GOALS if not goal.as_root or os.geteuid() == 0]
        async with held_by(()) as free:
            progress("controls, without any layer")
            control = {goal.name: reached(goal, await _tried(free, goal, host)) for goal in goals}
        for layers in dict.fromkeys(layers for goal in goals for layers in goal.alone):
            if not stand(layers, active):
                continue
            progress(f"{layers[-1]} by itself")
            rows += await attack_layer(layers, [goal for goal in goals if layers in goal.alone], host, control)
    if PARENT_DEATH in active:
        progress(f"{PARENT_DEATH} by itself")
        held, control_lives = not await _outlives((PARENT_DEATH,)), await _outlives(())
        rows.append(
            Row(PARENT_DEATH, "outlive a zygote that is killed", held, "it dies with its zygote", control_lives)
        )
    progress(f"{TIME_LIMIT} by itself")
    rows.append(await _endless())
    return rows


async def _tried(made: Cells, goal: Goal, host: Mapping[str, str]) -> ProbeOutcome:
    try:
        return await made.probe(text(goal, host))
    except TimeoutError:
        return ProbeOutcome(error=_NO_ANSWER)


async def attack_layer(
    layers: Layers, goals: list[Goal], host: Mapping[str, str], control: Mapping[str, bool]
) -> list[Row]:
    rows = []
    async with held_by(layers) as made:
        async with made.cell() as cell:
            goals = [goal for goal in goals if not lacks(cell, layers, goal)]
        for goal in goals:
            outcome = await _tried(made, goal, host)
            rows.append(Row(layers[-1], goal.name, refused(goal, outcome), told(outcome), control[goal.name]))
    return rows


async def _language(progress: Callable[[str], None]) -> list[Row]:
    """Let actions that harm nothing attack the language with every layer of the process off; a row for each family."""
    attacks = corpus.load(corpus.OWN)
    progress(f"plain Python, the control of {len(attacks)} attacks on the language")
    succeeded = await _in_plain_python()
    shown: set[str] = set()
    async with desk(LAYERS) as sat:
        for place, each in enumerate(attacks, 1):
            progress(f"the language by itself: attack {place} of {len(attacks)}")
            answers = [await sat.login(source) for source in (each.code, each.followup) if source is not None]
            if any(answer.gone or each.mark in answer.text for answer in answers):
                shown.add(each.id)
    rows = []
    for family in dict.fromkeys(each.family for each in attacks):
        ids = [each.id for each in attacks if each.family == family]
        escaped = [name for name in ids if name in shown]
        detail = f"not: {', '.join(escaped)}" if escaped else f"{len(ids)} attacks"
        # What is written in the syntax of a newer Python has no control here.
        tried = [name for name in ids if name in succeeded]
        rows.append(Row(LANGUAGE, family, not escaped, detail, bool(tried) and all(succeeded[name] for name in tried)))
    return rows


async def _in_plain_python() -> dict[str, bool]:
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    command = (sys.executable, "-I", plain_python.__file__, *import_path())
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=nothing)
    try:
        async with asyncio.timeout(_PLAIN_PYTHON_S):
            out, _ = await process.communicate(corpus.text(corpus.OWN).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        return {}
    found: dict[str, bool] = json.loads(out) if process.returncode == 0 else {}
    return found


async def _outlives(layers: Layers) -> bool:
    """Kill a zygote; does a worker of it answer afterwards?"""
    async with held_by(layers) as made, made.cell() as cell:
        os.kill(made.zygote.pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_S)
        try:
            await cell.send(b"result = 1")
            return await cell.receive() is not None
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return False


async def _endless() -> Row:
    """Loop with every signal blocked, no layer on; the daemon's own kill must end it, which a signal does not."""
    async with held_by(()) as made, made.cell() as cell:
        await cell.send(_ENDLESS.encode())
        await asyncio.sleep(_LOOK_S)
        os.kill(cell.worker.host_pid(), signal.SIGTERM)
        await asyncio.sleep(_LOOK_S)
        alive = not cell.exit.done()
        cell.worker.kill()
        try:
            held = await cell.ended() == -signal.SIGKILL
        except TimeoutError:
            held = False
    return Row(TIME_LIMIT, "loop on, with every signal blocked", held, "killed by its handle", alive)
