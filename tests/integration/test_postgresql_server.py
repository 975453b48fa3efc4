"""The PostgreSQL of the tests itself: a drill that rests on it may believe what it does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures import postgresql as server
from tests.fixtures.certificates import issue
from tests.fixtures.postgresql import Cluster, packaged, running
from tests.fixtures.processes import Process
from tests.fixtures.waiting import until

_ROWS = "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)"
_COUNT = "SELECT count(*) FROM t"


def test_each_test_has_a_database_of_its_own(postgresql: Cluster) -> None:
    """A database is made from a template, which is filled once, and knows nothing of its siblings."""
    filled: list[str] = []
    for _ in range(2):
        template = postgresql.template("t_of_this_test", filled.append)
        name = postgresql.database(template)
        assert postgresql.sql("SELECT count(*) FROM pg_tables WHERE tablename = 't'", name) == "0"
        postgresql.sql(_ROWS, name)
        assert postgresql.sql(_COUNT, name) == "1000"
        postgresql.drop(name)
    assert len(filled) == 1
    postgresql.drop("t_of_this_test")


@pytest.mark.long
def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    """A server that is killed recovers at its next start; so does a copy of it, made while it ran or while it lay."""
    with running() as cluster:
        name = cluster.database()
        cluster.sql(_ROWS, name)
        cluster.kill()
        assert not cluster.running
        with pytest.raises(AssertionError):
            cluster.sql(_COUNT, name)
        cluster.start()
        assert cluster.sql(_COUNT, name) == "1000"

        backup = cluster.copy()
        cluster.sql("DELETE FROM t", name)
        cluster.stop()
        cold = cluster.copy()
        for copied, wanted in ((backup, "1000"), (cold, "0")):
            copied.start()
            assert copied.sql(_COUNT, name) == wanted
            assert copied.port != cluster.port
            copied.remove()


@pytest.mark.long
@pytest.mark.parametrize("programs", [None, packaged()], ids=["found", "packaged"])
def test_a_server_of_tls_alone(tmp_path: Path, programs: Path | None) -> None:
    """The machine's server and the package's speak TLS, and plain text to none; a certificate can be replaced."""
    authority, stranger = issue("authority", authority=True), issue("stranger", authority=True)
    trusted = tmp_path / "authority.pem"
    trusted.write_bytes(authority.pem)
    with running(tls=issue("database", by=authority), of=programs) as cluster:
        name = cluster.database()
        url = cluster.url(name, query=f"?sslmode=verify-full&sslrootcert={trusted}")
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert cluster.ask(url, query) == "t"
        with pytest.raises(AssertionError, match=r"no pg_hba\.conf entry"):
            cluster.ask(cluster.url(name, query="?sslmode=disable"), query)
        with pytest.raises(AssertionError, match="password authentication failed"):
            cluster.ask(cluster.url(name, password="wrong"), query)
        cluster.certify(issue("database", by=stranger))
        until(lambda: "certificate verify failed" in _failure(cluster, url), "the other certificate")


def _failure(cluster: Cluster, url: str) -> str:
    try:
        return cluster.ask(url, "SELECT 1")
    except AssertionError as error:
        return str(error)


_STARTS_ONE = """
import sys, time
from tests.fixtures.postgresql import Cluster
cluster = Cluster().make()
print(cluster.folder, (cluster.folder / "data" / "postmaster.pid").read_text().split()[0], flush=True)
time.sleep(600)
"""


@pytest.mark.long
def test_a_server_ends_with_the_tests_however_they_end() -> None:
    """Kill -9 of the tests' process leaves neither a server nor a folder."""
    tests = subprocess.Popen(
        [sys.executable, "-c", _STARTS_ONE], stdout=subprocess.PIPE, text=True, cwd=Path(server.__file__).parents[2]
    )
    assert tests.stdout is not None
    with tests.stdout:
        folder, number = tests.stdout.readline().split()
        postmaster = Process.read(int(number))
        assert postmaster is not None
        assert Path(folder).exists()
        os.kill(tests.pid, signal.SIGKILL)
        tests.wait()
    until(lambda: not postmaster.alive and not Path(folder).parent.exists(), "the end of the server and its folder")
