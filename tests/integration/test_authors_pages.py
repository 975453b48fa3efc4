"""The blocks of the authors' pages that stand alone: each answer of the cookbook, checked strictly and tested."""

import getpass
import re
from pathlib import Path

import pytest

from runtime.cli import main
from tests.deploy_scripts import pages
from tests.fixtures.daemons import served
from tests.fixtures.terminal import Terminal, furnished
from tests.fixtures.waiting import until

DOCS = Path(__file__).resolve().parents[2] / "sandbox" / "docs"

COMMENT = re.compile(r"# (\S+/\S+\.(?:py|yaml))\n")
"""The first line of a block that is a file."""
MEASURED = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\b[\d.]+ m?s\b|\b[0-9a-f]{12,}\b| +")
"""What another run prints otherwise, and how wide columns are."""
PAUSE = "sleep 3\n"
"""A reader waits until a daemon has read the store; a test looks again."""


class Typist:
    """Follows a page: writes its files, types its commands, and compares what they print with what the page shows."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.block, self.printed, self.typed = terminal, "", "", 0

    def follow(self, page: str) -> None:
        """Go through the blocks of a page in order."""
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            if named := COMMENT.match(block):
                place = self.terminal.folder / named[1]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(block)
            elif language == "text":
                self.compare(block)
            elif not language and "vestibule serve" not in block:
                self.type(block)

    def type(self, block: str) -> None:
        """Type a block, which ends with the code that it says, or well."""
        wanted = re.match(r"# exits with (\d)\n", block)
        done = self.terminal.run(["sh", "-eu"], block.replace(PAUSE, ""))
        self.block = block
        self.printed = re.sub(rf"\b{getpass.getuser()}\b", "you", done.stdout + done.stderr)
        self.typed += 1
        assert done.returncode == (int(wanted[1]) if wanted else 0), block + self.printed

    def compare(self, shown: str) -> None:
        """Hold a block to what the page shows; one that waits for a daemon is typed again until it is so."""

        def as_shown() -> bool:
            if missing(shown, self.printed) and PAUSE in self.block:
                self.type(self.block)
            return not missing(shown, self.printed)

        if PAUSE in self.block:
            until(as_shown, shown)
        assert missing(shown, self.printed) == "", self.printed


def missing(shown: str, printed: str) -> str:
    """Return the first line of `shown` that `printed` does not have, after those before it."""
    rest = MEASURED.sub(" ", printed)
    for line in shown.splitlines():
        _, found, rest = rest.partition(MEASURED.sub(" ", line).strip())
        if not found:
            return line
    return ""


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


@pytest.mark.long
def test_the_tutorial_leads_where_it_says(tmp_path: Path) -> None:
    """Each file is written and each command typed, while a daemon serves the store of the page."""
    page = (DOCS / "TUTORIAL.md").read_text()
    before, marker, after = page.partition("In another terminal, a daemon serves the store.")
    assert marker
    with furnished(tmp_path) as folder:
        typist = Typist(Terminal(folder))
        typist.follow(before)
        with served(folder, "--log-executions", "store", store=folder / "store.db") as daemon:
            typist = Typist(Terminal(folder, {"127.0.0.1:50061": daemon.target}))
            typist.follow(after)
    assert typist.typed >= 6


def test_the_riddles_are_as_the_page_shows_them(tmp_path: Path) -> None:
    """Everybody gets MFA, an action never runs: what the page shows is what its commands print."""
    with furnished(tmp_path) as folder:
        typist = Typist(Terminal(folder))
        typist.follow((DOCS / "TROUBLESHOOTING.md").read_text())
    assert typist.typed >= 3
