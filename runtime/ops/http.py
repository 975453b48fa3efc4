"""The operators' HTTP port: /metrics, /livez and /readyz.

It runs in threads of its own, so that /livez can say that the event loop is stuck.
"""

import contextlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from runtime.config.addresses import split_address
from runtime.ops.listening import refusal
from runtime.ops.log import Log, where

# A scrape is one small request; a connection that does not come to the point in this time is not a scraper.
_CONNECTION_TIMEOUT_S: Final = 5.0
# Two Prometheus servers, two probes and a person fit four times over; for one more, the oldest goes.
_MAX_CONNECTIONS: Final = 16
# How long the oldest may take to be gone.
_GONE_S: Final = 0.2
_ACCEPT_RETRY_S: Final = 0.1
_OPENMETRICS: Final = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe's answer: reasons why not, none for a yes, and what is worth knowing beside it."""

    reasons: Sequence[str] = ()
    notes: Sequence[str] = ()


Probe = Callable[[], Sequence[str] | Probed]
"""Returns the reasons why not; empty means yes."""


def probed(found: Sequence[str] | Probed) -> Probed:
    """Return an answer that may be reasons alone as a whole one."""
    return found if isinstance(found, Probed) else Probed(found)


class _Handler(BaseHTTPRequestHandler):
    timeout = _CONNECTION_TIMEOUT_S
    protocol_version = "HTTP/1.0"  # one request a connection: no thread is held by an idle one
    server: "_Server"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path == "/livez":
            self._probe(self.server.live)
        elif path == "/readyz":
            self._probe(self.server.ready)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "not found; try /metrics, /livez or /readyz\n")

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n", allow=True)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def _metrics(self) -> None:
        # Not the header itself: the library fails on versions that are none, and repeats those that it likes.
        wants_openmetrics = _OPENMETRICS in self.headers.get("Accept", "")
        encode, content_type = choose_encoder(f"{_OPENMETRICS};version=1.0.0" if wants_openmetrics else "")
        self._answer(HTTPStatus.OK, encode(self.server.registry), content_type)

    def _probe(self, probe: Probe) -> None:
        found = probed(probe())
        status = HTTPStatus.SERVICE_UNAVAILABLE if found.reasons else HTTPStatus.OK
        self._answer(status, "".join(f"{line}\n" for line in (*(found.reasons or ("ok",)), *found.notes)))

    def _answer(
        self,
        status: HTTPStatus,
        body: str | bytes,
        content_type: str = "text/plain; charset=utf-8",
        allow: bool = False,
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if allow:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what could not be parsed in plain text; the default page quotes the request."""
        # What is no request counts as HTTP/0.9, whose answers have no status line.
        self.request_version = self.protocol_version
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:  # a method that does not exist
            self._refuse()
        else:
            self._answer(status, f"{status.phrase.lower()}\n")

    def version_string(self) -> str:
        """Name no version to strangers."""
        return "vestibule"

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: probes come every few seconds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32
    allow_reuse_address = True
    allow_reuse_port = False

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        live: Probe,
        ready: Probe,
        log: Log,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.tls = tls
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.registry = registry
        self.live = live
        self.ready = ready
        self.log = log
        self._slots = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._lock = threading.Lock()
        # Those that are open, the oldest first.
        self._open: dict[socket.socket, None] = {}
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up our own name, as HTTPServer does: that can take seconds, and nothing needs it."""
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection. Without a descriptor for it, it stays there to be accepted: not at once again."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_ACCEPT_RETRY_S)
            raise

    def process_request(self, request: Any, client_address: object) -> None:
        """Start a thread for the connection, or close it when no room can be made or no thread can be had."""
        if not self._slots.acquire(blocking=False):
            self._hang_up_on_the_oldest()
            if not self._slots.acquire(timeout=_GONE_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._open[request] = None
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            self._gone(request)
            self.shutdown_request(request)

    def _hang_up_on_the_oldest(self) -> None:
        """Make room: sixteen clients that send a byte now and then would keep every probe out for ever."""
        with self._lock:
            oldest = next(iter(self._open), None)
            if oldest is not None:
                # Its own thread closes it: this wakes that thread wherever it waits.
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
                del self._open[oldest]

    def _gone(self, request: socket.socket) -> None:
        with self._lock:
            self._open.pop(request, None)
        self._slots.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, after the handshake of TLS: in its own thread, where a stalled one delays no other."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        below = request.dup()
        below.settimeout(_CONNECTION_TIMEOUT_S)
        # What goes wrong here is an OSError, as of a client without TLS that went away.
        with self.tls.wrap_socket(below, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def process_request_thread(self, request: Any, client_address: object) -> None:
        """Serve one connection and give its slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._gone(request)

    def handle_error(self, request: Any, client_address: object) -> None:
        """Log no client that went away or dawdled; anything else is a fault of ours."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.log.error("http.failed", error=type(error).__name__, where=where(error))


class OperatorsPort:
    """The server and its thread."""

    def __init__(
        self,
        address: str,
        registry: CollectorRegistry,
        log: Log,
        *,
        live: Probe,
        ready: Probe,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Bind at once. Raises: StartError when the address cannot be used."""
        host, port = split_address(address)
        try:
            self._server = _Server(host, port, registry, live, ready, log, tls)
        except OSError as error:
            raise refusal("metrics_listen", address, (error.strerror or str(error)).lower()) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is bound; useful when 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and release the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=2.0)
        self._server.server_close()
