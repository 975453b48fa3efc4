"""What runs the daemon on one host: the compose file by its schema, what it provisions, and the unit of systemd.

Not run: docker compose itself, which needs a docker daemon, and the unit under a running systemd.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import promql_parser
import pytest
import yaml

from runtime.cli.main import COMMANDS
from runtime.config.settings import load
from tests.deploy_scripts import pages
from tests.host import TOOLCHAINS, require

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy" / "compose"
UNIT = ROOT / "deploy" / "systemd" / "vestibule.service"
SCHEMA = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
EXPOSURE = 35
"""What `systemd-analyze security` may find at most, in tenths."""


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return found


def test_the_compose_file_fits_its_schema() -> None:
    """The control: a member that compose does not know is a fault."""
    validator = jsonschema.Draft7Validator(SCHEMA)
    validator.validate(composed())
    broken = composed()
    broken["services"]["vestibule"]["port"] = ["1"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(broken)


def test_what_it_mounts_and_builds_is_there() -> None:
    """Every path on this side of a mount, and every service, network and volume that is named."""
    found = composed()
    for name, service in found["services"].items():
        for volume in service.get("volumes", ()):
            if isinstance(volume, dict):
                assert (COMPOSE / volume["source"]).exists(), volume
            else:
                assert volume.partition(":")[0] in found["volumes"]
        assert set(service["networks"]) <= set(found["networks"]), name
        assert set(service.get("depends_on", ())) <= set(found["services"])
    build = found["x-vestibule"]["build"]
    assert (COMPOSE / build["context"] / build["dockerfile"]).is_file()


def test_its_daemon_gets_settings_and_is_held() -> None:
    """Its variables are settings without a contradiction, its ports are this host's alone, it has no privilege."""
    services = composed()["services"]
    given = {name: value for name, value in services["vestibule"]["environment"].items() if name != "PGPASSWORD"}
    found = load(env=given)
    assert found.ignored == ()
    assert found.config.store == "postgresql://vestibule@postgres/vestibule"
    for name in ("vestibule", "apply"):
        assert (services[name]["read_only"], services[name]["cap_drop"]) == (True, ["ALL"])
        assert services[name]["command"][0] in COMMANDS
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert "${POSTGRES_PASSWORD:?" in services["postgres"]["environment"]["POSTGRES_PASSWORD"]


def test_prometheus_and_the_dashboard_ask_for_metrics_that_there_are() -> None:
    """Each expression parses; each metric is the daemon's; the alerts are those of the chart."""
    config = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())
    mounts = {
        volume["target"] for volume in composed()["services"]["prometheus"]["volumes"] if isinstance(volume, dict)
    }
    assert set(config["rule_files"]) <= mounts
    known = {row.split("|")[1].strip(" `") for row in pages.metrics().splitlines()[2:] if "|" in row}
    panels = json.loads((COMPOSE / "grafana/dashboards/vestibule.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(expressions) > 10
    for expression in expressions:
        promql_parser.parse(expression)
        for name in re.findall(r"\b(?:vestibule|grpc)_\w+", expression):
            assert name.removesuffix("_bucket") in known, expression


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, comment_prefixes=("#",), inline_comment_prefixes=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their letters
    parser.read_string(UNIT.read_text())
    return parser


def test_the_unit_leaves_the_sandbox_its_layers() -> None:
    """What would keep namespaces, Landlock or seccomp from workers is not set."""
    service = unit()["Service"]
    assert not {"RestrictNamespaces", "PrivateUsers", "ProtectHostname", "ProtectProc", "RootDirectory"} & set(service)
    refused = service["SystemCallFilter"].removeprefix("~").split()
    # unshare and setns are in @process, mount and pivot_root in @mount, seccomp and landlock in @sandbox.
    assert not {"@mount", "@process", "@sandbox", "@privileged", "@resources", "@basic-io"} & set(refused)
    assert service["NoNewPrivileges"] == "yes"


def test_the_unit_starts_the_daemon_and_lets_it_drain() -> None:
    """Its commands exist, and it is not killed before a drain's end with the settings as they come."""
    service, config = unit()["Service"], load().config
    for key in ("ExecStart", "ExecStartPre"):
        assert service[key].split()[1].replace("-", "_") in COMMANDS
    assert float(service["TimeoutStopSec"]) > config.drain_s + config.drain.delay_s
    assert int(service["TasksMax"]) > config.pool.max_workers


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_understands_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    """`verify` finds nothing, `security` little; in the control, misspelt and not hardened, both find it."""
    require(shutil.which("systemd-analyze") is not None, "systemd: there is no systemd-analyze", unless=TOOLCHAINS)
    good, bad = tmp_path / "good.service", tmp_path / "bad.service"
    # The programs are not installed here.
    good.write_text(re.sub(r"/opt/vestibule/bin/vestibule", "/bin/true", UNIT.read_text()))
    bad.write_text("[Service]\nExecStart=/bin/true\nProtectSistem=strict\n")
    done = analyze("verify", str(good))
    assert (done.returncode, [line for line in done.stderr.splitlines() if "good.service" in line]) == (0, [])
    assert "ProtectSistem" in analyze("verify", str(bad)).stderr
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(good))
    assert done.returncode == 0, done.stdout[-300:]
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(bad)).returncode != 0
