"""Call AdminService of a daemon, by gRPC or by HTTP, and turn its refusals back into the errors of a store.

What could not be delivered is sent again, with the same request id. Must not know commands.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin.messages import MAX_BYTES
from runtime.errors import (
    CannotReach,
    CatalogUnavailable,
    Conflict,
    Fault,
    InvalidRequest,
    NoDecision,
    TenantFaulty,
    UnknownVersion,
    VersionUnusable,
    VestibuleError,
)
from runtime.ops.printable import printable
from runtime.rpc.client import MOST_ANSWER_BYTES, Credentials, explain_status

_M = TypeVar("_M", bound=Message)

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["AdminService"].full_name
# More than the daemon takes for a call, so that its own answer comes first.
_LONGEST_S: Final = 70.0
_WAITS_S: Final = (0.2, 0.6)
_AGAIN: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})


class CallRefused(Exception):
    """The daemon answered with an error: the word of its code, and the status."""

    def __init__(self, code: str, status: status_pb2.Status) -> None:
        self.code, self.status = code, status
        super().__init__(code)


class Transport(Protocol):
    """Brings a serialized request to a method, and its serialized answer back."""

    def __call__(self, method: str, data: bytes) -> bytes:
        """Raises: CannotReach, CallRefused."""


Stream = Callable[[str, bytes], Iterator[bytes]]
"""Brings a request to a method that answers again and again. Raises, as it goes: CannotReach, CallRefused."""


class AdminClient:
    """Calls one daemon's AdminService."""

    def __init__(
        self,
        target: str,
        send: Transport,
        sleep: Callable[[float], None] = time.sleep,
        stream: Stream | None = None,
    ) -> None:
        self.target, self._send, self._sleep, self._stream = target, send, sleep, stream

    @property
    def streams(self) -> bool:
        """Can `answers` be used? HTTP has no streams."""
        return self._stream is not None

    def answers(self, method: str, request: Message, answer: type[_M]) -> Iterator[_M]:
        """Return the answers of a stream as they come. Raises, as it goes: what `call` raises."""
        assert self._stream is not None
        try:
            for data in self._stream(method, request.SerializeToString()):
                yield answer.FromString(data)
        except CallRefused as refused:
            if refused.code in _AGAIN:
                raise CannotReach(explain_status(refused.code, refused.status)) from None
            raise _error(refused.code, refused.status) from None

    def call(self, method: str, request: Message, answer: type[_M]) -> _M:
        """Return the answer. A change has a request id, so that sending it twice makes it once.

        Raises: CannotReach, NoDecision, and what a store would: UnknownVersion, VersionUnusable, Conflict and the like.
        """
        data = request.SerializeToString()
        if len(data) > MAX_BYTES:
            message = f"has {len(data)} bytes, and a call takes {MAX_BYTES}; send fewer tenants at a time"
            raise InvalidRequest("the request", message)
        for wait_s in (*_WAITS_S, None):
            try:
                return answer.FromString(self._send(method, data))
            except CannotReach:
                if wait_s is None:
                    raise
            except CallRefused as refused:
                if wait_s is None or refused.code not in _AGAIN:
                    raise _error(refused.code, refused.status) from None
            self._sleep(wait_s)
        raise AssertionError("the last try returns or raises")


@contextlib.contextmanager
def connected(target: str, credentials: Credentials) -> Iterator[AdminClient]:
    """Give a client of the daemon at `host:port`, `unix:PATH` or `http(s)://host:port`, for a block."""
    if target.startswith(("http://", "https://")):
        yield AdminClient(target, _Http(target, credentials))
        return
    with credentials.channel(target) as channel:
        grpc_ = _Grpc(target, channel, credentials)
        yield AdminClient(target, grpc_, stream=grpc_.stream)


class _Grpc:
    def __init__(self, target: str, channel: grpc.Channel, credentials: Credentials) -> None:
        self._target, self._channel, self._credentials = target, channel, credentials

    def __call__(self, method: str, data: bytes) -> bytes:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/{_SERVICE}/{method}")
        try:
            return call(data, timeout=_LONGEST_S, metadata=self._credentials.metadata())
        except grpc.RpcError as error:
            raise self._failed(cast(grpc.Call, error)) from None

    def stream(self, method: str, data: bytes) -> Iterator[bytes]:
        """See Stream."""
        call: grpc.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(f"/{_SERVICE}/{method}")
        answers = call(data, metadata=self._credentials.metadata())
        try:
            yield from answers
        except grpc.RpcError as error:
            raise self._failed(cast(grpc.Call, error)) from None
        finally:
            answers.cancel()

    def _failed(self, call: grpc.Call) -> CallRefused | CannotReach:
        status = rpc_status.from_call(call)
        if status is None and call.code() is grpc.StatusCode.UNAVAILABLE:
            return _unreached(self._target, self._credentials)
        return CallRefused(call.code().name, status or status_pb2.Status(message=call.details() or ""))


class _Http:
    """By the rules of the Connect protocol. Source: https://connectrpc.com/docs/protocol/"""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._url, self._credentials = url, credentials
        parts = urlsplit(url)
        self._path = parts.path.rstrip("/")
        host, port = parts.hostname or "", parts.port
        self._connect: Callable[[], http.client.HTTPConnection]
        if parts.scheme == "https":
            context = _context(credentials)
            self._connect = lambda: http.client.HTTPSConnection(host, port, timeout=_LONGEST_S, context=context)
        else:
            self._connect = lambda: http.client.HTTPConnection(host, port, timeout=_LONGEST_S)

    def __call__(self, method: str, data: bytes) -> bytes:
        headers = {
            "Content-Type": "application/proto",
            "Connect-Protocol-Version": "1",
            "Connect-Timeout-Ms": str(int(_LONGEST_S * 1000)),
            **dict(self._credentials.metadata()),
        }
        with contextlib.closing(self._connect()) as connection:
            try:
                connection.request("POST", f"{self._path}/{_SERVICE}/{method}", data, headers)
                response = connection.getresponse()
                body = response.read(MOST_ANSWER_BYTES)
            except TimeoutError:
                raise CallRefused("DEADLINE_EXCEEDED", status_pb2.Status(message="no answer came in time")) from None
            except (OSError, http.client.HTTPException):
                raise _unreached(self._url, self._credentials) from None
        if response.status == http.client.OK and response.headers.get_content_type() == "application/proto":
            return body
        raise refusal(response.status, body)


def _context(credentials: Credentials) -> ssl.SSLContext:
    authorities = credentials.authorities
    context = ssl.create_default_context(cadata=authorities.decode("ascii", "replace") if authorities else None)
    if credentials.certificate and credentials.private_key:
        # From memory: what was checked is what is used, whatever the files hold by now.
        descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
        with open(descriptor, "wb") as file:
            file.write(credentials.private_key + b"\n" + credentials.certificate)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=b"")
    return context


def _unreached(target: str, credentials: Credentials) -> CannotReach:
    return CannotReach(f"no daemon answers at {target}; {credentials.doubt()}")


def refusal(http_status: int, body: bytes) -> CallRefused:
    """Read an error as Connect writes it; another server's answer has its HTTP status alone."""
    try:
        found: dict[str, Any] = json.loads(body)
        status = status_pb2.Status(message=found["message"])
        for detail in found.get("details", ()):
            packed = status.details.add(type_url=f"type.googleapis.com/{detail['type']}")
            packed.value = base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4))
        return CallRefused("CANCELLED" if found["code"] == "canceled" else found["code"].upper(), status)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        message = f"the answer is none of a Vestibule daemon's (HTTP {http_status}); is the address its HTTP port's?"
        return CallRefused("UNKNOWN", status_pb2.Status(message=message))


def _error(code: str, status: status_pb2.Status) -> VestibuleError:
    """Return the error that a store would have raised, as far as there is one."""
    reason, facts = "", cast(Mapping[str, str], {})
    faults: list[Fault | str] = []
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason, facts = info.reason, info.metadata
        elif detail.Unpack(bad):
            faults = [Fault(violation.field, violation.description) for violation in bad.field_violations]
    lines = status.message.split("\n")
    if reason == "TENANT_FAULTY":
        more = int(facts.get("faults", "0")) - len(faults)
        return TenantFaulty([*faults, *([f"{more} faults more; mend these first"] if more > 0 else [])])
    if reason == "VERSION_CONFLICT" and facts.get("expected"):
        return Conflict(_conflicts(facts))
    if reason == "UNKNOWN_VERSION":
        return UnknownVersion(lines)
    if reason == "VERSION_UNUSABLE":
        return VersionUnusable(lines)
    if reason == "INVALID_REQUEST" and faults and isinstance(faults[0], Fault):
        return InvalidRequest(faults[0].where, printable(faults[0].message))
    if reason == "CATALOG_UNAVAILABLE":
        return CatalogUnavailable(lines)
    return NoDecision(code, explain_status(code, status))


def _conflicts(facts: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    sides = [
        {tenant: int(number) for tenant, _, number in (pair.partition("@") for pair in facts.get(side, "").split())}
        for side in ("expected", "newest")
    ]
    return {tenant: (number, sides[1].get(tenant, 0)) for tenant, number in sides[0].items()}
