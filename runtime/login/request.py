"""A login as a caller asks for it, whatever the call came in by. A value alone."""

from collections.abc import Sequence
from typing import NamedTuple

from vestibule.v1.event_pb2 import PostLoginEvent


class Request(NamedTuple):
    """A login as a caller asks for it. What is said to be checked was parsed once without error.

    Args:
        tenant: checked.
        request_id: not empty.
        event: a serialized PostLoginEvent; checked.
        gateway: a serialized GatewayContext, checked; None for no resolution.
        continuation: of a login that is resumed, the token; hostile. None for one that begins.
        completed: numbers of FactorType: what satisfied each step that was waited for; hostile.
        message: the event as it was parsed.
        basic: the answer leaves out contributions and executions.
        named: the caller chose the id.
        traceparent: of the caller's trace, as W3C has it; empty for none.
        caller: who sent it, for the log; empty where none is asked for credentials.
    """

    tenant: str
    request_id: str
    event: bytes
    gateway: bytes | None = None
    continuation: bytes | None = None
    completed: Sequence[int] = ()
    message: PostLoginEvent | None = None
    basic: bool = False
    named: bool = False
    traceparent: str = ""
    caller: str = ""
