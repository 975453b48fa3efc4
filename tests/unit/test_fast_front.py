"""When the fast front may be used: the builds of grpcio it was tested with, and the private names it needs."""

import ast
import re
from pathlib import Path

import grpc
import pytest
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # it has no stubs

from runtime.rpc import fast_front

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "runtime" / "rpc" / "fast_front.py").read_text()


def test_the_bounds_are_those_of_the_package() -> None:
    """Each grpcio package of pyproject.toml has the bounds of the check at the start."""
    first, beyond = (".".join(map(str, bound)) for bound in (fast_front.FIRST, fast_front.BEYOND))
    found = dict(re.findall(r'"(grpcio[a-z-]*)(>=[^"]+)"', (ROOT / "pyproject.toml").read_text()))
    assert found == dict.fromkeys(
        ("grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status"), f">={first},<{beyond}"
    )


def test_the_locked_build_is_usable() -> None:
    """The grpcio that is pinned is the installed one, and the fast front may use it."""
    pinned = re.search(r"^grpcio==(\S+)", (ROOT / "deploy" / "requirements" / "run.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert pinned[1] == grpc.__version__
    assert fast_front.unusable() == ""


@pytest.mark.parametrize("version", ["1.84.9", "1.86.0", "2.0.0", "1.85.0rc1", "1.85.0.dev0", "1.100.0", ""])
def test_other_builds_are_not(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older, newer and preliminary builds are refused by their version."""
    monkeypatch.setattr(grpc, "__version__", version)
    assert fast_front.unusable() == f"grpcio {version} was not tested with this version of Vestibule"


def test_missing_names_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of a tested version that lacks names is refused with all of them."""
    monkeypatch.delattr(cygrpc, "_handle_rpc")
    monkeypatch.delattr(cygrpc, "execute_batch")
    assert fast_front.unusable() == f"grpcio {grpc.__version__} lacks _handle_rpc, execute_batch"


def is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def is_core(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "_core"


def test_every_private_name_is_checked() -> None:
    """The check knows each name of cygrpc and each method of AioServer that the module uses."""
    tree = ast.parse(SOURCE)
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_name(node.value, "cygrpc"):
            used.add(node.attr)
    (core,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_Core")
    of_base = {name for name in dir(cygrpc.AioServer) if not name.startswith("__")}
    overridden = {node.name for node in core.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    called = {node.attr for node in ast.walk(core) if isinstance(node, ast.Attribute) and is_name(node.value, "self")}
    called |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_core(node.value)}
    assert used | {"AioServer"} == set(fast_front.NAMES)
    assert (overridden | called) & of_base == set(fast_front.METHODS)


def test_the_module_stays_small() -> None:
    """Private names stand in one module of at most 200 lines."""
    assert len(SOURCE.splitlines()) <= 200
