"""What the store keeps for suspended logins: flows that were deployed before, and continuations that were used.

Suspended logins are as rare as people at a second factor, so each of them may touch the disk.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from runtime.catalog import lineage, rows
from runtime.catalog import vault as places
from runtime.catalog.base import Claim, Definition, Flow
from runtime.catalog.database import Connection, Database
from runtime.catalog.keyed import vault_of
from runtime.catalog.lineage import NO_MARK, Mark, Used
from runtime.config.sections import MAX_LIFETIME_S
from runtime.errors import CatalogError, CatalogUnavailable, StoreBusy

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done in one of the next transactions, and for which continuation; `first` before what is not."""

    name: bytes
    do: Callable[[Connection], Any]
    first: bool = False


# Of one tenant. After this many deployments in the lifetime of a suspended login, its user must begin again.
SUPERSEDED_MAX = 100
# Replicas' clocks may differ: a name is kept longer than any of them would accept its token.
_SLACK_S = 3600
_FORGOTTEN_AT_ONCE = 10_000
_OWED_MAX = 10_000
# In one transaction: the rows of all of them are locked until it ends, and other replicas may wait for them.
_AT_ONCE = 32
# Of a claim whose row goes while it looks.
_TRIES = 3
# How often a transaction is tried that another replica's stands in the way of.
_ATTEMPTS = 3
# Of all answers together, as they lie in the store.
ANSWERS_BYTES = 256 << 20
_ENDED = "the store is being closed"


def keep(connection: Connection, tenant: str, now_s: int) -> None:
    """Keep a tenant's flow as it is, before it is replaced or removed. In the transaction of an apply."""
    try:
        digest, text = rows.deployed(connection, tenant)
    except places.Unsealable:
        # It could not be continued with either; an apply mends the tenant.
        return
    _keep(connection, tenant, digest or b"", now_s, text)
    connection.execute(
        "DELETE FROM superseded WHERE tenant = ? AND digest NOT IN "
        "(SELECT digest FROM superseded WHERE tenant = ? ORDER BY replaced_at DESC LIMIT ?)",
        (tenant, tenant, SUPERSEDED_MAX),
    )


def keep_flow(connection: Connection, flow: Flow, until_s: int) -> None:
    """Keep a flow that is served beside the tenant's own one until an instant, and as long as any other after it."""
    _keep(connection, flow.tenant, flow.digest, until_s, rows.text_of(flow))


def _keep(connection: Connection, tenant: str, digest: bytes, replaced_at_s: int, text: str) -> None:
    connection.execute(
        "INSERT INTO superseded (tenant, digest, replaced_at, flow) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (tenant, digest) DO UPDATE SET replaced_at = excluded.replaced_at",
        (tenant, digest, replaced_at_s, vault_of(connection).seal(places.superseded(tenant, digest), text)),
    )


def kept(connection: Connection, tenant: str, digest: bytes) -> Definition | None:
    """Return a flow that is kept, by its fingerprint; None when it is not. Raises: UNREADABLE."""
    query = "SELECT flow FROM superseded WHERE tenant = ? AND digest = ?"
    found = connection.execute(query, (tenant, digest)).fetchone()
    if found is None:
        return None
    text = vault_of(connection).open(places.superseded(tenant, digest), found[0])
    return rows.definition_of(connection, tenant, digest, text)


def prune(connection: Connection, now_s: int) -> None:
    """Drop what no living continuation can ask for: old secrets are in it."""
    connection.execute("DELETE FROM superseded WHERE replaced_at < ?", (now_s - MAX_LIFETIME_S - _SLACK_S,))


class StoredSuspendedFlows:
    """The SuspendedFlows of one store. All work runs on a thread of its own.

    What is asked for while a transaction is being written goes into the next one together: a disk makes some fifty of
    them a second, whatever is in them.
    """

    def __init__(
        self,
        database: Database,
        *,
        mark: Callable[[], Mark] = lambda: NO_MARK,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Use a store as long as it is the one whose history holds the mark.

        Another one knows nothing of what was used: in it every continuation would be good once more.
        """
        self._database = database
        self._mark = mark
        self._clock = clock
        # What was used last by way of this object: a copy that was made before does not know it.
        self._used: tuple[Used, ...] = ()
        # That of the store, as the transaction that runs has found it.
        self._epoch = b""
        # Claims to be given back that could not be: name -> until when they last.
        self._owed: dict[bytes, int] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="suspended")
        self._waiting: list[tuple[_Work, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def epoch(self) -> bytes:
        """The epoch to seal continuations in."""
        return self._mark().epoch

    async def claim(
        self,
        name: bytes,
        expires_at_ms: int,
        now_ms: int,
        until_ms: int,
        request: bytes = b"",
        epoch: bytes = b"",
    ) -> Claim:
        """Claim a continuation of an epoch until an instant, for a request."""

        def work(connection: Connection) -> Claim:
            if epoch != self._epoch:
                return Claim(outdated=True)
            for _ in range(_TRIES):
                # A row that is there is not locked by this: a thousand claims of it do not keep it from being spent.
                done = connection.execute(
                    "INSERT INTO continuations (name, expires_at_ms, claimed_until_ms, request) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (name) DO NOTHING",
                    (name, expires_at_ms, until_ms, request),
                )
                if done.rowcount == 1 or _takes_over(connection, name, until_ms, now_ms, request):
                    # After the row was written: what a sweep beside us has committed by then is seen.
                    if expires_at_ms > lineage.forgotten_until_ms(connection):
                        return Claim(granted=True)
                    connection.execute("DELETE FROM continuations WHERE name = ?", (name,))
                    return Claim(expired=True)
                query = "SELECT claimed_until_ms, request, answer FROM continuations WHERE name = ?"
                found = connection.execute(query, (name,)).fetchone()
                # None: it was given back in between.
                if found is not None:
                    claimed_ms, same, answer = found
                    if not request or request != same:
                        return Claim()
                    return Claim(running=claimed_ms is not None, answer=answer)
            return Claim(running=True)

        return await self._write(work, name)

    async def spend(self, name: bytes, until_ms: int, answer: bytes | None = None) -> bool:
        """Use up what was claimed until that instant, for good; False when another has claimed it since."""

        def work(connection: Connection) -> tuple[Used, ...]:
            done = connection.execute(
                "UPDATE continuations SET claimed_until_ms = NULL, answer = ? WHERE name = ? AND claimed_until_ms = ?",
                (answer, name, until_ms),
            )
            if done.rowcount != 1:
                return ()
            query = "SELECT expires_at_ms FROM continuations WHERE name = ?"
            (expires_at_ms,) = connection.execute(query, (name,)).fetchone()
            return (Used(name, expires_at_ms, self._epoch),)

        # Before claims: a decision waits for it.
        used = await self._write(work, name, first=True)
        self._used = used or self._used
        return bool(used)

    async def release(self, name: bytes, until_ms: int) -> None:
        """Give a claim back: nothing was decided. Where that fails, the next transaction does it."""
        try:
            await self._write(_release(name, until_ms), name, first=True)
        except BaseException:
            # Its user need not wait until the claim lapses when the store is back.
            if len(self._owed) < _OWED_MAX:
                self._owed[name] = until_ms
            raise

    async def sweep(self, now_ms: int) -> None:
        """Drop the answers of continuations that have expired, and of the others those that expire first.

        Continuations that no replica would take any more are forgotten.
        """

        def work(connection: Connection) -> bool:
            connection.execute(
                "UPDATE continuations SET answer = NULL WHERE answer IS NOT NULL AND expires_at_ms < ?", (now_ms,)
            )
            connection.execute(
                "UPDATE continuations SET answer = NULL WHERE name IN (SELECT name FROM (SELECT name, "
                "sum(length(answer)) OVER (ORDER BY expires_at_ms DESC, name) AS held FROM continuations "
                "WHERE answer IS NOT NULL) AS answers WHERE held > ?)",
                (ANSWERS_BYTES,),
            )
            _forget(connection, now_ms - _SLACK_S * 1000)
            return True

        await self._write(work, b"")

    async def find(self, tenant: str, digest: bytes) -> Definition | None:
        """Return the tenant's flow of this digest, which it has or had; None when that is not kept."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find, tenant, digest)

    async def close(self) -> None:
        """Let the thread go; a disk that hangs is not waited for."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _write(self, work: Callable[[Connection], _T], name: bytes, *, first: bool = False) -> asyncio.Future[_T]:
        if self._closed:
            raise CatalogError([_ENDED])
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((_Work(name, work, first), future))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._drain(), name="suspended")
        return future

    async def _drain(self) -> None:
        """Write what is waiting, together, until nothing is. Work whose caller has given up is done too."""
        loop = asyncio.get_running_loop()
        batch: list[tuple[_Work, asyncio.Future[Any]]] = []
        try:
            while self._waiting and not self._closed:
                self._waiting.sort(key=lambda waiting: not waiting[0].first)
                batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                works = [work for work, _ in batch]
                try:
                    results = await loop.run_in_executor(self._thread, self._in_transaction, works)
                except CatalogError as error:
                    _answer(batch, error)
                else:
                    for (_, future), answer in zip(batch, results, strict=True):
                        if not future.done():
                            future.set_result(answer)
        finally:
            # No caller is left waiting when this ends early, by a close or by a fault of ours.
            self._writing = None
            _answer([*batch, *self._waiting], CatalogError([_ENDED]))
            self._waiting = []

    def _in_transaction(self, works: Sequence[_Work]) -> list[Any]:
        owed = dict(itertools.islice(list(self._owed.items()), _AT_ONCE))
        released = [_Work(name, _release(name, until_ms)) for name, until_ms in owed.items()]
        # Before a new claim of the same name.
        works = [*released, *works]
        # By name, as every replica does: two that lock the same rows in another order would wait for each other.
        order = sorted(range(len(works)), key=lambda at: works[at].name)
        for attempt in itertools.count(1):
            try:
                with self._database.claiming() as connection:
                    self._must_hold(connection)
                    done = {at: works[at].do(connection) for at in order}
                for name, until_ms in owed.items():
                    if self._owed.get(name) == until_ms:
                        del self._owed[name]
                return [done[at] for at in range(len(released), len(works))]
            except StoreBusy:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError

    def _must_hold(self, connection: Connection) -> None:
        """Do nothing with the store that is served, or a copy of it that was accepted. Raises: CatalogUnavailable."""
        mark = self._mark()
        mark = replace(mark, used=(*mark.used, *self._used))
        found = lineage.newest(connection)
        lineage.holds(connection, self._database.name, mark, found, int(self._clock() * 1000))
        self._epoch = found.epoch

    def _find(self, tenant: str, digest: bytes) -> Definition | None:
        with self._database.reading() as connection:
            # In one transaction: between two reads an apply might move it from the one place to the other.
            self._must_hold(connection)
            try:
                found = kept(connection, tenant, digest)
                if found is None:
                    # Another replica may have seen the last apply before this one, and suspended the login.
                    current, text = rows.deployed(connection, tenant)
                    if current == digest:
                        found = rows.definition_of(connection, tenant, digest, text)
                return found
            except rows.UNREADABLE as error:
                kind, name = type(error).__name__, self._database.name
                message = f"the store {name} holds a superseded flow that this version cannot read ({kind})"
                raise CatalogError([message]) from error


def _takes_over(connection: Connection, name: bytes, until_ms: int, now_ms: int, request: bytes) -> bool:
    """Claim what a claim that has lapsed holds; False for any other. A spent one has no instant to compare with."""
    lapsed = "SELECT 1 FROM continuations WHERE name = ? AND claimed_until_ms < ?"
    if connection.execute(lapsed, (name, now_ms)).fetchone() is None:
        return False
    done = connection.execute(
        "UPDATE continuations SET claimed_until_ms = ?, request = ? WHERE name = ? AND claimed_until_ms < ?",
        (until_ms, request, name, now_ms),
    )
    return done.rowcount == 1


def _release(name: bytes, until_ms: int) -> Callable[[Connection], bool]:
    """Return what gives a claim back, unless it was spent or is another's by now."""

    def work(connection: Connection) -> bool:
        connection.execute("DELETE FROM continuations WHERE name = ? AND claimed_until_ms = ?", (name, until_ms))
        return True

    return work


def _forget(connection: Connection, before_ms: int) -> None:
    """Delete continuations that expired before an instant, and write down until when: this clock may be wrong."""
    query = (
        "SELECT max(expires_at_ms) FROM (SELECT expires_at_ms FROM continuations WHERE expires_at_ms < ? "
        "ORDER BY expires_at_ms LIMIT ?) AS expired"
    )
    (until_ms,) = connection.execute(query, (before_ms, _FORGOTTEN_AT_ONCE)).fetchone()
    if until_ms is None:
        return
    connection.execute("UPDATE continuations_forgotten SET until_ms = ? WHERE until_ms < ?", (until_ms, until_ms))
    connection.execute("DELETE FROM continuations WHERE expires_at_ms <= ?", (until_ms,))


class SuspendsNothing:
    """The SuspendedFlows of a daemon that has nowhere to keep a claim: a login that would be suspended is refused."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    @property
    def epoch(self) -> bytes:
        """There is none to seal in. Raises: CatalogUnavailable."""
        raise CatalogUnavailable([self._reason])

    async def claim(
        self,
        name: bytes,
        expires_at_ms: int,
        now_ms: int,
        until_ms: int,
        request: bytes = b"",
        epoch: bytes = b"",
    ) -> Claim:
        """Claim nothing. Raises: CatalogUnavailable."""
        raise CatalogUnavailable([self._reason])

    async def spend(self, name: bytes, until_ms: int, answer: bytes | None = None) -> bool:
        """Spend nothing. Raises: CatalogUnavailable."""
        raise CatalogUnavailable([self._reason])

    async def release(self, name: bytes, until_ms: int) -> None:
        """Give nothing back: nothing was claimed."""

    async def sweep(self, now_ms: int) -> None:
        """Drop nothing: nothing is kept."""

    async def find(self, tenant: str, digest: bytes) -> Definition | None:
        """Find nothing. Raises: CatalogUnavailable."""
        raise CatalogUnavailable([self._reason])

    async def close(self) -> None:
        """Release nothing."""


def _answer(batch: Sequence[tuple[_Work, asyncio.Future[Any]]], error: CatalogError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
