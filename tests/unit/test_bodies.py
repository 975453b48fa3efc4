"""Bodies of callers who are not known yet: together they hold little, and one of a usual size is always read."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from runtime.doors import bodies
from runtime.errors import TooManyInFlight

MOST = 1 << 20
PART = b"x" * 65_536


async def read(parts: int, room: bodies.Room | None, end: asyncio.Event | None = None) -> bytes:
    """Read a body of so many parts, of which the last one waits for `end`."""
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 1
        if sent == parts and end is not None:
            await end.wait()
        return {"type": "http.request", "body": PART, "more_body": sent < parts}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    return await bodies.read(request, MOST, 60, room)


async def test_large_bodies_share_a_room() -> None:
    """While one fills the room another large one is refused, a usual one is not; then there is room again."""
    room, end = bodies.Room(2 * len(PART)), asyncio.Event()
    first = asyncio.create_task(read(3, room, end))
    await asyncio.sleep(0)
    with pytest.raises(TooManyInFlight):
        await read(4, room)
    assert await read(1, room) == PART
    end.set()
    assert await first == 3 * PART
    assert room.left == 2 * len(PART)
    assert await read(3, room) == 3 * PART


async def test_the_control_without_a_room_all_are_held() -> None:
    """What a known caller sends is bounded by itself alone."""
    assert await read(16, None) == 16 * PART
