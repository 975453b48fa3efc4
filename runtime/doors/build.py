"""Put the HTTP port together: which doors it has. A new door is added here."""

import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.callers.callers import Callers
from runtime.calls.calls import Calls, longest_login_s
from runtime.calls.codec import ENVELOPE_BYTES
from runtime.catalog.base import EMPTY, Snapshot
from runtime.config.effective import Config
from runtime.doors.app import Application
from runtime.doors.authzen import AuthZen
from runtime.doors.connect import Connect
from runtime.doors.dialects.desk import HookDesk
from runtime.doors.dialects.routes import Hooks
from runtime.doors.door import DoorRoutes, LoginDesk
from runtime.doors.port import HttpPort
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics


def http_port(
    calls: Calls,
    config: Config,
    metrics: Metrics,
    log: Log,
    *,
    snapshot: Callable[[], Snapshot] = lambda: EMPTY,
    callers: Callers | None = None,
    tls: ssl.SSLContext | None = None,
    shared: Sequence[socket.socket] = (),
) -> HttpPort:
    """Return the HTTP port of a daemon, not started yet. Without `callers` everyone may call.

    `snapshot` returns the catalog as it is: which tenants have which doors. `shared` sockets are several processes'.
    """
    app = Application(doors(calls, callers or Callers(required=False), config, metrics, snapshot), calls, metrics, log)
    return HttpPort(app, config, tls, shared)


def openapi_door() -> DoorRoutes:
    """Return the path of the OpenAPI document, which deploy/openapi writes from the protos."""
    document = Response((Path(__file__).with_name("openapi.json")).read_bytes(), media_type="application/json")

    async def answer(_request: Request) -> Response:
        return document

    return DoorRoutes("openapi", [Route("/openapi.json", answer, methods=["GET"])])


def doors(
    calls: Calls, callers: Callers, config: Config, metrics: Metrics, snapshot: Callable[[], Snapshot]
) -> list[DoorRoutes]:
    """Return every door."""
    most_bytes, http, desk = config.limits.event_bytes + ENVELOPE_BYTES, config.http, LoginDesk(calls)
    return [
        Connect(calls, callers, most_bytes, http.request_s).door(),
        AuthZen(desk, callers, snapshot, most_bytes, http.request_s, longest_login_s(config), http.public_url).door(),
        Hooks(HookDesk(desk, snapshot, metrics), desk, metrics, http.request_s).door(),
        openapi_door(),
    ]
