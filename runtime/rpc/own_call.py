"""Call the daemon through its own port, as a gateway does: name, connection, HTTP/2, our handler."""

import secrets
from typing import Final

import grpc

from runtime.config.addresses import split_address, unix_path
from runtime.ops.labels import GRPC_METHOD, GRPC_SERVICE
from runtime.rpc.listener import GrpcListener, Tls

OWN_CALL: Final = secrets.token_bytes(32)
"""A request that only this process knows. It is answered before anything is counted, so no metric shows it."""

TIMEOUT_S: Final = 5.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_OPTIONS: Final = (
    # A connection of its own each time: one that is there says nothing of the next caller's.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    # What the environment says of proxies is about other hosts.
    ("grpc.enable_http_proxy", 0),
)


def target(address: str, port: int) -> str:
    """Return how to reach ourselves, for an address as the configuration has it and the port that was bound."""
    if unix_path(address) is not None:
        return address
    host = split_address(address)[0]
    host = _EVERYWHERE.get(host, host)
    if ":" in host:
        return f"ipv6:[{host.replace('%', '%25')}]:{port}"
    if host.replace(".", "").isdigit():
        return f"ipv4:{host}:{port}"
    return f"dns:///{host}:{port}"


async def own_call(target: str, method: str = GRPC_METHOD, timeout_s: float = TIMEOUT_S, tls: Tls | None = None) -> str:
    """Return why the call failed, in a few words; empty when it was answered."""
    if tls is None:
        made = grpc.aio.insecure_channel(target, options=_OPTIONS)
    else:
        made = grpc.aio.secure_channel(target, tls.of_client(), options=(*_OPTIONS, *tls.client_options()))
    async with made as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{GRPC_SERVICE}/{method}")
        try:
            await call(OWN_CALL, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            # Not the details: they quote addresses and errors of the core.
            return f"a call through our own port {target} ended with {error.code().name}"
    return ""


async def call_back(listener: GrpcListener, port: int, method: str = GRPC_METHOD) -> str:
    """Call what a server listens on, by the socket that is its own where it has one; return why that failed."""
    if listener.own:
        return await own_call(listener.own, method)
    return await own_call(target(listener.address, port), method, tls=listener.tls)
