"""Questions of a curious or broken daemon against real, locked workers: each answers, or ends as it says it ends.

A worker trusts its daemon, and yet its own reading must never hang, never run what it was not given and never end in a
way that was not foreseen: otherwise tenants would be the first to see it.
"""

from __future__ import annotations

import asyncio
import hashlib
import marshal
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from hypothesis import example, given
from hypothesis import strategies as st
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.doctor.desk import EVENT, NOW_NS, OUTPUT_BYTES, SEED
from runtime.workers.pipes import Pipes
from sandbox.action.alarm import ACTION_FILENAME
from sandbox.contract import exit_codes, frames, journal, surface, wire
from sandbox.language import compiler
from sandbox.process import channel
from sandbox.process.flows import COMPILE_BUDGET_NS
from tests.effort import effort
from tests.security.cells import ANSWER_TIMEOUT_S, MIB, Cells, cells
from tests.security.fuzz.damage import Edit, damaged, edits, pieces
from tests.security.fuzz.findings import seeds

BUDGET_US = 2_000_000

SOURCES = {
    "def on_execute_post_login(event, api):\n    api.access.deny('one')\n": {"access.deny"},
    "def on_execute_post_login(event, api):\n    api.multifactor.enable('any')\n": {"multifactor.enable"},
    "def on_execute_post_login(event, api):\n    print(event.user.email)\ndef other(event, api):\n    pass\n": set(),
    "import os\ndef on_execute_post_login(event, api):\n    pass\n": set(),
    "def on_execute_post_login(event, api):\n    raise ValueError(event.user)\n": set(),
}
"""What a question may ask to run, and the calls that it can lead to."""

CODES = [marshal.dumps((compiler.compile_action(s, ACTION_FILENAME), ())) for s in SOURCES if not compiler.check(s)]
ENDED = {exit_codes.CLOSED, exit_codes.PROTOCOL, exit_codes.MEMORY}


def step(source: str, **fields: Any) -> worker_pb2.Step:
    revision = hashlib.sha256(source.encode()).digest()
    given: dict[str, Any] = {"action": "a", "revision": revision, "source": source, "budget_us": BUDGET_US}
    return worker_pb2.Step(**given | fields)


def question(*steps: worker_pb2.Step) -> bytes:
    flow = worker_pb2.FlowSteps(steps=steps).SerializeToString()
    return wire.run_flow(7, NOW_NS, SEED, BUDGET_US, OUTPUT_BYTES, EVENT, flow)


GOOD = question(*map(step, SOURCES))
SINGLE = question(step(next(iter(SOURCES))))

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "source": st.one_of(st.sampled_from(list(SOURCES)), st.text(max_size=60)),
    "code": st.one_of(st.sampled_from(CODES), st.binary(max_size=40)),
    "revision": st.sampled_from([b"", b"r", b"s", b"t" * 32]),
    "handler": st.sampled_from(["", "other", "on_execute_post_login", "_getattr_", "__builtins__", "print", "a.b"]),
    "seed": st.one_of(st.just(SEED), st.binary(max_size=40)),
    "event": st.one_of(st.just(EVENT), st.binary(max_size=20)),
    "op": st.one_of(st.sampled_from(list(surface.CALLS)), st.text(max_size=10)),
    "args_json": st.sampled_from(["", "{}", "[]", "null", '{"reason":1}', '{"name":"a","value":1}', "[" * 2000, "\0"]),
    "flow": st.deferred(lambda: st.one_of(flows, flows, st.binary(max_size=20))),
}


def values(field: Any) -> st.SearchStrategy[Any]:
    """Make anything that a field can hold, of fields to come as well; where all else would stop early, mostly sense."""
    if field.name in _FIELDS:
        return _FIELDS[field.name]
    if field.message_type is not None:
        return messages(message_factory.GetMessageClass(field.message_type))
    if field.cpp_type in _INTEGERS:
        low, high = _INTEGERS[field.cpp_type]
        return st.one_of(st.integers(low, high), st.sampled_from([0, 1, low, high, BUDGET_US]))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return st.binary(max_size=20) if field.type == FieldDescriptor.TYPE_BYTES else st.text(max_size=20)


def messages(made: type[Message]) -> st.SearchStrategy[Any]:
    """Make any message of a type."""
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in made.DESCRIPTOR.fields_by_name.values():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            optional[field.name] = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
        elif field.is_repeated:
            optional[field.name] = st.lists(values(field), max_size=3)
        else:
            optional[field.name] = values(field)
    return st.fixed_dictionaries({}, optional=optional).map(lambda fields: made(**fields))


flows: st.SearchStrategy[bytes] = st.lists(messages(worker_pb2.Step), max_size=4).map(
    lambda steps: worker_pb2.FlowSteps(steps=steps).SerializeToString()
)
questions = messages(worker_pb2.RunFlow).map(lambda message: message.SerializeToString())

Ask = Callable[..., "End"]


class End:
    """What a worker said to a stream of bytes, and how it ended."""

    def __init__(self, said: bytes, code: int) -> None:
        self.code = code
        self.replies: list[worker_pb2.FlowReply] = []
        while said:
            end = frames.LENGTH_BYTES + int.from_bytes(said[: frames.LENGTH_BYTES])
            reply = frames.Reader().feed(said[:end], end)
            assert reply is not None, "a reply without its end"
            self.replies.append(worker_pb2.FlowReply.FromString(reply))
            said = said[end:]


def _close_questions(pipes: Pipes) -> None:
    """Ask no more. Its number stays taken, by what is written to in vain."""
    null_fd = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_fd, pipes.question_fd, inheritable=False)
    os.close(null_fd)


async def _asked(made: Cells, chunks: list[bytes], kill_after_s: float) -> End:
    async with made.cell() as cell:
        said = b""
        try:
            for chunk in chunks:
                await cell.write(chunk)
                await asyncio.sleep(0)
            _close_questions(cell.worker.pipes)
            async with asyncio.timeout(kill_after_s):
                while more := await cell.read():
                    said += more
        except (BrokenPipeError, ConnectionResetError):
            pass  # it ended in the middle of our speech
        except TimeoutError:
            cell.worker.kill()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return End(said, await asyncio.shield(cell.exit))


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Send chunks to a fresh worker under all layers, close, and return its end."""
    with asyncio.Runner() as runner:
        made = cells(entry="sandbox.process.worker", memory_bytes=64 * MIB, journal_bytes=journal.size_for(1 * MIB))
        running = runner.run(_entered(made.__aenter__))

        def send(chunks: list[bytes], kill_after_s: float = ANSWER_TIMEOUT_S) -> End:
            return runner.run(_asked(running, chunks, kill_after_s))

        yield send
        runner.run(made.__aexit__(None, None, None))


async def _entered(enter: Callable[[], Awaitable[Cells]]) -> Cells:
    return await enter()


def framed(payload: bytes) -> bytes:
    return frames.encode(payload)


def understood(payload: bytes) -> tuple[worker_pb2.RunFlow, worker_pb2.FlowSteps] | None:
    """Read a question as the generated classes do; None for one that a worker must not run."""
    try:
        asked = worker_pb2.RunFlow.FromString(payload)
        event_pb2.PostLoginEvent.FromString(asked.event)
        flow = worker_pb2.FlowSteps.FromString(asked.flow)
    except DecodeError:
        return None
    known: set[bytes] = set()
    for each in flow.steps:
        if each.revision not in known and not each.HasField("source") and not each.HasField("code"):
            return None
        known.add(each.revision)
    return None if len(flow.steps) > wire.STEPS_MAX else (asked, flow)


def judge(end: End, payload: bytes) -> None:
    """Hold an answer to its question: one, of this nonce, with nothing that the question did not ask to run."""
    read = understood(payload)
    if read is None:
        assert not end.replies
        assert end.code == exit_codes.PROTOCOL
        return
    asked, flow = read
    # Code is as hostile as the tenant whose worker wrote it: if it brings its process down, it does no more.
    foreign = any(each.HasField("code") and each.code not in CODES for each in flow.steps)
    assert foreign or end.code in ENDED, end.code
    assert len(end.replies) <= 1
    for reply in end.replies:
        assert reply.nonce == asked.nonce
        assert len(reply.steps) <= len(flow.steps)
        ours = all(each.source in SOURCES and not each.HasField("code") for each in flow.steps)
        may = set().union(*(SOURCES.get(each.source, ()) for each in flow.steps))
        for report in reply.steps:
            assert not (asked.check_only and report.commands)
            assert not ours or {command.op for command in report.commands} <= may


def test_control_good_questions_are_answered(ask: Ask) -> None:
    """Control: what is damaged below is answered, by steps that do what their sources say, and the end is as asked."""
    end = ask([framed(SINGLE)])
    assert end.code == exit_codes.CLOSED
    assert [[command.op for command in report.commands] for report in end.replies[0].steps] == [["access.deny"]]
    for source in SOURCES:
        judge(ask([framed(question(step(source)))]), question(step(source)))
    end = ask([framed(question(*(step("", revision=bytes([i]), code=code) for i, code in enumerate(CODES[1:]))))])
    assert len(end.replies[0].steps) == len(CODES) - 1


@pytest.mark.parametrize("line", seeds("questions.txt"))
def test_seeds_of_questions(ask: Ask, line: str) -> None:
    """Questions that were of interest once are answered, or end the worker by the code for it, as noted."""
    noted, _, data = line.partition(" ")
    payload = bytes.fromhex(data)
    end = ask([framed(payload)])
    judge(end, payload)
    assert ("answered" if end.replies else str(end.code)) == noted


@effort(150)
@given(questions)
def test_any_question_is_answered_or_ends_the_worker(ask: Ask, payload: bytes) -> None:
    """Whatever the fields of a question hold, it is answered with what it asks for, or the worker ends in order."""
    judge(ask([framed(payload)]), payload)


@effort(150)
@given(st.sampled_from([GOOD, SINGLE]), edits)
def test_any_damage_to_a_question_is_answered_or_ends_the_worker(ask: Ask, good: bytes, harm: list[Edit]) -> None:
    """So does a good question with its bytes damaged."""
    payload = damaged(good, harm)
    judge(ask([framed(payload)]), payload)


@effort(60)
@given(st.integers(0, len(framed(GOOD)) - 1), st.integers(0, 1 << 32))
@example(0, 0)
@example(3, 0)
def test_a_question_that_ends_anywhere_is_not_run(ask: Ask, length: int, seed: int) -> None:
    """A question whose stream ends before it does runs nothing, and its worker leaves as from a closed pipe."""
    end = ask(pieces(framed(GOOD)[:length], seed))
    assert (end.replies, end.code) == ([], exit_codes.CLOSED)


@effort(40)
@given(st.integers(0, 1 << 32))
def test_a_question_cut_anywhere_is_answered(ask: Ask, seed: int) -> None:
    """However a good question is cut into pieces, it is answered as one."""
    end = ask(pieces(framed(SINGLE), seed))
    assert (len(end.replies), end.code) == (1, exit_codes.CLOSED)


@effort(60)
@given(edits, st.integers(0, 1 << 32))
def test_any_stream_ends_the_worker_in_order(ask: Ask, harm: list[Edit], seed: int) -> None:
    """Bytes with a wrong length, a question behind a question or none at all: the worker ends by one of its codes."""
    end = ask(pieces(damaged(framed(SINGLE) * 2, harm), seed))
    assert end.code in ENDED
    for reply in end.replies:
        assert {command.op for report in reply.steps for command in report.commands} <= set(surface.CALLS)


def test_a_question_behind_an_unanswered_one_is_answered_behind_it(ask: Ask) -> None:
    """Two questions in one breath are answered one after the other."""
    end = ask([framed(SINGLE) + framed(SINGLE)])
    assert (len(end.replies), end.code) == (2, exit_codes.CLOSED)


def test_a_question_beyond_the_limit_ends_the_worker(ask: Ask) -> None:
    """A length of four GiB is refused by the length alone."""
    for length in (channel.FRAME_BYTES_MAX + 1, (1 << 32) - 1):
        end = ask([length.to_bytes(frames.LENGTH_BYTES) + SINGLE])
        assert (end.replies, end.code) == ([], exit_codes.PROTOCOL)


@effort(60)
@given(st.sampled_from(CODES), edits)
def test_damaged_code_ends_with_its_process_at_most(ask: Ask, code: bytes, harm: list[Edit]) -> None:
    """Code that a hostile worker of the same tenant made up may end its process by a signal; the next one works."""
    payload = question(step("", code=damaged(code, harm), budget_us=200_000))
    ask([framed(payload)], kill_after_s=COMPILE_BUDGET_NS / 1e9 + 1)
    assert len(ask([framed(SINGLE)]).replies) == 1
