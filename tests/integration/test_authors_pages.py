"""The blocks of the authors' pages, run: the cookbook, ported actions beside what they were, typed commands."""

import getpass
import re
import textwrap
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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
        # Before it, where an action is ported, is the other product's.
        action = pages.blocks(answer, "python")[-1]
        *tenant, suite = pages.blocks(answer, "yaml")
        (folder / "actions" / f"{name}.py").write_text(action)
        (folder / "tests" / f"{name}.yaml").write_text(f"flow: [{name}]\n{suite}")
        bound.append(f"{{action: {name}}}")
        secrets += "".join(tenant).partition("secrets:\n")[2].replace("answer:", f"{name}:")
    text = f"tenant: {folder.name}\nflows: {{post_login: [{', '.join(bound)}]}}\n"
    (folder / "tenant.yaml").write_text(text + (f"secrets:\n{secrets}" if secrets else ""))


def test_the_cookbooks_answers_and_ported_actions_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty questions and more, and ported actions: each has neither fault nor warning, and its cases pass."""
    answers = [part for part in sections("COOKBOOK.md").values() if pages.blocks(part, "yaml")]
    assert len(answers) >= 20
    half = len(answers) // 2
    ported = [part for part in sections("PORTING-OTHERS.md").values() if pages.blocks(part, "yaml")]
    written(tmp_path / "ported", ported)
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


def of_authentik(section: str, user: SimpleNamespace, ip: str = "10.1.2.3") -> tuple[Any, list[str]]:
    """Run an expression as authentik does: a function's body with its names. Return result and messages."""
    said: list[str] = []
    names: dict[str, Any] = {
        "context": {"pending_user": user},
        "request": SimpleNamespace(user=user),
        "ak_client_ip": ip_address(ip),
        "ak_is_group_member": lambda user, name: name in user.groups,
        "ak_message": said.append,
        "regex_match": lambda value, regex: re.search(regex, value) is not None,
    }
    body = textwrap.indent(pages.blocks(sections("PORTING-OTHERS.md")[section], "python")[0], "    ")
    exec(f"def expression():\n{body}", names)  # noqa: S102  it is ours, and the page shows it
    return names["expression"](), said


def test_the_expressions_of_authentik_decide_as_their_ports() -> None:
    """The other side of each port gives, for the logins of its cases, what the cases expect."""
    member, admin = (SimpleNamespace(groups=groups, email="ada@example.com") for groups in ([], ["admins"]))
    stage = "A stage for some users"
    assert [of_authentik(stage, *given)[0] for given in ((member,), (admin,), (member, "8.8.8.8"))] == [
        False,
        True,
        True,
    ]
    mallory = SimpleNamespace(email="mallory@not-example.com")
    assert of_authentik("A refusal with a message", member) == (True, [])
    assert of_authentik("A refusal with a message", mallory) == (False, ["This application is for employees."])


def test_the_functions_of_cognito_decide_as_their_ports() -> None:
    """So do the Lambda functions."""

    def handler(section: str) -> Any:
        names: dict[str, Any] = {}
        exec(pages.blocks(sections("PORTING-OTHERS.md")[section], "python")[0], names)  # noqa: S102  as above
        return names["handler"]

    def event(groups: list[str], **attributes: str) -> dict[str, Any]:
        request = {"userAttributes": attributes, "groupConfiguration": {"groupsToOverride": groups}}
        return {"request": request, "response": {}}

    assert handler("Refuse before tokens are issued")(event([], email_verified="true"), None)
    with pytest.raises(Exception, match=r"^Please verify your address first\.$"):
        handler("Refuse before tokens are issued")(event([], email_verified="false"), None)
    claims = handler("Claims in the tokens")
    told = claims(event([]), None)["response"]["claimsAndScopeOverrideDetails"]
    assert told["idTokenGeneration"]["claimsToAddOrOverride"] == {"department": "none"}
    told = claims(event(["managers"], **{"custom:department": "sales"}), None)["response"][
        "claimsAndScopeOverrideDetails"
    ]
    assert told["accessTokenGeneration"] == {
        "claimsToAddOrOverride": {"department": "sales"},
        "scopesToAdd": ["orders:delete"],
    }
