"""The load kit, end to end and quick: open loops, many tenants, peers, a daemon elsewhere, release check, page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.callers import key_text
from runtime.catalog import api_keys, applies
from runtime.catalog.sqlite import SqliteDatabase
from tests.load import mix as mixes
from tests.load import thresholds
from tests.load.processes import Daemon, environment
from tests.load.stats import percentile

pytestmark = pytest.mark.load

KIT = (sys.executable, "-P", "-m", "tests.load", "--json")
MIX = ("--tenants", "5", "--hostile", "0.05", "--cold", "0.05", "--suspended", "0.05")


def kit(*flags: str, code: int = 0) -> Any:
    """Run it; return what it printed as JSON, or on standard error."""
    done = subprocess.run([*KIT, *flags], env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def values(told: Any) -> dict[str, float | None]:
    return {row["what"]: row["value"] for row in told["rows"]}


def test_open_loops_of_every_kind_and_their_page(tmp_path: Path) -> None:
    """A closed loop and two rates, each answered rightly; the page holds every picture, and loads nothing."""
    told = kit("--quick", "--only", "open", *MIX, "--rate", "50", "--rate", "100", "--html", str(tmp_path))
    assert told["not_measured"] == []
    found = values(told)
    for name in ("closed loop, 32 in flight", "50/s due", "100/s due"):
        assert found[f"{name}, without a decision"] == found[f"{name}, another outcome than the tenant's"] == 0
        assert found[f"{name}, p99 of the suspended"]
    pictures = sorted(path for path in tmp_path.iterdir() if path.suffix == ".png")
    assert len(pictures) == 3
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in pictures)
    page = (tmp_path / "index.html").read_text()
    assert page.count('src="data:image/png;base64,') == 3
    assert 'src="http' not in page
    assert "<link" not in page


def test_many_tenants() -> None:
    """None is refused, and what the daemon holds is compared."""
    found = values(kit("--quick", "--only", "many", "--tenants", "40"))
    assert found["logins that were refused"] == 0
    assert found["first login of a tenant, p99"]
    assert found["memory of the daemon, end : before"]


def test_peers_give_numbers_or_say_why_not() -> None:
    """Echo always; a peer is compared, or is a row that says why it could not be had."""
    told = kit("--quick", "--only", "peers")
    found = values(told)
    assert found["unary : echo, 32 in flight"]
    assert found["stream, 8 a message : echo, 32 in flight"]
    promised = {one.what for one in thresholds.read() if one.measure == "peers" and not one.needs}
    assert promised <= found.keys()
    for name in ("Cerbos", "workerd"):
        rate = found[f"{name}, 32 in flight"]
        assert (rate is not None) == (f"unary : {name}, 32 in flight" in found)
        note = [row.get("note") for row in told["rows"] if row["what"] == f"{name}, 32 in flight"]
        assert rate or all(note)


def test_several_tenants_and_two_daemons() -> None:
    """Each way of sharing logins out is answered."""
    found = values(kit("--quick", "--only", "tenants"))
    assert len([name for name in found if " : " in name]) == 3


def test_a_daemon_elsewhere(tmp_path: Path) -> None:
    """With its tenants and a key the load is answered; without a key, or a tenant it has not, the reason is given."""
    shares = ["--count", "200", *MIX]
    folder, bounds = tmp_path / "tenants", ["--seconds", "30"]
    ours: dict[str, Any] = {"env": environment(), "check": True, "timeout": 120, "capture_output": True}
    subprocess.run([*KIT, "--write-tenants", str(folder), *shares], **ours)
    store = tmp_path / "store.db"
    subprocess.run(
        [sys.executable, "-P", "-m", "runtime.cli", "apply", str(folder), "--store", f"sqlite:{store}"], **ours
    )
    made = key_text.generate()
    digest = key_text.digest(made.secret)
    api_keys.add(
        SqliteDatabase(store), api_keys.ApiKey(made.key_id, digest, "load", ("execute",), "*", 0, 4_000_000_000)
    )
    key = tmp_path / "load.key"
    key.touch(0o600)
    key.write_text(str(made))
    with Daemon(tmp_path, "--auth-mode", "required") as daemon:
        target = ["--target", daemon.target, *shares, *bounds]
        told = kit(*target, "--api-key-file", str(key), "--rate", "60")
        found = values(told)
        assert found["60/s due, without a decision"] == 0
        assert "UNAUTHENTICATED" in kit(*target, code=2)
        own = ["--target", daemon.target, "--count", "20", *bounds, "--api-key-file", str(key), "--tenant"]
        assert values(kit(*own, "load-0"))["closed loop, 32 in flight, without a decision"] == 0
        assert "NOT_FOUND" in kit(*own, "nobody", code=2)
    assert "--count" in kit("--target", daemon.target, *bounds, code=2)
    assert "no daemon answers" in kit(*target, code=5)


def test_the_release_check_fails_where_a_threshold_is_missed(tmp_path: Path) -> None:
    """A threshold that no machine keeps fails the check by its name; one that each keeps does not."""
    name, text = tmp_path / "thresholds.toml", "[[threshold]]\nmeasure='spawn'\nwhat='a locked-down worker, p50'\n"
    name.write_text(text + "at_most = 100000\n")
    kit("--quick", "--check", "--thresholds", str(name))
    name.write_text(text + "at_most = 0.0001\n")
    told = kit("--quick", "--check", "--thresholds", str(name), code=4)
    assert [row["met"] for row in told["rows"] if row["what"] == "a locked-down worker, p50"] == [False]


def test_a_login_that_is_due_counts_from_then(tmp_path: Path) -> None:
    """Coordinated omission: of logins that find the only place taken, each waits longer than the one before."""
    from tests.load import open_loop

    mix = mixes.Mix(tenants=1)
    applies.apply(SqliteDatabase(tmp_path / "store.db"), mixes.definitions(mix, 0))
    made = mixes.logins(mix, 200)
    with Daemon(tmp_path) as daemon:
        # Far more a second than one at a time can be answered.
        late = open_loop.run(daemon.target, made, rate=20_000, in_flight=1, longest_s=30.0)
        calm = open_loop.run(daemon.target, made, rate=0, in_flight=1, longest_s=30.0)
        cut = open_loop.run(daemon.target, made, rate=20_000, in_flight=1, longest_s=0.02)
    assert late.codes == calm.codes == {"OK": 200}
    # In a closed loop none waits for the others.
    assert percentile(late.latencies_us, 50) > 20 * percentile(calm.latencies_us, 50)
    assert cut.unsent == 200 - len(cut.latencies_us) > 0
