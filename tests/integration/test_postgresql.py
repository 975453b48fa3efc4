"""A store in PostgreSQL: what its faults look like, how changes reach a follower, and how its schema is migrated."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies, lineage, schema
from runtime.catalog.opening import open_database
from runtime.catalog.postgresql import PostgresqlDatabase
from runtime.catalog.schema import Migration
from runtime.catalog.stored import StoredCatalog
from runtime.catalog.suspended import StoredSuspendedFlows
from runtime.cli import main
from runtime.errors import CatalogError, CatalogUnavailable, NoStore, StoreUnreachable
from tests.fixtures.certificates import issue
from tests.fixtures.postgresql import PASSWORD, Cluster, running
from tests.fixtures.relay import Relay
from tests.fixtures.stores import alter
from tests.fixtures.tenants import GATE, define
from tests.fixtures.waiting import until as wait_until

NOW_MS = 1_800_000_000_000
NAME = b"n" * 16


@pytest.fixture
def url(emptied_database: Callable[[], str]) -> str:
    """Name an empty database."""
    return emptied_database()


@pytest.fixture
def store(url: str) -> Iterator[PostgresqlDatabase]:
    """Open a store with one tenant."""
    with closing(PostgresqlDatabase(url, timeout_s=2.0)) as store:
        applies.apply(store, [define("acme", GATE)])
        yield store


@pytest.fixture
def relay(postgresql: Cluster) -> Iterator[Relay]:
    with closing(Relay(postgresql.port)) as relay:
        yield relay


def through(url: str, port: int) -> str:
    """Return a URL that leads to another port."""
    before, _, database = url.rpartition("/")
    return f"{before.rpartition(':')[0]}:{port}/{database}"


def refused(url: str, *, timeout_s: float = 1.0) -> CatalogUnavailable:
    with closing(open_database(url, timeout_s=timeout_s)) as store, pytest.raises(CatalogUnavailable) as caught:
        applies.apply(store, [define("acme", GATE)])
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def failure(url: str) -> str:
    """Return why a store cannot be asked; nothing when it can."""
    told = ""
    try:
        with closing(open_database(url, timeout_s=1.0)) as store:
            store.exists()
    except CatalogUnavailable as error:
        told = str(error)
    assert PASSWORD not in told
    return told


@contextlib.contextmanager
def swallowing(relay: Relay) -> Iterator[None]:
    relay.swallows = True
    yield


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


class TestBadInput:
    """Each fault is one line with a remedy and no password, and nothing hangs."""

    @pytest.mark.parametrize(
        ("change", "wanted"),
        [
            ((PASSWORD, "wrong"), "refuses the password; correct it in the URL, in PGPASSWORD or in the passfile"),
            ((f":{PASSWORD}@", "@"), "wants a password; put it into the URL, into PGPASSWORD, or into a passfile"),
            (("vestibule:", "other:"), "admits no such user from this host"),
            (("/t_", "/u_"), "does not have this database; create it, or name another one"),
        ],
    )
    def test_what_must_be_corrected(self, url: str, change: tuple[str, str], wanted: str) -> None:
        """It is not taken for a server that is away, so a daemon ends at its start. The control is the URL."""
        error = refused(url.replace(*change))
        assert wanted in str(error)
        assert not isinstance(error, StoreUnreachable)
        with closing(open_database(url)) as store:
            applies.apply(store, [define("acme", GATE)])

    def test_tls_that_the_server_does_not_speak(self, url: str) -> None:
        """`sslmode=verify-full` is no wish."""
        assert "does not speak TLS" in str(refused(url + "?sslmode=verify-full"))

    @pytest.mark.long
    def test_certificates(self, tmp_path: Path) -> None:
        """One that has expired, or of an authority that we do not know, is refused by name; a good one, the control,
        is taken."""
        authority, stranger = issue("authority", authority=True), issue("stranger", authority=True)
        (tmp_path / "ca.pem").write_bytes(authority.pem)
        past = timedelta(hours=-1)
        with running(tls=issue("database", by=authority)) as cluster:
            url = cluster.url(cluster.database(), query=f"?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem")
            with closing(open_database(url)) as store:
                assert applies.apply(store, [define("acme", GATE)]).revision == 1
            for wrong in (issue("database", by=authority, begins=2 * past, ends=past), issue("database", by=stranger)):
                cluster.certify(wrong)
                wait_until(lambda: "certificate" in failure(url), "the other certificate")
                assert "that cannot be verified: it has expired, is not valid yet, or was not issued by" in failure(url)
            assert "sslrootcert names no file" in failure(url.replace("ca.pem", "none.pem"))

    def test_a_password_from_elsewhere(self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """From the environment, or from a passfile; the control has none."""
        bare = url.replace(f":{PASSWORD}@", "@")
        assert "wants a password" in str(refused(bare))
        passfile = tmp_path / "pass"
        passfile.write_text(f"*:*:*:*:{PASSWORD}\n")
        passfile.chmod(0o600)
        with closing(open_database(f"{bare}?passfile={passfile}")) as store:
            assert applies.apply(store, [define("acme", GATE)]).revision == 1
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        with closing(open_database(bare)) as store:
            assert store.exists()

    def test_a_read_only_server(self, url: str, store: PostgresqlDatabase) -> None:
        """It is read, and the metric's source says that it cannot be written; the control can."""
        with closing(open_database(f"{url}?options=-c%20default_transaction_read_only%3Don")) as standby:
            with standby.reading():
                assert not standby.writable()
            with pytest.raises(CatalogUnavailable, match=r"cannot be written: the server is a standby.*25006"):
                applies.apply(standby, [define("beta")])
        with store.reading():
            assert store.writable()

    def test_a_server_that_never_answers(self) -> None:
        """The connection is made by the kernel, and then there is silence."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            before_s = time.monotonic()
            error = refused(f"postgresql://u:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/d", timeout_s=0.2)
            assert time.monotonic() - before_s < 5
        assert isinstance(error, StoreUnreachable)
        assert "did not answer within 0.6 s; check the server and the network" in str(error)

    def test_a_server_that_stops_answering(self, url: str, store: PostgresqlDatabase, relay: Relay) -> None:
        """A transaction that had begun ends too, and the same store is used again once the network is back."""
        with closing(PostgresqlDatabase(through(url, relay.port), timeout_s=0.1)) as far:
            with (
                pytest.raises(StoreUnreachable, match="did not answer within"),
                far.claiming() as connection,
                swallowing(relay),
            ):
                connection.execute("SELECT 1")
            relay.mend()
            with far.claiming() as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_a_connection_that_was_ended_is_made_anew(self, postgresql: Cluster, store: PostgresqlDatabase) -> None:
        """What lay idle in the pool while the server was restarted costs no transaction."""
        with store.reading():
            pass
        postgresql.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'vestibule'"
        )
        with store.reading() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_a_lock_is_waited_for_and_named(self, url: str, store: PostgresqlDatabase) -> None:
        """A second writer waits as long as its store says; a claim, the control, waits for no writer."""
        with closing(PostgresqlDatabase(url, timeout_s=0.2)) as other, store.writing():
            with pytest.raises(CatalogUnavailable, match=r"is locked by another process; try again.*55P03"):
                applies.apply(other, [define("beta")])
            with other.claiming() as connection:
                connection.execute("SELECT 1")

    def test_another_programs_database(self, postgresql: Cluster, url: str) -> None:
        """It is left alone, unless its operator makes our schema in it."""
        name = url.rpartition("/")[2]
        postgresql.sql("CREATE TABLE theirs (x int)", name)
        try:
            assert "is another program's database; name another one, or run CREATE SCHEMA" in str(refused(url))
            with closing(open_database(url)) as store:
                alien = postgresql.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'vestibule'", name)
                assert alien == "0"
                postgresql.sql("CREATE SCHEMA vestibule AUTHORIZATION vestibule", name)
                assert applies.apply(store, [define("acme", GATE)]).revision == 1
        finally:
            postgresql.sql("DROP TABLE theirs", name)

    def test_an_empty_database_is_no_store_to_a_reader(self, url: str) -> None:
        """A reader makes none."""
        with closing(open_database(url)) as store:
            with pytest.raises(NoStore, match="holds nothing yet; apply to it, or run `vestibule migrate"):
                store.reading().__enter__()
            assert not store.exists()


class TestWriters:
    def test_writers_take_turns(self, url: str, store: PostgresqlDatabase) -> None:
        """Revisions have no gap."""
        revisions: list[int] = []

        def write(at: int) -> None:
            with closing(PostgresqlDatabase(url)) as own:
                revisions.append(applies.apply(own, [define(f"t{at}", GATE)]).revision)

        threads = [threading.Thread(target=write, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(revisions) == [2, 3, 4, 5]

    async def test_one_of_many_claims_wins(self, url: str, store: PostgresqlDatabase) -> None:
        """Four replicas claim the same twenty continuations in different orders: each has one winner."""
        with store.reading() as connection:
            epoch = lineage.epoch(connection)
        with contextlib.ExitStack() as opened:
            stores = [opened.enter_context(closing(PostgresqlDatabase(url, timeout_s=5.0))) for _ in range(4)]
            replicas = [StoredSuspendedFlows(each) for each in stores]
            names = [bytes([at]) * 16 for at in range(20)]
            claims = [
                replica.claim(name, NOW_MS + 900_000, NOW_MS, NOW_MS + 10_000, b"", epoch)
                for at, replica in enumerate(replicas)
                for name in (names if at % 2 else reversed(names))
            ]
            granted = await asyncio.gather(*claims)
            for replica in replicas:
                await replica.close()
        assert sum(claim.granted for claim in granted) == len(names)
        assert alter(store, "SELECT count(*) FROM continuations") == [(len(names),)]


class TestFollowing:
    @pytest.fixture
    def log(self) -> list[tuple[str, Mapping[str, Any]]]:
        return []

    async def test_a_change_is_announced(self, url: str, store: PostgresqlDatabase) -> None:
        """A follower that polls once a minute sees a change within a second, for it is announced."""
        with closing(PostgresqlDatabase(url, timeout_s=2.0)) as own:
            catalog = StoredCatalog(own, poll_s=60.0)
            await catalog.start()
            try:
                await until(lambda: own.watched)
                await asyncio.to_thread(applies.apply, store, [define("beta", GATE)])
                await until(lambda: catalog.snapshot().revision == 2, limit_s=1.0)
            finally:
                await catalog.close()

    async def test_a_lost_listener_is_made_anew(self, url: str, store: PostgresqlDatabase, relay: Relay) -> None:
        """Cut off, it serves what it has and says how old that is; mended, it has what it missed without a restart."""
        told: list[tuple[str, Mapping[str, Any]]] = []
        now_s = 1_000.0
        with closing(PostgresqlDatabase(through(url, relay.port), timeout_s=0.5)) as far:
            catalog = StoredCatalog(
                far, poll_s=0.05, on_change=lambda event, fields: told.append((event, fields)), clock=lambda: now_s
            )
            await catalog.start()
            try:
                await until(lambda: far.watched)
                relay.cut()
                await until(lambda: not catalog.healthy and not far.watched)
                assert catalog.snapshot().revision == 1
                assert not catalog.writable
                now_s += 61
                await until(lambda: "catalog.stale" in [event for event, _ in told])
                stale = dict(told)["catalog.stale"]
                assert (stale["revision"], stale["age_s"]) == (1, 61)
                (note,) = catalog.notes()
                assert note.startswith("serving revision 1, read 61 s ago: the store postgresql://vestibule@127.0.0.1")
                assert PASSWORD not in note
                await asyncio.to_thread(applies.apply, store, [define("beta", GATE)])
                relay.mend()
                await until(lambda: catalog.snapshot().revision == 2 and catalog.healthy and far.watched)
                assert catalog.notes() == []
            finally:
                await catalog.close()

    async def test_a_server_that_is_away_at_the_start_is_waited_for(
        self, url: str, store: PostgresqlDatabase, relay: Relay
    ) -> None:
        """A daemon is not ready meanwhile and says why; a refused password, the control, ends the start."""
        relay.cut()
        with closing(PostgresqlDatabase(through(url, relay.port), timeout_s=0.5)) as far:
            catalog = StoredCatalog(far, poll_s=0.05)
            await catalog.start()
            try:
                assert "cannot be reached" in "".join(catalog.unready(allow_empty=True))
                relay.mend()
                await until(lambda: catalog.unready(allow_empty=False) == [])
            finally:
                await catalog.close()
        wrong = StoredCatalog(PostgresqlDatabase(url.replace(PASSWORD, "wrong"), timeout_s=0.5))
        with pytest.raises(CatalogUnavailable, match="refuses the password"):
            await wrong.start()
        await wrong.close()


class TestMigrations:
    NEXT = Migration("9.9", ("ALTER TABLE tenants ADD COLUMN later TEXT", "CREATE TABLE later (x BLOB) WITHOUT ROWID"))

    @pytest.fixture
    def upgraded(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        """Be the next release, until it is undone."""
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, self.NEXT))
        monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
        return monkeypatch

    def migrate(self, url: str, *flags: str, code: int = 0) -> None:
        assert main.main(["migrate", "--store", url, *flags]) == code

    def test_the_command_shows_and_migrates(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A dry run writes nothing; a second run has nothing to do."""
        self.migrate(url, "--dry-run")
        out = capsys.readouterr().out
        assert f"holds nothing yet; {schema.SCHEMA_VERSION} steps to take" in out
        assert "CREATE TABLE tenants (tenant TEXT PRIMARY KEY, settings TEXT, digest BYTEA" in out
        assert PASSWORD not in out
        with closing(open_database(url)) as store:
            assert store.version() == 0
            self.migrate(url)
            assert store.version() == schema.SCHEMA_VERSION
            self.migrate(url)
            assert f"has schema {schema.SCHEMA_VERSION}; 0 steps to take" in capsys.readouterr().out
            with store.reading():
                pass

    def test_the_release_before_lives_on_the_next_schema(
        self, store: PostgresqlDatabase, url: str, upgraded: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The new program refuses the old schema until `migrate`; then the old one reads and writes the new one."""
        new = schema.SCHEMA_VERSION
        for use in (store.prepare, lambda: applies.apply(store, []), lambda: store.reading().__enter__()):
            with pytest.raises(CatalogUnavailable, match=rf"has schema {new - 1} .* needs {new}; run `vestibule migr"):
                use()
        self.migrate(url)
        assert applies.apply(store, [define("beta", GATE)]).revision == 2
        upgraded.undo()
        assert applies.apply(store, [define("gamma", GATE)]).revision == 3
        with closing(PostgresqlDatabase(url)) as old, old.claiming() as connection:
            assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (3,)

    def test_two_releases_newer_is_refused(self, store: PostgresqlDatabase) -> None:
        """By reader and writer, with both versions and the release that is needed."""
        newer = schema.SCHEMA_VERSION + 2
        alter(
            store,
            "INSERT INTO schema_versions (version, oldest, release, migrated_at) VALUES (?, ?, '9.9', 0)",
            values=(newer, newer - 1),
        )
        wanted = rf"newer Vestibule \(9.9\) \(schema {newer}, this one knows {newer - 2}\); upgrade this one"
        for use in (store.prepare, lambda: applies.apply(store, []), lambda: store.reading().__enter__()):
            with pytest.raises(CatalogUnavailable, match=wanted):
                use()

    def test_a_breaking_step_wants_a_word(
        self, store: PostgresqlDatabase, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is not taken by accident while daemons run."""
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, Migration("9.9", ("SELECT 1",), breaking=True)))
        monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
        self.migrate(url, code=2)
        assert "is breaking: stop every daemon, then run this with --breaking" in capsys.readouterr().err
        assert store.version() == schema.SCHEMA_VERSION - 1
        self.migrate(url, "--breaking")
        assert store.version() == schema.SCHEMA_VERSION

    def test_a_migration_that_fails_changes_nothing(
        self, store: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All of its steps are one transaction."""
        steps = (*schema.MIGRATIONS, Migration("9.9", ("CREATE TABLE later (x INTEGER)", "SELECT no_such_column")))
        monkeypatch.setattr(schema, "MIGRATIONS", steps)
        monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
        with pytest.raises(CatalogError, match="no_such_column"):
            store.migrate()
        assert store.version() == schema.SCHEMA_VERSION - 1
        monkeypatch.undo()
        with pytest.raises(CatalogError, match='relation "later" does not exist'):
            alter(store, "SELECT x FROM later")
