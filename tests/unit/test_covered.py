"""Which lines of an action ran: noted where a test asks for it, and taken from a worker only then."""

import sys

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from runtime.catalog.base import Binding
from runtime.core.model import OnError
from runtime.errors import ProtocolViolation
from runtime.workers import reply
from sandbox.action import alarm, covered, execution, live
from sandbox.contract import wire
from sandbox.contract.report import Verdict
from sandbox.language import compiler

SOURCE = """\
def numbers(most):
    for number in range(most):
        if number == 2:
            return number
    return None


def on_execute_post_login(event, api):
    try:
        if event.user.user_id == "u":
            raise ValueError
        api.access.deny("no")
    except ValueError:
        found = [number for number in (1, 2)]
        print(numbers(3), found)
"""
BINDING = Binding("a", "a" * 64, OnError.DENY)


def measured(source: str) -> worker_pb2.StepReport:
    code = compiler.compile_action(source, alarm.ACTION_FILENAME)
    message = event_pb2.PostLoginEvent(user=event_pb2.User(user_id="u"))
    alarm.install()
    report, end, _ = covered.execute(
        code, "on_execute_post_login", message, {}, 10**18, bytes(16), 0, 1 << 60, 8192, live.FlowState(), 0
    )
    assert end is execution.Ending.COMPLETED
    return worker_pb2.StepReport.FromString(report)


def test_the_lines_that_ran_follow_one_another() -> None:
    """Each pair is two lines of the author, or the beginning or end of a function; none is ours."""
    tracing = sys.gettrace()
    try:
        said = measured(SOURCE)
    finally:
        sys.settrace(tracing)
    (found,) = said.covered
    arcs = set(zip(found.arcs[::2], found.arcs[1::2], strict=True))
    assert said.output == "2 [1, 2]\n"
    assert {(-8, 9), (9, 10), (10, 11), (13, 14), (14, 15), (15, -8), (-1, 2), (2, 3), (3, 2), (3, 4), (4, -1)} <= arcs
    assert not {line for arc in arcs for line in arc} & {5, 12}
    assert {abs(line) for arc in arcs for line in arc} <= set(range(1, 16))


def test_a_worker_that_was_not_asked_may_not_say() -> None:
    """A daemon asks for no lines, so that a reply with some is no reply of ours; asked for, they are kept unread."""
    said = worker_pb2.Covered(arcs=[-1, 1])
    report = worker_pb2.StepReport(verdict=Verdict.COMPLETED, covered=[said]).SerializeToString()
    answer = reply.parse(wire.flow_reply(7, [1], [1], [wire.step(report)], False), 7, 1)
    with pytest.raises(ProtocolViolation, match="no worker writes"):
        reply.executions(answer, [BINDING], 8192)
    (found,) = reply.executions(answer, [BINDING], 8192, measured=True)
    ((_, start, end),) = wire.fields(found.covered, 1)
    assert worker_pb2.Covered.FromString(found.covered[start:end]) == said
