"""Reads what a worker says about a flow: the one strict decoder between hostile bytes and the core's values.

Knows the private messages, the surface table and every cap. Must not know settings or decisions. Called by the flow
runner with a reply frame, or with a copy of a killed worker's journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Command, Execution, ExecutionError, Verdict
from runtime.errors import ProtocolViolation
from sandbox import surface, wire

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


@dataclass(slots=True)
class Reply:
    """A reply whose reports are not parsed yet. There are as many times as reports.

    `codes` are opaque here: the daemon never loads them.
    """

    steps: tuple[bytes, ...]
    wall_us: Sequence[int]
    cpu_us: Sequence[int]
    retire: bool
    codes: tuple[bytes, ...] = ()

    @property
    def key(self) -> bytes:
        """The steps as they stand in the usual reply: equal ones lead to equal decisions."""
        return b"".join(map(wire.step, self.steps))


def parse(data: bytes, nonce: int | None, asked: int) -> Reply:
    """Parse a reply, or (nonce None) the reports in a journal; `asked` is the number of steps in the question.

    Raises: ProtocolViolation: not a reply, the answer to another question, or not of its shape.
    """
    try:
        reply = worker_pb2.FlowReplyEnvelope.FromString(data)
    except DecodeError:
        raise ProtocolViolation("a reply cannot be parsed") from None
    if nonce is not None and reply.nonce != nonce:
        raise ProtocolViolation("a reply carries the nonce of another question")
    steps = tuple(reply.steps)
    wall_us = tuple(reply.wall_us)
    cpu_us = tuple(reply.cpu_us)
    if len(steps) > asked:
        raise ProtocolViolation(f"a reply reports {len(steps)} steps; {asked} were asked for")
    if not len(steps) == len(wall_us) == len(cpu_us):
        raise ProtocolViolation("a reply has not one time for each step")
    codes = tuple(reply.codes)
    if codes and len(codes) != asked:
        raise ProtocolViolation(f"a reply holds the code of {len(codes)} steps; {asked} were asked for")
    return Reply(steps, wall_us, cpu_us, reply.retire, codes)


def executions(reply: Reply, bindings: Sequence[Binding], output_bytes: int, continuing: int = 0) -> list[Execution]:
    """Turn the step reports of a reply into executions, one per report, in binding order.

    The first `continuing` of them are of on_continue_post_login.

    Raises: ProtocolViolation: anything that our own worker code would not have said.
    """
    return [
        _execution(step, binding, output_bytes, wall_us, cpu_us, at < continuing)
        for at, (step, binding, wall_us, cpu_us) in enumerate(
            zip(reply.steps, bindings, reply.wall_us, reply.cpu_us, strict=False)
        )
    ]


def faults(step: bytes) -> list[worker_pb2.Fault]:
    """Return the compiler's faults in a step report, with their texts made harmless."""
    try:
        report = worker_pb2.StepReport.FromString(step)
    except DecodeError:
        raise ProtocolViolation("a step report cannot be parsed") from None
    return [
        worker_pb2.Fault(line=fault.line, column=fault.column, message=_text(fault.message, _ERROR_CHARS))
        for fault in report.faults
    ]


def _execution(
    data: bytes, binding: Binding, output_bytes: int, wall_us: int, cpu_us: int, continued: bool
) -> Execution:
    try:
        step = worker_pb2.StepReport.FromString(data)
    except DecodeError:
        raise ProtocolViolation("a step report cannot be parsed") from None
    verdict = _VERDICTS.get(step.verdict)
    if verdict is None:
        raise ProtocolViolation(f"a step reports verdict {step.verdict}")
    output = step.output
    if output and len(output.encode()) > output_bytes + 4:
        raise ProtocolViolation(f"a step reports more than {output_bytes} bytes of output")
    commands: tuple[Command, ...] = ()
    error = None
    if verdict is Verdict.COMPLETED:
        if step.commands:
            try:
                checked = surface.parse_all([(c.op, c.args_json) for c in step.commands], continued)
            except surface.CommandError as fault:
                raise ProtocolViolation(f"a step reports an impossible command: {fault}") from None
            commands = tuple([Command(c.op, args) for c, args in zip(step.commands, checked, strict=True)])
    else:
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
        commands,
        wall_us,
        cpu_us,
        error,
        output,
        step.output_truncated,
        continued,
    )


def _text(text: str, chars: int) -> str:
    # The worker escapes and cuts; a hostile one need not have.
    text = text[:chars]
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")[:chars]
