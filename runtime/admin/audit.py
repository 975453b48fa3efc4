"""The audit trail, and what changes were answered: rows of the store. Must not know what a method does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runtime.catalog.database import Connection
from runtime.errors import RequestIdUsed

KEPT_S: Final = 400 * 86_400
"""How long a call stays in the trail."""
RETRIED_S: Final = 86_400
"""How long a change may be sent again."""


@dataclass(frozen=True, slots=True)
class AuditedCall:
    """One call: when (seconds since the epoch), whose, of which method, about which tenants, and how it ended."""

    at_s: int
    caller: str
    method: str
    tenants: tuple[str, ...] = ()
    request_id: str = ""
    code: str = "OK"
    message: str = ""


def record(connection: Connection, call: AuditedCall) -> None:
    """Add a call to the trail, and drop what is too old."""
    connection.execute(
        "INSERT INTO audit (number, made_at, caller, method, tenants, request_id, code, message) "
        "SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM audit",
        (
            call.at_s,
            call.caller,
            call.method,
            f" {' '.join(call.tenants)} " if call.tenants else "",
            call.request_id,
            call.code,
            call.message,
        ),
    )
    connection.execute("DELETE FROM audit WHERE made_at < ?", (call.at_s - KEPT_S,))


def listed(connection: Connection, tenant: str, before: int | None, most: int) -> list[tuple[int, AuditedCall]]:
    """Return calls with their numbers, the newest first: about a tenant, and before a number, where these are given."""
    conditions: list[str] = []
    parameters: list[object] = []
    if tenant:
        # A tenant's name has no character that LIKE would read.
        conditions.append("tenants LIKE ?")
        parameters.append(f"% {tenant} %")
    if before is not None:
        conditions.append("number < ?")
        parameters.append(before)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = (
        "SELECT number, made_at, caller, method, tenants, request_id, code, message FROM audit"
        f"{where} ORDER BY number DESC LIMIT ?"
    )
    found = connection.execute(query, (*parameters, most)).fetchall()
    return [(row[0], AuditedCall(row[1], row[2], row[3], tuple(row[4].split()), *row[5:])) for row in found]


def answered(connection: Connection, caller: str, request_id: str, content: bytes) -> bytes | None:
    """Return what a request with this id and content was answered. Raises: RequestIdUsed for another content."""
    query = "SELECT content, response FROM admin_requests WHERE caller = ? AND request_id = ?"
    row: Sequence[bytes] | None = connection.execute(query, (caller, request_id)).fetchone()
    if row is None:
        return None
    if bytes(row[0]) != content:
        raise RequestIdUsed(request_id)
    return bytes(row[1])


def answer(connection: Connection, call: AuditedCall, content: bytes, response: bytes) -> None:
    """Keep what a request was answered, and drop what is too old to be sent again."""
    connection.execute("DELETE FROM admin_requests WHERE made_at < ?", (call.at_s - RETRIED_S,))
    connection.execute(
        "INSERT INTO admin_requests (caller, request_id, content, response, made_at) VALUES (?, ?, ?, ?, ?)",
        (call.caller, call.request_id, content, response, call.at_s),
    )
