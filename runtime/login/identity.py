"""What a request is known by: the digest of its content, and the seed, the decision's id and the clock that follow.

Knows which parts of a request decide. Must not know stores, workers or transports. A caller that names its request may
send it again, to any replica: equal requests get equal executions, because these are pure.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from vestibule.v1.event_pb2 import PostLoginEvent

if TYPE_CHECKING:
    from runtime.login.request import Request

CLOCK_STEP_NS: Final = 10 * 1_000_000_000
"""How far back the clock of a named request may stand: a retry within it most likely sees the same time."""


class Identity(NamedTuple):
    """What follows from a request.

    Args:
        seed: 16 bytes for the executions' randomness. Derived by a key, since what actions make of it may be secret.
        decision_id: 32 hexadecimal digits.
        clock_ns: the executions' clock, nanoseconds since the epoch.
        continuation: what the name of its continuation follows from; empty for a random one.
    """

    seed: bytes
    decision_id: str
    clock_ns: int
    continuation: bytes = b""


def content(request: Request) -> bytes:
    """Return the digest of what decides a named request: equal on every replica, whatever its keys.

    The event is written in one order: some libraries write the members of a map in another order each time.
    """
    message = request.message or PostLoginEvent.FromString(request.event)
    event = message.SerializeToString(deterministic=True)
    gateway, continuation = request.gateway, request.continuation
    # Neither a tenant nor an id has a NUL, and the lengths say where each part ends.
    head = (
        f"{request.tenant}\0{request.request_id}\0{len(event)}\0{-1 if gateway is None else len(gateway)}\0"
        f"{-1 if continuation is None else len(continuation)}\0{','.join(map(str, request.completed))}\0"
    )
    return sha256(b"".join((head.encode(), event, gateway or b"", continuation or b""))).digest()


def of_content(digest: bytes, secret: bytes, now_ns: int, event: PostLoginEvent | None = None) -> Identity:
    """Return the identity of a named request.

    Args:
        digest: of its content.
        secret: shared by replicas, unknown to callers.
        now_ns: the time.
        event: of a login whose clock stands still for a step. Each request has a step of its own, so that they do not
            all turn at one instant. No step begins before what the event says has happened: actions compute ages.
    """
    noise = sha256(secret + digest).digest()
    clock_ns = now_ns
    if event is not None:
        # Neither the phase nor a name inside a sealed token is a secret.
        clock_ns -= (now_ns - int.from_bytes(digest[:8])) % CLOCK_STEP_NS
        happened_ns = _happened_ns(event, clock_ns // 1_000_000_000)
        if clock_ns < happened_ns <= now_ns:
            clock_ns = happened_ns
    return Identity(noise[:16], noise[16:].hex(), clock_ns, digest)


def _happened_ns(event: PostLoginEvent, since_s: int) -> int:
    """Return the newest instant since then that a login writes into its event: of a factor, session, user. 0: none."""
    instants = [event.session.updated_at, event.user.updated_at]
    instants += [method.timestamp for method in event.authentication.methods]
    since = [at.seconds * 1_000_000_000 + at.nanos for at in instants if at.seconds >= since_s]
    return max(since) if since else 0


def random(now_ns: int) -> Identity:
    """Return the identity of a request that cannot be told from another one."""
    noise = os.urandom(32)
    return Identity(noise[:16], noise[16:].hex(), now_ns)
