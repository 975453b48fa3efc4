"""A directory as the store: a checkout is served as it is, a bad tree is not, and what is shared lies elsewhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies, versions
from runtime.catalog.database import Database
from runtime.catalog.opening import open_database
from runtime.catalog.served_directory import AUTHOR, OFF, DirectoryCatalog
from runtime.catalog.sqlite import SqliteDatabase
from runtime.catalog.suspended import StoredSuspendedFlows
from runtime.cli import main
from runtime.errors import CatalogUnavailable, Fault
from runtime.findings import Source
from tests.calls import Refused
from tests.fixtures.daemons import Serve
from tests.fixtures.suspensions import CHALLENGE, OTP, event, suspended
from tests.fixtures.tenants import ALLOW, GATE, MFA, define, write_directory
from tests.fixtures.waiting import until as wait_until

OTHER = GATE.replace("ada@", "eve@")
Log = list[tuple[str, Mapping[str, Any]]]


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


async def refuses_loops(sources: Sequence[Source]) -> Sequence[Fault]:
    """Stand for the workers that compile: an action with a `while` is refused."""
    return [Fault(f"{label}:1:1", "loops") for label, source, *_ in sources if "while" in source]


def catalog_of(tree: Path, log: Log, state: Database | None = None, **options: Any) -> DirectoryCatalog:
    return DirectoryCatalog(
        tree,
        refuses_loops,
        lambda event, fields: log.append((event, fields)),
        state=state,
        look_s=0.05,
        settle_s=0.05,
        **options,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_directory(tmp_path, "acme", GATE)
    return write_directory(tmp_path, "bank", GATE)


class TestCatalog:
    async def test_a_tree_is_served_and_followed(self, tree: Path, tmp_path: Path) -> None:
        """What does not change keeps its object; hidden files and those of other programs change nothing."""
        log: Log = []
        catalog = catalog_of(tree, log)
        await catalog.start()
        try:
            first = catalog.snapshot()
            assert (first.revision, set(first.tenants)) == (1, {"acme", "bank"})
            (tree / ".git").mkdir()
            (tree / ".git" / "index").write_text("x")
            write_directory(tmp_path, "acme", OTHER)
            shutil.rmtree(tree / "bank")
            write_directory(tmp_path, "cafe", GATE)
            await until(lambda: catalog.snapshot().revision == 2)
            assert set(catalog.snapshot().tenants) == {"acme", "cafe"}
            assert log[-1] == ("catalog.reloaded", {"revision": 2, "tenants": 2, "changed": 2, "removed": 1})
            write_directory(tmp_path, "acme", OTHER)
            await asyncio.sleep(0.3)
            assert catalog.snapshot().revision == 2
        finally:
            await catalog.close()

    async def test_a_bad_tree_keeps_the_old_one(self, tree: Path, tmp_path: Path) -> None:
        """Every fault is in the log and the first in the probe; a second fault in place of the first is said too."""
        log: Log = []
        catalog = catalog_of(tree, log)
        await catalog.start()
        try:
            served = catalog.snapshot()
            write_directory(tmp_path, "acme", "while")
            (tree / "bank" / "tenant.yaml").write_text("tenant: bank\nmfa: {policy: sometimes}\n")
            await until(lambda: not catalog.healthy)
            assert catalog.snapshot() is served
            event, fields = log[-1]
            assert event == "catalog.failed"
            assert "and 1 more fault" in fields["reason"]
            told = "\n".join(fields["faults"])
            assert "bank/tenant.yaml" in told
            assert "acme/actions/a0.py:1:1: loops" in told
            assert any("is not served as it is" in note for note in catalog.notes())
            write_directory(tmp_path, "bank", OTHER)
            await until(lambda: log[-1][1].get("faults") == [f"{tree}/acme/actions/a0.py:1:1: loops"])
            write_directory(tmp_path, "acme", OTHER)
            await until(lambda: catalog.healthy)
            assert [event for event, _ in log][-2:] == ["catalog.reloaded", "catalog.recovered"]
            assert catalog.snapshot().revision == 2
        finally:
            await catalog.close()

    async def test_a_bad_tree_at_the_start_is_refused(self, tree: Path, tmp_path: Path) -> None:
        """There is nothing to serve, and every fault is named."""
        write_directory(tmp_path, "acme", "while")
        write_directory(tmp_path, "bank", "while")
        with pytest.raises(CatalogUnavailable) as caught:
            await catalog_of(tree, []).start()
        assert len(caught.value.faults) == 2

    async def test_a_tree_that_is_being_written_is_left_alone(self, tree: Path, tmp_path: Path) -> None:
        """As long as something changes within the settling time nothing is read; then it is read once."""
        log: Log = []
        catalog = catalog_of(tree, log)
        await catalog.start()
        try:
            for at in range(12):
                write_directory(tmp_path, "acme", f"{GATE}# {at}\n" if at < 11 else OTHER)
                await asyncio.sleep(0.02)
            await until(lambda: OTHER in catalog.snapshot().sources.values())
            assert catalog.snapshot().revision <= 3
        finally:
            await catalog.close()

    async def test_a_link_that_is_swapped(self, tree: Path, tmp_path: Path) -> None:
        """A checkout beside the old one, and a link that is moved to it, are one step."""
        (tmp_path / "next").mkdir()
        write_directory(tmp_path / "next", "acme", OTHER)
        link = tmp_path / "current"
        link.symlink_to(tree)
        catalog = catalog_of(link, [])
        await catalog.start()
        try:
            (tmp_path / "new").symlink_to(tmp_path / "next" / "tenants")
            os.replace(tmp_path / "new", link)
            await until(lambda: set(catalog.snapshot().tenants) == {"acme"})
            assert catalog.snapshot().revision == 2
        finally:
            await catalog.close()

    async def test_a_directory_that_is_gone(self, tree: Path) -> None:
        """The last good tree is served, and followed once it is back."""
        catalog = catalog_of(tree, [])
        await catalog.start()
        try:
            away = tree.with_name("away")
            tree.rename(away)
            await until(lambda: "no such file or directory" in catalog.reason)
            assert catalog.snapshot().revision == 1
            away.rename(tree)
            await until(lambda: catalog.healthy)
            assert catalog.snapshot().revision == 1
        finally:
            await catalog.close()

    async def test_secrets_are_files_beside_it(self, tree: Path, tmp_path: Path) -> None:
        """A {file: NAME} is read from the secrets' folder, and a new value is a change."""
        secrets = tmp_path / "secrets"
        (secrets / "acme").mkdir(parents=True)
        (secrets / "acme" / "key").write_text("one\n")
        with (tree / "acme" / "tenant.yaml").open("a") as file:
            file.write("secrets: {a0: {KEY: {file: key}}}\n")
        catalog = catalog_of(tree, [], secrets_dir=secrets)
        await catalog.start()
        try:
            assert catalog.snapshot().tenants["acme"].secrets["a0"]["KEY"] == "one"
            (secrets / "acme" / "key").write_text("two\n")
            await until(lambda: catalog.snapshot().tenants["acme"].secrets["a0"]["KEY"] == "two")
        finally:
            await catalog.close()


class TestStateStore:
    async def test_each_tree_is_a_version_there(self, tree: Path, tmp_path: Path, empty_store: Database) -> None:
        """Of both kinds of store: the versions say whose they are, and an earlier flow is found by its digest."""
        catalog = catalog_of(tree, [], empty_store)
        await catalog.start()
        flows = StoredSuspendedFlows(empty_store, mark=catalog.mark)
        try:
            first = catalog.snapshot().tenants["acme"]
            write_directory(tmp_path, "acme", OTHER)
            await until(lambda: catalog.snapshot().revision == 2)
            found = await flows.find("acme", first.digest)
            assert found is not None
            assert found.flow == first
            with empty_store.reading() as connection:
                rows = connection.execute("SELECT number, made_by FROM versions WHERE tenant = 'acme' ORDER BY 1")
                assert rows.fetchall() == [(1, AUTHOR), (2, AUTHOR)]
                assert versions.numbers(connection) == {"acme": 2, "bank": 1}
            await until(lambda: catalog.writable)
        finally:
            await flows.close()
            await catalog.close()

    async def test_a_store_of_others_is_refused(self, tree: Path, tmp_path: Path) -> None:
        """To serve a directory would remove its tenants: nothing is written. The control is an empty store."""
        theirs = SqliteDatabase(tmp_path / "theirs.db")
        applies.apply(theirs, [define("theirs", GATE)])
        with pytest.raises(CatalogUnavailable, match="has tenants that were not served from"):
            await catalog_of(tree, [], theirs).start()
        with theirs.reading() as connection:
            assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (1,)
        ours = catalog_of(tree, [], SqliteDatabase(tmp_path / "ours.db"))
        await ours.start()
        await ours.close()

    async def test_a_state_store_that_is_away_delays_no_tree(self, tree: Path, tmp_path: Path) -> None:
        """What could not be recorded is recorded later, and the probe says so meanwhile."""
        state = SqliteDatabase(tmp_path / "state.db", timeout_s=0.05)
        catalog = catalog_of(tree, [], state)
        await catalog.start()
        try:
            with SqliteDatabase(tmp_path / "state.db").writing():
                write_directory(tmp_path, "acme", OTHER)
                await until(lambda: catalog.snapshot().revision == 2)
                assert any("not in the state store yet" in note for note in catalog.notes())
            await until(lambda: not any("not in the state store yet" in note for note in catalog.notes()))
        finally:
            await catalog.close()


def test_no_command_writes_a_directory(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each says what to do instead."""
    for words in (["apply", str(tree)], ["api-keys", "list"], ["migrate"], ["list"]):
        assert main.main([*words, "--store", f"directory:{tree}"]) == 2
        assert "is a directory, which only a daemon reads: change its files, or name the state store" in (
            capsys.readouterr().err
        )


@pytest.mark.parametrize("beside", ["state_store", "secrets_dir"])
def test_what_is_for_a_directory_alone(beside: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With another store it would do nothing, so it is a fault."""
    flag = f"--catalog-{beside.replace('_', '-')}"
    assert main.main(["check-config", "--store", "sqlite:x", flag, "sqlite:y"]) == 2
    assert f"catalog.{beside} (flag {flag}): is for a store directory:PATH" in capsys.readouterr().err


@pytest.fixture
def state(tmp_path: Path) -> Iterator[str]:
    url = f"sqlite:{tmp_path / 'state.db'}"
    with closing(open_database(url)):
        yield url


def test_a_daemon_serves_a_checkout(serve: Serve, tmp_path: Path, state: str) -> None:
    """Real workers check its sources: a tree with a fault is not served, SIGHUP looks at once, and a login that was
    suspended before a change is continued with the flow that it began with."""
    write_directory(tmp_path, "acme", GATE)
    tree = write_directory(tmp_path, "bank", CHALLENGE)
    daemon = serve("--store", f"directory:{tree}", "--catalog-state-store", state)
    daemon.tolerated.add("catalog.failed")
    assert daemon.call("acme").outcome == MFA
    good = suspended(daemon, "bank")
    write_directory(tmp_path, "acme", "def on_execute_post_login(event, api:\n")
    daemon.process.send_signal(signal.SIGHUP)
    failed = daemon.wait_for("catalog.failed")
    assert f"{tree}/acme/actions/a0.py:1:" in failed["faults"][0]
    assert daemon.call("acme").outcome == MFA
    assert daemon.get("/readyz")[1].startswith("ok\nserving revision 1, read ")
    write_directory(tmp_path, "acme", OTHER)
    write_directory(tmp_path, "bank", OTHER)
    daemon.wait_for("catalog.reloaded", revision=2)
    assert daemon.call("acme").outcome == ALLOW
    assert daemon.resume("bank", event("otp"), good, [OTP]).outcome == ALLOW
    wait_until(lambda: daemon.get("/readyz") == (200, "ok\n"), "the probe without a note")


def test_without_a_state_store_no_login_is_suspended(serve: Serve, tmp_path: Path) -> None:
    """The start warns, the probe says so, and the login is refused; others, the control, are decided."""
    write_directory(tmp_path, "acme", GATE)
    tree = write_directory(tmp_path, "bank", CHALLENGE)
    daemon = serve("--store", f"directory:{tree}")
    assert daemon.wait_for("continuation.off")["level"] == "warning"
    assert daemon.get("/readyz") == (200, f"ok\n{OFF}\n")
    with pytest.raises(Refused) as caught:
        daemon.call("bank", event())
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "CATALOG_UNAVAILABLE")
    assert daemon.call("acme").outcome == MFA
    assert daemon.metric("vestibule_catalog_writable") == 0
