"""What the admin service's messages say of versions, holds and changes; pages of lists; which fields are wanted.

Must not know the store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError, Message
from vestibule.v1 import admin_service_pb2 as pb

from runtime.catalog.base import TENANT_NAME
from runtime.catalog.comparison import Change
from runtime.catalog.holds import TenantHold
from runtime.catalog.trials import TrialRow
from runtime.catalog.versions import MAX_TEXT_CHARS, Version
from runtime.errors import InvalidRequest

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")

PAGE: Final = 100
MAX_PAGE: Final = 1000
MAX_BYTES: Final = 4 << 20
"""Of a request. gRPC's own limit, and more than the sources of a hundred large tenants."""
MAX_REQUEST_ID_CHARS: Final = 128
ORIGINS: Final = {
    "apply": pb.TenantVersion.ORIGIN_APPLY,
    "rollback": pb.TenantVersion.ORIGIN_ROLLBACK,
    "delete": pb.TenantVersion.ORIGIN_DELETE,
    "found": pb.TenantVersion.ORIGIN_FOUND,
    "gradual": pb.TenantVersion.ORIGIN_GRADUAL,
    "report_only": pb.TenantVersion.ORIGIN_REPORT_ONLY,
    "promote": pb.TenantVersion.ORIGIN_PROMOTE,
}
"""How a version came to be, as the store has it."""
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}").fullmatch


def parsed(cls: type[_M], data: bytes) -> _M:
    """Read a message. Raises: InvalidRequest."""
    try:
        return cls.FromString(data)
    except DecodeError:
        raise InvalidRequest("", f"is not a {cls.DESCRIPTOR.name}; send one, serialized") from None


def tenant_name(value: str, field: str = "tenant_id") -> str:
    """Return a tenant's name. Raises: InvalidRequest."""
    if not re.fullmatch(TENANT_NAME, value):
        raise InvalidRequest(field, "is no tenant's name; want 1 to 64 lower-case letters, digits and hyphens")
    return value


def line(value: str, field: str, most: int = MAX_TEXT_CHARS) -> str:
    """Return a text for the history or the log. Raises: InvalidRequest."""
    if len(value) > most or (value and not value.isprintable()):
        raise InvalidRequest(field, f"is not usable; want one line of at most {most} printable characters")
    return value


def version_number(given: int, field: str) -> int | None:
    """Return the number of a version; None where the request leaves it out. Raises: InvalidRequest."""
    if given < 0:
        raise InvalidRequest(field, "is negative; send the number of a version, or 0")
    return given or None


def version_message(version: Version) -> pb.TenantVersion:
    """Write a version, without its files."""
    found = pb.TenantVersion(
        tenant_id=version.tenant,
        number=version.number,
        author=version.made_by,
        message=version.message,
        origin=ORIGINS.get(version.how, pb.TenantVersion.ORIGIN_UNSPECIFIED),
        copy_of=version.copy_of or 0,
        content_hash=version.content_hash,
        store_revision=version.revision,
        changes=change_messages(version.changes),
    )
    found.create_time.FromSeconds(version.made_at)
    return found


def change_messages(changes: Iterable[Change]) -> list[pb.Change]:
    """Write differences."""
    return [pb.Change(what=change.what, name=change.name, how=change.how) for change in changes]


def hold_message(hold: TenantHold) -> pb.Hold:
    """Write a hold."""
    found = pb.Hold(version=hold.number or 0, author=hold.held_by, message=hold.message)
    found.expire_time.FromSeconds(hold.until)
    found.create_time.FromSeconds(hold.held_at)
    return found


def trial_message(trial: TrialRow) -> pb.Trial:
    """Write a trial."""
    return pb.Trial(
        version=trial.number,
        percent=trial.percent,
        denied_points=trial.band.denied_points,
        degraded_points=trial.band.degraded_points,
    )


# -- lists -----------------------------------------------------------------------------------------------------------


def page_size(asked: int) -> int:
    """Return how many of a list are wanted. Raises: InvalidRequest."""
    if asked < 0:
        raise InvalidRequest("page_size", "is negative; want 1 to 1000, or 0 for 100")
    return min(asked or PAGE, MAX_PAGE)


def numbered(token: str) -> int | None:
    """Read the token of a list that has the newest first; None for its beginning. Raises: InvalidRequest."""
    if not token:
        return None
    if not _NUMBER(token):
        raise bad_token()
    return int(token)


def bad_token() -> InvalidRequest:
    """Say that a token is none of ours."""
    return InvalidRequest("page_token", "is not of an earlier answer; send next_page_token of one, or none")


def page(listed: Sequence[_T], size: int) -> tuple[Sequence[_T], bool]:
    """Return the first of a list, and whether there are more."""
    return listed[:size], len(listed) > size


def masked(message: _M, mask: FieldMask) -> _M:
    """Return the wanted fields of a message; all of them without a mask. Raises: InvalidRequest."""
    if not mask.paths:
        return message
    kept = type(message)()
    descriptor: Any = message.DESCRIPTOR
    for path in mask.paths:
        wanted = FieldMask(paths=[path])
        if not wanted.IsValidForDescriptor(descriptor):
            raise InvalidRequest("read_mask", f"has {path[:80]!r}, which is no field of {message.DESCRIPTOR.name}")
        wanted.MergeMessage(message, kept)
    return kept
