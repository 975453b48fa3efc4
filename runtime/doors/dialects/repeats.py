"""Give equal calls one answer: what is being decided is waited for, what was decided is kept for a while.

Must not know what is answered. Belongs to one event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Generic, NamedTuple, TypeVar

Found = TypeVar("Found")

_MOST: Final = 4096
_MOST_BYTES: Final = 16 << 20


class Kept(NamedTuple, Generic[Found]):
    """An answer, what it takes in memory, and whether an equal call gets it again."""

    answer: Found
    size: int
    keep: bool


class Repeats(Generic[Found]):
    """Answers of the last while, by the digest of what was asked. The oldest are dropped when there are too many."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, most: int = _MOST, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._clock, self._most, self._most_bytes = clock, most, most_bytes
        self._running: dict[bytes, asyncio.Task[Kept[Found]]] = {}
        self._kept: OrderedDict[bytes, tuple[Found, float, int]] = OrderedDict()
        self._bytes = 0

    async def once(self, key: bytes, lasts_s: float, decide: Callable[[], Awaitable[Kept[Found]]]) -> Found:
        """Return the answer of this key: the one that is kept, the one that is being found, or a new one.

        A caller that gives up ends nothing: another one may wait for the same answer.
        """
        kept = self._kept.get(key)
        if kept is not None and kept[1] > self._clock():
            return kept[0]
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(self._decide(key, lasts_s, decide))
            self._running[key] = task
        return (await asyncio.shield(task)).answer

    async def _decide(self, key: bytes, lasts_s: float, decide: Callable[[], Awaitable[Kept[Found]]]) -> Kept[Found]:
        try:
            found = await decide()
            if found.keep:
                self._keep(key, found, self._clock() + lasts_s)
            return found
        finally:
            del self._running[key]

    def _keep(self, key: bytes, found: Kept[Found], until: float) -> None:
        self._drop(key)
        self._kept[key] = (found.answer, until, found.size)
        self._bytes += found.size
        while self._kept and (len(self._kept) > self._most or self._bytes > self._most_bytes):
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        self._bytes -= kept[2] if kept is not None else 0
