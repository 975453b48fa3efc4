"""Read a request's body: bounded in bytes and in time, inflated within the same bound, and as strict JSON.

Knows HTTP and JSON. Must not know what the body says.
"""

import asyncio
import math
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from starlette.requests import Request

from runtime.errors import InvalidRequest, NotOffered, RequestTooSlow, TooManyInFlight
from runtime.login import event_json

# Read and forgotten of a body that is too large, so that its sender is there to read why; more is cut off.
_FORGOTTEN_BYTES: Final = 64 << 20
# What a body takes by itself, of what bodies of unknown callers may hold together.
_USUAL_BYTES: Final = 64 * 1024
# What is larger takes milliseconds: it is read and written beside the loop, one at a time.
_BESIDE_BYTES: Final = 32 * 1024
_BESIDE: Final = ThreadPoolExecutor(1, "json")
_GZIP: Final = 16 + zlib.MAX_WBITS
ENCODINGS: Final = ("gzip", "identity")
T = TypeVar("T")


async def beside(size: int, work: Callable[[], T]) -> T:
    """Return what work on so many bytes returns: done beside the loop where they are many."""
    if size < _BESIDE_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_BESIDE, work)


class Room:
    """What bodies whose callers are not known yet may hold together while they arrive, each beyond a usual size."""

    def __init__(self, most_bytes: int = 64 << 20) -> None:
        self.left = most_bytes

    def take(self, size: int) -> int:
        """Take some of it, and return how much. Raises: TooManyInFlight."""
        if size > self.left:
            raise TooManyInFlight("too many large bodies are arriving; send this one again")
        self.left -= size
        return size


async def read(request: Request, most: int, within_s: float, room: Room | None = None) -> bytes:
    """Return the body as it was sent. `room` is what one of an unknown caller takes of.

    Raises: InvalidRequest, RequestTooSlow, TooManyInFlight; ClientDisconnect when the caller goes.
    """
    declared = request.headers.get("content-length", "")
    if "expect" in request.headers and declared.isdigit() and int(declared) > most:
        raise _too_large(most)  # it waits to be asked for its body
    parts: list[bytes] = []
    size = taken = 0
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                size += len(part)
                if size <= most:
                    if room is not None and size > _USUAL_BYTES:
                        taken += room.take(len(part))
                    parts.append(part)
                elif size > _FORGOTTEN_BYTES:
                    break
    except TimeoutError:
        raise RequestTooSlow(f"the request was not here after {within_s:g} s; send it at once") from None
    finally:
        if room is not None:
            room.left += taken
    if size > most:
        raise _too_large(most)
    return b"".join(parts)


def inflated(data: bytes, encoding: str, most: int) -> bytes:
    """Return a body without its Content-Encoding. Raises: NotOffered, InvalidRequest."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not data:
        return data
    if encoding != "gzip":
        raise NotOffered(f"Content-Encoding is not one of {', '.join(ENCODINGS)}; send the body in one of them")
    inflater = zlib.decompressobj(_GZIP)
    try:
        found = inflater.decompress(data, most + 1)
    except zlib.error:
        raise InvalidRequest("request", "the body is not gzip, as its Content-Encoding says it is") from None
    if len(found) > most:
        raise _too_large(most, " when it is inflated")
    if not inflater.eof or inflater.unused_data:
        raise InvalidRequest("request", "the gzip body is cut short, or has something behind its end")
    return found


def as_json(data: bytes) -> Any:
    """Return what JSON text says: no name twice, no NaN, a bounded depth. Raises: InvalidRequest."""
    try:
        return event_json.decode(data)
    except InvalidRequest as error:
        raise InvalidRequest("request", error.description) from None


def bounded(value: Any, levels: int, values: int) -> bool:
    """Say whether JSON data is nested no deeper, has no more values, and holds no number beyond those of JSON."""
    level = [value]
    for _ in range(levels + 1):
        values -= len(level)
        if not level or values < 0:
            return values >= 0
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, float) and not math.isfinite(item):
                return False
        level = below
    return False


def _too_large(most: int, when: str = "") -> InvalidRequest:
    return InvalidRequest("request", f"the body has more than {most} bytes{when}; send less metadata, query or body")
