"""The operator's page, tried literally and in its order, on a daemon that its own first block starts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy_scripts import pages
from tests.fixtures.commands import TIED
from tests.fixtures.http_client import ask
from tests.fixtures.terminal import ROOT, Terminal, environment, furnished
from tests.fixtures.waiting import until

PAGE = (ROOT / "deploy" / "README.md").read_text()
BLOCKS = pages.blocks(PAGE, "")

ELSEWHERE = {
    "pip install --require-hashes": "test_the_packages_are_installed, a long test",
    "deploy/docker/pin": "not run: no Docker daemon in the tests. test_docker.py takes each step of the Dockerfile",
    "install -m 0644 deploy/systemd": "not run: it changes the host. test_compose_and_unit.py verifies the unit",
    "pg_dump --format=custom": "test_restore.py, a long test, on a real PostgreSQL",
    "pg_restore --no-owner": "test_restore.py, a long test, on a real PostgreSQL",
    "dns:gateway.example.com": "no command but rules; test_credentials.py uses such",
    ".venv/bin/vestibule serve --store sqlite:vestibule.db --processes": "test_several_processes_are_restarted, long",
    "make bench ARGS=": "not run as it stands, for its length; the tests of the load kit run shorter ones",
    "helm install vestibule": "not run: no cluster. test_helm.py renders the chart with these values",
}
"""Blocks that this test does not run, by how they begin: which test does, or why none does and what is checked."""
SERVE = re.compile(r"^\.venv/bin/vestibule serve ((?:.*\\\n)*.*)$", re.MULTILINE)
TYPED = ("127.0.0.1:50051", "127.0.0.1:50052", "127.0.0.1:9464")
"""Where the page's daemon serves gRPC, HTTP and metrics; the test's has ports of its own."""
QUIET_PORTS = {"VESTIBULE_LISTEN": "127.0.0.1:0", "VESTIBULE_METRICS_LISTEN": "127.0.0.1:0"}
"""For blocks that name none."""
END_S = 60


class Operator:
    """A terminal, and the daemons that its `serve` lines start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports: dict[str, str] = {}
        self._serving: subprocess.Popen[bytes] | None = None

    @property
    def terminal(self) -> Terminal:
        return Terminal(self.folder, self._ports)

    def type(self, block: str) -> None:
        """Type a block. A line that serves is left running; each other one ends well."""
        served = SERVE.search(block)
        if served is None:
            self.terminal.block(block)
            return
        self.terminal.block(block[: served.start()])
        self.serve(shlex.split(served[1].replace("\\\n", " ")))
        self.terminal.block(block[served.end() :])

    def serve(self, flags: list[str]) -> None:
        """Start a daemon as a line of the page does, with ports of the test's own."""
        self.end()
        own = ["127.0.0.1:0" if flag in TYPED else flag for flag in flags]
        with open(self.folder / "daemon.log", "wb") as log:
            self._serving = subprocess.Popen(
                [*TIED, sys.executable, "-m", "runtime.cli", "serve", *own],
                cwd=self.folder, env=environment() | QUIET_PORTS, stderr=log,
            )  # fmt: skip
        if "--processes" in flags:
            until(lambda: self._line("supervisor.started"), "all processes serve")
        started = until(lambda: self._line("daemon.started"), "the daemon serves")
        names = ("listen", "http_listen", "metrics_listen")
        self._ports = {typed: started[name] for typed, name in zip(TYPED, names, strict=True) if started.get(name)}

    def _line(self, event: str) -> dict[str, Any] | None:
        """Return the first line of an event, in the log of a daemon that runs."""
        assert self._serving is not None
        assert self._serving.poll() is None, (self.folder / "daemon.log").read_text()
        lines = [json.loads(line) for line in (self.folder / "daemon.log").read_text().splitlines() if line[-1:] == "}"]
        return next((line for line in lines if line["event"] == event), None)

    def metric(self, name: str) -> str:
        """Return the value of a metric of the daemon."""
        found = ask(self._ports[TYPED[2]], "/metrics", method="GET")
        (value,) = re.findall(rf"^{name} (\S+)$", found.body.decode(), re.MULTILINE)
        return str(value)

    def end(self) -> None:
        """End the daemon, which must end well."""
        if self._serving is not None:
            self._serving.send_signal(signal.SIGINT)
            assert self._serving.wait(END_S) == 0, (self.folder / "daemon.log").read_text()
            self._serving = None


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with furnished(tmp_path) as folder:
        shutil.copytree(ROOT / "deploy/demo/tenants", folder / "my-tenants")
        made = Operator(folder)
        try:
            yield made
        finally:
            made.end()


def elsewhere(block: str) -> list[str]:
    return [words for words in ELSEWHERE if block.startswith(words)]


def test_every_block_is_run_or_said_to_be_tried_elsewhere(operator: Operator) -> None:
    """In the page's order, against one daemon, which serves to the end and follows what the page restores."""
    ran = 0
    for block in BLOCKS:
        if not elsewhere(block):
            operator.type(block)
            ran += 1
        if "author.key" in block:
            asked = ".venv/bin/vestibule list --target 127.0.0.1:50051 --api-key-file author.key"
            until(lambda: operator.terminal.run(["sh"], asked).returncode == 0, "the key is known")  # noqa: B023  called within the loop
        if block.startswith("mv vestibule.db"):
            until(lambda: operator.metric("vestibule_catalog_healthy") == "1.0", "the restored store is served")
    operator.terminal.block(".venv/bin/vestibule healthcheck --target 127.0.0.1:50051\n")
    assert ran + len(ELSEWHERE) >= len(BLOCKS)
    assert ran > 15


def test_what_is_tried_elsewhere_is_on_the_page() -> None:
    """Each entry leads to a block, and a block to one entry at most."""
    found = [words for block in BLOCKS for words in elsewhere(block)]
    assert set(found) == set(ELSEWHERE)
    assert all(len(elsewhere(block)) <= 1 for block in BLOCKS)


@pytest.mark.long
def test_several_processes_are_restarted(operator: Operator) -> None:
    """The block that serves with two processes, and replaces them."""
    operator.terminal.block(next(block for block in BLOCKS if "serve" in block).split("\n")[0])
    operator.type(next(block for block in BLOCKS if "--processes" in block))


@pytest.mark.long
def test_the_packages_are_installed(tmp_path: Path) -> None:
    """The block of `pip`, in a virtual environment of its own; what it installs decides the demo's logins."""
    block = next(block for block in BLOCKS if block.startswith("pip install"))
    made = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(made)], check=True, timeout=300)
    copy = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info", "node_modules")
    shutil.copytree(ROOT, copy, ignore=ignored)
    path = {"PATH": f"{made / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    kept = {name: value for name, value in environment().items() if name.startswith(("PIP_", "SSL_", "HTTP", "http"))}
    done = subprocess.run(
        ["sh", "-eu"], input=block, cwd=copy, env=kept | path, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    demo = subprocess.run(
        [made / "bin" / "vestibule", "demo", "--once"],
        cwd=tmp_path, env=path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stdout + demo.stderr
