"""The replies that the benchmark calls illegal are, and the ones it calls the largest legal are at the limits."""

from __future__ import annotations

import pytest

from runtime.catalog.base import Binding
from runtime.core.model import OnError
from runtime.errors import ProtocolViolation
from runtime.workers import reply
from sandbox.contract import surface, wire
from sandbox.contract.spending import ITEMS_MAX, Spending
from tests.load import lying_worker, replies

BINDINGS = (Binding("a", "a" * 64, OnError.DENY),)


@pytest.mark.parametrize("kind", lying_worker.KINDS)
def test_each_lie_is_a_violation(kind: str) -> None:
    """None is read as a reply; each is as long as one may be, or holds as much as one may hold and one item more."""
    data = lying_worker.KINDS[kind](7)
    assert len(data) <= 524_288
    with pytest.raises(ProtocolViolation):
        reply.executions(reply.parse(data, 7, 1), BINDINGS, 8192)


def test_control_the_answer_to_another_question_is_no_lie_of_theirs() -> None:
    """An honest reply in the same frame is read."""
    data = wire.flow_reply(7, [1], [1], [wire.step(b"\x08\x01")], False)
    assert len(reply.executions(reply.parse(data, 7, 1), BINDINGS, 8192)) == 1


def test_the_largest_is_near_what_a_login_may_hold() -> None:
    """Three values of a third of all items, with calls up to the limit of an execution."""
    value = [{"k": n} for n in range(ITEMS_MAX // 6)]
    commands = [
        ("id_token.set_custom_claim", {"name": "https://example.com/n", "value": value}),
        ("user.set_user_metadata", {"key": "n", "value": value}),
        ("user.set_app_metadata", {"key": "n", "value": value}),
        *[("access_token.add_scope", {"scope": f"scope-{n}"}) for n in range(90)],
    ]
    spending = Spending()
    assert len(list(surface.validate_each(commands, spending=spending))) == len(commands) > 0.9 * surface.MAX_COMMANDS
    assert spending.items > 0.98 * ITEMS_MAX
    assert f"range({ITEMS_MAX // 6})" in replies.LARGEST
