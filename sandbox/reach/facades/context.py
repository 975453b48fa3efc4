"""The one execution that is running: its clock, its randomness, its output.

Knows nothing of who asks. A worker runs one execution at a time in one thread, so this is one object, filled by
`sandbox.reach.environment.begin` and emptied by `end`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.reach.interrupts import LimitExceeded

OUTPUT_KEPT_BYTES: Final = 8192
"""What a human reads of one execution; the rest is counted, not kept."""

OUTPUT_ATTEMPTED_MAX: Final = 1 << 20
"""An action that prints more than this is in a loop; it is stopped, so that it says so instead of timing out."""


_NO_SECRETS: Final[Mapping[str, str]] = {}


class ActionOutput:
    """Collects what an action prints, up to a number of bytes."""

    __slots__ = ("_attempted", "_parts", "_room", "secrets", "truncated")

    def __init__(self, kept_bytes: int = OUTPUT_KEPT_BYTES, secrets: Mapping[str, str] = _NO_SECRETS) -> None:
        """Begin with nothing.

        Args:
            kept_bytes: what is kept; the rest is counted.
            secrets: of the execution; their values are masked in what the runtime itself writes.
        """
        self.secrets = secrets
        self._parts: list[bytes] = []
        self._room = kept_bytes
        self._attempted = 0
        self.truncated = False

    def write(self, text: str) -> None:
        """Add a text.

        Raises:
            LimitExceeded: the execution tried to print more than OUTPUT_ATTEMPTED_MAX characters.
        """
        self._attempted += len(text)
        if self._attempted > OUTPUT_ATTEMPTED_MAX:
            self.truncated = True
            raise LimitExceeded("output", f"the action printed more than {OUTPUT_ATTEMPTED_MAX >> 20} MiB")
        if self._room <= 0:
            self.truncated = self.truncated or bool(text)
            return
        # A lone surrogate would break the reply's encoding; sliced first, so that a huge text is never encoded whole.
        data = text[: self._room + 1].encode("utf-8", "backslashreplace")
        if len(data) > self._room:
            data = data[: self._room]
            self.truncated = True
        self._room -= len(data)
        self._parts.append(data)

    def text(self) -> str:
        """Return what was kept; a character cut in two at the end is dropped."""
        return b"".join(self._parts).decode("utf-8", "ignore") if self._parts else ""


KEPT: Final[list[dict[Any, Any]]] = []
"""Dicts in which a library keeps what it was asked, wherever it is called from; emptied after every execution."""


class RunningExecution:
    """What the facades may know of the running execution; emptied between two of them."""

    __slots__ = ("_random", "_stream", "_stream_blocks", "at_end", "log_level", "now_ns", "output", "patterns", "seed")

    now_ns: int
    seed: bytes
    output: ActionOutput

    def __init__(self) -> None:
        self.at_end: list[Callable[[], object]] = []
        self.patterns: dict[Any, Any] = {}
        self.end()

    def begin(self, now_ns: int, seed: bytes, output: ActionOutput) -> None:
        """Become a new execution. Everything that costs time is made when it is first asked for."""
        self.now_ns = now_ns
        self.seed = seed
        self.output = output

    def end(self) -> None:
        """Forget everything."""
        self.now_ns = 0
        self.seed = b""
        self.output = _NOWHERE
        self.log_level = 0
        self._random: random.Random | None = None
        self._stream = b""
        self._stream_blocks = 0
        if self.patterns:
            self.patterns = {}
        for kept in KEPT:
            if kept:
                kept.clear()
        if self.at_end:
            for forget in self.at_end:
                forget()
            self.at_end = []

    @property
    def random(self) -> random.Random:
        """The execution's ordinary randomness: the same seed gives the same numbers."""
        if self._random is None:
            self._random = random.Random(derive(self.seed, b"random"))
        return self._random

    def unpredictable(self, count: int) -> bytes:
        """Return the next `count` bytes of a stream that cannot be foretold without the seed, even from its past.

        A keyed hash in counter mode. It is apart from `random`, whose inner state can be computed from its output.
        """
        while len(self._stream) < count:
            block = self._stream_blocks.to_bytes(8, "big")
            self._stream += hashlib.blake2b(block, key=derive(self.seed, b"secrets")).digest()
            self._stream_blocks += 1
        taken, self._stream = self._stream[:count], self._stream[count:]
        return taken


def derive(seed: bytes, purpose: bytes) -> bytes:
    """Return a key of 32 bytes for one purpose; keys of two purposes tell nothing about each other."""
    return hashlib.blake2b(purpose, key=hashlib.sha256(seed).digest(), digest_size=32).digest()


_NOWHERE: Final = ActionOutput(0)
"""Takes what a finaliser prints after its execution has ended."""

CURRENT: Final = RunningExecution()
