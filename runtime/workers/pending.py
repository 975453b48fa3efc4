"""A worker that the zygote is asked for: what it is sent, and our ends of it until the answer comes.

Knows pipes, journals and the sockets of templates. Must not know the messages.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from runtime.errors import WorkerStartError
from runtime.workers.children import make_renewals
from runtime.workers.launch import Hold, make_journal
from runtime.workers.pipes import Pipes, make_pipes
from runtime.workers.spawned import SpawnedWorker


@dataclass(slots=True, eq=False)
class Pending:
    """Our ends, and who waits for the worker."""

    future: asyncio.Future[SpawnedWorker]
    pipes: Pipes
    journal: mmap.mmap
    renewals: socket.socket | None

    def fail(self, reason: str) -> None:
        """Close our ends, and say why there is no worker."""
        self.pipes.close()
        if self.renewals is not None:
            self.renewals.close()
        self.journal.close()
        if not self.future.done():
            self.future.set_exception(WorkerStartError(reason))


@contextmanager
def prepared(hold: Hold, future: asyncio.Future[SpawnedWorker]) -> Iterator[tuple[Pending, list[int]]]:
    """Make what a worker is to have: our ends, and its descriptors in their order, which are open for the block.

    Raises: WorkerStartError; nothing is left open then.
    """
    try:
        pipes, theirs = make_pipes()
    except OSError as error:
        raise WorkerStartError(f"no pipes for a worker: {error.strerror}") from error
    with closing(theirs), ExitStack() as sent:
        renewals, of_children = None, []
        try:
            if hold.forks:
                renewals, child_end = make_renewals()
                sent.callback(child_end.close)
                of_children = [child_end.fileno()]
            journal, journal_fd = make_journal(hold.journal_bytes)
        except OSError as error:
            pipes.close()
            if renewals is not None:
                renewals.close()
            raise WorkerStartError(f"no journal for a worker: {error.strerror}") from error
        sent.callback(os.close, journal_fd)
        yield Pending(future, pipes, journal, renewals), [*theirs.fds, journal_fd, *of_children]
