"""Logins that run now, by the content of their request: an equal request that comes meanwhile waits for the answer.

Knows who waits for whom. Must not know what a login is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

from runtime.errors import DeadlineExceeded

T = TypeVar("T")


class Running(Generic[T]):
    """What runs now. Belongs to one event loop."""

    def __init__(self, for_all: Callable[[T], bool] = lambda _result: True) -> None:
        """Begin with nothing. `for_all` tells whether a result answers equal requests too, or only its own caller."""
        self._for_all = for_all
        self._waiting: dict[bytes, list[asyncio.Future[T | None]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def once(self, content: bytes, deadline: float, run: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Run, or wait for an equal request that runs already; return the result, and whether it was waited for.

        A run that ended for its own caller's sake, who went away or had no more time, says nothing to the others: the
        first of them runs it again. So does a result that is not `for_all`. Any other error is the answer to all.

        Raises: DeadlineExceeded; what `run` raises.
        """
        while (waiting := self._waiting.get(content)) is not None:
            future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
            waiting.append(future)
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    result = await future
            except TimeoutError:
                raise DeadlineExceeded from None
            if result is not None:
                return result, True
        others = self._waiting[content] = []
        try:
            found = await run()
        except (asyncio.CancelledError, DeadlineExceeded):
            self._end(content, others, None)
            raise
        except BaseException as error:
            self._end(content, others, error)
            raise
        self._end(content, others, found if self._for_all(found) else None)
        return found, False

    def _end(self, content: bytes, others: list[asyncio.Future[T | None]], outcome: T | BaseException | None) -> None:
        del self._waiting[content]
        for future in others:
            if future.done():  # its caller has gone
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
