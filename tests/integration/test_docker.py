"""The image: what its Dockerfile says, and its steps carried out here, in clean roots, without docker.

Not run: `docker build` itself, which needs a docker daemon, and the base images, which need their registries. Python of
the host stands in for theirs, in a root without a shell.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.cli.main import COMMANDS
from runtime.config.settings import load
from tests.docker_steps import base_with_python, copies, stages
from tests.fixtures.commands import TIED, clean_environment, quiet_port
from tests.fixtures.waiting import until
from tests.host import require

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy" / "docker"
TEXT = (DOCKER / "Dockerfile").read_text()
BUILD, IMAGE = stages(TEXT)
PYTHON = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "hadolint"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_hadolint_finds_nothing() -> None:
    """It reads the file as docker does; every instruction and flag of it exists."""
    done = hadolint(DOCKER / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("step", ["USER root", "COPPY a b"])
def test_control_hadolint_finds_what_is_wrong(tmp_path: Path, step: str) -> None:
    """Control: an image that runs as root, and a step that is none."""
    (tmp_path / "Dockerfile").write_text(f"FROM a:1\n{step}\n")
    assert hadolint(tmp_path / "Dockerfile").returncode != 0


def test_the_image_is_as_little_as_it_says() -> None:
    """An ordinary user, no shell form, no step that runs in the last stage, settings that are settings."""
    assert IMAGE.of("USER") == ["65532:65532"]
    assert IMAGE.of("RUN") == []
    for instruction in ("HEALTHCHECK", "ENTRYPOINT", "CMD"):
        assert IMAGE.command(instruction)
    assert IMAGE.command("CMD")[0] in COMMANDS
    assert IMAGE.command("HEALTHCHECK") == [*IMAGE.command("ENTRYPOINT"), "healthcheck"]
    found = load(env=IMAGE.environment)
    assert found.ignored == ()
    assert found.config.store.removeprefix("sqlite:").startswith(IMAGE.of("VOLUME")[0] + "/")
    assert [address.rpartition(":")[2] for address in (found.config.listen, found.config.metrics_listen)] == IMAGE.of(
        "EXPOSE"
    )[0].split()


def test_every_package_is_pinned_by_its_hash() -> None:
    """Nothing is resolved, nothing is built but what is ours, and the locks are those of the repository."""
    installs = [text for text in BUILD.of("RUN") if "pip install" in text]
    assert len(installs) == 3
    assert all("--require-hashes" in text or "--no-index --no-build-isolation" in text for text in installs)
    copied = {path for _, paths, _ in copies(BUILD) for path in paths}
    assert {"deploy/requirements/run.txt", "deploy/requirements/build.txt"} <= copied


def test_what_is_copied_is_what_the_builder_gets() -> None:
    """The ignore file lets every path of a COPY through, and no other one."""
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert let_through == {path for source, paths, _ in copies(BUILD) for path in paths if not source}
    assert all((ROOT / path).exists() for path in let_through)


def test_pin_writes_digests(tmp_path: Path) -> None:
    """Each base image gets the digest that its registry names, again after a change; what is no digest is refused."""
    file, docker = tmp_path / "Dockerfile", tmp_path / "docker"
    file.write_text(TEXT)
    command = ["/bin/sh", str(DOCKER / "pin"), str(file)]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    for letter in "ab":
        docker.write_text(f"#!/bin/sh\nprintf 'sha256:'; printf '{letter}%.0s' $(seq 64)\n")
        docker.chmod(0o755)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert [stage.base.partition("@")[::2] for stage in stages(file.read_text())] == [
            (stage.base, f"sha256:{letter * 64}") for stage in (BUILD, IMAGE)
        ]
    docker.write_text("#!/bin/sh\necho unauthorized\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "has no digest: 'unauthorized'" in done.stderr) == (1, True)


@dataclass
class Container:
    """A finished root, and how to run commands in it as its image says."""

    place: Path
    root: Path
    volume: Path
    environment: dict[str, str]

    def command(
        self, name: str, *arguments: str, refused: tuple[str, ...] = ("unshare", "mount"), folder: str = "/"
    ) -> list[str]:
        """Return what starts a command of the image in a container of its own."""
        spec = self.place / f"{name}.json"
        spec.write_text(json.dumps({
            "root": str(self.root), "uid": 65532, "gid": 65532, "refused": refused, "folder": folder,
            "volumes": {IMAGE.of("VOLUME")[0]: str(self.volume)},
            "command": [*IMAGE.command("ENTRYPOINT"), *arguments], "environment": self.environment,
        }))  # fmt: skip
        return [*TIED, sys.executable, "-m", "tests.docker_steps", "run", str(spec)]

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        return subprocess.run(
            self.command("once", *arguments, **options), cwd=ROOT, env=clean_environment() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """Both stages, carried out."""
    require(os.geteuid() == 0, "root: the image's steps run in a root of their own")
    place = tmp_path_factory.mktemp("image")
    taken, spec = place / "taken", place / "build.json"
    (place / "stage").mkdir()
    froms = {path: str(taken / path.strip("/").replace("/", "-")) for _, (path,), _ in copies(IMAGE)}
    spec.write_text(json.dumps({
        "file": str(DOCKER / "Dockerfile"), "stage": BUILD.name, "context": str(ROOT), "place": str(place / "stage"),
        "bin": str(PYTHON.parent), "take": froms,
    }))  # fmt: skip
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    taken.mkdir()
    done = subprocess.run([*TIED, sys.executable, "-m", "tests.docker_steps", "build", str(spec)], cwd=ROOT,
                          env=environment, capture_output=True, text=True, check=False, timeout=900)  # fmt: skip
    if "PermissionError" in done.stderr:
        require(False, "mounts: the image's steps run in an overlay")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    root, volume = place / "root", place / "volume"
    modules = sorted(taken.rglob("*.so*"))
    base_with_python(root, PYTHON.resolve(), modules)
    for _, (source,), target in copies(IMAGE):
        shutil.copytree(froms[source], root / target.lstrip("/"), symlinks=True)
    shutil.copytree(root / IMAGE.of("VOLUME")[0].lstrip("/"), volume)
    for path in (volume, root / IMAGE.of("VOLUME")[0].lstrip("/")):
        os.chown(path, 65532, 65532)
    place.chmod(0o755)
    yield Container(place, root, volume, {"PATH": "/usr/bin", **IMAGE.environment})
    shutil.rmtree(place)


@pytest.mark.long
class TestTheImage:
    """What the finished image does."""

    def test_it_holds_no_shell_and_nothing_that_others_may_change(self, container: Container) -> None:
        """No program but python3; every file is root's and only root may change it, but for the store's folder."""
        programs = [path.name for path in container.root.rglob("*") if path.parent.name in ("bin", "sbin")]
        assert all(name.startswith("python3") for name in programs), programs
        image = container.root / "opt" / "vestibule"
        status = [path.lstat() for path in image.rglob("*")]
        assert len(status) > 1000
        assert all(each.st_uid == 0 for each in status)
        assert not [each for each in status if not stat.S_ISLNK(each.st_mode) and each.st_mode & 0o022]
        assert (container.volume.stat().st_uid, stat.S_IMODE(container.volume.stat().st_mode)) == (65532, 0o700)
        names = {path.name for path in image.iterdir()}
        assert {"runtime", "sandbox", "vestibule", "grpc"} <= names
        assert not names & {"pip", "setuptools", "tests", "pytest"}

    def test_its_modules_are_compiled_for_good(self, container: Container) -> None:
        """A start compiles nothing, though nothing can be written; the names in tracebacks are those in the image."""
        done = container.run("--version")
        assert (done.returncode, done.stdout) == (0, "vestibule 0.1.0\n"), done.stderr
        assert list(container.root.glob("opt/vestibule/runtime/__pycache__/daemon.*.pyc"))

    def test_the_required_layers_hold_as_an_ordinary_user(self, container: Container) -> None:
        """Under what docker refuses by default the required layers hold; where it refuses nothing, namespaces too."""
        ask = ("doctor", "--json")
        report = json.loads(container.run(*ask).stdout)
        active = {layer["name"] for layer in report["layers"] if layer["active"]}
        assert report["uid"] == 65532
        assert report["missing"] == []
        assert {"seccomp", "landlock", "rlimits", "no_new_privs"} <= active
        assert not {name for name in active if name.startswith("namespaces.")}
        assert all(attempt["contained"] for attempt in report["attempts"])
        report = json.loads(container.run(*ask, refused=()).stdout)
        free = {layer["name"] for layer in report["layers"] if layer["active"]}
        assert {"namespaces.user", "namespaces.net", "namespaces.mount", "namespaces.pid"} <= free

    def test_it_says_what_a_port_for_others_needs(self, container: Container) -> None:
        """A port that other hosts reach asks for TLS and credentials: it does not start without."""
        done = container.run("serve", "--listen", "0.0.0.0:50051")
        assert done.returncode == 2
        assert "other hosts can reach 0.0.0.0:50051, and it has no TLS" in done.stderr

    def test_the_demo_runs_in_it(self, container: Container) -> None:
        """Every sample login is decided, with the demo's tenants out of the image."""
        ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--store", "sqlite:/tmp/demo.db")
        done = container.run("demo", "--once", *ports)
        assert done.returncode == 1
        assert "in .run here: read-only file system; start it in another folder" in done.stderr
        done = container.run("demo", "--once", *ports, folder="/tmp")
        assert "18 of 18 logins decided as expected" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
        assert done.returncode == 0

    def test_it_serves_is_healthy_drains_and_leaves_nothing(self, container: Container) -> None:
        """apply, serve as process 1, the image's own health check from outside, SIGTERM, exit code 0."""
        demo = next(container.root.glob("opt/vestibule/runtime/cli/demo_files/tenants"))
        (container.volume / "tenants").mkdir(mode=0o755)
        shutil.copytree(demo / "acme", container.volume / "tenants" / "acme")
        applied = container.run("apply", "/var/lib/vestibule/tenants")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        grpc, metrics = quiet_port(), quiet_port()
        given = {"VESTIBULE_LISTEN": f"127.0.0.1:{grpc}", "VESTIBULE_METRICS_LISTEN": f"127.0.0.1:{metrics}"}
        container.environment |= given
        serving = subprocess.Popen(
            container.command("served", *IMAGE.command("CMD"), "--drain-delay-s", "0"), cwd=ROOT,
            env=clean_environment() | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            check = IMAGE.command("HEALTHCHECK")[len(IMAGE.command("ENTRYPOINT")) :]
            until(lambda: container.run(*check).returncode == 0, "a daemon that is healthy")
            (inner,) = Path(f"/proc/{serving.pid}/task/{serving.pid}/children").read_text().split()
            assert "NSpid:" in (status := Path(f"/proc/{inner}/status").read_text())
            assert re.search(r"NSpid:\t\d+\t1\n", status)
            os.kill(int(inner), signal.SIGTERM)
            assert serving.wait(60) == 0
            assert container.run(*check).returncode == 5
        finally:
            serving.kill()
            assert serving.stderr is not None
            log = serving.stderr.read()
            serving.stderr.close()
            serving.wait()
        assert '"event": "daemon.stopped"' in log
        assert {path.name.partition("-")[0] for path in container.volume.iterdir()} == {"tenants", "flows.db"}
