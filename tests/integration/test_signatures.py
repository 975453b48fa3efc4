"""What is released is signed as the page says, and a change afterwards is found."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host import TOOLCHAINS, require

SIGN = Path(__file__).resolve().parents[2] / "deploy" / "sign"


def sign(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SIGN), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def key(folder: Path, name: str) -> Path:
    made = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made)], check=True, timeout=60)
    return made


@pytest.fixture
def released(tmp_path: Path) -> tuple[Path, Path]:
    """A folder that is signed, and the signers."""
    require(shutil.which("ssh-keygen") is not None, "ssh-keygen: there is none", unless=TOOLCHAINS)
    private = key(tmp_path, "maintainer")
    signers = tmp_path / "signers"
    signers.write_text(f"release@example.com {private.with_suffix('.pub').read_text()}")
    folder = tmp_path / "released"
    folder.mkdir()
    for name in ("vestibule.cdx.json", "vestibule-0.1.0-py3-none-any.whl"):
        (folder / name).write_text(name)
    done = sign(private, *sorted(folder.iterdir()))
    assert done.returncode == 0, done.stderr
    return folder, signers


def test_what_is_signed_is_verified(released: tuple[Path, Path]) -> None:
    """The bill of materials and every file beside it, with who signed."""
    folder, signers = released
    done = sign("--verify", signers, folder)
    assert (done.returncode, done.stdout) == (0, "signed by release@example.com: 2 files\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "vestibule.cdx.json").write_text("{}"), "vestibule.cdx.json: FAILED"),
        (lambda folder: (folder / "vestibule.cdx.json").unlink(), "No such file"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "is not what release@example.com signed"),
        (lambda folder: sign(key(folder.parent, "thief"), folder / "vestibule.cdx.json"), "is of none of the signers"),
        (lambda folder: (folder / "SHA256SUMS.sig").write_text(""), "is of none of the signers"),
    ],
    ids=["changed", "gone", "other sums", "another signer", "no signature"],
)
def test_anything_else_is_refused(released: tuple[Path, Path], change: Callable[[Path], object], told: str) -> None:
    """One attack each; the test before this one is their control."""
    folder, signers = released
    change(folder)
    done = sign("--verify", signers, folder)
    assert done.returncode == 1
    assert told in done.stdout + done.stderr
