"""Keys are rotated on daemons that serve, as the page says: those of suspended logins and those of the store."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import replicas, store_keys
from runtime.catalog.database import Database
from runtime.catalog.replicas import KeysInUse, Replica
from runtime.continuation import keys
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.several import several
from tests.fixtures.suspensions import AFTER, CHALLENGE, OTP, event, refusal
from tests.fixtures.tenants import ALLOW, define
from tests.fixtures.waiting import until


def write(path: Path, *lines: bytes) -> None:
    """Replace a file of keys as an operator does: whole, by a move."""
    new = path.with_suffix(".new")
    new.write_text(keys.text(lines))
    new.chmod(0o600)
    new.rename(path)


def status(daemon: Daemon, *flags: str) -> dict[str, Any]:
    done = vestibule("continuation-keys", "status", "--json", "--store", daemon.setting, *flags)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def key(daemon: Daemon, name: bytes, *flags: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {each["id"]: each for each in status(daemon, *flags)["keys"]}
    return found.get(keys.key_id(name).hex(), {"seals_on": [], "opens_on": [], "removable": True})


def test_each_kind_of_store_keeps_the_rows_of_daemons(empty_store: Database) -> None:
    """One row a daemon, written again and again beside other writers, and read back as it was."""
    empty_store.prepare()
    row = Replica("a" * 16, "host", 7, "0.2", 1, 2, None, KeysInUse("aa", ("aa", "bb"), {"aa": 3}, ("cc",)))
    replicas.note(empty_store, row)
    ended = replace(row, seen_at=5, stopped_at=5)
    replicas.note(empty_store, ended)
    assert replicas.listed(empty_store) == [ended]


@pytest.mark.long
def test_several_processes_follow_the_file_each(tmp_path: Path) -> None:
    """Behind one port: each process reads the new key by itself, and says so in the store."""
    old, new = keys.generate(), keys.generate()
    path = tmp_path / "continuation.keys"
    write(path, old)
    with several(tmp_path, "--continuation-keys-file", str(path)) as daemon:
        until(lambda: len(key(daemon, old)["seals_on"]) == 2, "both processes seal with the old key")
        write(path, new, old)
        until(lambda: len(key(daemon, new)["seals_on"]) == 2, "both processes seal with the new key")
        assert len(key(daemon, old)["opens_on"]) == 2


@pytest.mark.long
def test_continuation_keys_are_rotated_by_the_file_alone(serve: Serve, tmp_path: Path) -> None:
    """Two daemons: add below, put first, remove; nothing is restarted or signalled, and no suspended login is lost."""
    old, new = keys.generate(), keys.generate()
    path = tmp_path / "continuation.keys"
    write(path, old)
    flags = ("--continuation-keys-file", str(path), "--continuation-lifetime-s", "20")
    one = serve(*flags)
    two = serve(*flags, store=one.path)
    one.publish(define("acme", CHALLENGE, AFTER))
    two.wait_for("catalog.reloaded", tenants=1)

    def suspend(daemon: Daemon) -> bytes:
        return daemon.call("acme", event()).suspension.continuation

    def continued(daemon: Daemon, token: bytes) -> bool:
        return daemon.resume("acme", event("otp"), token, [OTP]).outcome == ALLOW

    until(lambda: len(key(one, old)["seals_on"]) == 2, "both seal with the old key")
    before = suspend(one)
    write(path, old, new)
    until(lambda: len(key(one, new)["opens_on"]) == 2, "the new key opens on both")
    assert key(one, new)["seals_on"] == []
    write(path, new, old)
    until(lambda: len(key(one, new)["seals_on"]) == 2, "the new key seals on both")
    found = key(one, old, "--continuation-keys-file", str(path))
    assert (found["removable"], found["in_file"]) == (False, "yes"), "a login that lives needs it"
    assert suspend(one)[1:5] == keys.key_id(new)
    assert continued(two, before)
    until(lambda: key(one, old)["removable"], "the last login of the old key has ended")
    write(path, new)
    until(lambda: not key(one, old)["opens_on"], "the old key is gone")
    assert continued(one, suspend(two))
    assert "(id " in refusal(two, "acme", event("otp"), before, [OTP]).message
    assert one.metric("vestibule_key_files_healthy", keys="continuation") == 1
    path.write_text("no key\n")
    one.wait_for("files.failed", what="continuation keys")
    assert one.metric("vestibule_key_files_healthy", keys="continuation") == 0
    assert continued(one, suspend(two)), "what is in effect stays"


@pytest.mark.long
def test_the_page_shows_what_the_command_says(serve: Serve, tmp_path: Path) -> None:
    """In words for people: every key and every daemon, and a daemon that has a key of its own."""
    daemon = serve()
    until(lambda: status(daemon)["daemons"], "a daemon has said that it is there")
    done = vestibule("continuation-keys", "status", "--store", daemon.setting)
    assert done.returncode == 0
    assert re.search(r"^KEY +SEALS ON +OPENS ON +NEEDED UNTIL", done.stdout, re.MULTILINE)
    assert f":{daemon.process.pid} " in done.stdout
    assert "has a key of its own" in done.stderr
    assert daemon.stop() == 0
    assert status(daemon)["daemons"][0]["state"] == "stopped"


@pytest.mark.long
def test_a_store_is_sealed_and_rotated_under_a_daemon_that_serves(serve: Serve, tmp_path: Path) -> None:
    """The commands of the page on a live store: plain, sealed, rotated, each secret anew, purged; logins all along."""
    old, new = keys.generate(), keys.generate()
    path = tmp_path / "store.keys"
    write(path, old)
    daemon = serve("--catalog-keys-file", str(path))
    secret = "swordfish-0123456789"
    reads = f"""\
def on_execute_post_login(event, api):
    if len(event.secrets["KEY"]) != {len(secret)}:
        api.access.deny("x")
"""
    daemon.publish(define("acme", reads, secrets={"KEY": secret}))
    flags = ("--store", daemon.setting, "--catalog-keys-file", str(path))

    def command(*words: str, code: int = 0, given: tuple[str, ...] = flags) -> subprocess.CompletedProcess[str]:
        done = vestibule("store", *words, *given)
        assert done.returncode == code, done.stderr
        return done

    def right() -> None:
        assert daemon.call("acme").outcome == ALLOW

    right()
    assert "is not sealed" in command("status").stdout
    assert secret.encode() in daemon.path.read_bytes() + daemon.path.with_name("flows.db-wal").read_bytes()
    assert daemon.metric("vestibule_store_sealed") == 0
    command("seal")
    until(lambda: daemon.metric("vestibule_store_sealed") == 1, "the daemon sees that it is sealed")
    right()
    for name in daemon.path.parent.glob("flows.db*"):
        assert secret.encode() not in name.read_bytes()
    only_new = tmp_path / "new.keys"
    write(only_new, new, old)
    ahead = command("rotate-key", code=2, given=("--store", daemon.setting, "--catalog-keys-file", str(only_new)))
    assert f":{daemon.process.pid} cannot open what the key {store_keys.key_id(new)} seals" in ahead.stderr
    write(path, old, new)
    daemon.wait_for("files.reloaded", what="store keys")
    write(path, new, old)
    after = len(daemon.lines)
    daemon.wait_for("files.reloaded", after=after - 1, what="store keys")
    until(lambda: vestibule("store", "rotate-key", *flags).returncode == 0, "the daemon has said which keys it has")
    assert store_keys.key_id(new) in command("status").stdout
    command("rotate-key", "--values")
    write(path, new)
    right()
    refused = command("purge", code=2)
    assert "add --yes if that is meant" in refused.stderr
    assert "purged" in command("purge", "--yes").stdout
    right()
    assert daemon.metric("vestibule_catalog_healthy") == 1
