"""Keeps what the actions of chosen tenants did and said: masked, for the log and, once a second, for the store.

Knows decisions and the store's rows. No login waits for it: what comes faster than the store takes it is dropped and
counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from vestibule.v1 import admin_service_pb2 as pb

from runtime.catalog import executions
from runtime.catalog.base import Flow
from runtime.catalog.database import Database
from runtime.catalog.executions import ExecutionRow
from runtime.config.sections import LogConfig
from runtime.core.model import Execution, Verdict
from runtime.errors import CatalogError
from runtime.login.engine import LoginOutcome
from runtime.login.masking import Masker
from runtime.ops.log import Log, clip

EVERY: Final = "*"
_LINE_CHARS: Final = 1000
# What waits for the store at most.
_PENDING_BYTES: Final = 8 << 20
_FLUSH_S: Final = 1.0
_FORGET_S: Final = 300.0
# Of the last flush, at the end of the daemon.
_LAST_S: Final = 1.0


class ExecutionLog:
    """The executions that one daemon keeps. Belongs to one event loop."""

    def __init__(
        self, config: LogConfig, database: Database | None, log: Log, clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; without a store the log alone has the texts."""
        self._names = frozenset(config.executions)
        self._kept_ms, self._most_bytes = int(config.executions_s * 1000), config.executions_bytes
        self._database, self._log, self._clock = database, log, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="executions")
        self._pending: list[ExecutionRow] = []
        self._pending_bytes = self._dropped = 0
        self._maskers: dict[str, tuple[Flow, Masker]] = {}

    @property
    def on(self) -> bool:
        """Is any tenant's kept?"""
        return bool(self._names)

    def keeps(self, tenant: str) -> bool:
        """Tell whether a tenant's executions are kept."""
        return tenant in self._names or EVERY in self._names

    def texts(self, flow: Flow, outcome: LoginOutcome) -> list[dict[str, Any]]:
        """Return what the `login.decided` line says beside each execution: message and output, masked and short."""
        masker = self._masker(flow)
        return [
            {
                **({"message": clip(masker(e.error.message, cut=True), _LINE_CHARS)} if e.error is not None else {}),
                **({"output": clip(masker(text, cut=cut), _LINE_CHARS)} if text else {}),
            }
            for e, text, cut in _printed(outcome)
        ]

    def keep(
        self, flow: Flow, outcome: LoginOutcome, request_id: str, decision_id: str, earlier: int, at_ms: int
    ) -> None:
        """Keep the executions of a login for the store; its first `earlier` were kept with the legs before."""
        if self._database is None:
            return
        masker, decision = self._masker(flow), outcome.answer.decision
        found = list(zip(_printed(outcome), outcome.wall_us, outcome.cpu_us, strict=True))
        for (e, text, cut), wall_us, cpu_us in found[earlier:]:
            if e.verdict is Verdict.SKIPPED:
                continue
            kept = pb.KeptExecution(
                action=e.action,
                revision=e.revision,
                verdict=e.verdict.name.lower(),
                output=masker(text, cut=cut),
                output_truncated=cut,
                wall_us=wall_us,
                cpu_us=cpu_us,
                continued=e.continued,
                request_id=request_id[:128],
                decision_id=decision_id,
                outcome=decision.outcome,
                tenant_version=flow.version,
            )
            kept.time.FromMilliseconds(at_ms)
            if e.error is not None:
                kept.error_type, kept.line, kept.file = e.error.type[:64], e.error.line, e.error.file
                kept.error_message = masker(e.error.message, cut=True)
            self._add(ExecutionRow(flow.tenant, at_ms, e.verdict is not Verdict.COMPLETED, kept.SerializeToString()))

    def _add(self, row: ExecutionRow) -> None:
        if self._pending_bytes + len(row.body) > _PENDING_BYTES:
            self._dropped += 1
            return
        self._pending.append(row)
        self._pending_bytes += len(row.body)

    def _masker(self, flow: Flow) -> Masker:
        known = self._maskers.get(flow.tenant)
        if known is None or known[0] is not flow:
            secrets = [value for named in flow.secrets.values() for value in named.values()]
            doors = [value for door in flow.doors.values() for value in door.secrets]
            known = self._maskers[flow.tenant] = flow, Masker([*secrets, *doors])
        return known[1]

    async def run(self) -> None:
        """Bring what is kept to the store each second, and drop what is too old, for ever."""
        if self._database is None:
            return
        forgotten = 0.0
        while True:
            forgets = time.monotonic() - forgotten >= _FORGET_S
            if self._pending or forgets:
                if forgets:
                    forgotten = time.monotonic()
                await self._flush(forgets)
            await asyncio.sleep(_FLUSH_S)

    async def close(self) -> None:
        """Bring what is left to the store; one that hangs is not waited for."""
        try:
            if self._pending:
                await asyncio.wait_for(self._flush(False), _LAST_S)
        except TimeoutError:
            pass
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _flush(self, forgets: bool) -> None:
        rows, self._pending, self._pending_bytes = self._pending, [], 0
        dropped, self._dropped = self._dropped, 0
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, rows, forgets)
        except CatalogError as error:
            dropped += len(rows)
            self._log.warning("executions.not_kept", executions=dropped, reason=clip(str(error)))
            return
        if dropped:
            self._log.warning("executions.not_kept", executions=dropped, reason="they come faster than the store takes")

    def _write(self, rows: Sequence[ExecutionRow], forgets: bool) -> None:
        assert self._database is not None
        now_us = int(self._clock() * 1e6)
        with self._database.writing() as connection:
            if rows:
                executions.add(connection, executions.of_present(connection, rows), now_us, self._most_bytes)
            if forgets:
                executions.forget(connection, now_us // 1000 - self._kept_ms)


def _printed(outcome: LoginOutcome) -> Iterator[tuple[Execution, str, bool]]:
    """Go through executions with what they printed, and whether that was cut."""
    ran = outcome.answer.decision.executions
    for execution, (text, cut) in zip(ran, outcome.printed or (("", False),) * len(ran), strict=True):
        yield execution, text, cut
