"""Say which of many equal things deserve a line now, and count the rest for a line a minute later."""

import time
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

WINDOW_S: Final = 60.0


class _Window:
    __slots__ = ("began_s", "held", "passed")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.passed = 0
        self.held = 0


class Throttle(Generic[K]):
    """Lets the first `burst` of each key through in a minute. Keys may be made up by strangers: `max_keys` are kept."""

    def __init__(self, burst: int, max_keys: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._max_keys = max_keys
        self._clock = clock
        # None stands for every key that found no place.
        self._windows: dict[K | None, _Window] = {}

    def passes(self, key: K) -> bool:
        """Tell whether this one is to be written now; if not, it is counted."""
        now_s = self._clock()
        window = self._windows.get(key)
        if window is None:
            kept: K | None = key if len(self._windows) < self._max_keys else None
            window = self._windows.get(kept)
            if window is None:
                window = self._windows[kept] = _Window(now_s)
            if kept is None:
                window.held += 1
                return False
        # A window that ended with something held is `due`'s to end, so that no count is lost.
        if now_s - window.began_s >= WINDOW_S and not window.held:
            window.began_s, window.passed = now_s, 0
        if window.passed < self._burst:
            window.passed += 1
            return True
        window.held += 1
        return False

    def due(self, *, everything: bool = False) -> Iterator[tuple[K | None, int]]:
        """Yield what was held back of each key whose minute is over, or of each key. Forget keys that have gone quiet.

        The key None stands for all those beyond `max_keys`.
        """
        now_s = self._clock()
        for key, window in list(self._windows.items()):
            if not everything and now_s - window.began_s < WINDOW_S:
                continue
            held = window.held
            if held:
                # Its line is the one of the minute that begins now.
                window.began_s, window.passed, window.held = now_s, self._burst, 0
                yield key, held
            else:
                del self._windows[key]
