"""The blocks of the authors' pages that stand alone: each answer of the cookbook, checked strictly and tested."""

import re
from pathlib import Path

import pytest

from runtime.cli import main
from tests.deploy_scripts import pages

DOCS = Path(__file__).resolve().parents[2] / "sandbox" / "docs"


def sections(page: str) -> dict[str, str]:
    """Return the parts of a page by their headings."""
    _, *parts = re.split(r"^## ", (DOCS / page).read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def written(folder: Path, answers: list[str]) -> None:
    """Write answers of the cookbook as one tenant, so that one worker runs them: each suite names its own action."""
    bound, secrets = [], ""
    for inner in ("actions", "tests"):
        (folder / inner).mkdir(parents=True)
    for number, answer in enumerate(answers):
        name = f"answer{number}"
        (action,) = pages.blocks(answer, "python")
        *tenant, suite = pages.blocks(answer, "yaml")
        (folder / "actions" / f"{name}.py").write_text(action)
        (folder / "tests" / f"{name}.yaml").write_text(f"flow: [{name}]\n{suite}")
        bound.append(f"{{action: {name}}}")
        secrets += "".join(tenant).partition("secrets:\n")[2].replace("answer:", f"{name}:")
    text = f"tenant: {folder.name}\nflows: {{post_login: [{', '.join(bound)}]}}\n"
    (folder / "tenant.yaml").write_text(text + (f"secrets:\n{secrets}" if secrets else ""))


def test_the_cookbook_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty questions and more: each action has neither fault nor warning, and its cases pass."""
    answers = [part for part in sections("COOKBOOK.md").values() if pages.blocks(part, "yaml")]
    assert len(answers) >= 20
    half = len(answers) // 2
    written(tmp_path / "first", answers[:half])
    written(tmp_path / "second", answers[half:])
    assert main.main(["check", "--strict", str(tmp_path)]) == 0, capsys.readouterr()
    assert main.main(["test", str(tmp_path)]) == 0, capsys.readouterr()
