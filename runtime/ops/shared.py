"""What a daemon shares with others behind the same ports, as the daemon sees it: sockets, keys, and who watches it.

Knows no gRPC and no HTTP. Must not know how the other processes are started or ended.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry

from runtime.ops.http import Probe


class Operators(Protocol):
    """Who answers for the daemon's metrics and probes; `OperatorsPort` of a daemon that is alone."""

    @property
    def port(self) -> int:
        """The port at which operators ask."""

    def start(self) -> None:
        """Begin to answer."""

    def close(self) -> None:
        """Stop answering."""


class Shared(Protocol):
    """What one of several processes was given."""

    @property
    def number(self) -> int:
        """Which of them it is, from 0."""

    @property
    def own_address(self) -> str:
        """A unix socket for calls to this very process: the port may give them to another one."""

    @property
    def grpc(self) -> socket.socket | None:
        """The socket at the path of `listen`, where that is a unix socket; it listens."""

    @property
    def http(self) -> Sequence[socket.socket]:
        """The sockets of `http_listen`; they listen."""

    @property
    def keys(self) -> Sequence[bytes]:
        """What seals continuations where no file of keys is configured."""

    def operators(self, registry: CollectorRegistry, *, live: Probe, ready: Probe) -> Operators:
        """Return who answers for the metrics and the probes of this process."""

    def attach(self, drain: Callable[[float], None], reload: Callable[[], None]) -> None:
        """Call `drain` with a delay, or `reload`, on the running loop whenever that is asked for."""

    def beat(self) -> None:
        """Show that the loop turns."""
