"""Holds the installed grpcio to the builds that this version was tested with, before anything of ours relies on one.

Knows versions and the private names that `accepting` and `unary` rest on. Must not know what they are used for.
"""

import re
from typing import Final

import grpc

from runtime.errors import StartError

FIRST: Final = (1, 85)
BEYOND: Final = (1, 86)
"""The first minor version that was never tested. pyproject.toml has the same bounds; a test compares them."""

REMEDY: Final = f"install a tested one: pip install 'grpcio>={FIRST[0]}.{FIRST[1]},<{BEYOND[0]}.{BEYOND[1]}'"

# What the server takes in calls by. grpc.aio alone does without them, and is stopped by one call whose path is no text;
# so a build without them is refused, not served by.
PRIVATE: Final = (
    "AbortError",
    "AioServer",
    "ExecuteBatchError",
    "ReceiveCloseOnServerOperation",
    "SendInitialMetadataOperation",
    "SendMessageOperation",
    "SendStatusFromServerOperation",
    "StatusCode",
    "_MethodResolver",
    "_ServicerContext",
    "_handle_cancellation_from_core",
    "_handle_rpc",
    "_receive_message",
    "_schedule_rpc_coro",
    "execute_batch",
    "get_working_loop",
)
_METHODS: Final = (
    "_make_request_call_future",
    "_request_call",
    "_request_registered_call",
    "add_registered_method_handlers",
    "is_running",
    "shutdown",
)


def check() -> str:
    """Return what is to be said of an untested build, and nothing of a tested one. Raises: StartError."""
    version = grpc.__version__
    try:
        from grpc._cython import cygrpc
        from grpc.aio import _server

        missing = [name for name in PRIVATE if not hasattr(cygrpc, name)]
        missing += [f"AioServer.{name}" for name in _METHODS if not hasattr(cygrpc.AioServer, name)]
        missing += [] if hasattr(_server, "Server") else ["grpc.aio._server.Server"]
    except ImportError as error:
        missing = [str(error.name)]
    if missing:
        raise StartError(refusal(f"it lacks {', '.join(missing)}"))
    if is_tested(version):
        return ""
    return f"grpcio {version} was not tested with this version of Vestibule; {REMEDY}"


def refusal(why: str) -> str:
    """Say that this build cannot be used, and what to do."""
    return f"grpcio {grpc.__version__} cannot be used: {why}; {REMEDY}"


def is_tested(version: str) -> bool:
    """Is it a release between the bounds?"""
    found = re.fullmatch(r"(\d+)\.(\d+)\.\d+", version)
    return found is not None and FIRST <= (int(found[1]), int(found[2])) < BEYOND
