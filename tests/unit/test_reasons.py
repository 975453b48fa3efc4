"""A line that tells a tool to look away says why on the same line; nothing is skipped without a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The generator of the stubs writes a line for its own output, which no reviewer reads.
FILES = sorted(
    path
    for top in ("runtime", "sandbox", "tests", "deploy")
    for path in (ROOT / top).rglob("*.py")
    if path != Path(__file__).resolve() and path != ROOT / "sandbox" / "authoring" / "stubs.py"
)
CODES = r"[A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*"
# A tool told to look away: which one, of what, and the words after it.
AWAY = re.compile(rf"# (?:ruff: )?(noqa|type: ignore)(?:: ({CODES})|\[([a-z-]+(?:, ?[a-z-]+)*)\])?(.*)")
SKIPS = re.compile(
    r"(?:pytest\.skip|mark\.skip|mark\.xfail|pytest\.xfail|importorskip)\((?:\)|$)|mark\.(?:skip|xfail)\s*$"
)


def unexplained(line: str) -> str:
    """Say what is wrong with a line, or nothing."""
    found = AWAY.search(line)
    if found is not None:
        if not found[2] and not found[3]:
            return "it names no rule"
        if not found[4].strip(" #-"):
            return "it gives no reason"
    return "it skips without a reason" if SKIPS.search(line) else ""


def test_everybody_who_looks_away_says_why() -> None:
    """Each `noqa` and each `type: ignore` names its rule and gives a reason; so does each skip."""
    wrong = []
    for path in FILES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if fault := unexplained(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {fault}: {line.strip()}")
    assert len(FILES) > 200
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x = 1  # noqa", "names no rule"),
        ("x = 1  # noqa: E501", "no reason"),
        ("x = 1  # type: ignore", "names no rule"),
        ("x = 1  # type: ignore[misc]", "no reason"),
        ("    pytest.skip()", "skips without"),
        ("x = 1  # noqa: E501, S102  it is a table", ""),
        ("x = 1  # type: ignore[arg-type]  # a stand-in", ""),
        ("    pytest.skip('no compiler')", ""),
    ],
)
def test_control_what_counts_as_a_reason(line: str, fault: str) -> None:
    """Control: the rule sees a word that is missing, and lets one that is there pass."""
    assert fault in unexplained(line)
    assert bool(fault) is bool(unexplained(line))
