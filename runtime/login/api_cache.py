"""The trigger's cache of each tenant: what `api.cache` keeps from login to login, best effort, in this daemon's memory.

Knows records and the limits of what is kept. Must not know decisions. It is memory, so it may be gone at any time: with
the daemon, or with a tenant that is not asked for. Of a tenant that shares its cache (`shared_cache.py`) it has what
was last read from the store; otherwise every replica has one of its own. Source of the limits: the
post-login reference, section 4. The call holds them too, but does not see what other logins write at the same time.
"""

from collections import OrderedDict
from collections.abc import Container, Iterable, Mapping
from typing import Final

from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Command
from sandbox.contract.calls.cache import ENTRIES_MAX, LIFETIME_MAX_MS, TOTAL_BYTES

# Of all tenants, those that were asked for last: at the largest 64 MiB of records.
TENANTS_MAX: Final = 8192


class Records:
    """One tenant's records."""

    __slots__ = ("_fresh_until_ms", "_records", "_sent")

    def __init__(self) -> None:
        # Key -> value and expiry, milliseconds since the epoch.
        self._records: dict[str, tuple[str, int]] = {}
        self._sent = b""
        self._fresh_until_ms = 0

    def __len__(self) -> int:
        return len(self._records)

    def sent(self, now_ms: int) -> bytes:
        """Return the records as the part of a RunFlow that they are; nothing when all have expired."""
        if now_ms >= self._fresh_until_ms:
            self._expire(now_ms)
            self._write()
        return self._sent

    def apply(self, commands: Iterable[Command], now_ms: int) -> None:
        """Carry out what a login asked for."""
        self._expire(now_ms)
        for command in commands:
            key = command.args["key"]
            self._records.pop(key, None)
            if command.op == "cache.set":
                # The worker says when; no record lives longer than any call could ask for.
                until_ms = min(command.args["expires_at"], now_ms + LIFETIME_MAX_MS)
                if until_ms > now_ms:
                    self._records[key] = command.args["value"], until_ms
                    self._shrink()
        self._write()

    def replace(self, records: Mapping[str, tuple[str, int]], now_ms: int) -> None:
        """Have these records and no others."""
        until_ms = now_ms + LIFETIME_MAX_MS
        found = {key: (value, min(expires_ms, until_ms)) for key, (value, expires_ms) in records.items()}
        if found != self._records:
            self._records = found
            self._shrink()
            self._write()

    def _expire(self, now_ms: int) -> None:
        for key in [key for key, (_, until_ms) in self._records.items() if until_ms <= now_ms]:
            del self._records[key]

    def _shrink(self) -> None:
        """Let go of what expires first, until the limits are kept."""
        while len(self._records) > ENTRIES_MAX or self._bytes() > TOTAL_BYTES:
            del self._records[min(self._records, key=lambda key: self._records[key][1])]

    def _bytes(self) -> int:
        return sum(len(key.encode()) + len(value.encode()) for key, (value, _) in self._records.items())

    def _write(self) -> None:
        message = worker_pb2.RunFlow(
            cache=[
                worker_pb2.CacheRecord(key=key, value=value, expires_at_ms=until_ms)
                for key, (value, until_ms) in self._records.items()
            ]
        )
        self._sent = message.SerializeToString()
        self._fresh_until_ms = min((until_ms for _, until_ms in self._records.values()), default=1 << 62)


class TriggerCache:
    """The records of all tenants. `of` is read on the hot path: tenants without records are not in it."""

    __slots__ = ("of",)

    def __init__(self) -> None:
        self.of: OrderedDict[str, Records] = OrderedDict()

    def apply(self, tenant: str, commands: Iterable[Command], now_ms: int) -> None:
        """Carry out what a login of a tenant asked for."""
        records = self.of.get(tenant)
        if records is None:
            records = self.of[tenant] = Records()
        records.apply(commands, now_ms)
        self._keep(tenant, records)

    def replace(self, tenant: str, found: Mapping[str, tuple[str, int]], now_ms: int) -> None:
        """Have what was read of a tenant's shared cache, and nothing else of it."""
        records = self.of.get(tenant)
        if records is None:
            if not found:
                return
            records = self.of[tenant] = Records()
        records.replace(found, now_ms)
        self._keep(tenant, records)

    def forget(self, tenants: Container[str]) -> None:
        """Let go of the records of all tenants but these."""
        for name in [name for name in self.of if name not in tenants]:
            del self.of[name]

    def _keep(self, tenant: str, records: Records) -> None:
        if not records:
            del self.of[tenant]
            return
        self.of.move_to_end(tenant)
        if len(self.of) > TENANTS_MAX:
            self.of.popitem(last=False)
