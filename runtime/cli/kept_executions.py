"""Kept executions of a store or a daemon, in order, and what is kept from then on.

A daemon that ends, or a call that is cut, is asked again; nothing is shown twice. Must not know how one is shown.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from vestibule.v1 import admin_service_pb2 as pb

from runtime.admin import reads
from runtime.admin.messages import MAX_PAGE, PAGE
from runtime.catalog.keyed import KeyedDatabase
from runtime.errors import CannotReach, CatalogUnavailable
from runtime.rpc.admin_client import AdminClient

LOOK_S: Final = 1.0
# How long a store or a daemon may be away while it is followed.
_AWAY_S: Final = 60.0


def of_store(
    database: KeyedDatabase, request: pb.FollowExecutionsRequest, *, follow: bool, sleep: Callable[[float], None]
) -> Iterator[pb.KeptExecution]:
    """Look into a store."""
    number: int | None = None
    away_s = 0.0
    while True:
        try:
            with database.reading() as connection:
                found, number = reads.last_executions(connection, request, number)
            away_s = 0.0
        except CatalogUnavailable:
            away_s += LOOK_S
            if number is None or away_s > _AWAY_S:
                raise
            found = pb.FollowExecutionsResponse()
        yield from found.executions
        if not follow:
            return
        if len(found.executions) < PAGE:
            sleep(LOOK_S)


def of_daemon(
    client: AdminClient, request: pb.FollowExecutionsRequest, *, follow: bool, sleep: Callable[[float], None]
) -> Iterator[pb.KeptExecution]:
    """Ask a daemon: by a stream where it has one, otherwise again and again."""
    before = list(_listed(client, request, MAX_PAGE if follow else request.last))
    yield from before[max(0, len(before) - request.last) :]
    # An answer begins with what was kept before, each time that it is asked for.
    seen = deque(map(_name, before), 2 * MAX_PAGE)
    again = pb.FollowExecutionsRequest(tenant_id=request.tenant_id, failed_only=request.failed_only, last=MAX_PAGE)
    asked_s = time.monotonic()
    while follow:
        try:
            for kept in _streamed(client, again) if client.streams else _listed(client, again, MAX_PAGE):
                asked_s = time.monotonic()
                if kept is not None and (name := _name(kept)) not in seen:
                    seen.append(name)
                    yield kept
        except CannotReach:
            if time.monotonic() - asked_s > _AWAY_S:
                raise
        sleep(LOOK_S)


def _name(kept: pb.KeptExecution) -> tuple[str, str, bool]:
    return kept.decision_id, kept.action, kept.continued


def _streamed(client: AdminClient, request: pb.FollowExecutionsRequest) -> Iterator[pb.KeptExecution | None]:
    for answer in client.answers("FollowExecutions", request, pb.FollowExecutionsResponse):
        yield from answer.executions or (None,)


def _listed(client: AdminClient, request: pb.FollowExecutionsRequest, last: int) -> Iterator[pb.KeptExecution]:
    """Return the last executions, the oldest first."""
    pages: list[list[pb.KeptExecution]] = []
    left, token = last, ""
    while left > 0:
        asked = pb.ListExecutionsRequest(
            tenant_id=request.tenant_id, failed_only=request.failed_only, page_size=min(left, PAGE), page_token=token
        )
        answer = client.call("ListExecutions", asked, pb.ListExecutionsResponse)
        pages.append(list(answer.executions))
        left, token = left - len(answer.executions), answer.next_page_token
        if not token:
            break
    return chain.from_iterable(reversed(page) for page in reversed(pages))
