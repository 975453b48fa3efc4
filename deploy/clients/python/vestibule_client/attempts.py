"""One call as a plan of attempts and pauses, for whichever way of waiting carries it out.

Knows deadlines and delays; must not know the network, threads or asyncio."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import grpc

from vestibule_client.errors import Failure, NoAnswer, RequestRefused


@dataclass(frozen=True)
class Attempt:
    """Call once, with this deadline; send back the response or the failure."""

    timeout_s: float


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Retries:
    """When a call is tried again: after the delay that the daemon names, otherwise after one that doubles."""

    attempts: int = 4
    first_delay_s: float = 0.05
    longest_delay_s: float = 1.0
    attempt_s: float | None = None
    """A shorter deadline for each attempt: one that hears nothing is given up, and another is made."""


def plan(
    retries: Retries,
    deadline_s: float,
    *,
    now: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
) -> Generator[Attempt | Pause, Any, Any]:
    """Yield attempts and pauses until one is sent a response, and return it. Raises: NoAnswer, RequestRefused."""
    ends = now() + deadline_s
    for number in range(1, retries.attempts + 1):
        left = max(0.0, ends - now())
        timeout_s = left if retries.attempt_s is None else min(left, retries.attempt_s)
        heard = yield Attempt(timeout_s)
        if not isinstance(heard, Failure):
            return heard
        if not heard.is_no_answer():
            raise RequestRefused(heard, number)
        delay = _delay(heard, retries, number, jitter, gave_up_early=timeout_s < left)
        if delay is None or number == retries.attempts or now() + delay >= ends:
            raise NoAnswer(heard, number)
        yield Pause(delay)
    raise AssertionError("there is at least one attempt")


def _delay(
    failure: Failure, retries: Retries, number: int, jitter: Callable[[], float], *, gave_up_early: bool
) -> float | None:
    """Return how long to wait before the next attempt; None without another one."""
    if failure.retry_after_s is not None:
        return failure.retry_after_s
    if failure.status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return 0.0 if gave_up_early else None
    if not failure.may_be_retried():
        return None
    longest = min(retries.longest_delay_s, retries.first_delay_s * 2.0 ** (number - 1))
    return longest * (0.5 + jitter() / 2)
