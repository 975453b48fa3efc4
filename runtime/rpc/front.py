"""Choose how calls are taken in: by the fast front, or by stock grpc.aio where the fast one cannot be used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Union

from runtime.config.effective import Config
from runtime.ops.labels import GRPC_METHOD, GRPC_SERVICE
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics
from runtime.rpc.listener import GrpcListener
from runtime.rpc.own_call import call_back
from runtime.rpc.stock_front import Methods, StockFront

if TYPE_CHECKING:
    from runtime.rpc.fast_front import FastFront

# A method that no service of ours has.
_UNKNOWN: Final = "Unknown"


Front = Union["FastFront", StockFront]


async def start(
    methods: Methods,
    options: Sequence[tuple[str, int]],
    config: Config,
    listener: GrpcListener,
    longest_call_s: float,
    metrics: Metrics,
    log: Log,
) -> tuple[Front, int]:
    """Serve by the front that the configuration names, or by the stock one; return it and the port.

    Raises: RuntimeError when the address cannot be used.
    """
    if config.rpc.front == "fast":
        fast = await _start_fast(methods, options, listener)
        if not isinstance(fast, str):
            metrics.rpc_front("fast")
            return fast
        log.warning(
            "rpc.fast_front_refused",
            problem=fast,
            remedy="stock grpc.aio serves, at a higher cost for each login: install what this version of Vestibule "
            "asks for (pip install --upgrade vestibule), or set rpc.front to stock",
        )

    def restarted(error: Exception) -> None:
        metrics.rpc_restarted()
        log.error(
            "rpc.listener_restarted",
            error=type(error).__name__,
            remedy="a call ended grpc.aio's server, and every connection with it: look for a caller that sends a "
            "method that is not UTF-8, or set rpc.front to fast",
        )

    stock = StockFront(methods, options, longest_call_s, restarted)
    port = await stock.start(listener)
    metrics.rpc_front("stock")
    return stock, port


async def _start_fast(
    methods: Methods, options: Sequence[tuple[str, int]], listener: GrpcListener
) -> tuple[Front, int] | str:
    """Return the fast front and its port, or why it cannot be used."""
    try:
        from runtime.rpc import fast_front
    except ImportError as error:
        return f"this grpcio has no {error.name}"
    problem = fast_front.unusable()
    if problem:
        return problem
    front = fast_front.FastFront(methods, options)
    port = await front.start(listener)
    # The names exist. Two calls show that grpc.aio uses what we put in their place: one of a method that we have, and
    # one of a method that we do not have.
    problem = await call_back(listener, port)
    await call_back(listener, port, _UNKNOWN)
    if not problem and not front.taken_in >= {f"/{GRPC_SERVICE}/{GRPC_METHOD}", fast_front.OTHER}:
        problem = "grpc.aio does not use our accept loop"
    if problem:
        # With time for our own connection to close: gRPC writes a line of its own about one that is cut off.
        await front.stop(0.5)
        return problem
    return front, port
