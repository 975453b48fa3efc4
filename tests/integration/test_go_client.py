"""The Go module: its own tests, its example gateway under the kit, the demo's logins, and what its build makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from vestibule_client.conformance import cases
from vestibule_client.conformance.daemon import ScriptedDaemon
from vestibule_client.conformance.gateway import Gateway
from vestibule_client.conformance.run import run

from tests.host import TOOLCHAINS, require

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "deploy" / "clients" / "go"

pytestmark = pytest.mark.long


def go(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["go", *map(str, arguments)], cwd=MODULE, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module", autouse=True)
def toolchain() -> None:
    """Go with the module's dependencies."""
    require(shutil.which("go") is not None, "Go: there is no go", unless=TOOLCHAINS)
    require(go("mod", "download").returncode == 0, "Go: the module proxy does not answer", unless=TOOLCHAINS)


@pytest.fixture(scope="module")
def daemon() -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon()
    yield daemon
    daemon.stop()


def test_its_own_tests_pass_and_its_form_is_gofmts() -> None:
    """go vet, go test and gofmt have nothing to say; go.mod and go.sum are complete."""
    for arguments in (("vet", "./..."), ("test", "./..."), ("mod", "verify"), ("mod", "tidy", "-diff")):
        done = go(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    unformed = subprocess.run(["gofmt", "-l", "."], cwd=MODULE, capture_output=True, text=True, timeout=60, check=True)
    assert unformed.stdout == ""


def test_its_example_gateway_passes_every_case(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    """What the kit asks for, a gateway for Go does with it."""
    done = go("build", "-o", tmp_path / "gateway", "./examples/gateway")
    assert done.returncode == 0, done.stderr
    with Gateway([str(tmp_path / "gateway")], daemon.target, 1.0) as gateway:
        failed = [(done.case.name, done.faults) for done in run(cases.load(), gateway, daemon) if done.faults]
    assert failed == []


def test_the_short_example_prints_a_step(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    """It decides the logins that it is given."""
    case = next(case for case in cases.load() if case.name == "outcomes/mfa-required")
    daemon.begin(case, "acme")
    event = ROOT / "deploy" / "demo" / "events" / "admin-application.json"
    done = go("run", "./examples/demo", daemon.target, event)
    assert done.stdout == "vestibule.ShowFactors\n", done.stderr
    assert daemon.end() == []


def test_what_is_committed_is_what_build_makes(tmp_path: Path) -> None:
    """vestibulev1/ is made of proto/ as it is, comments aside."""
    done = subprocess.run(
        [str(MODULE / "build"), str(tmp_path)],
        env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in (tmp_path / "vestibulev1").iterdir())
    assert made == sorted(path.name for path in (MODULE / "vestibulev1").iterdir())
    assert [name for name in made if code(tmp_path, name) != code(MODULE, name)] == [], "run deploy/clients/go/build"


def code(folder: Path, name: str) -> list[str]:
    """Return a file's lines without those that are comments, and without the room that those ask for."""
    lines = (folder / "vestibulev1" / name).read_text().splitlines()
    return [" ".join(line.partition(" // ")[0].split()) for line in lines if not line.lstrip().startswith("//")]
