"""gRPC calls as a client's library makes them, typed by hand: its stubs know neither bytes nor Health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc


def unary(channel: grpc.Channel | grpc.aio.Channel, path: str, read: Callable[[bytes], Any] | None = None) -> Any:
    """Return a method that sends bytes, and answers with bytes or what `read` makes of them."""
    return channel.unary_unary(path, None, read)


def health(channel: grpc.Channel | grpc.aio.Channel) -> Any:
    """Return the methods of grpc.health.v1.Health."""
    return health_pb2_grpc.HealthStub(channel)
