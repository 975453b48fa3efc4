"""A version on trial on many daemons with one store: what one of them learns saves the users of all."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.catalog import trials
from runtime.catalog.base import Band, Trial
from runtime.catalog.database import Database
from runtime.catalog.opening import open_database
from runtime.catalog.trial_counts import SharedTrials
from runtime.errors import CatalogUnavailable
from runtime.login.trials import Trials
from runtime.ops.metrics import Metrics
from tests.fixtures.postgresql import running
from tests.fixtures.tenants import define
from tests.fixtures.waiting import PATIENCE_S
from tests.unit.test_versions import ada, image, put

LOG: Any = SimpleNamespace(warning=lambda *_, **__: None)


def begun(store: Database, percent: int) -> Trial:
    """Put a tenant into a store, with a version of it on trial."""
    put(store, define("acme", "one"))
    trials.begin(store, [define("acme", "two")], percent, Band(), ada(1), {})
    return image(store).snapshot.trials["acme"]


def listed(store: Database) -> bool:
    """Tell whether a trial is running."""
    with store.reading() as connection:
        return bool(trials.listed(connection))


class Replica:
    """What a daemon has of trials, and its logins."""

    def __init__(self, store: Database, trial: Trial) -> None:
        self.shared = SharedTrials(store, lambda: None, time.time)
        self.trials = Trials(SimpleNamespace(), Metrics(""), LOG, 1000, self.shared)  # type: ignore[arg-type]  # no login runs
        self._trial = trial

    def login(self, user: str, *, bad: bool) -> bool:
        """Decide a login, which the version on trial denies if it is bad; tell whether it was harmed."""
        on_trial = self.trials.takes(self._trial, user)
        digest = self._trial.definition.flow.digest if on_trial else b"own"
        login: Any = SimpleNamespace(before=(), plan=SimpleNamespace(flow=SimpleNamespace(digest=digest)))
        decision: Any = SimpleNamespace(outcome="deny" if on_trial and bad else "allow", degraded=False)
        self.trials.decided(self._trial, login, decision)
        return on_trial and bad

    @property
    def over(self) -> bool:
        return not any(self.trials.takes(self._trial, f"probe-{at}") for at in range(200))

    async def close(self) -> None:
        await self.trials.close()
        self.shared.close()


@asynccontextmanager
async def replicas(stores: list[Database], trial: Trial) -> AsyncIterator[list[Replica]]:
    found = [Replica(store, trial) for store in stores]
    try:
        yield found
    finally:
        for one in found:
            await one.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


async def test_what_one_has_learned_another_need_not(empty_store: Database) -> None:
    """Two logins on trial on each of two say nothing alone; together with what is usual they end it for all."""
    trial = begun(empty_store, 50)
    users = [f"user-{at}" for at in range(400)]
    async with replicas([empty_store] * 3, trial) as found:
        tried = [user for user in users if found[0].trials.takes(trial, user)]
        first, second, third = found
        for user in [user for user in users if user not in tried][:30]:
            first.login(user, bad=True)
        for user in tried[:3]:
            first.login(user, bad=True)
        assert not first.over, "the control: three are not enough"
        await asyncio.sleep(0.3)
        for user in tried[3:6]:
            second.login(user, bad=True)
        await until(lambda: second.over)
        await until(lambda: not listed(empty_store))
        # It has had one login, which was a good one.
        third.login(tried[9], bad=False)
        await until(lambda: third.over)
        first.login(tried[10], bad=False)
        await until(lambda: first.over)


async def test_without_a_store_each_judges_alone(empty_store: Database) -> None:
    """The counts of this daemon still end it here, and it tells the store when that is back."""
    trial = begun(empty_store, 50)

    class Gone:
        away = True

        def __getattr__(self, name: str) -> Any:
            if self.away:
                raise CatalogUnavailable(["gone"])
            return getattr(empty_store, name)

    gone: Any = Gone()
    async with replicas([gone], trial) as (only,):
        users = [f"user-{at}" for at in range(200)]
        tried = [user for user in users if only.trials.takes(trial, user)]
        harmed = sum(only.login(user, bad=True) for user in users if user not in tried or user in tried[:60])
        assert only.over
        assert 0 < harmed < 20
        gone.away = False
        await until(lambda: not listed(empty_store))


@pytest.mark.long
@pytest.mark.parametrize("percent", [10, 90])
async def test_fifty_replicas_harm_at_most_two_hundred_in_all(percent: int) -> None:
    """500 logins a second over fifty replicas, each with connections of its own to one PostgreSQL server."""
    chance = random.Random(percent)
    with running() as cluster, ExitStack() as opened:
        url = cluster.url(cluster.database())
        stores: list[Database] = [opened.enter_context(closing(open_database(url))) for _ in range(50)]
        trial = begun(stores[0], percent)
        for store in stores:
            # As a daemon's, whose connections are open.
            image(store)
        async with replicas(stores, trial) as found:
            began_s, harmed = time.monotonic(), 0
            for at in range(2000):
                await asyncio.sleep(max(0.0, began_s + at / 500 - time.monotonic()))
                harmed += chance.choice(found).login(f"user-{at}", bad=True)
            await until(lambda: not listed(stores[0]))
            print(f"{harmed} logins were harmed, of {percent} % on trial")
            assert 0 < harmed <= 200
