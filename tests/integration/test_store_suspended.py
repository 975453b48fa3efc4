"""What the store keeps for suspended logins: each continuation is used once, and what was deployed before is found."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.catalog import applies, images, lineage, rows, suspended
from runtime.catalog.base import Binding, Claim, Definition, Flow
from runtime.catalog.database import Database
from runtime.config.sections import MAX_LIFETIME_S
from runtime.core.model import OnError, Policy, Settings
from runtime.errors import CatalogError
from tests.fixtures.stores import Again, Replica, alter

NOW_MS = 1_800_000_000_000
EXPIRES_MS = NOW_MS + 900_000
UNTIL_MS = NOW_MS + 10_000
NAME = b"n" * 16


def define(tenant: str, source: str, secret: str = "s", policy: Policy = Policy.NEVER) -> Definition:
    sha = hashlib.sha256(source.encode()).hexdigest()
    flow = Flow(tenant, Settings(policy=policy), (Binding("a", sha, OnError.DENY, 7000),), {"a": {"KEY": secret}})
    return Definition(flow, {sha: source})


@pytest.fixture
def store(empty_store: Database) -> Database:
    """A store of each kind, with one tenant."""
    applies.apply(empty_store, [define("acme", "one")])
    return empty_store


@pytest.fixture
async def flows(store: Database) -> AsyncIterator[Replica]:
    flows = Replica(store)
    yield flows
    await flows.close()


@pytest.fixture
async def other(store: Database, again: Again) -> AsyncIterator[Replica]:
    """A second replica."""
    flows = Replica(again(store))
    yield flows
    await flows.close()


class TestContinuations:
    async def test_a_name_is_spent_once(self, flows: Replica, other: Replica) -> None:
        """What one replica has spent, no replica can claim, at any time before it is forgotten."""
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert await flows.spend(NAME, UNTIL_MS)
        for replica in (flows, other):
            assert not (await replica.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
            assert not (await replica.claim(NAME, EXPIRES_MS, EXPIRES_MS + 60_000, EXPIRES_MS + 70_000)).granted
        assert (await other.claim(b"m" * 16, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted

    async def test_of_concurrent_claims_one_wins(self, flows: Replica, other: Replica) -> None:
        """Twenty claims at once over two replicas: one is granted."""
        replicas = [flows, other] * 10
        granted = await asyncio.gather(*(r.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS) for r in replicas))
        assert sum(claim.granted for claim in granted) == 1

    async def test_a_released_name_can_be_claimed_again(self, flows: Replica) -> None:
        """A leg that led to no decision leaves its continuation usable."""
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        await flows.release(NAME, UNTIL_MS)
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted

    async def test_a_claim_that_could_not_be_given_back_is_when_the_store_is_back(
        self, store: Database, flows: Replica, other: Replica, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the next transaction of the daemon that has it, whatever that is of; one that is spent stays spent."""
        spent, later_ms = b"s" * 16, UNTIL_MS + 5
        for name in (NAME, spent):
            assert (await flows.claim(name, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted

        def away() -> Any:
            raise CatalogError(["the store is away"])

        with monkeypatch.context() as fault:
            fault.setattr(store, "claiming", away)
            for name in (NAME, spent):
                with pytest.raises(CatalogError):
                    await flows.release(name, UNTIL_MS)
        assert await other.spend(spent, UNTIL_MS)
        assert not (await other.claim(NAME, EXPIRES_MS, NOW_MS, later_ms)).granted
        assert (await flows.claim(b"m" * 16, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert (await other.claim(NAME, EXPIRES_MS, NOW_MS, later_ms)).granted
        assert not (await other.claim(spent, EXPIRES_MS, NOW_MS, later_ms)).granted
        # It is given back once: what another has claimed since is not.
        await flows.sweep(NOW_MS)
        assert await other.spend(NAME, later_ms)

    async def test_a_claim_lapses(self, flows: Replica, other: Replica) -> None:
        """When a daemon died in the middle, its claim lasts until its instant and no longer."""
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert not (await other.claim(NAME, EXPIRES_MS, UNTIL_MS, UNTIL_MS + 10_000)).granted
        assert (await other.claim(NAME, EXPIRES_MS, UNTIL_MS + 1, UNTIL_MS + 10_000)).granted

    async def test_who_comes_too_late_has_lost_its_claim(self, flows: Replica, other: Replica) -> None:
        """A daemon that stood still beyond its claim can neither spend nor release what another has claimed since."""
        later_ms = UNTIL_MS + 10_000
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert (await other.claim(NAME, EXPIRES_MS, UNTIL_MS + 1, later_ms)).granted
        assert not await flows.spend(NAME, UNTIL_MS)
        await flows.release(NAME, UNTIL_MS)
        assert await other.spend(NAME, later_ms)
        await flows.release(NAME, UNTIL_MS)
        assert not (await flows.claim(NAME, EXPIRES_MS, later_ms + 1, later_ms + 2)).granted

    async def test_spent_names_outlive_the_process(self, store: Database, flows: Replica) -> None:
        """A restart, and an apply, forget no spent name."""
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert await flows.spend(NAME, UNTIL_MS)
        await flows.close()
        applies.apply(store, [define("acme", "two")])
        again = Replica(store)
        assert not (await again.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        await again.close()

    async def test_names_go_when_no_replica_would_take_them(self, store: Database, flows: Replica) -> None:
        """The table is as long as continuations live: an hour after its expiry a name goes with the next sweep."""
        await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)
        await flows.claim(b"o" * 16, EXPIRES_MS + 1, NOW_MS, UNTIL_MS)
        await flows.sweep(EXPIRES_MS + 3_600_000)
        assert alter(store, "SELECT count(*) FROM continuations") == [(2,)]
        await flows.sweep(EXPIRES_MS + 3_600_001)
        assert alter(store, "SELECT name FROM continuations") == [(b"o" * 16,)]

    async def test_a_sweep_with_a_wrong_clock_makes_none_good_once_more(
        self, store: Database, flows: Replica, other: Replica
    ) -> None:
        """A replica a year ahead sweeps what the others still take: they refuse it, and nothing that expires later."""
        used, later = NAME, b"l" * 16
        assert (await flows.claim(used, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert await flows.spend(used, UNTIL_MS)
        await other.sweep(NOW_MS + 365 * 86_400_000)
        assert alter(store, "SELECT count(*) FROM continuations") == [(0,)]
        for replica in (flows, other):
            assert await replica.claim(used, EXPIRES_MS, NOW_MS, UNTIL_MS) == Claim(expired=True)
            assert await replica.claim(b"m" * 16, EXPIRES_MS - 1, NOW_MS, UNTIL_MS) == Claim(expired=True)
        # The control: it is the sweep's word that refuses, and it says no more than what was swept.
        assert (await flows.claim(later, EXPIRES_MS + 1, NOW_MS, UNTIL_MS)).granted
        alter(store, "UPDATE continuations_forgotten SET until_ms = 0")
        assert (await flows.claim(used, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted

    async def test_what_comes_at_the_same_time_is_written_together(
        self, store: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a hundred claims at once all are granted, in a handful of transactions."""
        flows = Replica(store)
        commits = 0
        claiming = store.claiming

        def counted() -> Any:
            nonlocal commits
            commits += 1
            return claiming()

        monkeypatch.setattr(store, "claiming", counted)
        names = [bytes([at]) * 16 for at in range(100)]
        granted = await asyncio.gather(*(flows.claim(name, EXPIRES_MS, NOW_MS, UNTIL_MS) for name in names))
        assert all(granted)
        assert commits <= 5
        await flows.close()

    async def test_a_close_answers_every_caller(self, store: Database) -> None:
        """No caller is left waiting: what was being written ends, and the rest is an error."""
        flows = Replica(store)
        first = asyncio.create_task(flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS))
        await asyncio.sleep(0)
        second = asyncio.create_task(flows.claim(b"m" * 16, EXPIRES_MS, NOW_MS, UNTIL_MS))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await flows.close()
        ended = await asyncio.gather(first, second, return_exceptions=True)
        assert all(answer == Claim(granted=True) or isinstance(answer, CatalogError) for answer in ended)
        with pytest.raises(CatalogError, match="is being closed"):
            await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)


class TestSuperseded:
    async def test_what_was_replaced_is_found(self, store: Database, flows: Replica) -> None:
        """After two applies each earlier flow is found by its digest, with sources, secrets and settings."""
        first = define("acme", "one")
        second = define("acme", "two", "t", Policy.ALWAYS)
        applies.apply(store, [second])
        applies.apply(store, [define("acme", "three")])
        for definition in (first, second):
            digest = rows.digest(definition.flow)
            found = await flows.find("acme", digest)
            assert found is not None
            assert (found.flow, dict(found.sources)) == (definition.flow, dict(definition.sources))
            assert found.flow.digest == digest
            assert "KEY" in found.flow.secrets["a"]
        assert await flows.find("acme", b"?" * 32) is None
        assert await flows.find("beta", rows.digest(first.flow)) is None

    async def test_what_is_deployed_is_found_too(self, store: Database, flows: Replica) -> None:
        """A replica that has not seen the last apply yet finds the flow that another one has suspended by then."""
        newest = define("acme", "two", "t", Policy.ALWAYS)
        applies.apply(store, [newest])
        found = await flows.find("acme", rows.digest(newest.flow))
        assert found is not None
        assert (found.flow, dict(found.sources)) == (newest.flow, dict(newest.sources))
        assert await flows.find("unknown", rows.digest(newest.flow)) is None

    async def test_a_reader_knows_the_digest_of_what_is_deployed(self, store: Database) -> None:
        """A flow of a snapshot carries the digest by which it is found once it is replaced."""
        with store.reading() as connection:
            image = images.read(connection, None, store.name)
        assert image is not None
        assert image.snapshot.tenants["acme"].digest == rows.digest(define("acme", "one").flow)

    async def test_a_removed_tenant_is_kept_as_long_as_a_replaced_one(self, store: Database, flows: Replica) -> None:
        """What was replaced before and what was removed are found for the same time, and are gone after it."""
        first, last = define("acme", "one"), define("acme", "two", "hush")
        applies.apply(store, [last])
        applies.apply(store, [define("beta", "one")], prune=True)
        for definition in (first, last):
            found = await flows.find("acme", rows.digest(definition.flow))
            assert found is not None
            assert (found.flow, dict(found.sources)) == (definition.flow, dict(definition.sources))
        alter(store, "UPDATE superseded SET replaced_at = replaced_at - ?", values=(MAX_LIFETIME_S + 3700,))
        applies.apply(store, [define("beta", "one")])
        assert await flows.find("acme", rows.digest(last.flow)) is None
        assert alter(store, "SELECT count(*) FROM superseded") == [(0,)]
        assert alter(store, "SELECT count(*) FROM secrets WHERE value = 'hush'") == [(0,)]

    async def test_what_no_continuation_can_ask_for_is_pruned(self, store: Database, flows: Replica) -> None:
        """A superseded flow goes with the first apply after the longest life of a continuation, and not before."""
        digest = rows.digest(define("acme", "one").flow)
        applies.apply(store, [define("acme", "two")])
        alter(store, "UPDATE superseded SET replaced_at = replaced_at - ?", values=(MAX_LIFETIME_S,))
        applies.apply(store, [define("acme", "two")])
        assert await flows.find("acme", digest) is not None
        alter(store, "UPDATE superseded SET replaced_at = replaced_at - 3700")
        applies.apply(store, [define("acme", "two")])
        assert await flows.find("acme", digest) is None

    async def test_the_newest_are_kept(self, store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tenant that is deployed without end keeps a bounded number of earlier flows, the newest."""
        monkeypatch.setattr(suspended, "SUPERSEDED_MAX", 2)
        for at in range(5):
            applies.apply(store, [define("acme", f"x = {at}")])
            alter(store, "UPDATE superseded SET replaced_at = replaced_at - 10")
        kept = {row[0] for row in alter(store, "SELECT digest FROM superseded")}
        assert kept == {rows.digest(define("acme", f"x = {at}").flow) for at in (2, 3)}

    async def test_a_damaged_row_is_an_error(self, store: Database, flows: Replica) -> None:
        """What cannot be read is said, without what it holds."""
        digest = rows.digest(define("acme", "one").flow)
        applies.apply(store, [define("acme", "two")])
        alter(store, "UPDATE superseded SET flow = '{\"secret\": 1}'")
        with pytest.raises(CatalogError, match=r"superseded flow that this version cannot read \(KeyError\)$"):
            await flows.find("acme", digest)


class TestAnswers:
    """What a continuation led to is kept for the same request, until the continuation expires."""

    REQUEST = b"r" * 32

    async def spent(self, flows: Replica, name: bytes = NAME, answer: bytes = b"sealed") -> None:
        assert (await flows.claim(name, EXPIRES_MS, NOW_MS, UNTIL_MS, self.REQUEST)).granted
        assert await flows.spend(name, UNTIL_MS, answer)

    async def found(self, flows: Replica, request: bytes, name: bytes = NAME) -> Claim:
        return await flows.claim(name, EXPIRES_MS, NOW_MS + 1, UNTIL_MS + 1, request)

    async def test_the_same_request_finds_it_on_every_replica(self, flows: Replica, other: Replica) -> None:
        """Another request, and one that is never the same, find a continuation that is used up."""
        await self.spent(flows)
        for replica in (flows, other):
            assert await self.found(replica, self.REQUEST) == Claim(answer=b"sealed")
            assert await self.found(replica, b"s" * 32) == await self.found(replica, b"") == Claim()

    async def test_two_requests_that_cannot_be_recognised_are_two(self, flows: Replica) -> None:
        """An empty digest equals nothing, not even another one."""
        assert (await self.found(flows, b"")).granted
        assert await flows.spend(NAME, UNTIL_MS + 1, b"sealed")
        assert await self.found(flows, b"") == Claim()

    async def test_while_it_is_claimed_the_same_request_is_told_apart(self, flows: Replica, other: Replica) -> None:
        """It may come again; another one may not. What it claims when the claim has lapsed has no answer yet."""
        assert (await flows.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS, self.REQUEST)).granted
        assert await self.found(other, self.REQUEST) == Claim(running=True)
        assert await self.found(other, b"s" * 32) == Claim()
        assert (await other.claim(NAME, EXPIRES_MS, UNTIL_MS + 1, UNTIL_MS + 2, b"s" * 32)).granted
        assert await flows.claim(NAME, EXPIRES_MS, UNTIL_MS + 1, UNTIL_MS + 3, self.REQUEST) == Claim()

    async def test_it_goes_when_the_continuation_has_expired(self, flows: Replica) -> None:
        """The name stays: the continuation is used up as before."""
        await self.spent(flows)
        await flows.sweep(EXPIRES_MS)
        assert await self.found(flows, self.REQUEST) == Claim(answer=b"sealed")
        await flows.sweep(EXPIRES_MS + 1)
        assert await self.found(flows, self.REQUEST) == Claim()

    async def test_all_of_them_have_a_bound(self, flows: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beyond it some are dropped; their names stay."""
        names = [bytes([n]) * 16 for n in range(5)]
        for name in names:
            await self.spent(flows, name, b"x" * 100)
        monkeypatch.setattr(suspended, "ANSWERS_BYTES", 300)
        await flows.sweep(NOW_MS)
        left = [await self.found(flows, self.REQUEST, name) for name in names]
        assert sum(claim.answer is not None for claim in left) == 3
        assert not any(claim.granted for claim in left)


class TestEpochs:
    async def test_an_accepted_restore_outdates_what_was_sealed_before(self, store: Database, again: Again) -> None:
        """Used or not, whichever replica asks; a replica follows the store, and what is sealed from then on is good."""
        with store.reading() as connection:
            image = images.read(connection, None, store.name)
        assert image is not None
        replica, old = Replica(again(store), mark=lambda: image.mark), image.mark.epoch
        assert replica.epoch == old
        assert (await replica.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS, b"r", old)).granted
        assert await replica.spend(NAME, UNTIL_MS, b"answer")
        assert (await replica.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS, b"r", old)).answer == b"answer"
        begun = lineage.begin_epoch(store, 5)
        new = begun.mark.epoch
        assert (begun.number, begun.mark.epochs) == (2, (old, new))
        for name in (NAME, b"m" * 16):
            assert await replica.claim(name, EXPIRES_MS, NOW_MS, UNTIL_MS, b"r", old) == Claim(outdated=True)
        assert (await replica.claim(b"m" * 16, EXPIRES_MS, NOW_MS, UNTIL_MS, b"r", new)).granted
        with store.reading() as connection:
            found = images.read(connection, image, store.name)
        assert found is not None
        assert (found.mark.epoch, found.changed, found.removed) == (new, 0, 0)
        await replica.close()

    async def test_a_store_that_forgets_what_was_used_is_refused(self, store: Database, again: Again) -> None:
        """As a copy without a lost apply does: by the replica that used it, and by those that looked since."""
        with store.reading() as connection:
            image = images.read(connection, None, store.name)
        assert image is not None
        replica = Replica(again(store), mark=lambda: image.mark, clock=lambda: NOW_MS / 1000)
        assert (await replica.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)).granted
        assert await replica.spend(NAME, UNTIL_MS)
        with store.reading() as connection:
            assert images.read(connection, image, store.name, NOW_MS / 1000) is None
        alter(store, "DELETE FROM continuations")
        with pytest.raises(CatalogError, match="it has forgotten that a continuation was used"):
            await replica.claim(NAME, EXPIRES_MS, NOW_MS, UNTIL_MS)
        with store.reading() as connection:
            with pytest.raises(CatalogError, match="run `vestibule store accept-restore` on it"):
                images.read(connection, image, store.name, NOW_MS / 1000)
            assert images.read(connection, image, store.name, EXPIRES_MS / 1000) is None
        await replica.close()
