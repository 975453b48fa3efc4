"""Put the HTTP port together: which doors it has. A new door is added here."""

import ssl

from runtime.callers.callers import Callers
from runtime.calls.calls import Calls
from runtime.calls.codec import ENVELOPE_BYTES
from runtime.config.settings import Config
from runtime.doors.app import Application
from runtime.doors.connect import Connect
from runtime.doors.door import DoorRoutes
from runtime.doors.port import HttpPort
from runtime.ops.log import Log
from runtime.ops.metrics import Metrics


def http_port(
    calls: Calls,
    config: Config,
    metrics: Metrics,
    log: Log,
    *,
    callers: Callers | None = None,
    tls: ssl.SSLContext | None = None,
) -> HttpPort:
    """Return the HTTP port of a daemon, not started yet. Without `callers` everyone may call."""
    app = Application(doors(calls, callers or Callers(required=False), config), calls, metrics, log)
    return HttpPort(app, config, tls)


def doors(calls: Calls, callers: Callers, config: Config) -> list[DoorRoutes]:
    """Return every door."""
    most_bytes = config.limits.event_bytes + ENVELOPE_BYTES
    return [Connect(calls, callers, most_bytes, config.http.request_s).door()]
