"""What a worker says is counted before it is decoded or copied, however its bytes are cut and whatever they hold."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding
from runtime.core.model import ExecutionError, OnError, Verdict
from runtime.errors import ProtocolViolation
from runtime.ops.labels import KillReason
from runtime.workers import reply, worker
from runtime.workers.pipes import Pipes, WorkerEnds, make_pipes
from sandbox.contract import frames, surface, wire
from sandbox.contract.spending import LOGIN_COMMANDS_MAX
from tests.fakes import reached
from tests.unit.test_flow import COMPLETED, REQUIRE, step, whole

NONCE = 0x1122334455667788
BINDINGS = tuple(Binding(name, name * 64, OnError.DENY) for name in "abc")
ROOM = 512 * 1024
CLAIM = "id_token.set_custom_claim"


def read(data: bytes) -> list[Verdict]:
    answer = reply.parse(data, NONCE, len(BINDINGS))
    return [execution.verdict for execution in reply.executions(answer, BINDINGS, 8192)]


def of_step(report: bytes) -> bytes:
    return wire.flow_reply(NONCE, [1], [1], [wire.step(report)], False)


def repeated(part: bytes, room: int = ROOM) -> bytes:
    """As many of it as a reply has room for."""
    return part * (room // len(part) - 64)


def command(op: str, args: str) -> bytes:
    """One member of `commands`."""
    return worker_pb2.StepReport(commands=[worker_pb2.Command(op=op, args_json=args)]).SerializeToString()


DONE = b"\x08\x01"
HEAD = wire.flow_reply(NONCE, [], [], [], False)
ITEMS = '{"name":"https://a.example/%d","value":[' + ",".join(["0"] * 400) + "]}"

REPLIES: dict[str, bytes] = {
    "steps of nothing": HEAD + repeated(b"\x12\x00"),
    "times one by one": HEAD + repeated(b"\x1d\x01\x00\x00\x00"),
    "packed times": HEAD + b"\x1a" + wire.varint(ROOM - 1024) + bytes(ROOM - 1024),
    "many packed times": HEAD + repeated(b"\x1a\x00"),
    "codes of nothing": HEAD + repeated(b"\x32\x00"),
    "unknown fields": HEAD + repeated(b"\x78\x01"),
    "the nonce again and again": HEAD + repeated(HEAD[:9]),
    "retire again and again": HEAD + repeated(b"\x28\x01"),
    "commands of nothing": of_step(DONE + repeated(b"\x12\x00")),
    "commands of a word": of_step(DONE + repeated(command("access.deny", '{"reason":""}'))),
    "faults of nothing": of_step(b"\x08\x03" + repeated(b"\x42\x00")),
    "an output again and again": of_step(DONE + repeated(b"\x32\x01x")),
    "a verdict again and again": of_step(repeated(DONE)),
    "an error again and again": of_step(b"\x08\x02" + repeated(b"\x22\x01x")),
    "fields of another kind": of_step(DONE + repeated(b"\x15\x00\x00\x00\x00")),
    "an operation again and again": of_step(DONE + b"\x12" + wire.varint(300_000) + b"\x0a\x01x" * 100_000),
    "unknown fields of a command": of_step(DONE + b"\x12" + wire.varint(300_000) + b"\x1a\x01x" * 100_000),
    "a long operation": of_step(DONE + command("x" * 400_000, "{}")),
    "long arguments": of_step(DONE + command("access.deny", " " * 400_000)),
    "an argument of many items": of_step(DONE + command(CLAIM, '{"name":"n","value":[' + "{}," * 30_000 + "{}]}")),
    "many arguments of many items": of_step(DONE + b"".join([command(CLAIM, ITEMS % n) for n in range(90)])),
    "a group": HEAD + b"\x0b" * 400_000,
    "a number without an end": HEAD + b"\xa8" * 400_000,
}


class Work:
    """Counts what the decoder does: fields found, texts decoded with their bytes, and items checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fields = self.texts = self.text_bytes = self.json = 0
        fields, decoded, decode = wire.fields, reply.decoded, surface.decode_args

        def counted_fields(data: bytes, most: int, *place: int) -> Any:
            self.fields += 1
            found = fields(data, most, *place)
            self.fields += len(found)
            return found

        def counted_text(data: bytes, start: int, end: int) -> str:
            self.texts += 1
            self.text_bytes += end - start
            return decoded(data, start, end)

        def counted_json(text: str) -> Any:
            self.json += len(text)
            return decode(text)

        monkeypatch.setattr(wire, "fields", counted_fields)
        monkeypatch.setattr(reply, "decoded", counted_text)
        monkeypatch.setattr(surface, "decode_args", counted_json)


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_of_many_parts_is_refused_before_they_are_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred fields are looked at and a few texts decoded, of half a megabyte that holds a quarter million."""
    work = Work(monkeypatch)
    with pytest.raises(ProtocolViolation):
        read(REPLIES[name])
    assert work.fields <= 400
    assert work.texts <= 2 * surface.MAX_COMMANDS
    assert work.json <= 4096


def test_control_the_library_reads_all_of_them() -> None:
    """Nothing in these bytes stops a parser that counts nothing: it makes an object of each part."""
    assert len(worker_pb2.FlowReplyEnvelope.FromString(REPLIES["steps of nothing"]).steps) > 200_000
    (report,) = worker_pb2.FlowReplyEnvelope.FromString(REPLIES["commands of nothing"]).steps
    assert len(worker_pb2.StepReport.FromString(report).commands) > 200_000


def test_what_several_steps_hold_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty steps with as much as one may hold are refused at the second."""
    bindings = BINDINGS * 6
    full = DONE + command(CLAIM, '{"name":"n","value":[' + ",".join(["0"] * 990) + "]}")
    calls = worker_pb2.StepReport(
        verdict=1, commands=[worker_pb2.Command(op=REQUIRE[0], args_json=REQUIRE[1])] * 100
    ).SerializeToString()
    for report, taken in ((full, 1), (calls, 3)):
        for count in (taken, len(bindings)):
            work = Work(monkeypatch)
            times = [1] * count
            data = wire.flow_reply(NONCE, times, times, [wire.step(report)] * count, False)
            answer = reply.parse(data, NONCE, len(bindings))
            if count == taken:
                assert len(reply.executions(answer, bindings, 8192)) == taken
            else:
                with pytest.raises(ProtocolViolation, match=r"in all of its actions|of one login must hold at most"):
                    reply.executions(answer, bindings, 8192)
                assert work.texts <= 2 * LOGIN_COMMANDS_MAX + 2
            monkeypatch.undo()


def test_the_place_of_an_error_is_in_a_file_that_there_can_be() -> None:
    """A worker that names another one breaks its protocol; control: a shared file is taken."""

    def error(file: str) -> ExecutionError | None:
        failed = step(2, error_type="KeyError", error_line=3, error_file=file)
        return reply.executions(reply.parse(whole(NONCE, failed), NONCE, 1), BINDINGS[:1], 8192)[0].error

    assert error("lib/net.py") == ExecutionError("KeyError", "", 3, "lib/net.py")
    assert error("") == ExecutionError("KeyError", "", 3)
    for file in ("/etc/passwd", "lib/../x.py", "lib/a b.py", "<action>", "lib/x.py\n"):
        with pytest.raises(ProtocolViolation, match="a file that no revision has"):
            error(file)


def test_what_a_worker_says_is_taken() -> None:
    """Control: a whole reply, a journal's fragments and the faults of a source are read as they are meant."""
    assert read(whole(NONCE, step(), step(COMPLETED, REQUIRE), step())) == [Verdict.COMPLETED] * 3
    fragments = b"".join(wire.step(DONE) + wire.step_times(7, 5) for _ in range(3))
    found = reply.parse(fragments, None, 3)
    assert (found.steps, list(found.wall_us), list(found.cpu_us)) == ((DONE,) * 3, [7] * 3, [5] * 3)
    faulty = step(3, error_message="m", error_line=2)
    faulty.faults.add(line=3, column=4, message="no\nway", code="import", end_line=3, end_column=9)
    (fault,) = reply.faults(faulty.SerializeToString())
    assert (fault.line, fault.column, fault.message, fault.code) == (3, 4, "no\\nway", "import")
    assert (fault.end_line, fault.end_column) == (3, 9)
    faulty.faults[0].code = "no-such-code"
    with pytest.raises(ProtocolViolation, match="code"):
        reply.faults(faulty.SerializeToString())


def test_the_tags_are_those_of_the_messages() -> None:
    """What is read by hand is what the descriptors say, field by field."""
    kinds = {
        FieldDescriptor.TYPE_FIXED64: 1, FieldDescriptor.TYPE_STRING: 2, FieldDescriptor.TYPE_BYTES: 2,
        FieldDescriptor.TYPE_MESSAGE: 2,
    }  # fmt: skip

    def tags(message: Any) -> dict[str, int]:
        return {field.name: field.number << 3 | kinds.get(field.type, 0) for field in message.DESCRIPTOR.fields}

    assert tags(worker_pb2.FlowReplyEnvelope) == {
        "nonce": reply.NONCE, "steps": reply.STEPS, "wall_us": reply.WALL, "cpu_us": reply.CPU,
        "retire": reply.RETIRE, "codes": reply.CODES,
    }  # fmt: skip
    assert tags(worker_pb2.StepReport) == {
        "verdict": reply.VERDICT, "commands": reply.COMMANDS, "error_type": reply.ERROR_TYPE,
        "error_message": reply.ERROR_MESSAGE, "error_line": reply.ERROR_LINE, "output": reply.OUTPUT,
        "output_truncated": reply.TRUNCATED, "faults": reply.FAULTS, "covered": reply.COVERED,
        "error_file": reply.ERROR_FILE,
    }  # fmt: skip
    assert tags(worker_pb2.Command) == {"op": reply.OP, "args_json": reply.ARGS}
    assert tags(worker_pb2.Fault) == {
        "line": reply.FAULT_LINE, "column": reply.FAULT_COLUMN, "message": reply.FAULT_MESSAGE,
            "file": reply.FAULT_FILE,
        "code": reply.FAULT_CODE, "end_line": reply.FAULT_END_LINE, "end_column": reply.FAULT_END_COLUMN,
    }  # fmt: skip


# -- the frame ---------------------------------------------------------------------------------------------------------


class Spawned:
    """A worker's end without a process."""

    id = 1
    renewals = None
    journal = bytearray(4096)

    def __init__(self, pipes: Pipes) -> None:
        self.pipes = pipes
        self.killed = False

    def host_pid(self) -> int:
        return -1

    def kill(self) -> None:
        self.killed = True

    def close(self) -> None:
        self.pipes.close()


@pytest.fixture
async def ends() -> Any:
    """A worker that owes its first frame, and the other ends of its pipes."""
    pipes, theirs = make_pipes()
    spawned = Spawned(pipes)
    found = worker.Worker(asyncio.get_running_loop(), spawned, ROOM, lambda _: None, lambda _: None)  # type: ignore[arg-type]  # a stand-in for a process
    yield found, theirs
    if not spawned.killed:
        found.kill(KillReason.SHUTDOWN)
    found.exited(None)
    theirs.close()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def test_a_frame_is_copied_once_however_it_comes() -> None:
    """What has arrived is not copied at each read, which takes the square of the frame's size."""
    coming = frames.Reader()
    payload = bytes(range(256)) * (ROOM // 256)
    cut = list(pieces(frames.encode(payload), 4096))
    tracemalloc.start()
    found = [coming.feed(piece, ROOM) for piece in cut]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [None] * (len(found) - 1) + [payload]
    assert peak_bytes < 1.1 * len(payload)
    assert coming.feed(b"\x00\x00\x00\x02ok", ROOM) == b"ok"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_length_may_come_in_pieces(size: int) -> None:
    """A frame is the same however its length is cut, and what is beyond it belongs to the next one."""
    coming = frames.Reader()
    found = [coming.feed(piece, ROOM) for piece in pieces(frames.encode(b"payload"), size)]
    assert found == [None] * (len(found) - 1) + [b"payload"]
    for piece in pieces(frames.encode(b"payload")[:-1], size):
        coming.feed(piece, ROOM)
    assert coming.feed(b"d\x00\x00\x00\x02ok\x00", ROOM) == b"payload"
    assert (coming.next(ROOM), coming.left) == (b"ok", 1)
    assert coming.next(ROOM) is None


def test_a_frame_beyond_its_limit_is_refused_by_its_length() -> None:
    """Nothing of a frame that is too long is waited for."""
    with pytest.raises(frames.FrameError, match="7 bytes; at most 6"):
        frames.Reader().feed((7).to_bytes(4), 6)


async def test_a_frame_in_crumbs_is_a_violation(
    ends: tuple[worker.Worker, WorkerEnds], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each crumb would wake the daemon's loop: half a million times for one reply."""
    end, theirs = ends
    end.state = worker.State.RUNNING
    end.ready().add_done_callback(lambda done: done.exception())
    crumbs = pieces(ROOM.to_bytes(4) + bytes(ROOM), 1)
    monkeypatch.setattr(Pipes, "hear", lambda _pipes, _size: next(crumbs))
    os.write(theirs.answer_fd, b"x")  # nothing reads it, so that the loop asks for the next crumb again and again
    await reached(lambda: end.state is worker.State.DEAD)
    assert len(list(crumbs)) > ROOM - 1000
    assert end.kill_reason is KillReason.VIOLATION
