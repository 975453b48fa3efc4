"""What `vestibule doctor --config` makes of a host's numbers: each against what the settings may need."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import applies
from runtime.catalog.opening import open_database
from runtime.cli import main
from runtime.config.settings import Config, load
from runtime.doctor import host_check, preflight
from runtime.doctor.preflight import Finding, HostFact
from runtime.errors import WorkerStartError
from runtime.ops import control_group
from tests.fixtures.tenants import GATE, define

MIB = 1 << 20


def configured(**flags: object) -> Config:
    return load(flags={name.replace("__", "."): value for name, value in flags.items()}).config


def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    """Put this process into a control group with these files, below one without limits."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("0::/pod/daemon\n")
    group = tmp_path / "groups" / "pod" / "daemon"
    group.mkdir(parents=True)
    for name, text in files.items():
        (group / name.replace("_", ".")).write_text(text + "\n")
        (group.parent / name.replace("_", ".")).write_text("max\n" if name != "cpu_max" else "max 100000\n")
    monkeypatch.setattr(control_group, "PROC", tmp_path)
    monkeypatch.setattr(control_group, "GROUPS", tmp_path / "groups")


def only(name: str, config: Config) -> HostFact:
    (found,) = [check for check in preflight.of_host(config) if check.name == name]
    return found


def limits(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (hard, hard))


@pytest.mark.parametrize(
    ("hard", "state"), [(18_944, Finding.OK), (18_943, Finding.FAULT), (resource.RLIM_INFINITY, Finding.OK)]
)
def test_descriptors_are_held_against_the_settings(monkeypatch: pytest.MonkeyPatch, hard: int, state: Finding) -> None:
    """Four a worker, one a connection and a login; the HTTP port's only when there is one."""
    limits(monkeypatch, hard)
    found = only("descriptors", Config())
    assert found.state is state
    assert bool(found.remedy) is (state is Finding.FAULT)
    assert only("descriptors", configured(http_listen="127.0.0.1:1", pool__max_workers=4096 - 256)).state is state


@pytest.mark.parametrize(
    ("pids", "uid", "nproc", "state"),
    [
        ("max", 0, 100, Finding.OK),  # root's own limit holds no one
        ("max", 1000, 100, Finding.FAULT),
        ("4160", 0, 100, Finding.OK),
        ("4159", 0, 100, Finding.FAULT),
        ("1024", 1000, 100_000, Finding.FAULT),
    ],
)
def test_processes_are_held_against_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pids: str, uid: int, nproc: int, state: Finding
) -> None:
    """The control group's limit holds everyone, the user's own only an ordinary user."""
    groups(tmp_path, monkeypatch, pids_max=pids)
    limits(monkeypatch, nproc)
    monkeypatch.setattr("os.geteuid", lambda: uid)
    assert only("processes", Config()).state is state


@pytest.mark.parametrize(
    ("group_mib", "pool_mib", "state", "remedy"),
    [
        (1024, 0, Finding.OK, ""),
        (1024, 832, Finding.OK, ""),
        (1024, 833, Finding.FAULT, "set pool.memory_bytes to 832MiB or less"),
        (512, 0, Finding.FAULT, "set pool.memory_bytes to 320MiB or less"),
        (256, 0, Finding.FAULT, "give it 320 MiB or more"),
    ],
)
def test_memory_leaves_room_for_the_daemon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, group_mib: int, pool_mib: int, state: Finding, remedy: str
) -> None:
    """Of a container's limit the workers may take what the daemon does not need; the remedy is a number that fits."""
    groups(tmp_path, monkeypatch, memory_max=str(group_mib * MIB))
    found = only("memory", configured(pool__memory_bytes=pool_mib * MIB))
    assert (found.state, remedy in found.remedy) == (state, True)
    if "MiB or less" in remedy:
        fits = int(remedy.split("to ")[1].split("MiB")[0])
        assert only("memory", configured(pool__memory_bytes=fits * MIB)).state is Finding.OK


@pytest.mark.parametrize(
    ("quota", "state"),
    [
        ("max 100000", Finding.OK),
        ("800000 100000", Finding.OK),
        ("150000 100000", Finding.WARNING),
        ("50000 0", Finding.OK),
    ],
)
def test_a_quota_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, state: Finding) -> None:
    """A quota below the processors there are lets one loop use up the time of all."""
    groups(tmp_path, monkeypatch, cpu_max=quota)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)))
    assert only("processors", Config()).state is state


@pytest.mark.parametrize(
    ("left_s", "state"), [(20 * 86_400, Finding.OK), (13 * 86_400, Finding.WARNING), (-1, Finding.FAULT)]
)
def test_a_certificate_that_ends_soon_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, left_s: float, state: Finding
) -> None:
    """It says how many days are left."""
    monkeypatch.setattr("time.time", lambda: 1e9)
    (found,) = preflight.expiry("TLS", "the certificate", 1e9 + left_s)
    assert found.state is state
    assert bool(found.remedy) is (state is not Finding.OK)


def test_a_store_is_read_whole(tmp_path: Path) -> None:
    """One that is missing, one without a tenant and one that cannot be written are faults, each with its remedy."""
    config = configured(store=f"sqlite:{tmp_path / 'flows.db'}")
    (missing,) = preflight.of_store(config)
    assert (missing.state, "is gone" in missing.detail) == (Finding.FAULT, True)
    database = open_database(config.store)
    database.prepare()
    (empty,) = preflight.of_store(config)
    assert (empty.state, empty.remedy) == (Finding.FAULT, "put tenants into it with `vestibule apply DIR`")
    applies.apply(database, [define("acme", GATE)])
    (found,) = preflight.of_store(config)
    assert (found.state, found.detail) == (Finding.OK, f"{config.store}: tenants: 1, at revision 1")


def test_a_host_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    """Nor one with version 1 alone."""
    assert control_group.limit("pids.max", tmp_path, tmp_path) is None
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("4:memory:/pod\n")
    assert control_group.processors(tmp_path, tmp_path) is None


def test_every_check_that_is_not_well_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of them at once."""
    groups(tmp_path, monkeypatch, pids_max="10", memory_max=str(100 * MIB), cpu_max="1000 100000")
    limits(monkeypatch, 100)
    config: Any = configured(continuation__keys_file=str(tmp_path / "absent"))
    found = list(preflight.of_host(config))
    assert {check.name for check in found if check.state is Finding.FAULT} == {"descriptors", "processes", "memory"}
    assert all(check.remedy for check in found if check.state is not Finding.OK)


def test_a_host_on_which_no_worker_starts_is_one_fault_of_several(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checks that need no worker are made all the same."""

    async def refused(_config: Config) -> host_check.HostCheck:
        raise WorkerStartError("the zygote cannot be executed; try again")

    monkeypatch.setattr(host_check, "check_host", refused)
    monkeypatch.setattr(
        preflight, "checks", lambda _config: [HostFact("memory", Finding.FAULT, "too little", "buy some")]
    )
    assert main.main(["doctor", "--preflight", "--json"]) == 3
    out, err = capsys.readouterr()
    assert [check["name"] for check in json.loads(out)["preflight"]] == ["memory", "sandbox"]
    assert "vestibule: sandbox: the zygote cannot be executed; try again\n" in err
    assert main.main(["doctor", "--preflight"]) == 3
    printed = capsys.readouterr().out
    assert "memory   fault  too little" in printed
    assert "LAYER" not in printed
