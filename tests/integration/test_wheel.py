"""What `pip install vestibule` brings, with the messages that it depends on: the whole program, no test."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.fixtures.commands import TIED, clean_environment

ROOT = Path(__file__).resolve().parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
PACKAGED = ("runtime", "sandbox", "proto/python", "deploy/demo", "deploy/starter")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", *PACKAGED)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["checkout", "sdist"])
def wheels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheels built from a copy of the checkout, so that nothing is left behind there, or from source distributions."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, copy / name)
    built = tmp_path_factory.mktemp("built")
    # Offline: setuptools is the one that make setup has installed.
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(built)]
    sources = [copy, copy / "proto/python"]
    if request.param == "sdist":
        sources = [source_distribution(folder, tmp_path_factory.mktemp("sdist")) for folder in sources]
    subprocess.run([*build, *map(str, sources)], check=True, capture_output=True, timeout=300)
    return {path.name.partition("-")[0]: path for path in built.glob("*.whl")}


def source_distribution(folder: Path, place: Path) -> Path:
    """Build a project's source distribution as its back end does for `build` and for pip."""
    make = f"from setuptools import build_meta; print(build_meta.build_sdist({str(place)!r}))"
    command = [sys.executable, "-c", make]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    return place / done.stdout.splitlines()[-1]


def test_the_wheel_holds_every_module_and_no_test(wheels: dict[str, Path]) -> None:
    """Each package is listed in pyproject.toml; benchmark, load generator and tests stay out."""
    names = set(zipfile.ZipFile(wheels["vestibule"]).namelist())
    modules = {str(path.relative_to(ROOT)) for top in ("runtime", "sandbox") for path in (ROOT / top).rglob("*.py")}
    assert modules <= names
    assert {str(path.relative_to(ROOT)) for path in ROOT.glob("runtime/doctor/*.jsonl")} <= names
    assert not [name for name in names if name.split("/")[0] in ("tests", "deploy", "build", "proto")]


def test_the_messages_are_in_one_wheel_each(wheels: dict[str, Path]) -> None:
    """The public ones are those of vestibule-proto, the private ones those of the daemon; they share no file."""
    names = {name: set(zipfile.ZipFile(path).namelist()) for name, path in wheels.items()}
    assert {"vestibule", "vestibule_proto"} == set(names)
    assert not names["vestibule"] & names["vestibule_proto"]
    for name, path in ((name, path) for name, files in names.items() for path in files if path.endswith("_pb2.py")):
        assert path.startswith("vestibule/v1/") is (name == "vestibule_proto"), path
    modules = {str(path.relative_to(ROOT / "proto/python")) for path in ROOT.glob("proto/python/**/*_pb2.py*")}
    assert modules <= names["vestibule"] | names["vestibule_proto"]


def test_the_demo_runs_from_a_wheel(wheels: dict[str, Path], tmp_path: Path) -> None:
    """Installed into a fresh environment, far from the checkout, `vestibule demo --once` decides every sample login."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
    python = venv / "bin" / "python"
    # The libraries of this environment, without what its own .pth files add: the checkout is one of them.
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [
        *PIP,
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        "--force-reinstall",
        *map(str, wheels.values()),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    environment = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
    where = "import runtime; print(runtime.__file__)"
    found = subprocess.run([python, "-c", where], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert os.fsdecode(found.stdout).startswith(str(site))
    ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    done = subprocess.run(
        [*TIED, str(venv / "bin" / "vestibule"), "demo", "--once", *ports],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert f"applying the tenants of {site}" in done.stdout or "applying the tenants of venv" in done.stdout
    assert "18 of 18 logins decided as expected" in done.stdout
    for command in (["init", "shop"], ["test", "shop"]):
        begun = subprocess.run(
            [*TIED, str(venv / "bin" / "vestibule"), *command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert begun.returncode == 0, begun.stderr
    assert "4 cases in 1 suite passed" in begun.stdout
