"""Call the daemon's own gRPC port now and then, and keep the answer for the probe."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from runtime.ops.log import Log

CHECK_S: Final = 5.0
"""How often the port is called while it answers."""

_AGAIN_S: Final = 1.0
# One call may be late on a machine that stood still for a while.
_FAILURES: Final = 2


class OwnPort:
    """The last answers of the port. `call` returns why it failed, and nothing when it was answered."""

    def __init__(self, call: Callable[[], Awaitable[str]], log: Log, check_s: float = CHECK_S) -> None:
        self._call = call
        self._log = log
        self._check_s = check_s
        self._failures = 0
        self.reason = ""
        """Why the port cannot be used; empty when it answers."""

    async def check(self) -> str:
        """Call once; return why it failed."""
        reason = await self._call()
        if not reason:
            self._failures = 0
            if self.reason:
                self.reason = ""
                self._log.info("daemon.port_answers")
            return ""
        self._failures += 1
        if self._failures >= _FAILURES and not self.reason:
            self._log.error("daemon.port_silent", problem=reason)
            self.reason = reason
        return reason

    async def watch(self) -> None:
        """Call for ever."""
        while True:
            await asyncio.sleep(_AGAIN_S if await self.check() else self._check_s)
