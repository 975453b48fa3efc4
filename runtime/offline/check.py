"""Checks sources without a daemon: locked-down workers look them over, and every finding has its place.

Knows how findings are placed. Must not know flows, argparse or terminals. A worker looks at the actions of one tenant
alone: it runs the code outside of their functions.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from vestibule.worker.v1 import worker_pb2

from runtime.config.effective import Config
from runtime.errors import WorkerError
from runtime.findings import Source, SourceFinding
from runtime.login.engine import Engine
from runtime.offline.run import open_engine
from runtime.ops.log import Log, clip
from runtime.workers import reply
from runtime.workers.pool import Pool
from sandbox.contract import bundle

_TENANT: Final = "check"
_LEASE_S: Final = 10.0
_BODY_MS: Final = 500
"""Processor time that the code outside of all functions may take when it is checked: half of what an action has."""
_BODY_KILLS: Final = "the code outside of all functions killed its worker: it does not end, or takes too much memory"
_LOOK_KILLS: Final = (
    "looking this action over killed its worker, so its calls and members were not all looked at: simplify it, or "
    "report this to the maintainers of Vestibule"
)
_COMPILER_KILLS: Final = "compiling this action killed its worker: it nests too deeply or is too large"


def findings(sources: Sequence[Source], log: Log | None = None) -> list[SourceFinding]:
    """`check_sources` for callers without an event loop."""
    return asyncio.run(check_sources(sources, log=log))


async def check_sources(
    sources: Sequence[Source], config: Config | None = None, log: Log | None = None
) -> list[SourceFinding]:
    """Look sources over in locked-down workers and return every finding, `label:line:column` as its place.

    Args:
        sources: of one tenant or of many.
        config: limits; the defaults when not given.
        log: of a daemon, whose operator learns of an action that could not be looked over.

    Raises: WorkerStartError: this host cannot run workers.
    """
    found: dict[Source, list[SourceFinding]] = {}
    async with open_engine(config) as (engine, pool):
        for source in sorted(set(sources), key=lambda source: source.tenant):
            found[source] = await _check(engine, pool, source)
            if log is not None:
                _note(log, source.tenant, found[source])
    # What is wrong with a shared file is found with each action that needs it.
    return list(dict.fromkeys(finding for source in sources for finding in found[source]))


def _note(log: Log, tenant: str, found: Sequence[SourceFinding]) -> None:
    for finding in found:
        if finding.code == "not-inspected":
            log.warning(
                "check.unfinished", tenant=tenant, where=PurePath(finding.where).name, reason=clip(finding.message)
            )


async def _check(engine: Engine, pool: Pool, source: Source) -> list[SourceFinding]:
    label, text = source.label, source.text
    try:
        revision = hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        return [SourceFinding(f"{label}:{line}:1", "holds a lone surrogate, which is not text: remove it", "source")]
    step = worker_pb2.Step(action="check", revision=revision, source=text)
    inspection = worker_pb2.Inspection(
        budget_us=_BODY_MS * 1000, knows_secrets=source.secrets is not None, secrets=sorted(source.secrets or ())
    )
    step.inspection.CopyFrom(inspection)
    try:
        return await _ask(engine, pool, source, step)
    except WorkerError:
        step.inspection.budget_us = 0
    # Something killed its worker: the body, the look at the text, or the compiler. Each is left out in turn.
    try:
        return [*await _ask(engine, pool, source, step), SourceFinding(f"{label}:1:1", _BODY_KILLS, "module-body")]
    except WorkerError:
        step.ClearField("inspection")
    try:
        return [*await _ask(engine, pool, source, step), SourceFinding(f"{label}:1:1", _LOOK_KILLS, "not-inspected")]
    except WorkerError:
        return [SourceFinding(f"{label}:1:1", _COMPILER_KILLS, "too-large")]


async def _ask(engine: Engine, pool: Pool, source: Source, step: worker_pb2.Step) -> list[SourceFinding]:
    """Ask one worker. Raises: WorkerError: it did not survive that."""
    worker = await pool.lease(source.tenant or _TENANT, _LEASE_S)
    flow = worker_pb2.FlowSteps(steps=[step]).SerializeToString()
    body_ns = step.inspection.budget_us * 1000
    answer = await engine.questions.check(worker, flow, 1, body_ns=body_ns)
    pool.release(worker, retire=answer.retire)
    return [_finding(source, fault) for report in answer.steps for fault in reply.faults(report)]


def _finding(source: Source, fault: worker_pb2.Fault) -> SourceFinding:
    label = _file(source.label, fault.file)
    action, files, _ = bundle.unpack(source.text)
    whole = files.get(PurePath(fault.file).stem, "") if fault.file else action or ""
    lines = re.split("\r\n|\r|\n", whole)
    text = lines[fault.line - 1] if 0 < fault.line <= len(lines) else ""
    where = f"{label}:{fault.line}:{fault.column}"
    return SourceFinding(where, fault.message, fault.code, fault.end_line, fault.end_column, text)


def _file(label: str, shared: str) -> str:
    """Return the file of a finding: the one that was checked, or one in the folder beside its own."""
    return str(PurePath(label).parent.parent / shared) if shared else label
