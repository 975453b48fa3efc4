"""The packages tell type checkers that they have types, and our own check leaves nothing of ours out."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.deploy_scripts import contract_hash

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS, MYPY = PROJECT["tool"]["setuptools"], PROJECT["tool"]["mypy"]


@pytest.mark.parametrize("package", ["runtime", "sandbox", "vestibule.worker", "vestibule.continuation"])
def test_a_package_ships_its_marker(package: str) -> None:
    """py.typed lies in the package and goes into the wheel."""
    assert (ROOT / SETUPTOOLS["package-dir"][package] / "py.typed").is_file()
    assert "py.typed" in SETUPTOOLS["package-data"][package]


def test_the_messages_ship_theirs() -> None:
    """So does the distribution of the public messages."""
    messages = tomllib.loads((ROOT / "proto/python/pyproject.toml").read_text())["tool"]["setuptools"]
    assert messages["packages"] == ["vestibule.v1"]
    assert (ROOT / "proto/python/vestibule/v1/py.typed").is_file()
    assert "py.typed" in messages["package-data"]["vestibule.v1"]


def test_every_distribution_has_the_same_version() -> None:
    """The daemon asks for the messages of its own version."""
    version = PROJECT["project"]["version"]
    assert f"vestibule-proto=={version}" in PROJECT["project"]["dependencies"]
    assert tomllib.loads((ROOT / "proto/python/pyproject.toml").read_text())["project"]["version"] == version
    assert tomllib.loads((ROOT / "sandbox/stubs/pyproject.toml").read_text())["project"]["version"] == version


def test_the_types_of_actions_ship_theirs() -> None:
    """vestibule-actions has the marker and the stub, and the daemon's wheel has the same files."""
    actions = tomllib.loads((ROOT / "sandbox/stubs/pyproject.toml").read_text())["tool"]["setuptools"]
    assert actions["packages"] == ["vestibule_actions"]
    assert actions["package-data"]["vestibule_actions"] == ["py.typed", "*.pyi"]
    assert (ROOT / "sandbox/stubs/vestibule_actions/py.typed").is_file()
    assert "stubs/vestibule_actions/*" in SETUPTOOLS["package-data"]["sandbox"]


@pytest.mark.parametrize("client", ["node", "go"])
def test_the_clients_were_built_of_this_contract(client: str) -> None:
    """Their generated code is committed; a change of the proto asks for `deploy/clients/node/build` and Go's."""
    found = (ROOT / "deploy/clients" / client / "contract.sha256").read_text().strip()
    assert found == contract_hash(), f"the proto has changed: run deploy/clients/{client}/build, commit what it made"


def test_every_client_has_the_version() -> None:
    """The clients have the version of the daemon, and ask for its messages."""
    version = PROJECT["project"]["version"]
    python = tomllib.loads((ROOT / "deploy/clients/python/pyproject.toml").read_text())["project"]
    assert (python["version"], python["dependencies"][0]) == (version, f"vestibule-proto=={version}")
    assert json.loads((ROOT / "deploy/clients/node/package.json").read_text())["version"] == version


def test_mypy_is_strict_and_hides_no_error_of_ours() -> None:
    """Of the generated package only `type-arg` is hidden; every other exception is about a library without types."""
    assert MYPY["strict"] is True
    assert {"runtime", "sandbox"} <= set(MYPY["files"])
    overrides = {module: override for override in MYPY["overrides"] for module in override["module"]}
    generated = overrides.pop("vestibule.*")
    assert generated == {"module": ["vestibule.*"], "disable_error_code": ["type-arg"]}
    ours = ("runtime", "sandbox", "tests", "deploy", "grpc")
    assert [module for module in overrides if module.startswith(ours)] == []
