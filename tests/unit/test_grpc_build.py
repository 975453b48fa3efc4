"""Which builds of grpcio are served by: what pyproject.toml asks for, what we rest on, and what is said of others."""

import ast
import re
from pathlib import Path

import pytest

from runtime.rpc import build

ROOT = Path(__file__).resolve().parents[2]


def test_the_bounds_are_those_of_the_package() -> None:
    """Each grpcio package of pyproject.toml has the bounds of the check at the start."""
    first, beyond = (".".join(map(str, bound)) for bound in (build.FIRST, build.BEYOND))
    found = dict(re.findall(r'"(grpcio[a-z-]*)(>=[^"]+)"', (ROOT / "pyproject.toml").read_text()))
    assert found == dict.fromkeys(
        ("grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status"), f">={first},<{beyond}"
    )


def test_what_is_locked_is_tested() -> None:
    """The pinned grpcio lies between the bounds."""
    pinned = re.search(r"^grpcio==(\S+)", (ROOT / "deploy" / "requirements" / "run.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert build.is_tested(pinned[1])
    assert build.check() == ""


@pytest.mark.parametrize("version", ["1.84.9", "1.86.0", "2.0.0", "1.85.0rc1", "1.85.0.dev0", "1.100.0", ""])
def test_others_are_not(version: str) -> None:
    """Older, newer and preliminary builds are not tested."""
    assert not build.is_tested(version)


def test_every_private_name_is_in_the_list() -> None:
    """The check knows each name of cygrpc that our modules use, so that none is missed first by a login."""
    used = set()
    for name in ("accepting", "unary"):
        tree = ast.parse((ROOT / "runtime" / "rpc" / f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cygrpc":
                used.add(node.attr)
    assert used == set(build.PRIVATE)
