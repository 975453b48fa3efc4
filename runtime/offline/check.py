"""Checks sources without a daemon: locked-down workers compile them, and every fault has its place.

Knows how faults are placed. Must not know flows, argparse or terminals.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from vestibule.worker.v1 import worker_pb2

from runtime.config.effective import Config
from runtime.errors import Fault, WorkerError
from runtime.offline.run import open_engine
from runtime.workers import reply

_TENANT: Final = "check"
_LEASE_S: Final = 10.0


def faults(sources: Sequence[tuple[str, str]]) -> list[Fault]:
    """`check_sources` for callers without an event loop."""
    return asyncio.run(check_sources(sources))


async def check_sources(sources: Sequence[tuple[str, str]], config: Config | None = None) -> list[Fault]:
    """Compile sources in locked-down workers and return every fault, `label:line:column` as its place.

    Args:
        sources: (label, source) pairs; the label is what the author knows the file by.
        config: limits; the defaults when not given.

    Raises: WorkerStartError: this host cannot run workers.
    """
    found: list[Fault] = []
    async with open_engine(config) as (engine, pool):
        for label, source in sources:
            try:
                revision = hashlib.sha256(source.encode()).digest()
            except UnicodeEncodeError as error:
                line = source.count("\n", 0, error.start) + 1
                found.append(Fault(f"{label}:{line}:1", "holds a lone surrogate, which is not text: remove it"))
                continue
            step = worker_pb2.Step(action="check", revision=revision, source=source)
            flow = worker_pb2.FlowSteps(steps=[step]).SerializeToString()
            worker = await pool.lease(_TENANT, _LEASE_S)
            try:
                answer = await engine.questions.check(worker, flow, 1)
            except WorkerError:
                problem = "compiling this action killed its worker: it nests too deeply or is too large"
                found.append(Fault(f"{label}:1:1", problem))
                continue
            pool.release(worker, retire=answer.retire)
            found += [
                Fault(f"{_file(label, fault.file)}:{fault.line}:{fault.column}", fault.message)
                for report in answer.steps
                for fault in reply.faults(report)
            ]
    # What is wrong with a shared file is found with each action that needs it.
    return list(dict.fromkeys(found))


def _file(label: str, shared: str) -> str:
    """Return the file of a fault: the one that was checked, or one in the folder beside its own."""
    return str(PurePath(label).parent.parent / shared) if shared else label
