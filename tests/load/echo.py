"""A bare grpc.aio server that answers with the bytes it was asked: what the benchmark compares the daemon with.

Knows grpc and the daemon's method name. Must not know anything else of the daemon: it is the floor of what Python's
gRPC costs. Run by the benchmark as a process of its own: prints its port, serves until its standard input closes.
"""

import asyncio
import os
import sys

import grpc
import uvloop

from runtime.ops.labels import GRPC_METHOD, GRPC_SERVICE


async def _echo(request: bytes, _context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
    return request


async def serve() -> None:
    """Serve on a free loopback port until standard input closes."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            closed.set()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(GRPC_SERVICE, {GRPC_METHOD: method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    loop.add_reader(sys.stdin.fileno(), readable)
    await closed.wait()
    await server.stop(0)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
