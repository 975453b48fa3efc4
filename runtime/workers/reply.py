"""Reads a worker's reply: the one strict decoder between hostile bytes and the core's values.

Knows the private messages, the surface table and every cap. Must not know settings or decisions. It counts before it
decodes or copies: without that, one reply of many tiny parts could hold up every login.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Execution, ExecutionError
from runtime.errors import ProtocolViolation
from sandbox.contract import bundle, surface, wire
from sandbox.contract import codes as finding_codes
from sandbox.contract.report import Command, Verdict
from sandbox.contract.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from runtime.catalog.base import Binding

# What a worker may say of itself; the other verdicts are the daemon's to give.
_VERDICTS: Final = {int(v): v for v in Verdict if v <= Verdict.EXHAUSTED}
_ERROR_CHARS: Final = 512
_TYPE_CHARS: Final = 64
_LINE_MAX: Final = 1_000_000
_OP_BYTES: Final = 64
# Of one part of the work, in items: some two microseconds each. A command takes as long as ten.
_PART_COST: Final = 150
_COMMAND_COST: Final = 10
_FAULTS_MAX: Final = 100

# Tags of proto/vestibule/worker/v1: number and kind of each field that a worker writes. A test holds them equal to the
# descriptors. FlowReply:
NONCE, STEPS, RETIRE, CODES = 0x09, 0x12, 0x28, 0x32
WALL, CPU = 0x18, 0x20
_PACKED, _FIXED32 = 2, 5
# nonce, two packed lists of times and retire, beside a step, two times and a code for each step.
_FIELDS_MORE: Final = 4
# StepReport:
VERDICT, COMMANDS, ERROR_TYPE, ERROR_MESSAGE, ERROR_LINE = 0x08, 0x12, 0x1A, 0x22, 0x28
OUTPUT, TRUNCATED, FAULTS, COVERED, ERROR_FILE = 0x32, 0x38, 0x42, 0x4A, 0x52
_REPORT_FIELDS: Final = 8
_MANY: Final = frozenset({COMMANDS, FAULTS, COVERED})
# Command and Fault:
OP, ARGS = 0x0A, 0x12
FAULT_LINE, FAULT_COLUMN, FAULT_MESSAGE, FAULT_FILE = 0x08, 0x10, 0x1A, 0x22
FAULT_CODE, FAULT_END_LINE, FAULT_END_COLUMN = 0x2A, 0x30, 0x38
_FAULT_FIELDS: Final = 7

_NONCE_VALUE: Final = struct.Struct("<Q")
_TIME: Final = struct.Struct("<I")


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
    steps: list[bytes] = []
    times: dict[int, list[int]] = {WALL: [], CPU: []}
    codes: list[bytes] = []
    said = None
    retire = False
    for tag, start, end in _fields(data, 4 * asked + _FIELDS_MORE, "a reply"):
        if tag == STEPS:
            steps.append(data[start:end])
        elif tag in (WALL | _PACKED, CPU | _PACKED):
            count, rest = divmod(end - start, 4)
            if rest or count > asked:
                raise ProtocolViolation("a reply has not one time for each step")
            times[tag & ~7] += struct.unpack_from(f"<{count}I", data, start)
        elif tag in (WALL | _FIXED32, CPU | _FIXED32):
            times[tag & ~7] += _TIME.unpack_from(data, start)
        elif tag == NONCE and said is None:
            (said,) = _NONCE_VALUE.unpack_from(data, start)
        elif tag == RETIRE and not retire:
            retire = data[start:end] == b"\x01"
        elif tag == CODES:
            codes.append(data[start:end])
        else:
            raise ProtocolViolation("a reply has a field that no worker writes, or one twice")
    if nonce is not None and said != nonce:
        raise ProtocolViolation("a reply carries the nonce of another question")
    if len(steps) > asked:
        raise ProtocolViolation(f"a reply reports {len(steps)} steps; {asked} were asked for")
    if not len(steps) == len(times[WALL]) == len(times[CPU]):
        raise ProtocolViolation("a reply has not one time for each step")
    if codes and len(codes) != asked:
        raise ProtocolViolation(f"a reply holds the code of {len(codes)} steps; {asked} were asked for")
    return Reply(tuple(steps), times[WALL], times[CPU], retire, tuple(codes))


def _fields(data: bytes, most: int, what: str, at: int = 0, end: int | None = None) -> list[tuple[int, int, int]]:
    try:
        return wire.fields(data, most, at, end)
    except ValueError as fault:
        raise ProtocolViolation(f"{what} cannot be parsed: {fault}") from None


def executions(
    reply: Reply, bindings: Sequence[Binding], output_bytes: int, continuing: int = 0, *, measured: bool = False
) -> list[Execution]:
    """Turn the step reports of a reply into executions, one per report, in binding order.

    The first `continuing` of them are of on_continue_post_login. Only `measured` ones say what ran of them.

    Raises: ProtocolViolation: anything that our own worker code would not have said.
    """
    reading = in_parts(reply, bindings, output_bytes, continuing, measured=measured)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            found: list[Execution] = end.value
            return found


def in_parts(
    reply: Reply, bindings: Sequence[Binding], output_bytes: int, continuing: int = 0, *, measured: bool = False
) -> Generator[None, None, list[Execution]]:
    """Do what `executions` does in parts of less than a millisecond, between which the caller may do something else."""
    spending = Spending()
    found = []
    for at, (step, binding, wall_us, cpu_us) in enumerate(
        zip(reply.steps, bindings, reply.wall_us, reply.cpu_us, strict=False)
    ):
        continued = at < continuing
        found.append(
            (yield from _execution(step, binding, output_bytes, wall_us, cpu_us, continued, spending, measured))
        )
    return found


def faults(step: bytes) -> list[worker_pb2.Fault]:
    """Return what was found in a source, from a step report, with harmless texts. Raises: ProtocolViolation."""
    return [_fault(step, start, end) for tag, start, end in _step_fields(step) if tag == FAULTS]


def _fault(step: bytes, start: int, end: int) -> worker_pb2.Fault:
    fault = worker_pb2.Fault()
    for tag, at, stop in _fields(step, _FAULT_FIELDS, "a fault", start, end):
        if tag == FAULT_LINE:
            fault.line = _line(step, at, stop)
        elif tag == FAULT_COLUMN:
            fault.column = _line(step, at, stop)
        elif tag == FAULT_MESSAGE:
            fault.message = _text(decoded(step, at, stop), _ERROR_CHARS)
        elif tag == FAULT_FILE:
            fault.file = _file(step, at, stop)
        elif tag == FAULT_CODE:
            fault.code = decoded(step, at, stop)
        elif tag == FAULT_END_LINE:
            fault.end_line = _line(step, at, stop)
        elif tag == FAULT_END_COLUMN:
            fault.end_column = _line(step, at, stop)
        else:
            raise ProtocolViolation("a fault has a field that no worker writes")
    if fault.code not in finding_codes.CODES:
        raise ProtocolViolation("a fault has a code that there is none of")
    return fault


def _step_fields(data: bytes) -> list[tuple[int, int, int]]:
    """List the fields of a step report, counted before any of them is decoded; each but three kinds stands once."""
    found = _fields(data, surface.MAX_COMMANDS + _FAULTS_MAX + _REPORT_FIELDS, "a step report")
    last = 0
    for tag, _, _ in found:
        if tag < last or (tag == last and tag not in _MANY):
            raise ProtocolViolation("a step report has a field twice, or out of order")
        last = tag
    return found


def decoded(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError:
        raise ProtocolViolation("a worker reports text that is not UTF-8") from None


def _line(data: bytes, start: int, end: int) -> int:
    line = wire.number(data, start, end)[0]
    if line > _LINE_MAX:
        raise ProtocolViolation("a step reports an impossible line")
    return line


def _file(data: bytes, start: int, end: int) -> str:
    file = decoded(data, start, end)
    if not bundle.is_file(file):
        raise ProtocolViolation("a step reports a file that no revision has")
    return file


def _execution(
    data: bytes,
    binding: Binding,
    output_bytes: int,
    wall_us: int,
    cpu_us: int,
    continued: bool,
    spending: Spending,
    measured: bool,
) -> Generator[None, None, Execution]:
    said = line = 0
    kind = message = file = output = ""
    covered = b""
    truncated = False
    places: list[tuple[int, int]] = []
    for tag, start, end in _step_fields(data):
        if tag == COMMANDS:
            places.append((start, end))
        elif tag == VERDICT:
            said = wire.number(data, start, end)[0]
        elif tag == ERROR_TYPE:
            kind = _text(decoded(data, start, end), _TYPE_CHARS)
        elif tag == ERROR_MESSAGE:
            message = _text(decoded(data, start, end), _ERROR_CHARS)
        elif tag == ERROR_LINE:
            line = _line(data, start, end)
        elif tag == ERROR_FILE:
            file = _file(data, start, end)
        elif tag == OUTPUT:
            output = decoded(data, start, end)
            if end - start > output_bytes + 4:
                raise ProtocolViolation(f"a step reports more than {output_bytes} bytes of output")
        elif tag == TRUNCATED:
            truncated = data[start:end] == b"\x01"
        elif tag == COVERED and measured:
            covered += wire.step(data[start:end])
        elif tag != FAULTS:
            raise ProtocolViolation("a step report has a field that no worker writes")
    verdict = _VERDICTS.get(said)
    if verdict is None:
        raise ProtocolViolation(f"a step reports verdict {said}")
    completed = verdict is Verdict.COMPLETED
    if places and not completed:
        raise ProtocolViolation("a failed step reports commands")
    if len(places) > surface.MAX_COMMANDS:
        raise ProtocolViolation(f"a step reports more than {surface.MAX_COMMANDS} commands")
    return Execution(
        binding.action,
        binding.revision,
        binding.on_error,
        verdict,
        (yield from _commands(data, places, binding, continued, spending)) if places else (),
        wall_us,
        cpu_us,
        None if completed else ExecutionError(kind, message, line, file),
        output,
        truncated,
        continued,
        covered=covered,
    )


def _commands(
    data: bytes, places: Sequence[tuple[int, int]], binding: Binding, continued: bool, spending: Spending
) -> Generator[None, None, tuple[Command, ...]]:
    """Check the commands of a step against the table, some at a time."""
    ops: list[str] = []
    commands: list[Command] = []
    items, part = spending.items, 0
    try:
        for args in surface.parse_each(_texts(data, places, ops), continued, spending):
            if binding.uses is not None and surface.not_used(ops[-1], binding.uses):
                # Its worker refuses the call, so that no code of an action could have recorded it.
                raise ProtocolViolation(f"a step reports {ops[-1]}, which its binding does not use")
            commands.append(Command(ops[-1], args))
            part += _COMMAND_COST + spending.items - items
            items = spending.items
            if part > _PART_COST:
                part = 0
                yield
    except surface.CommandError as fault:
        raise ProtocolViolation(f"a step reports an impossible command: {fault}") from None
    return tuple(commands)


def _texts(data: bytes, places: Sequence[tuple[int, int]], ops: list[str]) -> Iterator[tuple[str, str]]:
    """Yield operation and arguments of each command, and note the operation; sizes are checked before it is decoded."""
    for start, end in places:
        found = _fields(data, 2, "a command", start, end)
        if [tag for tag, _, _ in found] != [OP, ARGS]:
            raise ProtocolViolation("a command is not an operation and its arguments")
        (_, op_at, op_end), (_, args_at, args_end) = found
        if op_end - op_at > _OP_BYTES or args_end - args_at > surface.MAX_ARGS_BYTES:
            raise ProtocolViolation(f"a command has {args_end - args_at} bytes of arguments")
        op = decoded(data, op_at, op_end)
        ops.append(op)
        yield op, decoded(data, args_at, args_end)


def _text(text: str, chars: int) -> str:
    # The worker escapes and cuts; a hostile one need not have.
    text = text[:chars]
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")[:chars]
