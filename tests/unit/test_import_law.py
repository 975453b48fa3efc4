"""The import law of the architecture, and one name for one class: held by reading every module's syntax tree."""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAMEL = re.compile(r"[A-Z]\w*[a-z]\w*")
# sandbox/stubs is a distribution of its own, with the names that an action imports.
MODULES = sorted(
    path for top in ("runtime", "sandbox") for path in (ROOT / top).rglob("*.py") if "stubs" not in path.parts
)

# The pure middle: value types of the standard library. A clock, a file, a process or a log is not one.
CORE_STDLIB = {
    "__future__",
    "base64",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "types",
    "typing",
    "urllib.parse",
}
# And words and values that the contract has in common with it; these modules import no more than the core may.
CORE_CONTRACT = ("sandbox.contract.policy_rule", "sandbox.contract.report", "sandbox.contract.vocabulary")
CORE_OWN = ("runtime.core", *CORE_CONTRACT)
GRPC = ("grpc", "grpc_health", "grpc_reflection", "grpc_status", "google.rpc")
HTTP = ("starlette", "uvicorn", "h11", "anyio")
# The rooms of each side, lowest first: a module imports its own room and lower ones, so that no arrow runs back up.
RUNTIME_ROOMS = (
    "errors", "findings", "core", "config", "ops", "catalog", "callers", "continuation", "workers", "login", "offline",
    "suites", "calls", "admin", "rpc", "doors", "reload", "key_files", "presence", "probes", "start_log", "daemon",
    "process", "supervisor", "doctor", "cli",
)  # fmt: skip
SANDBOX_ROOMS = ("contract", "reach", "language", "action", "inspection", "process", "authoring")
DAEMON_ONLY = (*GRPC, "runtime", "structlog", "prometheus_client", "uvloop", "pydantic", "yaml", "asyncio")


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """List every module that a tree imports, lazily or not, by full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            # `from runtime.core import mfa` imports runtime.core.mfa, `from typing import Any` only typing.
            if module.split(".")[0] in ("runtime", "sandbox"):
                names = [f"{module}.{alias.name}" for alias in node.names]
                for name in names:
                    path = ROOT / name.replace(".", "/")
                    yield name if path.is_dir() or path.with_suffix(".py").exists() else module
            else:
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names if module == "google")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Parse a module once for all tests."""
    return ast.parse(path.read_text(), str(path))


@functools.cache
def imports_of(path: Path) -> tuple[str, ...]:
    """List what a module imports, relative names in full."""
    module = name_of(path)
    return tuple(imports(tree_of(path), module if path.name == "__init__.py" else module.rpartition(".")[0]))


def within(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def runs_up(module: str, imported: str) -> bool:
    """Say whether an import within one side leads to a room above the importing one."""
    for top, rooms in (("runtime", RUNTIME_ROOMS), ("sandbox", SANDBOX_ROOMS)):
        if within(module, (top,)) and within(imported, (top,)) and "." in module and "." in imported:
            return rooms.index(imported.split(".")[1]) > rooms.index(module.split(".")[1])
    return False


def broken(module: str, imported: str) -> str | None:
    """Name the clause of the law that an import breaks, if it breaks one."""
    if within(module, ("runtime.core",)) and imported not in CORE_STDLIB and not within(imported, CORE_OWN):
        return "runtime.core imports only value types of the standard library"
    details = within(imported, ("google.rpc",)) and within(module, ("runtime.calls", "runtime.doors"))
    if within(imported, GRPC) and not details and not within(module, ("runtime.rpc",)):
        return "only runtime.rpc imports grpc, and only it, runtime.calls and runtime.doors google.rpc"
    if within(imported, HTTP) and not within(module, ("runtime.doors",)):
        return "only runtime.doors imports an HTTP library"
    if within(module, ("sandbox",)) and within(imported, DAEMON_ONLY):
        return "sandbox never imports the daemon or its libraries"
    if within(module, ("runtime",)) and within(imported, ("sandbox",)) and not within(imported, ("sandbox.contract",)):
        return "runtime imports nothing of sandbox but sandbox.contract"
    if runs_up(module, imported):
        return "a room imports lower rooms only"
    return None


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined(tree: ast.AST) -> Iterator[str]:
    """List the names that a tree defines: functions, classes, variables, and what it assigns to its own objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            yield from (
                slot.value
                for slot in ast.walk(node.value)
                if isinstance(slot, ast.Constant) and isinstance(slot.value, str)
            )
        elif isinstance(node, ast.Dict):  # what type() makes a class of
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def root(node: ast.expr) -> str:
    """Return the name that an expression such as `a.b(c)[d].e` begins with."""
    while not isinstance(node, ast.Name):
        inner = getattr(node, "value", getattr(node, "func", None))
        if not isinstance(inner, ast.expr):
            return ""
        node = inner
    return node.id


def foreign_privates(tree: ast.AST, ours: AbstractSet[str]) -> Iterator[str]:
    """List the private names of libraries that a tree uses.

    A private attribute is a library's if it is reached from an imported library, or if no module of ours defines it.
    """
    foreign: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "runtime" if isinstance(node, ast.ImportFrom) else ""
            if not within(module, ("runtime", "sandbox", "vestibule")):
                names = (alias.asname or alias.name.split(".")[0] for alias in node.names)
                foreign |= {name for name in names if name not in ("runtime", "sandbox", "vestibule")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if node.attr not in ours or root(node.value) in foreign:
                yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if any(map(is_private, alias.name.split("."))))
        elif isinstance(node, ast.ImportFrom) and not within(node.module or "runtime", ("runtime", "sandbox")):
            imported = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in imported if any(map(is_private, name.split("."))))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr", "delattr"):
            name = node.args[1]
            text = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
            if is_private(text) and text not in ours:
                yield ast.unparse(node)


@functools.cache
def ours() -> frozenset[str]:
    """Return every name that a module of ours defines."""
    return frozenset(name for path in MODULES for name in defined(tree_of(path)))


GATED = "runtime.rpc.fast_front"
"""The one module that may use private names of a library; it checks at the start that they are there and do the job."""
# Of the standard library, each with its reason.
ALLOWED = {
    "os._exit": "documented",
    "_string.formatter_field_name_split": "string.Formatter offers it only together with attribute access",
    "_string.formatter_parser": "the same",
    "kind._netmask_cache": "must be emptied between two logins, where a Python has it",
    "hasattr(kind, '_netmask_cache')": "the same",
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_private_names_of_libraries_stand_in_one_module(path: Path) -> None:
    """No module but the gated one uses a private name of a library."""
    found = set(foreign_privates(tree_of(path), ours())) - set(ALLOWED)
    assert bool(found) is (name_of(path) == GATED), found


@pytest.mark.parametrize(
    "source",
    [
        "import grpc._channel",
        "import grpc.aio._server",
        "from grpc._cython import cygrpc",
        "from grpc.aio import _server",
        "import grpc\n\ndef f(call):\n    return grpc.aio.insecure_channel('x')._channel",
        "from RestrictedPython import Guards\nGuards._write_wrapper",
        "from RestrictedPython.Guards import _write_wrapper",
        "def f(server):\n    return getattr(server, '_completion_queue')",
        "import structlog\nstructlog._config",
    ],
)
def test_the_law_finds_private_names(source: str) -> None:
    """The control: each way to a private name of a library is found."""
    assert list(foreign_privates(ast.parse(source), ours()))


def test_the_law_lets_our_own_private_names_be() -> None:
    """The other control: what a module defines for itself is not a library's."""
    source = (
        "class A:\n    __slots__ = ('_b',)\n    def _c(self, a):\n        self._d = a._b\n        return a._c(), a._d"
    )
    tree = ast.parse(source)
    assert not list(foreign_privates(tree, set(defined(tree))))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_obeys_the_import_law(path: Path) -> None:
    """Every module imports only what its zone may import."""
    faults = [f"{name}: {clause}" for name in imports_of(path) if (clause := broken(name_of(path), name))]
    assert faults == []


def test_the_contract_leads_to_nothing_that_runs_tenant_code() -> None:
    """What both sides share reaches nothing else of the sandbox, and no library that could run code."""
    found = {name for path in (ROOT / "sandbox" / "contract").rglob("*.py") for name in imports_of(path)}
    assert "sandbox.contract.values" in found
    assert not [name for name in found if within(name, ("sandbox",)) and not within(name, ("sandbox.contract",))]
    assert not [name for name in found if within(name, ("RestrictedPython", "socket", "ctypes", "subprocess"))]


@pytest.mark.parametrize("module", CORE_CONTRACT)
def test_the_contracts_values_lead_nowhere(module: str) -> None:
    """What the pure core may import of the contract imports value types of the standard library alone."""
    path = (ROOT / module.replace(".", "/")).with_suffix(".py")
    assert set(imports_of(path)) <= CORE_STDLIB


def test_no_two_modules_import_each_other() -> None:
    """The modules of both sides form no circle, however long."""
    after = {
        name_of(path): {name for name in imports_of(path) if within(name, ("runtime", "sandbox"))} - {name_of(path)}
        for path in MODULES
    }
    assert list(TopologicalSorter(after).static_order())


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("runtime.core.model", "import time"),
        ("runtime.core.model", "def f():\n    from runtime.errors import CatalogError"),
        ("runtime.core.model", "from ..errors import CatalogError"),
        ("runtime.core.model", "from sandbox.contract import surface"),
        ("runtime.login.engine", "import grpc.aio"),
        ("runtime.login.engine", "from google.rpc import error_details_pb2"),
        ("runtime.login.engine", "from google import rpc"),
        ("runtime.calls.status", "import grpc"),
        ("runtime.calls.status", "from starlette.requests import Request"),
        ("sandbox.process.worker", "from runtime.core import model"),
        ("sandbox.process.worker", "import structlog"),
        ("runtime.workers.pool", "from sandbox import worker"),
        ("runtime.workers.pool", "import sandbox.process.worker"),
    ],
)
def test_the_law_catches_what_it_forbids(module: str, source: str) -> None:
    """Each forbidden import is seen, also when it is relative or inside a function."""
    found = [broken(module, name) for name in imports(ast.parse(source), module.rpartition(".")[0])]
    assert any(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("runtime.core.mfa", "from runtime.core import policy\nfrom .model import Settings"),
        ("runtime.core.effects", "from sandbox.contract.vocabulary import SAML_MEMBERS"),
        ("runtime.rpc.server", "import grpc.aio"),
        ("runtime.calls.status", "from google.rpc import status_pb2"),
        ("runtime.workers.pool", "from sandbox.contract import surface\nfrom vestibule.worker.v1 import worker_pb2"),
        ("sandbox.process.worker", "from sandbox.action.event import Event\nimport RestrictedPython"),
    ],
)
def test_the_law_allows_what_it_allows(module: str, source: str) -> None:
    """The control: permitted imports pass the same check."""
    assert not any(broken(module, name) for name in imports(ast.parse(source), module.rpartition(".")[0]))


def classes(trees: Mapping[str, ast.Module]) -> Mapping[str, list[str]]:
    """List the modules that define each public class or alias of a type."""
    found: dict[str, list[str]] = {}
    for module, tree in trees.items():
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        targets = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
        names |= {node.id for node in targets if isinstance(node, ast.Name) and CAMEL.fullmatch(node.id)}
        for name in names:
            if not is_private(name):
                found.setdefault(name, []).append(module)
    return found


def test_a_class_has_its_name_for_itself() -> None:
    """A reader who searches for a class finds one; the control finds two."""
    found = classes({name_of(path): tree_of(path) for path in MODULES})
    assert len(found) > 100
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}
    twice = {"one": ast.parse("class Plan:\n    pass"), "two": ast.parse("Plan = tuple[int, str]")}
    assert classes(twice) == {"Plan": ["one", "two"]}
