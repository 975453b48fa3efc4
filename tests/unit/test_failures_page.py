"""The page for operators names only what exists: tests, metrics, log events, settings, exit reasons."""

import re
from pathlib import Path

import pytest

from runtime.config.settings import SETTINGS
from runtime.ops.labels import ExitReason, KillReason, ShedReason
from runtime.ops.metrics import Metrics
from runtime.supervisor.overview import EXITS, ProcessMetrics

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "deploy" / "FAILURES.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)
REASONS = {"worker_exits": ExitReason, "worker_kills": KillReason, "sheds": ShedReason, "process_exits": EXITS}


def test_every_test_is_there() -> None:
    """Each section ends with tests, and each of them is a file."""
    named = [name for name in CODE if name.startswith("tests/")]
    assert len(named) >= PAGE.count("\n## ")
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_metric_is_there() -> None:
    """Each metric is one that a scrape shows, with a reason that its label can have."""
    found = [*Metrics("0").registry.collect(), *ProcessMetrics().collect()]
    text = "\n".join(family.name for family in found)
    for name in CODE:
        metric = re.match(r"(vestibule_\w+?|grpc_server_\w+?)(_total)?(?:\{reason=\"(\w+)\"\})?(?:\{|$| )", name)
        if metric is None:
            assert not name.startswith(("vestibule_", "grpc_"))
            continue
        assert metric[1] in text.splitlines(), name
        if metric[3]:
            assert metric[3] in set(REASONS[metric[1].removeprefix("vestibule_")]), name


@pytest.mark.parametrize(
    "noun",
    ["worker", "zygote", "daemon", "process", "restart", "catalog", "login", "log", "config", "continuation", "check"],
)
def test_every_log_event_is_there(noun: str) -> None:
    """Each event is a literal in our code."""
    events = {name for name in CODE if re.fullmatch(rf"{noun}\.[a-z_]+", name)}
    source = "".join(path.read_text() for path in (ROOT / "runtime").rglob("*.py"))
    assert events
    assert [event for event in events if f'"{event}"' not in source] == []


def test_every_setting_is_there() -> None:
    """Each setting can be set."""
    keys = {setting.key for setting in SETTINGS}
    events = {"log.suppressed", "log.lines_dropped"}
    groups = r"(sandbox|pool|limits|log|grpc|drain)\.[a-z_]+|drain_s"
    named = {name for name in CODE if re.fullmatch(groups, name)} - events
    assert len(named) > 5
    assert named <= keys
