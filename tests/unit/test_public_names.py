"""Tests use public names: no reach into the private names of other objects or modules."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PUBLIC = {"_exit", "_fields", "_replace", "_asdict"}
"""Names with an underscore that their libraries document: os._exit, and members of ast's nodes and of named tuples."""

ALLOWED = {
    "integration/test_zygote.py": 11,
    "other_grpc.py": 5,
    "unit/test_catalog_sqlite.py": 1,
    "unit/test_event.py": 1,
    "unit/test_fast_front.py": 1,
}
"""Files that still reach, and how often at most. A number may only fall: where a test needs to see more, the product
gets a public snapshot or an argument."""


def private(name: str) -> bool:
    """Tell a private name from a public one, from Python's own `__x__` and from the policy's `_x_`."""
    return name.startswith("_") and not name.endswith("_") and name not in PUBLIC


def reaches(tree: ast.AST) -> Iterator[str]:
    """Find private names of anything but `self`: attributes, imports, texts given to getattr or to a patch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names if private(alias.name))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SETTERS:
            name = node.args[1] if len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and private(name.value):
                yield ast.unparse(node)


SETTERS = ("getattr", "hasattr", "setattr", "delattr", "object")


def test_no_test_reaches_into_private_names() -> None:
    """Each file has at most the reaches that are left of an earlier time, and no other file has any."""
    found = Counter(
        {
            str(path.relative_to(ROOT)): sum(1 for _ in reaches(ast.parse(path.read_text(encoding="utf-8"))))
            for path in ROOT.rglob("*.py")
        }
    )
    assert {path: count for path, count in found.items() if count > ALLOWED.get(path, 0)} == {}


def test_control_a_reach_is_found() -> None:
    """Control: every spelling is found, and public names are not."""
    source = (
        "pool._slots\nmonkeypatch.setattr(client, '_TIMEOUT_S', 1)\nfrom runtime.x import _y\ngetattr(a.b, '_c')\n"
        "self._own\nself.pool._slots\nos._exit(1)\nthing._exposed_\nthing.__class__\n"
    )
    assert Counter(reaches(ast.parse(source))) == Counter(
        [
            "runtime.x._y",
            "monkeypatch.setattr(client, '_TIMEOUT_S', 1)",
            "getattr(a.b, '_c')",
            "pool._slots",
            "self.pool._slots",
        ]
    )
