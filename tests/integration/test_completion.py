"""Completion: the scripts of the shells, and what a shell is answered."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.commands import clean_environment

VESTIBULE = Path(sys.executable).parent / "vestibule"


def completed(line: str, folder: Path) -> list[str]:
    """Ask as a shell does: what can the last word of this line become?"""
    answer = folder / "answer"
    answer.touch()
    environment = clean_environment() | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SHELL": "fish",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run([VESTIBULE], env=environment, capture_output=True, timeout=60, check=True)
    return [found.partition("\t")[0] for found in answer.read_text().split("\n")]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("vestibule appl", {"apply"}),
        ("vestibule apply --grad", {"--gradual"}),
        ("vestibule store acc", {"accept-restore"}),
        ("vestibule completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_a_word_is_completed(line: str, wanted: set[str], tmp_path: Path) -> None:
    """Commands, flags of the command of the line, its actions and their choices."""
    assert wanted <= set(completed(line, tmp_path))


def test_bash_completes(tmp_path: Path) -> None:
    """The script works in bash: the last word is the one command that begins so."""
    program = """
    source <(vestibule completion bash)
    COMP_LINE="vestibule healthch" COMP_POINT=18 COMP_TYPE=9 COMP_WORDS=(vestibule healthch) COMP_CWORD=1
    _python_argcomplete vestibule healthch vestibule
    echo "${COMPREPLY[@]}"
    """
    environment = clean_environment() | {"PATH": f"{VESTIBULE.parent}:{clean_environment()['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["healthcheck"], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_has_a_script(shell: str, tmp_path: Path) -> None:
    """The script names the command; the shell itself finds no fault in it, where it is installed."""
    script = subprocess.run(
        [VESTIBULE, "completion", shell],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "vestibule" in script
    assert "_ARGCOMPLETE" in script
    if shutil.which(shell):
        file = tmp_path / "script"
        file.write_text(script)
        subprocess.run([shell, "-n", str(file)], capture_output=True, timeout=60, check=True)
