"""Give equal calls one answer: what is being decided is waited for, what was decided is kept for a while.

Must not know what is answered. Belongs to one event loop.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Generic, NamedTuple, TypeVar

from runtime.login.running import Running

Found = TypeVar("Found")

_MOST: Final = 4096
_MOST_BYTES: Final = 16 << 20


class Kept(NamedTuple, Generic[Found]):
    """An answer, what it takes in memory, and whether an equal call gets it again.

    An answer `for_all` is that of the calls that wait for it too; one that says that its caller's time is over is not.
    """

    answer: Found
    size: int
    keep: bool
    for_all: bool = True


class Repeats(Generic[Found]):
    """Answers of the last while, by the digest of what was asked. The oldest are dropped when there are too many."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, most: int = _MOST, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._clock, self._most, self._most_bytes = clock, most, most_bytes
        self._running: Running[Kept[Found]] = Running(lambda found: found.for_all)
        self._kept: OrderedDict[bytes, tuple[Found, float, int]] = OrderedDict()
        self._bytes = 0

    async def once(
        self, key: bytes, lasts_s: float, deadline: float, decide: Callable[[], Awaitable[Kept[Found]]]
    ) -> Found:
        """Return the answer of this key: the one that is kept, the one that is being found, or a new one.

        A caller that gives up or whose time is over ends no other's wait: the next one decides.

        Args:
            key: what was asked, as a digest.
            lasts_s: for how long the answer is kept.
            deadline: until when the caller waits, on the clock of time.monotonic().
            decide: finds the answer.

        Raises: DeadlineExceeded; what `decide` raises.
        """
        found = self._found(key)
        if found is None:
            found, _ = await self._running.once(key, deadline, lambda: self._decide(key, lasts_s, decide))
        return found.answer

    def _found(self, key: bytes) -> Kept[Found] | None:
        kept = self._kept.get(key)
        return None if kept is None or kept[1] <= self._clock() else Kept(kept[0], kept[2], keep=True)

    async def _decide(self, key: bytes, lasts_s: float, decide: Callable[[], Awaitable[Kept[Found]]]) -> Kept[Found]:
        # One that waited for a call which was given up may come after another one that has decided since.
        found = self._found(key)
        if found is None:
            found = await decide()
            if found.keep:
                self._keep(key, found, self._clock() + lasts_s)
        return found

    def _keep(self, key: bytes, found: Kept[Found], until: float) -> None:
        self._drop(key)
        self._kept[key] = (found.answer, until, found.size)
        self._bytes += found.size
        while self._kept and (len(self._kept) > self._most or self._bytes > self._most_bytes):
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        self._bytes -= kept[2] if kept is not None else 0
