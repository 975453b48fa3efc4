"""Whether a daemon lives, is ready and can decide: what probes, a supervisor and gRPC's health service ask.

Must not know how the question came.
"""

import time
from typing import TYPE_CHECKING, Final

from runtime.catalog.served_directory import DirectoryCatalog
from runtime.catalog.stored import StoredCatalog
from runtime.ops.http import Probed
from runtime.ops.own_port import OwnPort
from runtime.workers.pool import Pool

if TYPE_CHECKING:  # it imports grpc, which must not be loaded before the zygote runs
    from runtime.rpc.server import Server

# A loop that does not turn for this long decides nothing: the probe says so and the operator's platform restarts us.
_STUCK_S: Final = 10.0


class Probes:
    """What is asked from other threads too: nothing here waits."""

    def __init__(self, catalog: StoredCatalog | DirectoryCatalog, pool: Pool, *, allow_empty: bool) -> None:
        """Begin with a daemon that starts."""
        self._catalog, self._pool, self._allow_empty = catalog, pool, allow_empty
        self._beat_s = time.monotonic()
        self._phase = "starting"
        self._server: Server | None = None
        self._own_port: OwnPort | None = None

    def beat(self) -> None:
        """Note that the loop turns."""
        self._beat_s = time.monotonic()

    def serving(self, server: "Server", own_port: OwnPort) -> None:
        """Note that the port takes calls."""
        self._server, self._own_port = server, own_port

    def started(self) -> None:
        """Note that logins may come."""
        self._phase = ""

    def draining(self) -> None:
        """Note that no more should come."""
        self._phase = "draining"

    def undecidable(self) -> list[str]:
        """Say why no login can be decided; nothing when some can."""
        return self._catalog.unready(self._allow_empty)

    def live(self) -> list[str]:
        """Say why the process should be started anew; nothing when it lives."""
        silent_s = time.monotonic() - self._beat_s
        if silent_s > _STUCK_S:
            return [f"the event loop has not turned for {silent_s:.0f} s"]
        if self._server is not None and not self._phase and not self._server.running:
            return ["the gRPC server has stopped by itself"]
        return []

    def ready(self) -> Probed:
        """Say why no logins should be sent here, and what an operator may want to know besides."""
        if self._phase:
            return Probed([self._phase, *self.live()])
        zygote = "" if self._pool.zygote_alive else "the zygote is not running: no worker can be started"
        port = self._own_port.reason if self._own_port is not None else ""
        reasons = [reason for reason in (zygote, port) if reason] + self.undecidable() + self.live()
        return Probed(reasons, self._catalog.notes())
