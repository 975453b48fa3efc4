"""The shared files of a tenant, as the compiler knows them: what each imports and binds, and what is wrong with that.

Knows imports. Must not know how a file is rewritten or run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.contract.bundle import PACKAGE, file_of
from sandbox.contract.did_you_mean import did_you_mean
from sandbox.contract.wire import MAX_SOURCE_BYTES
from sandbox.language import refusals

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_shared(module: str) -> bool:
    """Tell whether an import is of a shared file, or of the package of them."""
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


class SharedSources:
    """The shared files of one tenant. `modules` has what can be had from each, by dotted name."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        trees = {name: _tree(source) for name, source in files.items()}
        self._imports = {name: list(_imports(tree)) for name, tree in trees.items()}
        self.modules: dict[str, frozenset[str]] = {
            f"{PACKAGE}.{name}": _bound(tree) for name, tree in trees.items() if tree is not None
        }
        self.modules[PACKAGE] = frozenset(files)
        self._unread = {f"{PACKAGE}.{name}" for name, tree in trees.items() if tree is None}

    def needed(self, source: str) -> list[str]:
        """Name the files that a source needs, those that they need included, each before what imports it."""
        order: list[str] = []
        self._visit([name for _, name in _imports(_tree(source))], order, set())
        return order

    def _visit(self, names: list[str], order: list[str], met: set[str]) -> None:
        for name in names:
            if name in self.files and name not in met:
                met.add(name)
                self._visit([found for _, found in self._imports[name]], order, met)
                order.append(name)

    def fault(self, module: str, member: str | None) -> str:
        """Say why an import of a shared file cannot succeed; nothing if it can."""
        package, _, name = module.partition(".")
        if package == module:
            if member is None:
                return refusals.PACKAGE_ALONE
            name = member
        if name and name not in self.files:
            if not self.files:
                return refusals.NO_SHARED.format(file=file_of(name))
            return refusals.NO_SHARED_FILE.format(file=file_of(name)) + did_you_mean(name, self.files)
        if package == module or member is None or module in self._unread or member in self.modules[module]:
            return ""
        return refusals.NO_SHARED_NAME.format(file=file_of(name), name=member) + did_you_mean(
            member, self.modules[module]
        )

    def cycles(self, name: str) -> Iterator[tuple[Any, str]]:
        """Yield each import by which a file reaches itself, with what is wrong with it."""
        for node, imported in self._imports[name]:
            way = self._way(imported, name)
            if imported == name:
                yield node, refusals.IMPORTS_ITSELF.format(file=file_of(name))
            elif way:
                yield node, refusals.IMPORTS_IN_A_CIRCLE.format(way=" -> ".join(map(file_of, (name, *way))))

    def _way(self, start: str, end: str) -> list[str]:
        """Return the files by which one leads to another, both included; none where it does not."""
        todo = [[start]]
        met = {start}
        for way in todo:
            if way[-1] == end:
                return way
            for _, name in self._imports.get(way[-1], ()):
                if name not in met:
                    met.add(name)
                    todo.append([*way, name])
        return []


NO_FILES: Final = SharedSources({})


def _tree(source: str) -> ast.Module | None:
    """Parse a source; None for what the compiler refuses anyway, in its own words."""
    if len(source) > MAX_SOURCE_BYTES:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
            return None


def _imports(tree: ast.Module | None) -> Iterator[tuple[Any, str]]:
    """Yield each import of a shared file, wherever it stands, and the file's name."""
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                package, _, name = alias.name.partition(".")
                if package == PACKAGE and name:
                    yield node, name
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            package, _, name = node.module.partition(".")
            if package == PACKAGE:
                yield from ((node, name) for name in ([name] if name else [alias.name for alias in node.names]))


def _bound(tree: ast.Module) -> frozenset[str]:
    """Return the names that a module binds, in no function of it."""
    names = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    todo: list[ast.AST] = [*tree.body]
    while todo:
        node = todo.pop()
        if isinstance(node, _FUNCTIONS):
            names.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name is not None:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest is not None:
            names.add(node.rest)
        if not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return frozenset(name for name in names if name[:1] != "_")
