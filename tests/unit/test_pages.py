"""The pages: links lead somewhere, generated sections are what the code says, commands parse, words are plain."""

import ast
import os
import re
import shlex
from pathlib import Path

import pytest

from runtime.calls import status
from runtime.cli import main
from runtime.cli.output import Exit
from tests.deploy_scripts import pages
from tests.unit.test_import_law import RUNTIME_ROOMS

ROOT = Path(__file__).resolve().parents[2]
BUILT = re.compile(r"\.git|\.venv.*|\.run|\..*_cache|\.hypothesis|__pycache__|build|.*\.egg-info")


def ours() -> list[str]:
    """List the files of this tree, without git, which a copy of it may not have."""
    found = []
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [name for name in inner if not BUILT.fullmatch(name)]
        found += [(Path(folder) / name).relative_to(ROOT).as_posix() for name in files if name != ".git"]
    return found


FILES = ours()
PAGES = sorted(name for name in FILES if name.endswith(".md"))
OPERATORS = "deploy/README.md"
PLAIN = re.compile(
    r"\bnobody\b(?!@|\")|\bwhoever\b|\bgo(es)? on\b|\bwent on\b|\bgone on\b|\b(is|are|was) told\b"
    r"|\bwhat (became|becomes|came) of\b",
    re.IGNORECASE,
)
FIGURE = re.compile(r"\b\d[\d,.]*\s?(ms|us|KiB|MiB|GiB|MB|GB|kB|/s|x|%|seconds?|minutes?|times)(?!\w)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """Return what a page's headings are called in links."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: str) -> list[list[str]]:
    """Return the words of each `vestibule` command in a page's code blocks."""
    blocks = "\n".join(pages.blocks(text_of(page), ""))
    lines = re.findall(r"^\.venv/bin/vestibule (.+)$", blocks.replace("\\\n", ""), re.MULTILINE)
    return [shlex.split(line.partition(" > ")[0]) for line in lines]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    """Each relative link names a file that is there, and a heading of it where it has an anchor."""
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(str(path.resolve().relative_to(ROOT)))):
            faults.append(target)
    assert faults == []


def test_control_a_link_to_nothing_is_noticed() -> None:
    """Control: a heading that no page has is no anchor."""
    assert "where-to-read-on" in anchors("README.md")
    assert "no-such-heading" not in anchors("README.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_is_named_is_there(page: str) -> None:
    """A page names only Python files that exist; those of its examples are not ours."""
    if page == "CHANGELOG.md":
        return
    there = {Path(name).name for name in FILES}
    # Not a name that stands for many, such as NAME.py or test_*.py.
    named = set(re.findall(r"(?<![\w*/-])((?:[\w-]+/)*[a-z]\w*\.py)\b", prose(page)))
    whole = {name for name in named if "/" in name}
    assert named - whole <= there
    # From the root, or from where the page is.
    assert [name for name in whole if not {name, (Path(page).parent / name).as_posix()} & set(FILES)] == []


def test_the_maintainers_page_has_every_room_in_order() -> None:
    """The table of rooms is the order that imports may run in."""
    table = text_of("runtime/README.md").partition("## The rooms")[2].partition("\n## ")[0]
    first = "".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE))
    rooms = tuple(name.removesuffix(".py").removesuffix("/") for name in re.findall(r"`([^`]+)`", first))
    assert rooms == RUNTIME_ROOMS


def test_the_front_page_is_one_screen() -> None:
    """At most 1,100 words, what is generated included."""
    assert len(text_of("README.md").split()) <= 1_100


def test_the_front_page_has_no_typed_figures() -> None:
    """What was measured stands in generated sections only."""
    typed = re.sub(r"<!-- generated: (\w+) -->.*?<!-- end: \1 -->", "", text_of("README.md"), flags=re.DOTALL)
    assert typed != text_of("README.md")
    assert [found.group() for found in FIGURE.finditer(typed)] == []
    assert FIGURE.search("answers in 12 ms")


@pytest.mark.parametrize("name", ["settings", "metrics", "commands", "figures", "checks"])
def test_generated_sections_are_what_the_code_says(name: str) -> None:
    """`make pages` would change nothing: each setting, metric and command that exists is on its page."""
    page, make = pages.SECTIONS[name]
    assert pages.section(text_of(page), name) == make(), f"{page}: run `make pages`"


def test_every_exit_code_is_on_the_operators_page() -> None:
    """The table has each code with its name."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text_of(OPERATORS), re.MULTILINE)
    assert {(int(code), name) for code, name in rows} == {(code.value, code.name) for code in Exit}


def test_every_reason_of_an_error_is_on_the_page_of_calls() -> None:
    """Each reason stands in a row, beside its status."""
    rows = [line for line in text_of("proto/CALLS.md").splitlines() if line.startswith("|")]
    for code, reason in status.TABLE.values():
        # Of a class that is never raised itself.
        if (code, reason) != ("FAILED_PRECONDITION", "CONTINUATION_INVALID"):
            assert [row for row in rows if f"`{code}`" in row and f"`{reason}`" in row], (code, reason)


def test_every_metric_of_an_alert_is_one() -> None:
    """What operators watch is what a scrape shows."""
    listed = set(re.findall(r"^\| `(\w+)`", pages.metrics(), re.MULTILINE))
    named = set(re.findall(r"\b(?:vestibule|grpc_server)_\w+", text_of(OPERATORS).partition("## Settings")[0]))
    assert len(named) > 10
    assert named <= listed


@pytest.mark.parametrize("page", PAGES)
def test_every_command_parses(page: str) -> None:
    """Each `vestibule` command of a code block has only flags that exist, and names only files that are there."""
    for words in commands(page):
        main.build_parser().parse_args(words)
        assert [word for word in words if word.startswith("deploy/") and not (ROOT / word).exists()] == []


def test_control_commands_are_found() -> None:
    """Control: pages of readers who type have commands."""
    assert all(commands(page) for page in ("README.md", "proto/README.md", "sandbox/docs/README.md", OPERATORS))


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_is_there(page: str) -> None:
    """`make NAME` of a page is in the Makefile."""
    code = re.findall(r"`([^`\n]+)`|^(make .+)$", text_of(page), re.MULTILINE)
    asked = {found[1] for one, other in code if (found := re.match(r"make ([a-z-]+)", one or other))}
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    assert asked <= targets


def defined(path: Path) -> set[str]:
    """List what a module defines at its top."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


QUESTIONS = re.findall(
    r"^\| (Where [^|]+\?) \| \[`([^`]+)`\]\([^)]+\) \| `(\w+)` \|$",
    (ROOT / "CONTRIBUTING.md").read_text(),
    re.MULTILINE,
)


def test_six_questions_have_answers() -> None:
    """The six that a newcomer asks are there."""
    topics = ("reply checked", "verdict", "offline run", "api.cache", "setting read", "metric named")
    assert len(QUESTIONS) == len(topics)
    assert all(topic in question for topic, (question, _, _) in zip(topics, QUESTIONS, strict=True))


@pytest.mark.parametrize(("question", "path", "name"), QUESTIONS, ids=[question for question, _, _ in QUESTIONS])
def test_an_answer_names_what_is_there(question: str, path: str, name: str) -> None:
    """The file exists and defines the thing."""
    assert name in defined(ROOT / path), question


@pytest.mark.parametrize("page", [name for name in PAGES if name.endswith("/DECISIONS.md")])
def test_a_decision_says_why_and_until_when(page: str) -> None:
    """Each record says what was decided, why, what it costs and what would make us look again."""
    records = text_of(page).split("\n## ")[1:]
    assert records
    for record in records:
        parts = re.findall(r"^\*\*(.+?)\*\*", record, re.MULTILINE)
        assert parts == ["Decided:", "Because:", "It costs:", "Look again when:"], record.splitlines()[0]


def docstrings(name: str) -> str:
    """Return what the docstrings of a module say."""
    nodes = ast.walk(ast.parse(text_of(name)))
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return "\n".join([ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)])


def test_words_are_plain() -> None:
    """Pages, protos, templates, demo, product code and the docstrings of tests say who does what."""
    whole = [
        name
        for name in FILES
        if name.endswith((".md", ".proto"))
        or name.startswith(("deploy/", ".github/"))
        or name in ("Makefile", "pyproject.toml")
        or (name.startswith(("runtime/", "sandbox/")) and name.endswith((".py", ".pyi")))
    ]
    said = {name: text_of(name) for name in whole}
    said |= {name: docstrings(name) for name in FILES if name.startswith("tests/") and name.endswith(".py")}
    found = [f"{name}: {hit.group()}" for name, text in said.items() for hit in PLAIN.finditer(text)]
    assert len(said) > 300
    assert found == []
