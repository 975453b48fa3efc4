"""`api.cache`, which all actions and logins of a tenant share: its calls, a part of the surface table.

The daemon keeps the records (`runtime/login/api_cache.py`). Those at the start of a flow come with the question, and
what actions write is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from sandbox.contract.call import Call, Param, option
from sandbox.contract.kinds import MILLIS, Exact, utf8
from sandbox.contract.readonly import LOOKING, Members
from sandbox.contract.values import MAX_INT, check_text

if TYPE_CHECKING:
    from sandbox.contract.call import Moment

# Source of limits and codes: the post-login reference, sections 2.5 and 4.
RECORD_KEY_BYTES: Final = 64
VALUE_BYTES: Final = 4 * 1024
TOTAL_BYTES: Final = 8 * 1024
ENTRIES_MAX: Final = 20
_LIFETIME_MS: Final = 15 * 60 * 1000
LIFETIME_MAX_MS: Final = 24 * 3600 * 1000
_INFINITY: Final = float("inf")

CODES: Final = (
    "MaxSideEffectsExceeded",
    "CacheKeySizeExceeded",
    "CacheValueSizeExceeded",
    "CacheSizeExceeded",
    "ItemAlreadyExpired",
    "InvalidExpiry",
    "FailedToSetCacheRecord",
    "FailedToDeleteCacheRecord",
    "CacheKeyDoesNotExist",
)
"""Auth0's. No write fails at the call, so the two failures to write never come."""


# What is too long or no instant has a code of its own in the result, and raises nothing.
_NUMBER: Final = Exact(
    "a number of milliseconds",
    "float",
    (int, float),
    lambda value: type(value) is float or -MAX_INT <= value <= MAX_INT,
)


def _measured(max_bytes: int) -> Exact:
    return Exact(f"text of at most {max_bytes} bytes", "str", (str,), copied=check_text)


class CacheRecord(Members):
    """What the cache holds under a key."""

    __slots__ = ("expires_at", "value")
    _listed_: ClassVar[tuple[str, ...]] = ("value", "expires_at")
    _exposed_: ClassVar[frozenset[str]] = frozenset({*_listed_, *LOOKING})
    _path_ = "the cache record"

    value: str
    expires_at: int

    def __init__(self, value: str, expires_at: int) -> None:
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "expires_at", expires_at)


class CacheResult(Members):
    """How a write ended: `type` is `success` or `error`. An error has a `code`, what was set has a `record`."""

    __slots__ = ("code", "record", "type")
    _listed_: ClassVar[tuple[str, ...]] = ("type", "code", "record")
    _exposed_: ClassVar[frozenset[str]] = frozenset({*_listed_, *LOOKING})
    _path_ = "the cache's result"

    type: str
    code: str | None
    record: CacheRecord | None

    def __init__(self, code: str | None = None, record: CacheRecord | None = None) -> None:
        object.__setattr__(self, "type", "success" if code is None else "error")
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "record", record)


def _now_ms(moment: Moment) -> int:
    return moment.clock_ns // 1_000_000


def _get(moment: Moment, args: dict[str, Any]) -> CacheRecord | None:
    record = moment.records.get(args["key"])
    return None if record is None or record[1] <= _now_ms(moment) else CacheRecord(*record)


def _expiry(args: dict[str, Any], now_ms: int) -> int:
    """Return when a record expires: the earlier of the two that may be given. 0 for what is no instant or duration."""
    ttl, expires_at = args.get("ttl"), args.get("expires_at")
    # A NaN fails the comparisons.
    if not (ttl is None or 0 < ttl < _INFINITY) or not (expires_at is None or 0 < expires_at < _INFINITY):
        return 0
    if ttl is None and expires_at is None:
        return now_ms + _LIFETIME_MS
    latest = now_ms + LIFETIME_MAX_MS
    # The bounds come first: a number may be too large to be added to.
    after = latest if ttl is None else now_ms + min(ttl, LIFETIME_MAX_MS)
    return int(min(after, latest if expires_at is None else expires_at))


def _set(moment: Moment, args: dict[str, Any]) -> CacheResult:
    key, value, now_ms = args["key"], args["value"], _now_ms(moment)
    key_bytes, value_bytes = len(key.encode()), len(value.encode())
    if not 1 <= key_bytes <= RECORD_KEY_BYTES:
        return CacheResult("CacheKeySizeExceeded")
    if value_bytes > VALUE_BYTES:
        return CacheResult("CacheValueSizeExceeded")
    expires_at = _expiry(args, now_ms)
    if expires_at == 0:
        return CacheResult("InvalidExpiry")
    if expires_at <= now_ms:
        return CacheResult("ItemAlreadyExpired")
    others = {name: kept for name, (kept, until) in moment.records.items() if until > now_ms and name != key}
    total = key_bytes + value_bytes + sum(len(name.encode()) + len(kept.encode()) for name, kept in others.items())
    if len(others) >= ENTRIES_MAX or total > TOTAL_BYTES:
        return CacheResult("CacheSizeExceeded")
    if not moment.perform("cache.set", {"key": key, "value": value, "expires_at": expires_at}):
        return CacheResult("MaxSideEffectsExceeded")
    return CacheResult(record=CacheRecord(value, expires_at))


def _delete(moment: Moment, args: dict[str, Any]) -> CacheResult:
    if _get(moment, args) is None:
        return CacheResult("CacheKeyDoesNotExist")
    if not moment.perform("cache.delete", {"key": args["key"]}):
        return CacheResult("MaxSideEffectsExceeded")
    return CacheResult()


_STORED_KEY: Final = Param("key", utf8(RECORD_KEY_BYTES, 1))
_KEY: Final = Param("key", _measured(RECORD_KEY_BYTES), doc="Name of the record.")

CACHE_CALLS: Final[tuple[Call, ...]] = (
    Call(
        "cache.get",
        (_KEY,),
        "Return the record of a key, or None. Any record may be gone before it expires.",
        answer=_get,
        returns="CacheRecord | None",
    ),
    Call(
        "cache.set",
        (
            _KEY,
            Param("value", _measured(VALUE_BYTES), doc="The text to keep."),
            option("ttl", _NUMBER, "Milliseconds from now; 15 minutes by default."),
            option("expires_at", _NUMBER, "Milliseconds since the epoch."),
        ),
        "Keep a text for this trigger's later executions and logins, for 24 hours at most; of two expiries the earlier"
        f" one holds. At most {ENTRIES_MAX} records, and {TOTAL_BYTES} bytes of keys and values. What cannot be kept is"
        " said by the code of the result: nothing is raised.",
        live=True,
        answer=_set,
        returns="CacheResult",
        command=Call(
            "cache.set", (_STORED_KEY, Param("value", utf8(VALUE_BYTES)), Param("expires_at", MILLIS)), "", live=True
        ),
    ),
    Call(
        "cache.delete",
        (_KEY,),
        "Delete the record of a key. That there is none is said by the code of the result.",
        live=True,
        answer=_delete,
        returns="CacheResult",
        command=Call("cache.delete", (_STORED_KEY,), "", live=True),
    ),
)
