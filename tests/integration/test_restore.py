"""A store is restored from a copy under daemons that run, by the words of the operator's page."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from runtime.catalog import applies
from runtime.catalog.opening import open_database
from runtime.catalog.sqlite import SqliteDatabase
from tests.deploy_scripts import pages
from tests.fixtures.commands import clean_environment, vestibule
from tests.fixtures.daemons import Daemon
from tests.fixtures.fleet import fleet
from tests.fixtures.postgresql import Cluster, programs, running
from tests.fixtures.suspensions import CHALLENGE, OTP, event, refusal, suspended
from tests.fixtures.tcp_proxy import Proxy
from tests.fixtures.tenants import ALLOW, GATE, define
from tests.fixtures.waiting import until

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]


def blocks() -> list[str]:
    """Return the commands of the page: back up, accept and put in place of a file; back up and accept a database."""
    page = (ROOT / "deploy" / "README.md").read_text()
    (section,) = [part for part in page.split("\n## ") if part.startswith("Back up and restore\n")]
    found: list[str] = pages.blocks(section, "")
    return found


def typed(folder: Path, block: str, programs: Path = Path("/nowhere")) -> str:
    """Run a block as an operator does, in the folder of the store; `programs` are PostgreSQL's."""
    tools = folder / ".venv" / "bin"
    if not tools.exists():
        tools.mkdir(parents=True)
        (tools / "vestibule").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runtime.cli "$@"\n')
        (tools / "vestibule").chmod(0o755)
    modules = os.pathsep.join(map(str, (ROOT, ROOT / "proto/python")))
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu"],
        cwd=folder, input=block, env=clean_environment() | {"PYTHONPATH": modules, "PATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, block + done.stdout + done.stderr
    return done.stdout


def looked_since(daemon: Daemon, instant_s: float) -> bool:
    return daemon.metric("vestibule_catalog_last_success_timestamp_seconds") > instant_s


def served_one(daemon: Daemon) -> bool:
    return daemon.metric("vestibule_catalog_tenants") == 1


def refuses(daemon: Daemon) -> bool:
    return any("vestibule store accept-restore" in line["reason"] for line in daemon.events("catalog.failed"))


@pytest.mark.parametrize("applied", [True, False], ids=["an-apply-is-lost", "no-apply-is-lost"])
def test_the_page_restores_a_store(tmp_path: Path, applied: bool) -> None:
    """Two daemons refuse a copy until it was accepted, then follow it without a restart; no continuation counts twice.

    The control: the same continuations are good in the store that was not restored.
    """
    back_up, accept, put_in_place, *_ = blocks()
    store = tmp_path / "vestibule.db"
    SqliteDatabase(store).prepare()
    with fleet(tmp_path, 2, store=store) as replicas:
        first, second = replicas.daemons
        revision = first.publish(define("acme", CHALLENGE))
        second.wait_for("catalog.reloaded", revision=revision)
        used, unused, control = (suspended(first, sent=event(transaction__id=name)) for name in ("u", "n", "c"))
        typed(tmp_path, back_up)
        assert first.resume("acme", event("otp", transaction__id="c"), control, [OTP]).outcome == ALLOW
        assert second.resume("acme", event("otp", transaction__id="u"), used, [OTP]).outcome == ALLOW
        if applied:
            first.publish(define("later", GATE))
        used_s = time.time()
        for daemon in (first, second):
            until(partial(looked_since, daemon, used_s), "a look at the store since")
        typed(tmp_path, "cp backup.db early.db\n" + put_in_place.replace("restored.db", "early.db"))
        for daemon in (first, second):
            until(partial(refuses, daemon), "a refusal that names the remedy")
            assert daemon.call("acme", event()).outcome
            error = refusal(daemon, "acme", event("otp", transaction__id="u"), used, [OTP])
            assert (error.code, error.reason) == ("UNAVAILABLE", "CATALOG_UNAVAILABLE")

        assert "begins a new epoch at revision 1" in typed(tmp_path, accept)
        typed(tmp_path, put_in_place.replace("lost.db", "again.db"))
        for daemon in (first, second):
            daemon.wait_for("catalog.epoch_began")
            daemon.wait_for("catalog.recovered")
            until(partial(served_one, daemon), "the tenant of the copy alone")
            for name, continuation in (("u", used), ("n", unused)):
                error = refusal(daemon, "acme", event("otp", transaction__id=name), continuation, [OTP])
                assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONTINUATION_OUTDATED")
        fresh = suspended(first)
        assert second.resume("acme", event("otp"), fresh, [OTP]).outcome == ALLOW
        assert first.metric("vestibule_continuations_total", result="outdated") == 2


def test_the_page_fails_over_to_another_server(tmp_path: Path, postgresql: Cluster) -> None:
    """Two daemons follow a dump that was restored elsewhere once it was accepted and their address leads there."""
    *_, back_up, accept = blocks()
    name = postgresql.database()
    with contextlib.closing(open_database(postgresql.url(name))) as store:
        store.prepare()
    proxy = Proxy(postgresql.port)
    with contextlib.ExitStack() as stack:
        stack.callback(proxy.close)
        other = stack.enter_context(running())
        other.sql(f"CREATE DATABASE {name} OWNER vestibule TEMPLATE template0")
        places = {"postgresql://vestibule@db.example/vestibule": postgresql.url(name)}
        places["postgresql://vestibule@db2.example/vestibule"] = other.url(name)
        replicas = stack.enter_context(fleet(tmp_path, 2, store=postgresql.url(name, port=proxy.port)))
        first, second = replicas.daemons
        replicas.publish(define("acme", CHALLENGE))
        used = suspended(first)
        typed(tmp_path, replaced(back_up, places), programs())
        assert second.resume("acme", event("otp"), used, [OTP]).outcome == ALLOW
        replicas.publish(define("later", GATE))
        assert "begins a new epoch at revision 1" in typed(tmp_path, replaced(accept, places), programs())
        proxy.point(other.port)
        for daemon in (first, second):
            daemon.wait_for("catalog.epoch_began")
            error = refusal(daemon, "acme", event("otp"), used, [OTP])
            assert (error.code, error.reason) == ("FAILED_PRECONDITION", "CONTINUATION_OUTDATED")
        fresh = suspended(first)
        assert second.resume("acme", event("otp"), fresh, [OTP]).outcome == ALLOW
        replicas.publish(define("later", GATE))
    postgresql.drop(name)


def replaced(block: str, places: Mapping[str, str]) -> str:
    """Put the addresses of the tests' servers in the place of the page's."""
    for typed_, ours in places.items():
        block = block.replace(typed_, ours)
    return block


def test_what_cannot_be_accepted_is_said(tmp_path: Path) -> None:
    """An empty store, and none: one line, exit 1, and nothing is made."""
    empty, gone = tmp_path / "empty.db", tmp_path / "gone.db"
    SqliteDatabase(empty).prepare()
    for path, told in ((empty, "is empty: nothing was ever applied to it; restore a copy"), (gone, "is gone")):
        done = vestibule("store", "accept-restore", "--store", f"sqlite:{path}")
        assert (done.returncode, done.stdout) == (1, "")
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
    assert not gone.exists()
    applies.apply(SqliteDatabase(empty), [define("acme", GATE)])
    done = vestibule("store", "accept-restore", "--json", "--store", f"sqlite:{empty}")
    assert done.returncode == 0
    assert '"revision": 1' in done.stdout
