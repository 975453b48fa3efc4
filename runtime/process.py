"""The process of a daemon: its log, its event loop, and the daemon in it, until a signal ends it.

Must not know the parts of a daemon.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import uvloop

from runtime.config.effective import Config
from runtime.daemon import Daemon, OnStarted
from runtime.errors import Fault
from runtime.ops.log import build, clip, forward_libraries
from runtime.ops.log_writer import LogWriter
from runtime.ops.shared import Shared
from runtime.reload import Read
from runtime.workers.launch import Launched


def serve(
    config: Config,
    version: str,
    *,
    stream: TextIO | None = None,
    on_started: OnStarted | None = None,
    ignored: Sequence[Fault] = (),
    read_again: Read | None = None,
    ahead: Launched | None = None,
    shared: Shared | None = None,
    turn: int | None = None,
) -> None:
    """Run a daemon until a signal stops it. `stream` takes the log, standard error otherwise.

    `ignored` is what the configuration has beside its settings; it is logged. SIGHUP calls `read_again` for what can
    be reloaded; without it SIGHUP is left alone. `ahead` is a zygote that was started before all else was imported.
    `shared` is what it has in common with other processes of a supervisor, and `turn` the lock of their log.
    """
    out = LogWriter.to(stream if stream is not None else sys.stderr, turn)
    log = build(config.log, out)
    if shared is not None:
        log = log.bind(process=shared.number)
    for fault in ignored:
        log.warning("config.ignored", where=clip(fault.where), problem=clip(fault.message))
    undo = forward_libraries(log)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(config, version, log, out, on_started, read_again, ahead, shared))
    finally:
        undo()
        log.report_suppressed(everything=True)
        out.close()


async def _run(*parts: Any) -> None:
    # Inside the loop, as its constructor wants.
    await Daemon(*parts).run()
