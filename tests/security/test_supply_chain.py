"""What Vestibule is made of: packages that are pinned and hashed, and a language policy that somebody has read."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import RestrictedPython.transformer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sandbox.language import compiler, nodes, rewrite
from sandbox.language.nodes import ALLOWED, LEAVES
from sandbox.language.rewrite import Statements

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "deploy" / "requirements"

REVIEWED = "9.0"
"""The release of RestrictedPython whose policy has been read against `sandbox.language.expressions`."""

REVIEWED_SHA256 = "7ede33982186240d805dffc661d7c2e79e1c14578e4f3b72b399b0cdd5248cb2"
"""Of its transformer.py, the one module of it that Vestibule runs."""

INHERITED = {ast.Pass}
"""Node types that RestrictedPython's own visitors see; all others have one of ours."""

OURS = {"vestibule-proto"}
"""Distributions of this repository, which no lock has."""

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.*?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)

# Syntax that 3.12 and 3.13 have brought, and what is on its way: t-strings, lazy imports, unpacking comprehensions.
NEW_SYNTAX = (
    "type X = int",
    "type X[T] = list[T]",
    "def f[T](x: T): pass",
    "def f[T: (int, str)](x): pass",
    "def f[T = int](x): pass",
    "def f[*Ts, **P](x): pass",
    "class A[T]: pass",
    "try:\n    pass\nexcept* ValueError:\n    pass",
    "match 1:\n    case int(x):\n        pass",
    "t'{1}'",
    "lazy import json",
    "lazy from json import loads",
    "[*x for x in [[1]]]",
    "{**x for x in [{}]}",
)


def pins(lock: str) -> dict[str, str]:
    """Read the packages that a lock pins, by canonical name."""
    text = (LOCKS / lock).read_text(encoding="utf-8")
    return {str(canonicalize_name(name)): version for name, version, _, _ in _PIN.findall(text)}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def test_reviewed_release_of_restrictedpython_is_in_use() -> None:
    """The RestrictedPython that is installed, and the one that is pinned, is the one that has been reviewed."""
    assert importlib.metadata.version("RestrictedPython") == REVIEWED
    assert pins("run.txt")["restrictedpython"] == REVIEWED
    source = Path(RestrictedPython.transformer.__file__).read_bytes()
    assert hashlib.sha256(source).hexdigest() == REVIEWED_SHA256


def test_only_reviewed_visitors_are_inherited() -> None:
    """RestrictedPython decides about no node type but those listed here."""
    inherited = {
        kind for kind, visitor in Statements.visitors.items() if visitor.__module__.startswith("RestrictedPython")
    }
    assert inherited == INHERITED
    assert Statements.visitors.keys() == set(ALLOWED)


def concrete(base: type[ast.AST]) -> set[type[ast.AST]]:
    """Answer all node types of this Python that a parser can make."""
    below = set(itertools.chain.from_iterable(concrete(kind) for kind in base.__subclasses__()))
    return below or {base}


# ast.Num and ast.Index with their like are names of the past; the parser makes none.
KINDS = sorted(
    (
        kind
        for base in ast.AST.__subclasses__()
        for kind in concrete(base)
        if kind.__module__ in ("ast", "_ast") and not issubclass(kind, ast.Constant | ast.slice)
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LEAVES | set(ALLOWED)])
def test_node_types_off_the_list_are_refused(kind: type[ast.AST]) -> None:
    """Each node type of this Python that is not on the allow-list is refused as soon as it is met."""
    policy = Statements()
    policy.visit(blank(kind))
    assert policy.faults


def blank(kind: type[ast.AST]) -> ast.AST:
    node = kind.__new__(kind)
    for field in ("name", "rest"):
        if field in kind._fields:
            setattr(node, field, "x")
    for field in ("items", "cases", "body", "patterns", "handlers", "orelse", "finalbody"):
        if field in kind._fields:
            setattr(node, field, [])
    node.lineno, node.col_offset = 1, 0  # type: ignore[attr-defined]  # any node has them
    return node


class Teleport(ast.expr):
    """An expression of a Python to come."""

    _fields = ("value",)
    value: ast.expr

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)


class Assign(ast.Assign):
    """A statement that only looks like a known one: a subclass, of the same name."""


@pytest.mark.parametrize("place", ["statement", "expression", "subclass"])
def test_node_type_of_a_python_to_come_is_refused(place: str) -> None:
    """An unknown node type is refused wherever it stands, and so is a subclass of a known one."""
    assert faults_of(place, known=False)


@pytest.mark.parametrize("place", ["statement", "expression", "subclass"])
def test_control_known_node_types_pass(place: str) -> None:
    """Control: the same programs pass with nodes that are known in the same places."""
    assert not faults_of(place, known=True)


def faults_of(place: str, *, known: bool) -> list[tuple[Any, str, str]]:
    tree = ast.parse("def on_execute_post_login(event, api):\n    x = 1\n    return [x, x]\n")
    body: Any = tree.body[0].body  # type: ignore[attr-defined]  # a function, by what was parsed
    at = body[0]
    if place == "statement":
        body.append(ast.copy_location(ast.Pass() if known else Teleport(), at))
    elif place == "expression":
        value = ast.copy_location(ast.Constant(value=1), at)
        body[1].value.elts[0] = value if known else ast.copy_location(Teleport(value=value), at)
    elif not known:
        body[0] = ast.copy_location(Assign(targets=at.targets, value=at.value), at)
    policy = Statements()
    policy.run(tree)
    return policy.faults


@pytest.mark.parametrize("kind", ALLOWED + nodes.PARTS)
def test_fields_of_allowed_node_types_are_reviewed(kind: type[ast.AST]) -> None:
    """An allowed node type has no field, in this Python, that the visitors were not written for."""
    assert nodes.unreviewed(kind) == ()


def test_field_of_a_python_to_come_is_refused() -> None:
    """A known node in which a new field says something is refused; where it says nothing, it is what it was."""

    class Lazy(ast.Pass):
        _fields = ("is_lazy",)
        _field_types = {"is_lazy": int}  # noqa: RUF012  3.13 asks for it

        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)

    assert nodes.unreviewed(Lazy) == ("is_lazy",)
    visitor = rewrite.refuse_fields(Statements.visitors[ast.Pass], nodes.unreviewed(Lazy))
    for said in (0, 1):
        policy = Statements()
        node = Lazy(is_lazy=said, lineno=1, col_offset=0)
        visitor(policy, node)
        assert len(policy.faults) == said


@pytest.mark.parametrize("source", NEW_SYNTAX)
def test_new_syntax_is_refused(source: str) -> None:
    """What 3.12, 3.13 and later add to the language is refused: as unknown by an older parser, by the policy else."""
    assert compiler.check(f"{source}\ndef on_execute_post_login(event, api):\n    pass\n")


def test_control_plain_syntax_passes() -> None:
    """Control: what the new syntax stands in front of is a good action."""
    assert not compiler.check("x = int\ndef on_execute_post_login(event, api):\n    pass\n")


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "tools.txt"])
def test_every_pin_has_hashes(lock: str) -> None:
    """A lock holds nothing but exact versions with hashes: no address, no option, no range."""
    text = (LOCKS / lock).read_text(encoding="utf-8")
    rest = _PIN.sub("", text)
    assert pins(lock)
    assert [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")] == []


def test_locks_satisfy_the_project() -> None:
    """All that pyproject.toml asks for is pinned as it asks; run `make lock` after a change there."""
    wanted = {
        "run.txt": project()["dependencies"],
        "dev.txt": project()["dependencies"] + project()["optional-dependencies"]["dev"],
    }
    for lock, lines in wanted.items():
        pinned = pins(lock)
        for requirement in map(Requirement, lines):
            if requirement.name in OURS:
                continue
            version = pinned.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement} is not in {lock}: make lock"
            assert requirement.specifier.contains(version), f"{requirement}, {lock} has {version}: make lock"


def test_tests_run_with_what_is_deployed() -> None:
    """The versions that are tested are those that are deployed, in the lock and in this process."""
    deployed = pins("run.txt")
    assert deployed.items() <= pins("dev.txt").items()
    installed = {name: importlib.metadata.version(name) for name in deployed}
    assert installed == deployed


def test_audit_says_so_where_no_database_answers(tmp_path: Path) -> None:
    """A database that does not know what everybody knows is not believed: NOT AUDITED, and no failure."""
    result = audit(tmp_path, '{"dependencies": [{"name": "restrictedpython", "version": "6.0", "vulns": []}]}')
    assert (result.returncode, "NOT AUDITED" in result.stdout) == (0, True)
    required = audit(tmp_path, "gone", AUDIT_REQUIRED="1")
    assert (required.returncode, "NOT AUDITED" in required.stdout) == (2, True)


def test_audit_fails_of_a_vulnerability(tmp_path: Path) -> None:
    """A pin that a believable database knows a vulnerability of fails the audit, by name."""
    known = (
        '{"name": "restrictedpython", "version": "6.0", "vulns": [{"id": "CVE-2023-37271", "fix_versions": ["6.1"]}]}'
    )
    result = audit(tmp_path, '{"dependencies": [' + known + "]}")
    assert result.returncode == 1
    assert "restrictedpython 6.0: CVE-2023-37271, fixed by 6.1" in result.stdout


def test_bill_of_materials_says_who_needs_what(tmp_path: Path) -> None:
    """Every package of the lock is reached from the project by its graph, by the lock's own account of who asked."""
    bill = sbom(tmp_path, [*pins("run.txt")])
    names = {component["bom-ref"]: component["name"] for component in bill["components"]}
    graph = {node["ref"]: node.get("dependsOn", []) for node in bill["dependencies"]}
    assert set(graph) == {*names, "root"}
    table = tomllib.loads((ROOT / "proto/python/pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project()["dependencies"] + table["dependencies"]
    wanted = {str(canonicalize_name(Requirement(line).name)) for line in asked} - OURS
    assert {names[reference] for reference in graph["root"]} == wanted
    reached, ahead = set(), ["root"]
    while ahead:
        at = ahead.pop()
        reached.add(at)
        ahead += [reference for reference in graph[at] if reference not in reached]
    assert reached == set(graph)


def test_bill_of_materials_fails_of_a_package_it_has_not(tmp_path: Path) -> None:
    """Control: a bill without one of the lock's packages is not written, and the package is named."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        sbom(tmp_path, [name for name in pins("run.txt") if name != "protobuf"])
    assert "protobuf" in caught.value.stderr


def sbom(folder: Path, names: list[str]) -> dict[str, Any]:
    """Run `deploy/sbom` with a stand-in for its generator, which knows these packages and no graph."""
    components = [{"bom-ref": f"ref-{name}", "name": name} for name in names]
    bill = {"metadata": {"component": {"bom-ref": "root"}}, "components": components, "dependencies": []}
    fake, output = folder / "cyclonedx-py", folder / "bill.json"
    fake.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(bill))})\n", encoding="utf-8")
    fake.chmod(0o755)
    command = [sys.executable, str(ROOT / "deploy" / "sbom"), str(fake), "pyproject.toml", str(LOCKS / "run.txt")]
    subprocess.run([*command, str(output)], capture_output=True, text=True, check=True, timeout=60)
    made: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return made


def audit(folder: Path, answer: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `deploy/audit` with a stand-in for pip-audit that always gives one answer."""
    fake = folder / "pip-audit"
    fake.write_text(f"#!{sys.executable}\nprint({answer!r})\n", encoding="utf-8")
    fake.chmod(0o755)
    command = [sys.executable, str(ROOT / "deploy" / "audit"), str(fake), "run.txt"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=60)
