"""Three daemons and one PostgreSQL: claims, kills, a partition, failover to a restored copy, deployments under load."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import decision_pb2 as pb

from runtime.catalog import applies
from runtime.catalog.opening import open_database
from tests.calls import Refused, result
from tests.fixtures.commands import vestibule
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.disks import fill, small_disk
from tests.fixtures.fleet import Gateway, fleet, load, login, suspended_login
from tests.fixtures.postgresql import Cluster, running
from tests.fixtures.suspensions import AFTER, CHALLENGE, OTP, claims, event, refusal, suspended
from tests.fixtures.tcp_proxy import Proxy
from tests.fixtures.tenants import ALLOW, GATE, MFA, define, write_directory
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.long

STORE_ERROR = ("UNAVAILABLE", "CATALOG_UNAVAILABLE")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that may be killed; each test leaves it running."""
    with running() as cluster:
        yield cluster


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """A store that is there, and empty."""
    name = cluster.database()
    with contextlib.closing(open_database(cluster.url(name))) as store:
        store.prepare()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    proxy = Proxy(cluster.port)
    yield proxy
    proxy.close()


def through(proxy: Proxy, cluster: Cluster, url: str) -> str:
    return cluster.url(url.rpartition("/")[2], port=proxy.port)


def of(name: str, *methods: str) -> Any:
    """The event of one login among many."""
    return event(*methods, transaction__id=name)


def resumed(daemon: Daemon, name: str, continuation: bytes, tenant: str = "asks") -> pb.Decision:
    return daemon.resume(tenant, of(name, "otp"), continuation, [OTP])


def why_not(daemon: Daemon, name: str, continuation: bytes) -> tuple[str, str]:
    error = refusal(daemon, "asks", of(name, "otp"), continuation, [OTP])
    return error.code, error.reason


def test_a_continuation_counts_once_in_the_fleet(tmp_path: Path, url: str) -> None:
    """Suspended by one, continued by another, refused by all; the same request gets its answer from each."""
    with fleet(tmp_path, 3, store=url) as replicas:
        replicas.publish(define("asks", CHALLENGE, AFTER))
        first, second, third = replicas.daemons
        continuation = suspended(first, "asks", of("t"))
        assert resumed(second, "t", continuation).outcome == ALLOW
        for daemon in replicas.daemons:
            assert why_not(daemon, "t", continuation) == ("FAILED_PRECONDITION", "CONTINUATION_USED")

        continuation = suspended(third, "asks", of("u"))
        answers = set()
        for daemon in replicas.daemons:
            gateway = Gateway(daemon.target)
            decision = gateway.resume("asks", "the-same", continuation, transaction__id="u")
            answers.add(decision.SerializeToString(deterministic=True))
            gateway.close()
        assert len(answers) == 1


def test_of_a_thousand_claims_at_once_one_wins_each(tmp_path: Path, url: str) -> None:
    """Twenty continuations, each sent fifty times at once over three replicas: twenty decisions."""
    flags = ("--limits-max-in-flight", "4096", "--limits-tenant-share", "1", "--pool-queue-per-tenant", "1000")
    with fleet(tmp_path, 3, *flags, store=url) as replicas:
        replicas.publish(define("asks", CHALLENGE, AFTER))
        names = [f"t-{number}" for number in range(20)]
        continuations = [suspended(replicas.daemons[at % 3], "asks", of(name)) for at, name in enumerate(names)]
        calls = [
            (name, replicas.daemons[(at + turn) % 3].begin_resuming("asks", of(name, "otp"), continuation, [OTP]))
            for turn in range(50)
            for at, (name, continuation) in enumerate(zip(names, continuations, strict=True))
        ]
        winners: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for name, call in calls:
            try:
                assert result(call).outcome == ALLOW
                winners[name] += 1
            except Refused as refused:
                others[refused.reason] += 1
        assert (winners, others) == (dict.fromkeys(names, 1), {"CONTINUATION_USED": 980})


def test_a_database_that_is_killed(tmp_path: Path, cluster: Cluster, url: str) -> None:
    """Logins are decided, continuations refused as UNAVAILABLE; when it is back, everything works without a restart."""
    with fleet(tmp_path, 3, store=url) as replicas:
        replicas.publish(define("acme", GATE), define("asks", CHALLENGE, AFTER))
        kept = suspended(replicas.daemons[0], "asks", of("kept"))
        with load(replicas.target, [login("acme")] * 3) as tally:
            until(lambda: tally.logins > 50, "some logins")
            cluster.kill()
            began_s = time.monotonic()
            refused = [why_not(daemon, "kept", kept) for daemon in replicas.daemons]
            took_s = time.monotonic() - began_s
            for daemon in replicas.daemons:
                until(partial(is_stale, daemon), "a replica that says what it serves")
                assert daemon.get("/readyz")[0] == 200
            # Suspending needs no store.
            late = suspended(replicas.daemons[1], "asks", of("late"))
            seen = tally.logins
            until(lambda: tally.logins > seen + 50, "logins without a database")
            cluster.start()
            began_s = time.monotonic()
            for daemon in replicas.daemons:
                until(partial(is_fresh, daemon), "a replica that follows its store again")
            back_s = time.monotonic() - began_s
        assert refused == [STORE_ERROR] * 3
        assert not tally.failures
        assert set(tally.outcomes) == {"OUTCOME_MFA_REQUIRED"}
        assert resumed(replicas.daemons[2], "kept", kept).outcome == ALLOW
        assert resumed(replicas.daemons[0], "late", late).outcome == ALLOW
        replicas.publish(define("later", GATE))
        print(f"refused after {took_s / 3:.2f} s each, followed again after {back_s:.2f} s, {tally.logins} logins")


def is_stale(daemon: Daemon) -> bool:
    """Its probe is good, and says since when it has not read the store."""
    return "read" in daemon.get("/readyz")[1] and daemon.metric("vestibule_catalog_healthy") == 0


def is_fresh(daemon: Daemon) -> bool:
    return daemon.get("/readyz")[1] == "ok\n" and daemon.metric("vestibule_catalog_healthy") == 1


def test_a_database_that_is_killed_over_continuations(tmp_path: Path, cluster: Cluster, url: str) -> None:
    """Whenever it dies, each suspended login ends with one decision: the same request gets it, no other one does."""
    with fleet(tmp_path, 3, store=url) as replicas:
        replicas.publish(define("asks", CHALLENGE, AFTER))
        with load(replicas.target, [continued_once] * 4, pause_s=0.01) as tally:
            for _ in range(3):
                seen = tally.logins
                until(partial(more_than, tally, seen + 20), "logins that were continued")
                cluster.kill()
                time.sleep(0.5)  # the fault's own time, in which there are continuations
                cluster.start()
        assert not tally.failures
        print(f"{dict(tally.outcomes)}, slowest {tally.slowest_s:.2f} s")


def continued_once(gateway: Gateway, name: str) -> str:
    """Suspend and continue a login, as often as it takes; then try to have a second decision of it."""
    decision = gateway.begin("asks", name, transaction__id=name)
    first = persistently(lambda: gateway.resume("asks", name, decision.suspension.continuation, transaction__id=name))
    again = persistently(lambda: gateway.resume("asks", name, decision.suspension.continuation, transaction__id=name))
    assert isinstance(first, pb.Decision), first
    assert (first.outcome, first) == (ALLOW, again)
    other = persistently(lambda: gateway.resume("asks", "x", decision.suspension.continuation, transaction__id=name))
    assert other == "CONTINUATION_USED"
    return "continued"


def persistently(send: Callable[[], pb.Decision]) -> pb.Decision | str:
    """Send a request again while there is no store, or while a claim that was lost with it has not lapsed."""
    give_up_s = time.monotonic() + 2 * PATIENCE_S
    while True:
        try:
            return send()
        except Refused as refused:
            if refused.code not in ("UNAVAILABLE", "DEADLINE_EXCEEDED") or time.monotonic() > give_up_s:
                return refused.reason if refused.details else str(refused)
        time.sleep(0.1)


def test_a_full_disk(tmp_path: Path, cluster: Cluster) -> None:
    """An apply that needs more changes nothing and says why, by --store and by AdminService; logins are decided as
    before, and what is applied when there is room again is followed without a restart."""
    with small_disk(cluster.folder / "small", "24m") as disk:
        owner = cluster.folder.stat()
        os.chown(disk, owner.st_uid, owner.st_gid)
        cluster.sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
        name = cluster.database()
        cluster.sql(f"ALTER DATABASE {name} SET TABLESPACE small")
        url = cluster.url(name)
        with contextlib.closing(open_database(url)) as store:
            store.prepare()
        with served(tmp_path, store=url) as daemon:
            daemon.publish(define("acme", GATE))
            key = tmp_path / "key"
            made = ("api-keys", "create", "--scope", "author", "--tenant", "*", "--expires", "1d", "--out", str(key))
            assert vestibule(*made, "--store", url).returncode == 0
            sources = ("--store", url), ("--target", daemon.target, "--api-key-file", str(key))
            large = [f"{GATE}# {os.urandom(45_000).hex()}\n" for _ in range(9)]
            folder = write_directory(tmp_path, "acme", *large)
            junk = fill(disk)
            until(lambda: vestibule("list", *sources[1]).returncode == 0, "the key is known")
            for source, says in (
                (sources[0], "its disk is full; nothing was changed"),
                (sources[1], "read-only or full"),
            ):
                failed = vestibule("apply", str(folder), *source)
                assert (failed.returncode, says in failed.stderr) == (1, True), failed.stderr
            assert daemon.call("acme").outcome == MFA
            assert daemon.metric("vestibule_catalog_revision") == 1
            junk.unlink()
            done = vestibule("apply", str(folder), *sources[1])
            assert (done.returncode, "version 2" in done.stdout) == (0, True), done.stderr
            until(lambda: daemon.metric("vestibule_catalog_revision") == 2, "the next revision")
            assert daemon.call("acme").outcome == MFA
        cluster.drop(name)
        cluster.sql("DROP TABLESPACE small")


def test_a_replica_that_is_killed(tmp_path: Path, url: str) -> None:
    """No login that begins fails: gRPC sends it again. One that was being continued may have to wait for its claim."""
    with fleet(tmp_path, 3, store=url) as replicas:
        replicas.publish(define("acme", GATE), define("asks", CHALLENGE, AFTER))
        with load(replicas.target, [login("acme"), login("acme"), suspended_login("asks")]) as tally:
            for at in range(3):
                seen = tally.logins
                until(partial(more_than, tally, seen + 60), "logins by all replicas")
                os.kill(replicas.daemons[at].process.pid, signal.SIGKILL)
                replicas.daemons[at].wait()
                until(partial(more_than, tally, seen + 120), "logins by two replicas")
                replicas.again(at)
        # What the dead replica had claimed, another one cannot give an answer to before the claim lapses.
        assert [line for line in tally.failures if "another daemon decides this request" not in line] == []
        assert tally.outcomes["OUTCOME_MFA_REQUIRED"] > 100
        assert tally.outcomes["continued: OUTCOME_ALLOW"] > 10
        print(f"{dict(tally.outcomes)}, slowest {tally.slowest_s:.2f} s")


def more_than(tally: Any, count: int) -> bool:
    return bool(tally.logins > count)


def test_a_partition(tmp_path: Path, cluster: Cluster, url: str, proxy: Proxy) -> None:
    """A replica whose way to the database is cut in silence decides by what it has, says so, and continues nothing."""
    stores = (through(proxy, cluster, url), url, url)
    with fleet(tmp_path, 3, stores=stores) as replicas:
        replicas.publish(define("acme", GATE), define("asks", CHALLENGE, AFTER))
        cut, *others = replicas.daemons
        kept = suspended(cut, "asks", of("kept"))
        with load(cut.target, [login("acme")] * 2) as tally:
            proxy.stop()
            began_s = time.monotonic()
            error = refusal(cut, "asks", of("kept", "otp"), kept, [OTP])
            took_s = time.monotonic() - began_s
            until(partial(is_stale, cut), "the replica that is cut off says what it serves")
            revision = others[0].publish(define("acme", "def on_execute_post_login(event, api):\n    pass\n"))
            others[1].wait_for("catalog.reloaded", revision=revision)
            assert [daemon.call("acme", event()).outcome for daemon in (cut, *others)] == [MFA, ALLOW, ALLOW]
            # The others are the same fleet: what could not be continued there is continued here.
            assert resumed(others[0], "kept", kept).outcome == ALLOW
            proxy.resume()
            began_s = time.monotonic()
            cut.wait_for("catalog.reloaded", revision=revision)
            back_s = time.monotonic() - began_s
            until(partial(is_fresh, cut), "the replica follows again")
        assert error.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        assert took_s < PATIENCE_S
        assert why_not(cut, "kept", kept) == ("FAILED_PRECONDITION", "CONTINUATION_USED")
        assert cut.call("acme", event()).outcome == ALLOW
        assert not tally.failures
        print(f"refused after {took_s:.2f} s, followed again after {back_s:.2f} s, {tally.logins} logins meanwhile")


def test_a_failover_to_a_restored_copy(tmp_path: Path, cluster: Cluster, url: str, proxy: Proxy) -> None:
    """Daemons refuse the copy until it was accepted, then follow it without a restart; nothing counts twice."""
    setting = through(proxy, cluster, url)
    with fleet(tmp_path, 3, store=setting) as replicas:
        replicas.publish(define("acme", GATE), define("asks", CHALLENGE, AFTER))
        first, second, third = replicas.daemons
        used, unused = (suspended(first, "asks", of(name)) for name in ("used", "unused"))
        with contextlib.ExitStack() as stack:
            copied = cluster.copy()
            stack.callback(copied.remove)
            assert resumed(second, "used", used).outcome == ALLOW
            replicas.publish(define("lost", GATE))
            with load(replicas.target, [login("acme")] * 2) as tally:
                cluster.kill()
                stack.callback(cluster.start)
                copied.start()
                proxy.point(copied.port)
                for daemon in replicas.daemons:
                    until(partial(names_the_remedy, daemon), "a refusal that names the remedy")
                    assert why_not(daemon, "used", used) == STORE_ERROR
                done = vestibule("store", "accept-restore", "--store", setting)
                assert done.returncode == 0, done.stderr
                assert "of-the-tests" not in done.stdout + done.stderr
                for daemon in replicas.daemons:
                    daemon.wait_for("catalog.epoch_began")
                    until(partial(is_fresh, daemon), "a replica that follows the copy")
            assert not tally.failures
            for daemon in (first, second, third):
                for name, continuation in (("used", used), ("unused", unused)):
                    outdated = ("FAILED_PRECONDITION", "CONTINUATION_OUTDATED")
                    assert why_not(daemon, name, continuation) == outdated
                with pytest.raises(Refused, match="tenant 'lost' is not in the catalog"):
                    daemon.call("lost")
            fresh = suspended(first, "asks", of("fresh"))
            assert resumed(second, "fresh", fresh).outcome == ALLOW
            assert why_not(third, "fresh", fresh) == ("FAILED_PRECONDITION", "CONTINUATION_USED")
            replicas.publish(define("lost", GATE))


def names_the_remedy(daemon: Daemon) -> bool:
    return any("vestibule store accept-restore" in line["reason"] for line in daemon.events("catalog.failed"))


VERSION = """\
def on_execute_post_login(event, api):
    api.id_token.set_custom_claim("https://a.example/{0}", {1})
"""


def version(number: int) -> Any:
    """A flow of two actions that both say which deployment they are of."""
    return define("acme", VERSION.format("first", number), VERSION.format("second", number))


def test_a_deployment_under_load(tmp_path: Path, url: str) -> None:
    """Twenty in a row: each is in effect everywhere at once, none is skipped back, no login is dropped or mixed."""
    with fleet(tmp_path, 3, store=url) as replicas:
        replicas.publish(version(0))
        seen: list[list[tuple[float, int]]] = [[] for _ in replicas.daemons]
        with contextlib.ExitStack() as stack:
            tallies = [
                stack.enter_context(load(daemon.target, [watched(seen[at]), *([login("acme")] * 2)], pause_s=0.002))
                for at, daemon in enumerate(replicas.daemons)
            ]
            took = [deployed(url, number, seen) for number in range(1, 21)]
        worst = sorted(max(each) for each in took)
        print(f"in effect on three replicas after {worst[len(worst) // 2]:.3f} s (median), {worst[-1]:.3f} s (worst)")
        assert not [line for tally in tallies for line in tally.failures]
        for numbers in ([number for _, number in each] for each in seen):
            assert numbers == sorted(numbers)
            assert set(numbers) == set(range(21))
        # A second is promised; a busy machine may take longer to show it.
        assert worst[len(worst) // 2] < 5.0


def watched(seen: list[tuple[float, int]]) -> Any:
    """Return the work of one login that says which deployment decided it."""

    def work(gateway: Gateway, name: str) -> str:
        found = claims(gateway.begin("acme", name))
        assert found["first"] == found["second"], f"mixed: {found}"
        seen.append((time.monotonic(), int(found["first"])))
        return "decided"

    return work


def deployed(url: str, number: int, seen: list[list[tuple[float, int]]]) -> list[float]:
    """Deploy, and return how long each replica took from then on to decide by it."""
    with contextlib.closing(open_database(url)) as store:
        applies.apply(store, [version(number)])
    began_s = time.monotonic()
    until(lambda: all(each[-1][1] == number for each in seen), f"deployment {number}", every_s=0.005)
    return [max(0.0, next(at_s for at_s, found in each if found == number) - began_s) for each in seen]
