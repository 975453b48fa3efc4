"""What is rehearsed in the zygote is what it says: logins that end as most logins do, and one that fails."""

import gc
import signal
import socket
import sys
from collections.abc import Callable

from vestibule.v1 import decision_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm
from sandbox.language import compiler
from sandbox.process import compact, rehearsal, worker
from sandbox.process.channel import Channel


def test_its_actions_are_actions() -> None:
    """Each passes the language's checks, so that compiling is rehearsed and not refusing."""
    for source in rehearsal.ACTIONS:
        assert compiler.check(source, "<action>") == []


def test_each_revision_comes_once_as_source_or_as_code() -> None:
    """Compiling, loading what another worker compiled, and running what is there already are all rehearsed."""
    seen: set[bytes] = set()
    repeated = sources = codes = 0
    for question in rehearsal.questions():
        steps = worker_pb2.FlowSteps.FromString(worker_pb2.RunFlow.FromString(question).flow).steps
        for step in steps:
            assert (step.HasField("source") or step.HasField("code")) == (step.revision not in seen)
            sources += step.HasField("source")
            codes += step.HasField("code")
            repeated += step.revision in seen
            seen.add(step.revision)
    assert repeated > len(seen) > len(rehearsal.ACTIONS)
    assert sources == codes > 0


def test_gathered_functions_have_copies_of_their_code() -> None:
    """Those that ran, and no others; the copies do the same."""
    ran, idle = _adder(1), _adder(2)
    kept = ran.__code__, _untouched.__code__
    compact.gather(lambda: [ran(1)].clear())
    assert ran.__code__ is not kept[0]
    assert ran.__code__ is idle.__code__
    assert (ran(1), idle(1)) == (2, 3)
    assert _untouched.__code__ is kept[1]
    assert sys.getprofile() is None


def _adder(more: int) -> Callable[[int], int]:
    def add(number: int) -> int:
        return number + more

    return add


def _untouched() -> None:
    """Is not called."""


def test_a_worker_answers_every_question_of_the_rehearsal() -> None:
    """Two actions complete, the third raises, in each round; nothing asks for the worker's retirement."""
    raised, completed = decision_pb2.VERDICT_RAISED, decision_pb2.VERDICT_COMPLETED
    ours, theirs = socket.socketpair()
    thresholds, handler = gc.get_threshold(), signal.getsignal(signal.SIGALRM)
    alarm.install()
    with ours, theirs:
        rehearsing = worker.QuestionRunner(
            Channel(theirs.fileno(), theirs.fileno()), memoryview(bytearray(worker.REHEARSAL_JOURNAL_BYTES))
        )
        for question in rehearsal.questions():
            rehearsing.answer(question)
            reply = worker_pb2.FlowReply.FromString(Channel(ours.fileno(), ours.fileno()).read())
            assert [step.verdict for step in reply.steps] == [completed, completed, raised]
            assert not reply.retire
    alarm.disarm()
    signal.signal(signal.SIGALRM, handler)
    gc.unfreeze()
    gc.set_threshold(*thresholds)
