"""A store that is full, read-only, deleted, damaged or replaced under a real daemon: it decides, and recovers."""

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from vestibule.v1 import runtime_service_pb2

from runtime.catalog import applies
from runtime.catalog.sqlite import SqliteDatabase
from tests.calls import METHOD, Refused, health, unary
from tests.fixtures.commands import TIED, clean_environment, quiet_port, serve_command, vestibule
from tests.fixtures.daemons import Daemon, Serve
from tests.fixtures.disks import fill, read_only, small_disk
from tests.fixtures.tenants import ADA, MFA, define, write_directory
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long  # a drill

OLD = 'def on_execute_post_login(event, api):\n    api.multifactor.enable("any")\n    print("old")\n'
NEW = OLD.replace("old", "new")


def says(daemon: Daemon, name: str = "acme") -> str:
    """Decide a login, which must be right, and return what its action printed: the version that ran."""
    decision = daemon.call(name)
    assert (decision.outcome, decision.degraded) == (MFA, False)
    return decision.executions[0].output.strip()


def healthy(daemon: Daemon, value: int) -> None:
    """Wait for the gauge, and for what the log says beside it."""
    until(lambda: daemon.metric("vestibule_catalog_healthy") == value, f"catalog health {value}")


def copy(store: Path, target: Path) -> Path:
    """Make a backup, whatever the store's log still holds."""
    with closing(sqlite3.connect(store)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


def ready(daemon: Daemon) -> bool:
    """Ask the readiness probe."""
    return daemon.get("/readyz")[0] == 200


def remove(store: Path) -> None:
    """Delete a store with its logs."""
    for suffix in ("", "-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)


def test_a_full_disk_stops_an_apply_and_no_login(serve: Serve, tmp_path: Path) -> None:
    """On a full disk an apply changes nothing and says why; the daemon serves on, and follows once there is room."""
    with small_disk(tmp_path / "disk", "512k") as disk:
        daemon = serve(store=disk / "flows.db")
        daemon.publish(define("acme", OLD))
        directory = write_directory(tmp_path, "acme", NEW + "#" * 50_000)
        junk = fill(disk)
        failed = vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}")
        assert failed.returncode == 1
        assert str(daemon.path) in failed.stderr
        assert "full" in failed.stderr
        assert failed.stderr.count("\n") == 1
        assert says(daemon) == "old"
        junk.unlink()
        assert vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}").returncode == 0
        daemon.wait_for("catalog.reloaded", revision=2)
        assert says(daemon) == "new"
        healthy(daemon, 1)
        assert daemon.stop() == 0


def test_a_daemon_starts_on_a_full_disk(serve: Serve, tmp_path: Path) -> None:
    """A store that is there is served although nothing can be written, and the metric says so."""
    with small_disk(tmp_path / "disk", "512k") as disk:
        store = disk / "flows.db"
        applies.apply(SqliteDatabase(store), [define("acme", OLD)])
        fill(disk)
        daemon = serve(store=store)
        assert says(daemon) == "old"
        assert daemon.metric("vestibule_catalog_writable") == 0
        assert daemon.metric("vestibule_catalog_tenants") == 1
        assert daemon.stop() == 0


def test_a_read_only_disk(serve: Serve, tmp_path: Path) -> None:
    """A store on a read-only disk is served; each change changes nothing and says why; the metric says so too."""
    place = tmp_path / "place"
    place.mkdir()
    store = place / "flows.db"
    applies.apply(SqliteDatabase(store), [define("acme", NEW)])
    applies.apply(SqliteDatabase(store), [define("acme", OLD)])
    key = tmp_path / "key"
    made = vestibule("api-keys", "create", "--scope", "author", "--tenant", "*", "--expires", "1d", "--out", str(key),
                     "--store", f"sqlite:{store}")  # fmt: skip
    assert made.returncode == 0, made.stderr
    directory = write_directory(tmp_path, "acme", NEW)
    with read_only(place):
        daemon = serve(store=store)
        assert says(daemon) == "old"
        failed = vestibule("apply", str(directory), "--store", f"sqlite:{store}")
        assert failed.returncode == 1
        assert "read-only" in failed.stderr
        assert failed.stderr.count("\n") == 1
        sources = ("--store", f"sqlite:{store}"), ("--target", daemon.target, "--api-key-file", str(key))
        for change in (("rollback", "acme"), ("hold", "acme", "--to", "policy", "--for", "1h")):
            for source in sources:
                failed = vestibule(*change, *source)
                assert (failed.returncode, failed.stderr.count("\n")) == (1, 1), failed.stderr
                assert "read-only" in failed.stderr
        assert vestibule("history", "acme", *sources[1]).returncode == 0
        assert says(daemon) == "old"
        assert daemon.metric("vestibule_catalog_writable") == 0
    until(lambda: daemon.metric("vestibule_catalog_writable") == 1, "the control: it can be written again")
    assert daemon.stop() == 0


def test_a_deleted_store_is_served_from_memory_until_it_is_back(serve: Serve, tmp_path: Path) -> None:
    """Deleted underneath, the daemon decides on, also for cold tenants, and says so; put back, it follows."""
    daemon = serve()
    daemon.publish(define("acme", OLD), define("cold", OLD))
    assert says(daemon) == "old"
    saved = copy(daemon.path, tmp_path / "saved.db")
    remove(daemon.path)
    healthy(daemon, 0)
    failed = daemon.wait_for("catalog.failed")
    assert (failed["level"], str(daemon.path) in failed["reason"]) == ("error", True)
    assert says(daemon) == "old"
    assert says(daemon, "cold") == "old"
    assert daemon.get("/readyz")[0] == 200
    at = len(daemon.lines)
    applies.apply(SqliteDatabase(saved), [define("acme", NEW), define("cold", NEW)])
    saved.rename(daemon.path)
    daemon.wait_for("catalog.recovered", after=at)
    healthy(daemon, 1)
    assert says(daemon) == says(daemon, "cold") == "new"
    assert len(daemon.events("catalog.failed")) == 1


def test_a_replica_that_starts_without_a_store_ends_no_other(serve: Serve, tmp_path: Path) -> None:
    """The store is deleted and a second replica starts: it makes none, is not ready, says so; the first serves on.

    A new store in the same place is served by the second and not by the first, which follows the old one again.
    """
    store = tmp_path / "flows.db"
    applies.apply(SqliteDatabase(store), [define("acme", OLD)])
    saved = copy(store, tmp_path / "saved.db")
    first = serve("--catalog-allow-empty", "false", store=store)
    assert says(first) == "old"
    remove(store)
    second = serve("--catalog-allow-empty", "false", store=store)
    failed = second.wait_for("catalog.failed")
    assert (failed["level"], f"there is no store {store} yet" in failed["reason"]) == ("error", True)
    assert not ready(second)
    assert str(store) in second.get("/readyz")[1]
    assert second.get("/livez")[0] == 200
    with pytest.raises(Refused) as caught:
        second.call("acme")
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "CATALOG_UNAVAILABLE")
    assert second.wait_for("login.refused")["level"] == "info", "no caller fills the error log"
    healthy(first, 0)
    assert says(first) == "old"
    assert ready(first)
    assert not store.exists()
    for daemon, tenants in ((first, 1), (second, 0)):
        assert daemon.metric("vestibule_catalog_tenants") == tenants
        assert daemon.metric("vestibule_catalog_writable") == 0
    # Somebody applies elsewhere what was meant for here: a store of its own, with another tenant.
    applies.apply(SqliteDatabase(store), [define("other", NEW)])
    until(lambda: ready(second), "the second has a store")
    assert says(second, "other") == "new"
    # It may have found the store between its making and the first apply to it.
    other = "is another store than the one that is served"
    until(lambda: any(other in line["reason"] for line in first.events("catalog.failed")), "the first says so")
    assert says(first) == "old"
    assert ready(first)
    healthy(first, 0)
    at = len(first.lines)
    remove(store)
    applies.apply(SqliteDatabase(saved), [define("acme", NEW)])
    saved.rename(store)
    first.wait_for("catalog.recovered", after=at)
    until(lambda: says(first) == "new", "the right store is followed")
    assert first.stop() == 0
    assert second.stop() == 0


def test_a_store_without_a_tenant_is_not_ready(serve: Serve) -> None:
    """A daemon that knows no tenant is not ready, nor healthy for gRPC; the first tenant makes it both."""
    daemon = serve("--catalog-allow-empty", "false")
    with grpc.insecure_channel(daemon.target) as channel:
        watch = health(channel).Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        _becomes_ready(daemon)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def _becomes_ready(daemon: Daemon) -> None:
    assert not ready(daemon)
    assert "has no tenant: apply one, or set catalog.allow_empty" in daemon.get("/readyz")[1]
    assert daemon.metric("vestibule_catalog_healthy") == 1
    daemon.publish(define("acme", OLD))
    assert ready(daemon)
    until(lambda: daemon.metric("vestibule_catalog_tenants") == 1, "the tenant is counted")


def test_a_locked_store_stops_an_apply_and_no_login(serve: Serve, tmp_path: Path) -> None:
    """Kept by another process for itself, the store is served from memory; an apply gives up and says why; then both
    continue.
    """
    daemon = serve()
    daemon.publish(define("acme", OLD), define("cold", OLD))
    assert says(daemon) == "old"
    directory = write_directory(tmp_path, "acme", NEW)
    with closing(sqlite3.connect(daemon.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")

        def taken() -> bool:
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN EXCLUSIVE")
                other.execute("UPDATE tenants SET changed_in = changed_in")
                other.execute("COMMIT")
                return True
            return False

        until(taken, "no reader holds it at this moment")
        healthy(daemon, 0)
        assert "locked" in daemon.wait_for("catalog.failed")["reason"]
        assert says(daemon) == says(daemon, "cold") == "old"
        failed = vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}")
        assert failed.returncode == 1
        assert "locked" in failed.stderr
        assert failed.stderr.count("\n") == 1
        assert daemon.get("/readyz")[0] == 200
    healthy(daemon, 1)
    assert vestibule("apply", str(directory), "--store", f"sqlite:{daemon.path}").returncode == 0
    until(lambda: says(daemon) == "new", "the change is seen")


def test_a_deleted_directory_is_no_end(serve: Serve, tmp_path: Path) -> None:
    """Even without the directory of its store, the daemon decides, and recovers when it is back."""
    place = tmp_path / "place"
    place.mkdir()
    daemon = serve(store=place / "flows.db")
    daemon.publish(define("acme", OLD))
    healthy(daemon, 1)
    saved = copy(daemon.path, tmp_path / "saved.db")
    shutil.rmtree(place)
    healthy(daemon, 0)
    assert says(daemon) == "old"
    place.mkdir()
    applies.apply(SqliteDatabase(saved), [define("acme", NEW)])
    saved.rename(daemon.path)
    until(lambda: says(daemon) == "new", "the store that is back is followed")
    healthy(daemon, 1)


def test_a_damaged_store_is_not_believed(serve: Serve, tmp_path: Path) -> None:
    """A store overwritten or cut short leaves the last good snapshot; a good one in its place is followed."""
    daemon = serve()
    daemon.publish(define("acme", OLD))
    good = copy(daemon.path, tmp_path / "good.db")
    applies.apply(SqliteDatabase(good), [define("acme", NEW)])
    for damage in (b"garbage " * 4096, good.read_bytes()[:5000], b""):
        for suffix in ("-wal", "-shm"):
            daemon.path.with_name(daemon.path.name + suffix).unlink(missing_ok=True)
        daemon.path.write_bytes(damage)
        healthy(daemon, 0)
        assert says(daemon) == "old"
    remove(daemon.path)
    good.rename(daemon.path)
    healthy(daemon, 1)
    until(lambda: says(daemon) == "new", "the new store is served")


@pytest.mark.parametrize("damage", [b"garbage " * 4096, "half"], ids=["garbage", "half"])
def test_no_daemon_starts_with_a_damaged_store(tmp_path: Path, damage: bytes | str) -> None:
    """Without a snapshot to serve from, one line names the store, and the exit code is 1."""
    store = tmp_path / "flows.db"
    applies.apply(SqliteDatabase(store), [define("acme", OLD)])
    store.write_bytes(damage if isinstance(damage, bytes) else store.read_bytes()[:5000])
    flags = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--log-level", "error")
    failed = vestibule("serve", "--store", f"sqlite:{store}", *flags)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert str(store) in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_log_that_cannot_be_written_stops_no_login(tmp_path: Path) -> None:
    """With its log on a full disk the daemon starts, decides and drains; only the lines are lost."""
    store = tmp_path / "flows.db"
    applies.apply(SqliteDatabase(store), [define("acme", OLD)])
    target = f"127.0.0.1:{quiet_port()}"
    command = [*TIED, *serve_command(store, listen=target)]
    request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id="acme", event=ADA).SerializeToString()
    with open("/dev/full", "w") as full:
        daemon = subprocess.Popen(command, stderr=full, env=clean_environment())
    try:
        with grpc.insecure_channel(target) as channel:
            method = unary(channel, METHOD, runtime_service_pb2.ExecutePostLoginResponse.FromString)
            for _ in range(3):
                response = method(request, timeout=PATIENCE_S, wait_for_ready=True)
                assert response.decision.outcome == MFA
        daemon.terminate()
        assert daemon.wait(timeout=PATIENCE_S) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_an_apply_is_seen_within_two_seconds(serve: Serve) -> None:
    """A login that begins two seconds after an apply has ended is decided by it."""
    daemon = serve()
    daemon.publish(define("acme", OLD))
    for source, output in ((NEW, "new"), (OLD, "old")):
        applies.apply(SqliteDatabase(daemon.path), [define("acme", source)])
        applied_s = time.monotonic()
        until(lambda: says(daemon) == output, "the change is seen", timeout_s=2.0)  # noqa: B023  called within this turn of the loop
        assert time.monotonic() - applied_s < 2.0
