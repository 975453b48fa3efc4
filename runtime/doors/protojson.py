"""ProtoJSON in and out, off the event loop where it is large. Must not know what the messages are for."""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pool, json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from runtime.calls.calls import NoAnswer
from runtime.doors import bodies, json_request

# What is larger takes milliseconds: it is read and written beside the loop, one at a time.
_BESIDE_BYTES: Final = 32 * 1024


class JsonCodec:
    """Turns requests into bytes and answers into text. Has a thread for large ones."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "protojson")

    async def to_bytes(self, text: bytes, kind: type[Message]) -> bytes:
        """Return the serialized message that JSON text describes. Raises: InvalidRequest."""
        if len(text) < _BESIDE_BYTES:
            return parse(text, kind)
        return await asyncio.get_running_loop().run_in_executor(self._thread, parse, text, kind)

    async def to_json(self, data: bytes, kind: type[Message]) -> bytes:
        """Return the JSON text of a serialized message."""
        if len(data) < _BESIDE_BYTES:
            return render(data, kind)
        return await asyncio.get_running_loop().run_in_executor(self._thread, render, data, kind)


def parse(text: bytes, kind: type[Message]) -> bytes:
    """Return the serialized message that JSON text describes. Raises: InvalidRequest."""
    return json_request.serialized(bodies.as_json(text), kind)


def render(data: bytes, kind: type[Message]) -> bytes:
    """Return the JSON text of a serialized message."""
    return _text(json_format.MessageToDict(kind.FromString(data)))


def error_text(refused: NoAnswer) -> bytes:
    """Return an error as Connect writes it."""
    details = [_detail(packed) for packed in refused.status.details]
    code = "canceled" if refused.code == "CANCELLED" else refused.code.lower()
    return _text({"code": code, "message": refused.status.message, "details": details})


def retry_after_s(status: status_pb2.Status) -> float | None:
    """Return when a caller may try again; None when its error does not say."""
    for packed in status.details:
        retry = error_details_pb2.RetryInfo()
        if packed.Unpack(retry):
            return float(retry.retry_delay.ToNanoseconds() / 1e9)
    return None


def _detail(packed: any_pb2.Any) -> dict[str, Any]:
    name = packed.TypeName()
    message = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name)).FromString(packed.value)
    value = base64.b64encode(packed.value).rstrip(b"=").decode()
    return {"type": name, "value": value, "debug": json_format.MessageToDict(message)}


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
