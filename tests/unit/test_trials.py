"""A version on trial beside a tenant's own: numbered, served to a share, ended by every other change."""

from pathlib import Path

import pytest

from runtime.catalog import applies, holds, rollback, trials, versions
from runtime.catalog.base import GRADUAL, REPORT_ONLY, Band, Definition
from runtime.catalog.database import Database
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.trial_counts import Told, tell
from runtime.catalog.trials import TrialRow
from runtime.core.model import Policy
from runtime.core.trial_tally import Counts, Side
from runtime.errors import CatalogError, Conflict, UnknownVersion
from runtime.login.trials import share_of
from tests.fixtures.tenants import define
from tests.unit.test_versions import NOON, ada, history, image, put


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return SqliteDatabase(tmp_path / "flows.db")


@pytest.fixture
def database(empty: Database) -> Database:
    put(empty, define("acme", "one", secrets={"KEY": "k"}), define("beta"))
    return empty


def begin(database: Database, definition: Definition, percent: int = 10, **expected: int) -> list[TrialRow]:
    return trials.begin(database, [definition], percent, Band(), ada(1, "try"), expected)


NEW = define("acme", "two", policy=Policy.ALWAYS, secrets={"KEY": "k", "MORE": "m"})


class TestTrial:
    def test_the_tenants_own_version_stays(self, database: Database) -> None:
        before = image(database)
        assert begin(database, NEW) == [TrialRow("acme", 2, 10, Band())]
        after = image(database, before)
        assert after.snapshot.tenants["acme"] is before.snapshot.tenants["acme"]
        trial = after.snapshot.trials["acme"]
        flow = trial.definition.flow
        assert (flow.version, flow.served, trial.percent, flow.secrets) == (2, GRADUAL, 10, NEW.flow.secrets)
        assert trial.definition.sources == NEW.sources
        newest, first = history(database)
        assert (newest.number, newest.how, newest.message, first.how) == (2, "gradual", "try", "apply")
        with database.reading() as connection:
            assert versions.version(connection, "acme").number == 1
            assert [version.number for version in versions.newest(connection)] == [1, 1]
            assert versions.numbers(connection) == {"acme": 1, "beta": 1}

    def test_the_same_again_changes_the_share(self, database: Database) -> None:
        begin(database, NEW)
        before = image(database)
        assert begin(database, NEW, 50)[0].number == 2
        assert image(database, before).snapshot.trials["acme"].percent == 50
        with pytest.raises(CatalogError, match="version 2 is on trial; promote or abandon it first"):
            begin(database, define("acme", "three"))

    def test_what_has_no_version_or_no_difference(self, database: Database) -> None:
        with pytest.raises(CatalogError, match=r"gamma: is not in the store.*apply it whole first"):
            begin(database, define("gamma"))
        assert begin(database, define("acme", "one", secrets={"KEY": "k"})) == []
        with pytest.raises(Conflict):
            begin(database, NEW, acme=7)

    def test_reported_only(self, database: Database) -> None:
        begin(database, NEW, 0)
        trial = image(database).snapshot.trials["acme"]
        assert (trial.percent, trial.definition.flow.served) == (0, REPORT_ONLY)
        assert history(database)[0].how == "report_only"


class TestEnds:
    def test_promotion(self, database: Database) -> None:
        begin(database, NEW)
        before = image(database)
        version = trials.promote(database, "acme", ada(5))
        assert (version.number, version.how, version.copy_of) == (3, "promote", 2)
        after = image(database, before)
        flow = after.snapshot.tenants["acme"]
        assert (flow.version, flow.secrets, flow.settings.policy) == (3, NEW.flow.secrets, Policy.ALWAYS)
        assert flow.digest == before.snapshot.trials["acme"].definition.flow.digest
        assert after.snapshot.trials == {}
        assert rollback.rollback(database, "acme", None, ada(6)).to == 1

    def test_abandoning(self, database: Database) -> None:
        begin(database, NEW)
        before = image(database)
        assert trials.abandon(database, "acme", ada(5)).number == 2
        after = image(database, before)
        assert (after.snapshot.trials, after.snapshot.tenants["acme"].version) == ({}, 1)
        for end in (trials.abandon, trials.promote):
            with pytest.raises(
                UnknownVersion, match="no version on trial; the trial of version 2 ended: abandoned by ada"
            ):
                end(database, "acme", ada(6))
        with pytest.raises(UnknownVersion, match="no tenant 'nope'"):
            trials.promote(database, "nope", ada(6))
        assert begin(database, NEW)[0].number == 3

    def test_a_daemon_gives_it_up_once(self, database: Database) -> None:
        begin(database, NEW)
        assert not trials.give_up(database, "acme", 7, "another one", NOON)
        assert trials.give_up(database, "acme", 2, "9 of 10 were denied", NOON)
        assert not trials.give_up(database, "acme", 2, "9 of 10 were denied", NOON)
        with database.reading() as connection:
            assert trials.last_end(connection, "acme") == "the trial of version 2 ended: 9 of 10 were denied"
        assert image(database).snapshot.trials == {}

    def test_every_other_change_ends_it(self, database: Database) -> None:
        put(database, define("acme", "zero"), at=0)
        for change in (
            lambda: put(database, define("acme", "other")),
            lambda: rollback.rollback(database, "acme", None, ada()),
            lambda: rollback.remove(database, "acme", ada()),
        ):
            begin(database, NEW)
            assert "acme" in image(database).snapshot.trials
            change()
            assert image(database).snapshot.trials == {}

    def test_a_hold_goes_before_it(self, database: Database) -> None:
        begin(database, NEW)
        holds.hold(database, "acme", None, 60, ada())
        held = image(database)
        assert held.snapshot.trials == {}
        assert "acme" in held.at(NOON + 60).snapshot.trials

    def test_its_flow_is_kept_while_it_lasts(self, database: Database) -> None:
        """However long; and afterwards as any that was replaced."""
        begin(database, NEW)
        digest = image(database).snapshot.trials["acme"].definition.flow.digest
        put(database, define("beta", "later"), at=900 * 86_400)
        assert image(database).snapshot.trials["acme"].definition.flow.digest == digest
        applies.apply(database, [define("beta", "even later")], author=ada(901 * 86_400))
        trials.abandon(database, "acme", ada(901 * 86_400))


def test_a_user_stays_on_one_side_and_the_sides_have_their_shares() -> None:
    users = [f"auth0|{at}" for at in range(5000)]
    shares = [share_of("acme", 7, user) for user in users]
    assert shares == [share_of("acme", 7, user) for user in users]
    assert all(0 <= share < 100 for share in shares)
    assert 400 < sum(share < 10 for share in shares) < 600
    # With a larger share those who had it before have it still; another version divides them anew.
    others = [share_of("acme", 8, user) for user in users]
    both = sum(one < 10 and other < 10 for one, other in zip(shares, others, strict=True))
    assert 20 < both < 90


class TestCounts:
    """What daemons tell each other of a running trial."""

    def test_each_hears_the_others(self, database: Database) -> None:
        number = begin(database, NEW)[0].number
        first, second = Counts(Side(3, 2, 1), Side(30, 1, 0)), Counts(Side(5, 0, 0), Side(50, 0, 2))
        assert tell(database, "acme", number, "a", first) == Told(Counts(), running=True)
        assert tell(database, "acme", number, "b", second) == Told(first, running=True)
        # The whole row again, so that what was told twice is not counted twice.
        assert tell(database, "acme", number, "a", first) == Told(second, running=True)
        assert tell(database, "acme", number, "c", Counts()) == Told(first + second, running=True)

    def test_what_has_ended_is_said_and_forgotten(self, database: Database) -> None:
        number = begin(database, NEW)[0].number
        tell(database, "acme", number, "a", Counts(Side(9, 9)))
        assert trials.give_up(database, "acme", number, "bad", NOON + 9)
        assert tell(database, "acme", number, "b", Counts(Side(1))) == Told(Counts(), running=False)
        with database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM trial_counts").fetchone() == (0,)
        again = begin(database, NEW)[0].number
        assert again != number
        assert tell(database, "acme", number, "a", Counts(Side(9, 9))).running is False
        assert tell(database, "acme", again, "b", Counts(Side(1))) == Told(Counts(), running=True)
        assert tell(database, "other", 1, "b", Counts(Side(1))).running is False
