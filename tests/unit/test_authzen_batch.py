"""A batch of AuthZEN beside other logins: it takes turns with them, and decides nothing when its time is over."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.rpc import status_pb2
from starlette.requests import Request

from runtime.callers.callers import Callers
from runtime.calls.calls import NoAnswer
from runtime.catalog.base import EMPTY
from runtime.doors.authzen import AuthZen
from runtime.doors.door import LoginDesk

ITEM = {"subject": {"type": "user", "id": "a"}, "action": {"name": "x"}, "resource": {"type": "t", "id": "1"}}
ITEMS = 100
REFUSED = NoAnswer("DEADLINE_EXCEEDED", status_pb2.Status(message="late"))


async def send(budget_s: float) -> tuple[int, int]:
    """Send a batch of which no login waits for anything; return how many were asked for, and the turns others had."""
    asked = turns = 0

    async def execute(*_: Any) -> NoAnswer:
        nonlocal asked
        asked += 1
        return REFUSED

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps({"evaluations": [ITEM] * ITEMS}).encode()}

    desk = cast(LoginDesk, SimpleNamespace(execute=execute, refuse=lambda _error: REFUSED))
    door = AuthZen(desk, Callers(required=False), lambda: EMPTY, 1 << 20, 10, budget_s).door()
    route = next(route for route in door.routes if route.path.endswith("evaluations"))
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "headers": headers, "path_params": {"tenant": "acme"}}
    task = asyncio.create_task(other())
    answer = await route.endpoint(Request(scope, receive))
    task.cancel()
    assert len(json.loads(answer.body)["evaluations"]) == ITEMS
    return asked, turns


@pytest.mark.parametrize(("budget_s", "asked"), [(60.0, ITEMS), (0.0, 0)])
async def test_a_batch_takes_turns_and_ends_with_its_time(budget_s: float, asked: int) -> None:
    """Each question has its place in the answer; other tasks run between any two."""
    found, turns = await send(budget_s)
    assert found == asked
    assert turns >= ITEMS
