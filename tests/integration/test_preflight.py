"""`vestibule doctor --config`: every fault of a host and its files at once, before a daemon is started."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from pathlib import Path

from runtime.catalog import applies
from runtime.catalog.opening import open_database
from runtime.continuation import keys
from tests.fixtures.certificates import issue
from tests.fixtures.commands import vestibule
from tests.fixtures.tenants import GATE, define

OK, USAGE, CHECK_FAILED = 0, 2, 3


def test_every_fault_is_listed_at_once_with_its_remedy(tmp_path: Path) -> None:
    """Memory, keys, an expired certificate, rules that others can change, a port that is taken: all of them."""
    cert, key = issue("server", ends=timedelta(minutes=-1)).write(tmp_path, "server")
    rules = tmp_path / "rules"
    rules.write_text("dns:a execute *\n")
    rules.chmod(0o666)
    shared = tmp_path / "keys"
    shared.write_text(keys.text([keys.generate()]))
    shared.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "vestibule.toml"
        file.write_text(
            f'store = "sqlite:{tmp_path / "none.db"}"\nlisten = "127.0.0.1:{port}"\nmetrics_listen = "127.0.0.1:0"\n'
            '[pool]\nmax_workers = 100000\nmemory_bytes = "1000GiB"\n[sandbox]\nrequired_layers = "seccomp"\n'
            f'[continuation]\nkeys_file = "{shared}"\n'
            f'[tls]\ncert_file = "{cert}"\nkey_file = "{key}"\nclient_ca_file = "{tmp_path / "absent"}"\n'
            f'[auth]\ncertificates_file = "{rules}"\n'
        )
        done = vestibule("doctor", "--config", str(file), "--json")
    assert done.returncode == CHECK_FAILED
    report = json.loads(done.stdout)
    faults = {check["name"]: check for check in report["preflight"] if check["state"] == "fault"}
    assert {"memory", "store", "continuation keys", "TLS", "rules for certificates", "port listen"} <= set(faults)
    assert "port metrics_listen" not in faults
    assert all(check["remedy"] for check in faults.values())
    tls = [check["detail"] for check in report["preflight"] if check["name"] == "TLS"]
    assert any("expired at" in detail for detail in tls)
    assert any("absent: cannot be read" in detail for detail in tls)
    for name, check in faults.items():
        assert f"vestibule: {name}: {check['detail']}" in done.stderr
    assert "address already in use; choose another address with --listen" in done.stderr
    assert shared.read_text().strip() not in done.stdout + done.stderr


def test_a_host_that_fits_is_told_so(tmp_path: Path) -> None:
    """Without a fault it exits with 0; what is only worth a look is a warning."""
    store = tmp_path / "flows.db"
    applies.apply(open_database(f"sqlite:{store}"), [define("acme", GATE)])
    done = vestibule(
        "doctor", "--preflight", "--json", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--pool-max-workers", "64", "--grpc-max-connections", "64", "--store", f"sqlite:{store}",
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert [check for check in report["preflight"] if check["state"] == "fault"] == []
    assert done.returncode == OK
    assert "vestibule: warning: continuation keys: none" in done.stderr
    assert [layer["name"] for layer in report["layers"]]


def test_a_configuration_that_is_wrong_in_itself_is_a_usage_error(tmp_path: Path) -> None:
    """There is nothing to hold the host against."""
    file = tmp_path / "vestibule.toml"
    file.write_text('listen = "nowhere"\n[pool]\nmax_worker = 3\n')
    done = vestibule("doctor", "--config", str(file))
    assert done.returncode == USAGE
    assert done.stderr.count("\n") == 3
