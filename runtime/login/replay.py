"""What a worker must know of steps that another one ran before it was lost.

Knows which commands concern later actions: those that change what the event shows, and those that spend a limit of
the login. Must not know what they do: that is the sandbox's part, which replays them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vestibule.worker.v1 import worker_pb2

from runtime.core.aggregate import CACHE
from runtime.core.model import Verdict
from sandbox.contract import surface

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.core.model import Execution


def earlier(executions: Iterable[Execution]) -> bytes:
    """Return these commands of executions, as the part of a RunFlow that they are; nothing when there are none.

    What an execution before the flow was suspended wrote to the cache is in the cache by now, unless another login has
    changed it since.
    """
    commands = [
        worker_pb2.Command(op=command.op, args_json=surface.encode(command.op, command.args))
        for execution in executions
        if execution.verdict is Verdict.COMPLETED
        for command in execution.commands
        if surface.CALLS[command.op].carried and not (execution.earlier and command.op in CACHE)
    ]
    if not commands:
        return b""
    data: bytes = worker_pb2.RunFlow(earlier=commands).SerializeToString()
    return data
