"""Put the HTTP port together: which doors it has. A new door is added here."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from vestibule.v1 import admin_service_pb2, runtime_service_pb2

from runtime.admin.messages import MAX_BYTES
from runtime.admin.service import AdminService
from runtime.callers.callers import Callers
from runtime.calls.calls import Answered, Calls, Identify, NoAnswer, Remaining, longest_login_s
from runtime.calls.codec import ENVELOPE_BYTES
from runtime.catalog.base import EMPTY, Snapshot
from runtime.config.effective import Config
from runtime.doors.app import Application
from runtime.doors.authzen import AuthZen
from runtime.doors.connect import Connect, Service
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
    admin: AdminService | None = None,
) -> HttpPort:
    """Return the HTTP port of a daemon, not started yet. Without `callers` everyone may call all but `admin`.

    `snapshot` returns the catalog as it is: which tenants have which doors. `shared` sockets are several processes'.
    """
    known = callers or Callers(required=False)
    app = Application(doors(calls, known, config, metrics, snapshot, admin), calls, metrics, log)
    return HttpPort(app, config, tls, shared)


def openapi_door() -> DoorRoutes:
    """Return the path of the OpenAPI document, which deploy/openapi writes from the protos."""
    document = Response((Path(__file__).with_name("openapi.json")).read_bytes(), media_type="application/json")

    async def answer(_request: Request) -> Response:
        return document

    return DoorRoutes("openapi", [Route("/openapi.json", answer, methods=["GET"])])


def services(calls: Calls, callers: Callers, most_bytes: int, admin: AdminService | None) -> Iterator[Service]:
    """Return the services that the port has by Connect's rules."""
    logins = {name: partial(calls.answer, method) for name, method in calls.http_methods.items()}
    yield Service(runtime_service_pb2.DESCRIPTOR.services_by_name["ActionRuntimeService"], logins, callers, most_bytes)
    if admin is not None:
        methods = {name: partial(_administered, answer) for name, answer in admin.methods.items()}
        described = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
        yield Service(described, methods, callers.demanding(), MAX_BYTES)


async def _administered(
    answer: Callable[[bytes, Remaining, Identify], Awaitable[bytes | NoAnswer]],
    data: bytes,
    remaining: Remaining,
    identify: Identify,
    _traceparent: str,
) -> Answered | NoAnswer:
    found = await answer(data, remaining, identify)
    return Answered(found, "", "") if isinstance(found, bytes) else found


def doors(
    calls: Calls,
    callers: Callers,
    config: Config,
    metrics: Metrics,
    snapshot: Callable[[], Snapshot],
    admin: AdminService | None = None,
) -> list[DoorRoutes]:
    """Return every door."""
    most_bytes, http, desk = config.limits.event_bytes + ENVELOPE_BYTES, config.http, LoginDesk(calls)
    return [
        Connect(calls, http.request_s, [*services(calls, callers, most_bytes, admin)]).door(),
        AuthZen(desk, callers, snapshot, most_bytes, http.request_s, longest_login_s(config), http.public_url).door(),
        Hooks(HookDesk(desk, snapshot, metrics), desk, metrics, http.request_s).door(),
        openapi_door(),
    ]
