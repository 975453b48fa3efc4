"""A shared file that has run, as an action sees it: the names that it binds, to be read and not written."""

from __future__ import annotations

from typing import Any, ClassVar

from sandbox.contract.did_you_mean import did_you_mean


class SharedFile:
    """`lib.NAME`, or `lib` itself. Names that begin with an underscore are the file's own, and its guards."""

    __slots__ = ("_name", "_names")
    _read_only_: ClassVar[str] = "what a shared file binds is changed by the file alone: give it a function that does"

    _name: str
    _names: dict[str, Any]

    def __init__(self, name: str, names: dict[str, Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_names", names)

    def _read_(self, name: str) -> Any:
        """Return what the file binds to a name. Raises: AttributeError."""
        if name[:1] != "_" and name in self._names:
            return self._names[name]
        known = [found for found in self._names if found[:1] != "_"]
        raise AttributeError(f"{self._name} has no name '{name[:64]}'{did_you_mean(name, known)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(self._read_only_)

    def __repr__(self) -> str:
        return f"<module '{self._name}'>"
