"""The services by HTTP: the rules of the Connect protocol for unary calls, in JSON and in protobuf.

Knows Connect's headers, codecs and error form. Must not know what a login is.
Source: https://connectrpc.com/docs/protocol/
"""

import gzip
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Final, NamedTuple

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.callers.callers import Callers
from runtime.callers.errors import CallerError
from runtime.calls import metadata
from runtime.calls.calls import Answered, Calls, Identify, NoAnswer, Remaining
from runtime.doors import bodies, protojson
from runtime.doors.door import DoorRoutes, identify
from runtime.errors import InvalidRequest, NotOffered, RequestTooSlow

HTTP_STATUS: Final = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""The HTTP status of each code, as Connect has it."""

JSON: Final = "application/json"
PROTO: Final = "application/proto"
# Below this an answer is smaller than what inflating it costs its reader.
_GZIP_FROM_BYTES: Final = 8192
_TIMEOUT: Final = re.compile(r"[1-9][0-9]{0,9}").fullmatch


AnswerCall = Callable[[bytes, Remaining, Identify, str], Awaitable[Answered | NoAnswer]]
"""Answers a serialized request; its last argument is the caller's trace."""


class Service(NamedTuple):
    """A service, its methods, whose calls it takes, and how many bytes a request may have."""

    described: ServiceDescriptor
    methods: Mapping[str, AnswerCall]
    callers: Callers
    most_bytes: int


class _Wire(NamedTuple):
    """A method as it is called here."""

    answer: AnswerCall
    request: type[Message]
    response: type[Message]
    callers: Callers
    most_bytes: int


class Connect:
    """Answers the methods of services."""

    def __init__(self, calls: Calls, request_s: float, services: Sequence[Service]) -> None:
        """Read a request for at most so long."""
        self._calls = calls
        self._request_s = request_s
        self._services = services

    def door(self) -> DoorRoutes:
        """Return its paths."""
        routes = []
        for service in self._services:
            for name, answer in service.methods.items():
                described = service.described.methods_by_name[name]
                forms = GetMessageClass(described.input_type), GetMessageClass(described.output_type)
                wire = _Wire(answer, *forms, service.callers, service.most_bytes)
                path = f"/{service.described.full_name}/{name}"
                routes.append(Route(path, partial(self._answer, wire), methods=["POST"]))
        return DoorRoutes("connect", routes)

    async def _answer(self, wire: _Wire, request: Request) -> Response:
        began = monotonic()
        headers = request.headers
        codec = headers.get("content-type", "").partition(";")[0].strip().lower()
        if codec not in (JSON, PROTO):
            problem = NotOffered(f"Content-Type is not {JSON} or {PROTO}; send the request as one of them")
            refused = error_response(self._calls.refuse(problem), 415)
            refused.headers["accept-post"] = f"{JSON}, {PROTO}"
            return refused
        try:
            # Before the body: it is read of a caller alone.
            caller = identify(request, wire.callers)
            budget_s = _budget_s(headers.get("connect-timeout-ms"))
            if headers.get("connect-protocol-version", "1") != "1":
                raise InvalidRequest("Connect-Protocol-Version", "is not 1; send 1, or leave the header out")
            body = await bodies.read(request, wire.most_bytes, self._request_s)
            body = bodies.inflated(body, headers.get("content-encoding", ""), wire.most_bytes)
            request_id = headers.get("x-request-id", "")
            data = body if codec == PROTO else await protojson.to_bytes(body, wire.request, request_id)
        except (CallerError, InvalidRequest, NotOffered, RequestTooSlow) as error:
            return error_response(self._calls.refuse(error))
        ends = None if budget_s is None else began + budget_s
        traceparent = metadata.taken(headers.get(metadata.TRACEPARENT, ""))
        answer = await wire.answer(
            data, lambda: None if ends is None else ends - monotonic(), lambda: caller, traceparent
        )
        if isinstance(answer, NoAnswer):
            response, decision_id = error_response(answer), ""
        else:
            answered, decision_id = answer.data, answer.decision_id
            text = await protojson.to_json(answered, wire.response) if codec == JSON else answered
            response = _encoded(text, codec, headers.get("accept-encoding", ""))
        for key, value in metadata.beside(answer.request_id, decision_id, traceparent):
            response.headers[f"trailer-{key}"] = value
        return response


def error_response(refused: NoAnswer, status: int | None = None) -> Response:
    """Return an error in Connect's form, with its HTTP status unless another one says more."""
    text = protojson.error_text(refused)
    return Response(text, status or HTTP_STATUS[refused.code], protojson.headers_of(refused), JSON)


def _budget_s(header: str | None) -> float | None:
    if header is None:
        return None
    if not _TIMEOUT(header):
        raise InvalidRequest("Connect-Timeout-Ms", "is not a number of milliseconds; send 1 to 10 digits, more than 0")
    return int(header) / 1000


def _encoded(answer: bytes, codec: str, accepted: str) -> Response:
    if len(answer) < _GZIP_FROM_BYTES or "gzip" not in {name.strip().lower() for name in accepted.split(",")}:
        return Response(answer, media_type=codec)
    return Response(gzip.compress(answer, 1), media_type=codec, headers={"content-encoding": "gzip"})
