"""Hosts that lack a layer which is required by default: nothing is served, and one line says which layer it is."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from runtime.config.effective import Config
from runtime.ops import file_limit
from tests import run_as
from tests.fixtures.commands import clean_environment
from tests.host import require

NOBODY = 65534
WHO = {"as started": os.geteuid(), "ordinary user": NOBODY if os.geteuid() == 0 else os.geteuid()}
# What the host refuses -> the layer that cannot be had without it.
REFUSED = {"landlock": "landlock", "seccomp": "seccomp", "no_new_privs": "no_new_privs", "setrlimit": "rlimits"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can write to, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="vestibule-test-") as name:
        path = Path(name)
        path.chmod(0o777)
        yield path


def run(
    place: Path, uid: int, refused: str, *arguments: str, before: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as a user whose kernel refuses something."""
    done = subprocess.run(
        [*before, sys.executable, str(Path(run_as.__file__)), str(uid), refused, "-m", "runtime.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=place,
        env=clean_environment(),
        check=False,
    )
    require(done.returncode != run_as.NOT_POSSIBLE, f"another user: {done.stderr.strip()}")
    return done


@pytest.mark.parametrize(
    ("refused", "who"),
    [
        ("landlock", "as started"),
        ("setrlimit", "ordinary user"),
        *(pytest.param(refused, who, marks=pytest.mark.long) for refused, who in product(REFUSED, WHO)),
    ],
)
def test_a_default_layer_that_is_missing_is_named(place: Path, refused: str, who: str) -> None:
    """`serve` as it comes ends with one line that names that layer and no other; `doctor` exits with 3 and says so."""
    ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    failed = run(place, WHO[who], refused, "serve", "--store", f"sqlite:{place / 'x.db'}", *ports)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1, failed.stderr
    layer = REFUSED[refused]
    assert f"required layers are not active on this host: {layer} (" in failed.stderr
    assert "Operation not permitted). `vestibule doctor` says" in failed.stderr
    assert not [other for other in set(Config().sandbox.required_layers) - {layer} if f"{other} (" in failed.stderr]

    told = run(place, WHO[who], refused, "doctor", "--json")
    assert told.returncode == 3
    layers = {row["name"]: row for row in json.loads(told.stdout)["layers"]}
    assert [name for name, row in layers.items() if row["required"] and not row["active"]] == [layer]
    assert layers[layer]["remedy"]


@pytest.mark.parametrize("who", [pytest.param("as started", marks=pytest.mark.long), "ordinary user"])
def test_a_hard_limit_below_what_a_worker_is_given_is_reported(place: Path, who: str) -> None:
    """A daemon started with less processor time than its workers get says that it is the limits of its starter."""
    ports = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    before = ("sh", "-c", 'ulimit -t 60 && exec "$@"', "sh")
    failed = run(place, WHO[who], "", "serve", "--store", f"sqlite:{place / 'x.db'}", *ports, before=before)
    assert failed.returncode == 1
    assert "required layers are not active on this host: rlimits (" in failed.stderr, failed.stderr


@pytest.mark.parametrize("who", WHO)
def test_nothing_refused_is_nothing_missing(place: Path, who: str) -> None:
    """The control: the same users on this host as it is have every layer that is required by default."""
    told = run(place, WHO[who], "", "doctor", "--json")
    assert told.returncode == 0, told.stdout
    found = json.loads(told.stdout)
    required = {row["name"] for row in found["layers"] if row["required"]}
    assert required == set(Config().sandbox.required_layers) == {"seccomp", "landlock", "rlimits", "no_new_privs"}
    assert all(attempt["contained"] for attempt in found["attempts"])


@pytest.mark.parametrize("refusal", [ValueError("not allowed to raise maximum limit"), PermissionError(1, "")])
def test_a_host_that_lets_no_limit_be_raised_is_reported_and_served(
    monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    """The daemon runs with the descriptors that it has, and its log says how many that is."""
    told: list[dict[str, Any]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            told.append({"event": event, **fields})

    def refuse(*_: Any) -> None:
        raise refusal

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 1 << 20))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    file_limit.raise_to_hard(Config(), Log())  # type: ignore[arg-type]  # all that it needs of a log
    assert [(line["event"], line["limit"]) for line in told] == [("files.limited", 256)]
