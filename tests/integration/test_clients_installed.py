"""The clients as their users install them: from wheels, sdists and npm's archive, checked by their type checkers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import node_package
from tests.fixtures.commands import TIED, clean_environment

ROOT = Path(__file__).resolve().parents[2]
PYTHON_CLIENT = ROOT / "deploy" / "clients" / "python"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
EVENTS = ("ordinary", "admin-application", "monthly-application")
USER_PROGRAM = """\
from typing import assert_never

from vestibule_client import (
    AnswerMfaRequired,
    AnswerMfaRequiredWithSteps,
    AsyncClient,
    Client,
    IssueTokens,
    NextStep,
    RedirectUser,
    Refuse,
    ShowFactors,
    ShowForm,
    ShowSteps,
)


def follow(step: NextStep) -> str:
    match step:
        case IssueTokens(on_success=effects):
            return str(effects.id_token_claims)
        case ShowFactors(mfa=mfa) | AnswerMfaRequired(mfa=mfa):
            return str(mfa.challenge)
        case Refuse(oauth_error=error, http_status=status):
            return f"{error} {status}"
        case ShowSteps(steps=steps) | AnswerMfaRequiredWithSteps(steps=steps):
            return str(steps[0].factors)
        case RedirectUser(url=url):
            return url
        case ShowForm(id=form):
            return form
        case _:
            assert_never(step)


def decide() -> str:
    with Client("127.0.0.1:1", deadline_s=0.2) as vestibule:
        return follow(vestibule.decide("acme", {"user": {"user_id": "u"}}).step)


async def decide_later() -> str:
    async with AsyncClient("127.0.0.1:1") as vestibule:
        return follow((await vestibule.decide("acme", {})).step)


print(decide())
"""
WRONG_PROGRAM = """\
from vestibule_client import Client

step: int = Client("127.0.0.1:1").decide("acme", {}).step
Client("127.0.0.1:1", deadline_s="soon")
"""
TS_PROGRAM = """\
import { Client, Factor, type NextStep } from "@vestibule/client";

export function follow(step: NextStep): string {
  switch (step.kind) {
    case "issueTokens":
      return JSON.stringify(step.onSuccess.idTokenClaims ?? {});
    case "showFactors":
    case "answerMfaRequired":
      return step.mfa.challenge.includes(Factor.FACTOR_OTP) ? "otp" : "other";
    case "refuse":
      return `${step.oauthError} ${step.httpStatus}`;
    case "showSteps":
    case "answerMfaRequiredWithSteps":
      return step.steps.map(({ kind, factors }) => `${kind} ${factors.length}`).join();
    case "redirectUser":
      return step.url;
    case "showForm":
      return step.id;
  }
}

const { step } = await new Client("127.0.0.1:1", { deadlineS: 0.2 }).decide("acme", { user: { user_id: "u" } });
console.log(follow(step));
"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demo that serves."""
    folder = tmp_path_factory.mktemp("demo")
    command = [*TIED, sys.executable, "-m", "runtime.cli", "demo", "--listen", "127.0.0.1:0"]
    serving = subprocess.Popen(
        [*command, "--metrics-listen", "127.0.0.1:0"],
        cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert serving.stdout is not None
    try:
        found = next(filter(None, (re.match(r"still serving: gRPC on ([^,\s]+)", line) for line in serving.stdout)))
        yield found[1]
    finally:
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=60)


# -- Python ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheels of both distributions, built from their sdists, those from copies."""
    built = tmp_path_factory.mktemp("built")
    for source in (ROOT / "proto" / "python", PYTHON_CLIENT):
        copy = tmp_path_factory.mktemp("source") / "copy"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
        make = f"from setuptools import build_meta; build_meta.build_sdist({str(built)!r})"
        subprocess.run([sys.executable, "-c", make], cwd=copy, check=True, capture_output=True, timeout=120)
    sdists = [str(path) for path in built.glob("*.tar.gz")]
    assert len(sdists) == 2
    # Offline: setuptools is the one that make setup has installed.
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(built), *sdists]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    return sorted(built.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheels, and of this one the libraries alone: the checkout is not among them."""
    venv = tmp_path_factory.mktemp("user") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
    found = venv / "bin" / "python"
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [*PIP, "--python", str(found), "install", "--no-deps", "--no-index", "--force-reinstall"]
    subprocess.run([*install, *map(str, wheels)], check=True, capture_output=True, timeout=300)
    return found


def ran(command: Sequence[object], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"} | more
    return subprocess.run(
        [*TIED, *map(str, command)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_wheel_holds_the_client_its_types_and_the_cases(wheels: list[Path]) -> None:
    """No example, no test; every module, the marker of types, every case."""
    names = {name for wheel in wheels for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = [path for path in (PYTHON_CLIENT / "vestibule_client").rglob("*") if path.suffix in (".py", ".yaml")]
    assert {str(path.relative_to(PYTHON_CLIENT)) for path in ours} <= names
    assert {"vestibule_client/py.typed", "vestibule/v1/py.typed"} <= names
    assert {name.partition("/")[0] for name in names} == {"vestibule", "vestibule_client"}


def test_the_installed_kit_passes_the_example(python: Path, tmp_path: Path) -> None:
    """The command of the distribution, against its example, in a folder of its own."""
    shutil.copy(PYTHON_CLIENT / "examples" / "gateway.py", tmp_path)
    where = ran([python, "-c", "import vestibule_client as c, vestibule.v1.event_pb2 as e; print(c, e)"], tmp_path)
    assert where.stdout.count(str(python.parents[1])) == 2
    done = ran([python.parent / "vestibule-gateway-test", "--deadline-s", "1", "--", python, "gateway.py"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d\d passed, 0 failed$", done.stdout, re.MULTILINE)


def test_ten_lines_decide_the_demos_logins(python: Path, demo: str, tmp_path: Path) -> None:
    """The short example prints the step of each login that it is given."""
    events = [ROOT / "deploy" / "demo" / "events" / f"{name}.json" for name in EVENTS]
    example = PYTHON_CLIENT / "examples" / "demo.py"
    assert len([line for line in example.read_text().splitlines() if line]) <= 10
    done = ran([python, example, demo, *events], tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+)\(", done.stdout, re.MULTILINE) == ["IssueTokens", "ShowFactors", "ShowFactors"]
    tenant = "import sys, vestibule_client as c; print(c.Client(sys.argv[1]).get_tenant('acme'))"
    assert "ready: true" in ran([python, "-c", tenant, demo], tmp_path).stdout


def test_type_checkers_read_the_installed_types(python: Path, tmp_path: Path) -> None:
    """mypy --strict and pyright accept a user's program that handles every step, and find each wrong line."""
    (tmp_path / "right.py").write_text(USER_PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG_PROGRAM)
    shutil.copy(PYTHON_CLIENT / "examples" / "gateway.py", tmp_path / "gateway.py")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache"]
    right = ran([*mypy, "right.py", "gateway.py"], tmp_path)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = ran([*mypy, "wrong.py"], tmp_path)
    assert set(re.findall(r"wrong\.py:(\d)", wrong.stdout)) == {"3", "4"}
    pyright = [Path(sys.executable).parent / "basedpyright", "--level", "error", "--pythonpath", python]
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))
    right = ran([*pyright, "right.py"], tmp_path)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = ran([*pyright, "wrong.py"], tmp_path)
    assert set(re.findall(r"wrong\.py:(\d)", wrong.stdout)) == {"3", "4"}
    done = ran([python, "right.py"], tmp_path)
    assert done.stdout == "temporarily_unavailable 503\n", done.stderr


# -- Node --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of npm where it reaches a registry; where it cannot, what needs one is skipped, but not in CI."""
    environment = node_package.environment(tmp_path_factory.mktemp("npm"))
    ping = [*node_package.npm(), "ping", "--fetch-retries", "1", "--fetch-timeout", "20000"]
    reached = subprocess.run(ping, env=environment, capture_output=True, timeout=120, check=False).returncode == 0
    if not reached and not os.environ.get("CI"):
        pytest.skip("npm reaches no registry: the archive with its real dependencies was not tried")
    assert reached, "npm reaches no registry"
    return environment


@pytest.fixture(scope="module")
def app(registry: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which npm has installed the archive and what it depends on."""
    folder = tmp_path_factory.mktemp("pack")
    archive = node_package.pack(folder)
    app = folder / "app"
    app.mkdir()
    (app / "package.json").write_text('{"name": "app", "private": true, "type": "module"}')
    install = [*node_package.npm(), "install", "--no-audit", "--no-fund", "--ignore-scripts", str(archive)]
    done = subprocess.run(install, cwd=app, env=registry, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for example in (node_package.PACKAGE / "examples").iterdir():
        shutil.copy(example, app)
    return app


def test_the_installed_package_passes_the_kit(app: Path, python: Path) -> None:
    """The command of the Python distribution, against the example for Node."""
    command = [python.parent / "vestibule-gateway-test", "--deadline-s", "1", "--", node_package.node(), "gateway.mjs"]
    done = ran(command, app)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d\d passed, 0 failed$", done.stdout, re.MULTILINE)


def test_ten_lines_of_node_decide_the_demos_logins(app: Path, demo: str) -> None:
    """The short example prints the step of each login that it is given."""
    lines = (app / "demo.mjs").read_text().splitlines()
    assert len([line for line in lines if line and not line.startswith("//")]) <= 10
    events = [ROOT / "deploy" / "demo" / "events" / f"{name}.json" for name in EVENTS]
    done = ran([node_package.node(), "demo.mjs", demo, *events], app)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert steps == ["issueTokens", "showFactors", "showFactors"]


def test_typescript_reads_the_installed_types(app: Path, registry: dict[str, str]) -> None:
    """A user's program that handles every step compiles in strict mode and runs; one that forgets a step does not."""
    versions = json.loads((node_package.PACKAGE / "package.json").read_text())["devDependencies"]
    wanted = [f"{name}@{versions[name]}" for name in ("typescript", "@types/node")]
    install = [*node_package.npm(), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", *wanted]
    subprocess.run(install, cwd=app, env=registry, check=True, capture_output=True, timeout=300)
    (app / "right.ts").write_text(TS_PROGRAM)
    (app / "wrong.ts").write_text(TS_PROGRAM.replace('    case "showForm":\n      return step.id;\n', ""))
    tsc = [node_package.node(), app / "node_modules" / "typescript" / "bin" / "tsc", "--strict", "--target", "es2022"]
    tsc += ["--module", "nodenext", "--types", "node", "--ignoreConfig"]
    right = ran([*tsc, "right.ts"], app)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = ran([*tsc, "--noEmit", "wrong.ts"], app)
    assert wrong.returncode != 0
    assert "wrong.ts(3," in wrong.stdout
    done = ran([node_package.node(), "right.js"], app)
    assert done.stdout == "temporarily_unavailable 503\n", done.stderr


def test_what_is_committed_is_what_build_makes(registry: dict[str, str], tmp_path: Path) -> None:
    """dist/ is made of src/ and proto/ as they are."""
    made = tmp_path / "dist"
    command = [str(node_package.PACKAGE / "build"), str(made)]
    environment = registry | {"PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    committed = node_package.PACKAGE / "dist"
    files = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(committed).as_posix() for path in committed.rglob("*") if path.is_file())
    changed = [name for name in files if uncommented(made / name) != uncommented(committed / name)]
    assert changed == [], "run deploy/clients/node/build"


def uncommented(path: Path) -> str:
    """Return a file without its comments, which say what proto/ says."""
    return re.sub(r"^\s*/\*\*.*?\*/\s*?\n", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
