"""Take in calls with grpc.aio as it is, and listen again when a call has ended its server.

Up to grpcio 1.85 at least, a call whose :path is not UTF-8 raises in grpc.aio's accept loop: the server closes its port
and only finishes the calls it has. A new server then listens on the same port. Every such call costs all connections
and up to a fifth of a second without a port, so this limits the damage; only the fast front prevents it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import grpc

from runtime.rpc.listener import GrpcListener

Methods = Mapping[str, Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]]
"""Handlers by service and by method."""

# How often a server is asked whether it has ended, and how soon a port is tried again that is not free yet.
_LOOK_S: Final = 0.1
_AGAIN_S: Final = 0.02


class StockFront:
    """Has one `grpc.aio.Server` after another. Belongs to one event loop."""

    def __init__(
        self,
        methods: Methods,
        options: Sequence[tuple[str, int]],
        longest_call_s: float,
        on_restart: Callable[[Exception], None],
    ) -> None:
        """Keep the calls of a server that has ended for `longest_call_s`; give its error to `on_restart`."""
        self._methods = methods
        self._options = options
        self._longest_call_s = longest_call_s
        self._on_restart = on_restart
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False
        # Servers that have ended, while they finish their calls.
        self._ended: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> bool:
        """Does it take in calls?"""
        return self._server is not None

    async def start(self, listener: GrpcListener) -> int:
        """Listen and serve; return the port. Raises: RuntimeError when the address cannot be used."""
        server, port = await self._listen(listener)
        self._server = server
        self._watching = asyncio.create_task(self._watch(server, listener.again(port)))
        return port

    async def stop(self, grace_s: float) -> None:
        """Take in no more calls, and cancel those that are still open after `grace_s`. Call it once, after `start`."""
        self._stopping = True
        if self._server is not None:
            self._ended.add(asyncio.create_task(self._server.stop(grace_s)))
            self._server = None
        if self._watching is not None:
            await self._watching
        if self._ended:
            await asyncio.wait(self._ended, timeout=grace_s + _LOOK_S)

    async def _listen(self, listener: GrpcListener) -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server(options=self._options)
        # Not as registered methods: grpc.aio waits for all of those anew with every call.
        server.add_generic_rpc_handlers(
            tuple(grpc.method_handlers_generic_handler(name, dict(methods)) for name, methods in self._methods.items())
        )
        port = listener.add_to(server)
        await server.start()
        return server, port

    async def _watch(self, server: grpc.aio.Server, listener: GrpcListener) -> None:
        """Replace each server that ends by itself, until the front is stopped."""
        while (error := await _end_of(server)) is not None and not self._stopping:
            self._server = None
            # In the end this cancels streams that have none, such as health watches, so that their clients come back.
            finishing = asyncio.create_task(server.stop(self._longest_call_s))
            self._ended.add(finishing)
            finishing.add_done_callback(self._ended.discard)
            replaced = await self._listen_again(listener)
            if replaced is None:
                return
            server = self._server = replaced
            self._on_restart(error)

    async def _listen_again(self, listener: GrpcListener) -> grpc.aio.Server | None:
        while not self._stopping:
            # The ended server may not have closed the port yet, or another process may have taken it.
            with contextlib.suppress(RuntimeError):
                server, _ = await self._listen(listener)
                if not self._stopping:
                    return server
                await server.stop(0)
            await asyncio.sleep(_AGAIN_S)
        return None


async def _end_of(server: grpc.aio.Server) -> Exception | None:
    """Wait for the end of a server; return the error that ended it, or None if it was stopped."""
    try:
        # With a time limit, because without one the error is only raised after the last call of the server.
        while await server.wait_for_termination(_LOOK_S):
            continue
    except Exception as error:  # noqa: BLE001 - whatever ended the accept loop
        return error
    return None
