"""The shared files of a tenant as an action imports them: each is run once in an execution, in globals of its own.

Knows how a file is found and run. Must not know how files are compiled. Nothing of a file outlives the execution that
imported it: only the guards in that execution's globals lead to it.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from sandbox.contract.bundle import PACKAGE, file_of
from sandbox.contract.did_you_mean import did_you_mean
from sandbox.reach import guards
from sandbox.reach.attributes import guarded_getattr
from sandbox.reach.registry import find_module
from sandbox.reach.shared_file import SharedFile

Files = tuple[tuple[str, CodeType], ...]
"""Code by name."""


class Importer:
    """The imports of one execution: shared files from here, everything else as without them."""

    __slots__ = ("_codes", "_fresh", "_loaded", "_loading")

    def __init__(self, files: Files, fresh: dict[str, Any]) -> None:
        """Begin with nothing loaded; `fresh` is what every file's globals begin with."""
        self._codes = dict(files)
        self._fresh = fresh
        self._loaded: dict[str, Any] = {}
        self._loading: set[str] = set()

    def namespace(self) -> dict[str, Any]:
        """Return fresh globals, whose imports come here."""
        return {**self._fresh, "_import_": self._find, "_import_from_": self._find_from}

    def _find(self, name: str) -> Any:
        """Answer what `import name` binds."""
        package, _, file = name.partition(".")
        if package != PACKAGE:
            return find_module(name)
        return self._load(file) if file else SharedFile(PACKAGE, self._loaded)

    def _find_from(self, name: str, member: str) -> Any:
        """Answer what `from name import member` binds."""
        package, _, file = name.partition(".")
        if package != PACKAGE:
            return guards.guarded_import_from(name, member)
        if not file:
            return self._load(member)
        try:
            return guarded_getattr(self._load(file), member)
        except AttributeError as error:
            raise ImportError(f"cannot import {member[:100]!r} from {name!r}: {error}", name=name) from None

    def _load(self, name: str) -> Any:
        if name in self._loaded:
            return self._loaded[name]
        code = self._codes.get(name)
        if code is None:
            near = did_you_mean(name, self._codes)
            raise ModuleNotFoundError(f"there is no file {file_of(name[:64])}{near}", name=f"{PACKAGE}.{name[:64]}")
        if name in self._loading:
            raise ImportError(f"{file_of(name)} imports itself", name=f"{PACKAGE}.{name}")
        namespace = self.namespace()
        self._loading.add(name)
        try:
            exec(code, namespace)  # noqa: S102 - code of the action's own tenant, compiled by the same rules
        finally:
            self._loading.discard(name)
        loaded = self._loaded[name] = SharedFile(f"{PACKAGE}.{name}", namespace)
        return loaded
