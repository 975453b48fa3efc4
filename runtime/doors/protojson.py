"""ProtoJSON in and out, off the event loop where it is large. Must not know what the messages are for."""

import base64
import json
import math
from functools import partial
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from runtime.calls.calls import NoAnswer
from runtime.doors import bodies, json_request


async def to_bytes(text: bytes, kind: type[Message], request_id: str = "") -> bytes:
    """Do what `parse` does, off the event loop where the text is large."""
    return await bodies.beside(len(text), partial(parse, text, kind, request_id))


async def to_json(data: bytes, kind: type[Message]) -> bytes:
    """Do what `render` does, off the event loop where the message is large."""
    return await bodies.beside(len(data), partial(render, data, kind))


def parse(text: bytes, kind: type[Message], request_id: str = "") -> bytes:
    """Return the serialized message that JSON text describes, with an id if it has none. Raises: InvalidRequest."""
    value = bodies.as_json(text)
    if request_id and isinstance(value, dict) and not (value.get("requestId") or value.get("request_id")):
        value["requestId"] = request_id
        value.pop("request_id", None)
    return json_request.serialized(value, kind)


def render(data: bytes, kind: type[Message]) -> bytes:
    """Return the JSON text of a serialized message."""
    return text(json_format.MessageToDict(kind.FromString(data)))


def error_text(refused: NoAnswer) -> bytes:
    """Return an error as Connect writes it."""
    details = [_detail(packed) for packed in refused.status.details]
    code = "canceled" if refused.code == "CANCELLED" else refused.code.lower()
    return text({"code": code, "message": refused.status.message, "details": details})


def headers_of(refused: NoAnswer) -> dict[str, str]:
    """Return the headers that go with an error: when to try again, how to identify, and whether the connection ends."""
    found: dict[str, str] = {}
    for packed in refused.status.details:
        retry = error_details_pb2.RetryInfo()
        if packed.Unpack(retry):
            found["retry-after"] = str(math.ceil(retry.retry_delay.ToNanoseconds() / 1e9))
    if refused.code == "UNAUTHENTICATED":
        found["www-authenticate"] = "Bearer"
    if reason(refused.status) == "REQUEST_TOO_SLOW":
        found["connection"] = "close"  # the rest of the body would be taken for the next request
    return found


def reason(status: status_pb2.Status) -> str:
    """Return the reason of an error: the stable word of its ErrorInfo."""
    for packed in status.details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info):
            return str(info.reason)
    return ""


def _detail(packed: any_pb2.Any) -> dict[str, Any]:
    name = packed.TypeName()
    message = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name)).FromString(packed.value)
    value = base64.b64encode(packed.value).rstrip(b"=").decode()
    return {"type": name, "value": value, "debug": json_format.MessageToDict(message)}


def text(value: dict[str, Any]) -> bytes:
    """Return JSON text of JSON data."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
