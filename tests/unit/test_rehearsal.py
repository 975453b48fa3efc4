"""What is rehearsed in the zygote is what it says: logins that end as most logins do, and one that fails."""

import gc
import signal
import socket

from vestibule.v1 import decision_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm
from sandbox.language import compiler
from sandbox.process import rehearsal, worker
from sandbox.process.channel import Channel


def test_its_actions_are_actions() -> None:
    """Each passes the language's checks, so that compiling is rehearsed and not refusing."""
    for source in rehearsal.ACTIONS:
        assert compiler.check(source, "<action>") == []


def test_sources_come_once_for_each_revision() -> None:
    """Compiling, and running what was compiled before, are both rehearsed."""
    seen: set[bytes] = set()
    repeated = 0
    for question in rehearsal.questions():
        steps = worker_pb2.FlowSteps.FromString(worker_pb2.RunFlow.FromString(question).flow).steps
        for step in steps:
            assert step.HasField("source") == (step.revision not in seen)
            repeated += step.revision in seen
            seen.add(step.revision)
    assert repeated > len(seen) > len(rehearsal.ACTIONS)


def test_a_worker_answers_every_question_of_the_rehearsal() -> None:
    """Two actions complete, the third raises, in each round; nothing asks for the worker's retirement."""
    raised, completed = decision_pb2.VERDICT_RAISED, decision_pb2.VERDICT_COMPLETED
    ours, theirs = socket.socketpair()
    thresholds, handler = gc.get_threshold(), signal.getsignal(signal.SIGALRM)
    alarm.install()
    with ours, theirs:
        rehearsing = worker.QuestionRunner(
            Channel(theirs.fileno()), memoryview(bytearray(worker.REHEARSAL_JOURNAL_BYTES))
        )
        for question in rehearsal.questions():
            rehearsing.answer(question)
            reply = worker_pb2.FlowReply.FromString(Channel(ours.fileno()).read())
            assert [step.verdict for step in reply.steps] == [completed, completed, raised]
            assert not reply.retire
    alarm.disarm()
    signal.signal(signal.SIGALRM, handler)
    gc.unfreeze()
    gc.set_threshold(*thresholds)
