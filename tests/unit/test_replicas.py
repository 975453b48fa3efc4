"""What is said of keys over all daemons: where each seals and opens, what still needs it, and when it may go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.catalog import replicas
from runtime.catalog.replicas import SILENT_AFTER_S, KeysInUse, KeyUse, Replica
from runtime.catalog.sqlite import SqliteDatabase
from runtime.errors import CatalogUnavailable
from tests.fixtures.stores import alter

NOW = 1_800_000_000
LIFETIME_S = 900.0


def daemon(pid: int, seals: str, *opens: str, seen_s: int = 0, stopped: bool = False, until_s: int = 0) -> Replica:
    """Make a daemon that was seen some seconds ago, and whose last login ends in some."""
    sealed = {seals: (NOW + until_s) * 1000} if until_s else {}
    keys = KeysInUse(seals, opens or (seals,), sealed, ("store-key",))
    seen_at = NOW - seen_s
    return Replica(f"{pid}", "host", pid, "0.2", NOW - 9999, seen_at, seen_at if stopped else None, keys)


def uses(*found: Replica) -> dict[str, KeyUse]:
    return {use.id: use for use in replicas.uses(list(found), NOW, LIFETIME_S)}


def test_a_rotation_step_by_step() -> None:
    """The new key below the old one, then first, then alone: what each step needs before it can be seen."""
    first = uses(daemon(1, "old", "old", "new"), daemon(2, "old"))
    assert first["new"].missing_on == ("host:2",)
    second = uses(daemon(1, "new", "new", "old"), daemon(2, "old", "old", "new", until_s=600))
    assert (second["old"].seals_on, second["old"].removable(NOW * 1000)) == (("host:2",), False)
    third = uses(daemon(1, "new", "new", "old"), replace(daemon(2, "new", "new", "old"), keys=_sealed("old", 600)))
    assert third["old"].needed_until_ms == (NOW + 600) * 1000
    assert not third["old"].removable(NOW * 1000)
    assert third["old"].removable((NOW + 601) * 1000)
    assert third["new"].seals_on == ("host:1", "host:2")


def _sealed(name: str, until_s: int) -> KeysInUse:
    return KeysInUse("new", ("new", "old"), {name: (NOW + until_s) * 1000})


def test_a_daemon_that_ended_is_remembered_for_its_logins() -> None:
    """What one that was stopped had sealed still needs its key; once that has expired it is forgotten."""
    found = uses(daemon(1, "new"), daemon(2, "old", stopped=True, until_s=300))
    assert (found["old"].needed_until_ms, found["old"].removable(NOW * 1000)) == ((NOW + 300) * 1000, False)
    assert "old" not in uses(daemon(1, "new"), daemon(2, "old", stopped=True, until_s=-1))


def test_a_silent_daemon_leaves_its_key_unsure() -> None:
    """One that was killed may have sealed more than it said: its key stays for as long as such a login could live."""
    silent = daemon(2, "old", seen_s=SILENT_AFTER_S + 1)
    assert silent.state(NOW) == "silent"
    found = uses(daemon(1, "new"), silent)
    assert (found["old"].unsure, found["old"].removable(NOW * 1000)) == (("host:2",), False)
    assert "old" not in uses(daemon(1, "new"), daemon(2, "old", seen_s=int(LIFETIME_S) + SILENT_AFTER_S + 1))


def test_rows_are_written_read_and_dropped(tmp_path: Path) -> None:
    """Each daemon has one row, written again and again; those of long ago go; damage is an error in words."""
    database = SqliteDatabase(tmp_path / "flows.db")
    database.prepare()
    one = daemon(1, "old", until_s=600)
    replicas.note(database, one)
    again = replace(one, seen_at=NOW + 30, keys=KeysInUse("new", ("new", "old")))
    replicas.note(database, again)
    assert replicas.listed(database) == [again]
    assert replicas.lacking(database, "store-key", NOW + 31) == ["host:1"]
    late = daemon(2, "new", seen_s=-3 * 86_400)
    replicas.note(database, late)
    assert replicas.listed(database) == [late]
    assert replicas.lacking(database, "store-key", late.seen_at) == []
    alter(database, "UPDATE replicas SET keys = '[]'")
    with pytest.raises(CatalogUnavailable, match="a row of a daemon that cannot be read"):
        replicas.listed(database)
