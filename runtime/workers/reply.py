"""Reads what a worker says about a flow: the one strict decoder between hostile bytes and the core's values.

Knows the private messages, the surface table and every cap. Must not know settings or decisions. Called by the flow
runner with a reply frame, or with a copy of a killed worker's journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Command, Execution, ExecutionError, Verdict
from runtime.errors import ProtocolViolation
from sandbox import surface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.catalog.base import Binding

# What a worker may say of itself; the other verdicts are the daemon's to give.
_VERDICTS: Final = {
    int(v): v for v in (Verdict.COMPLETED, Verdict.RAISED, Verdict.REJECTED, Verdict.TIMED_OUT, Verdict.EXHAUSTED)
}
_ERROR_CHARS: Final = 512
_TYPE_CHARS: Final = 64
_LINE_MAX: Final = 1_000_000
_TIME_US_MAX: Final = 3_600_000_000


def parse(data: bytes, nonce: int | None) -> worker_pb2.FlowReply:
    """Parse a reply, or (nonce None) the reports in a journal.

    Raises: ProtocolViolation: not a reply, or the answer to another question.
    """
    try:
        reply = worker_pb2.FlowReply.FromString(data)
    except DecodeError:
        raise ProtocolViolation("a reply cannot be parsed") from None
    if nonce is not None and reply.nonce != nonce:
        raise ProtocolViolation("a reply carries the nonce of another question")
    return reply


def executions(reply: worker_pb2.FlowReply, bindings: Sequence[Binding], output_bytes: int) -> list[Execution]:
    """Turn the step reports of a reply into executions, one per report, in binding order.

    Raises: ProtocolViolation: anything that our own worker code would not have said.
    """
    steps = reply.steps
    if len(steps) > len(bindings):
        raise ProtocolViolation(f"a reply reports {len(steps)} steps; {len(bindings)} were asked for")
    return [_execution(step, binding, output_bytes) for step, binding in zip(steps, bindings, strict=False)]


def _execution(step: worker_pb2.StepReport, binding: Binding, output_bytes: int) -> Execution:
    verdict = _VERDICTS.get(step.verdict)
    if verdict is None:
        raise ProtocolViolation(f"a step reports verdict {step.verdict}")
    wall_us, cpu_us = step.wall_us, step.cpu_us
    if not (0 <= wall_us <= _TIME_US_MAX and 0 <= cpu_us <= _TIME_US_MAX):
        raise ProtocolViolation("a step reports an impossible time")
    output = step.output
    if output and len(output.encode()) > output_bytes + 4:
        raise ProtocolViolation(f"a step reports more than {output_bytes} bytes of output")
    if verdict is Verdict.COMPLETED:
        commands: tuple[Command, ...] = ()
        if step.commands:
            try:
                checked = surface.parse_all([(c.op, c.args_json) for c in step.commands])
            except surface.CommandError as error:
                raise ProtocolViolation(f"a step reports an impossible command: {error}") from None
            commands = tuple([Command(c.op, args) for c, args in zip(step.commands, checked, strict=True)])
        return Execution(
            binding.action,
            binding.revision,
            binding.on_error,
            verdict,
            commands,
            wall_us,
            cpu_us,
            None,
            output,
            step.output_truncated,
        )
    if step.commands:
        raise ProtocolViolation("a failed step reports commands")
    if not 0 <= step.error_line <= _LINE_MAX:
        raise ProtocolViolation("a step reports an impossible line")
    error = ExecutionError(
        _text(step.error_type, _TYPE_CHARS), _text(step.error_message, _ERROR_CHARS), step.error_line
    )
    return Execution(
        binding.action,
        binding.revision,
        binding.on_error,
        verdict,
        (),
        wall_us,
        cpu_us,
        error,
        output,
        step.output_truncated,
    )


def _text(text: str, chars: int) -> str:
    # The worker escapes and cuts; a hostile one need not have.
    text = text[:chars]
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")[:chars]
