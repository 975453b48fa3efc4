"""Read one YAML file into plain data, with the place of every value and every fault of its form.

It knows YAML: which subset is accepted and where things stand. It must not know what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from runtime.errors import Fault

Path = tuple[str | int, ...]

# The C parser where PyYAML has it: ten times faster. Only its events are used, never its constructors.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A definition nests five levels deep; the limit is there for hostile nesting.
_MAX_DEPTH = 16
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(slots=True)
class Document:
    """The value of a file, where each of its parts begins (1-based line and column), and what is wrong with its form.

    `broken` holds the paths whose values could not be read, so that nobody complains of them twice.
    """

    file: str
    value: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)

    def where(self, path: Path) -> str:
        """Name the place of a path, or of the nearest part around it, as `file:line:column`."""
        while path and path not in self.places:
            path = path[:-1]
        if path not in self.places:
            return self.file
        line, column = self.places[path]
        return f"{self.file}:{line}:{column}"

    def ordered(self) -> list[Fault]:
        """List the faults in the order of the file."""

        def place(fault: Fault) -> tuple[int, ...]:
            return tuple(int(part) for part in fault.where.removeprefix(self.file).split(":") if part)

        return sorted(self.faults, key=place)

    def fault(self, path: Path, message: str) -> None:
        """Note a fault at a path."""
        name = dotted(path)
        self.faults.append(Fault(self.where(path), f"{name}: {message}" if name else message))


def dotted(path: Path) -> str:
    """Write a path as its author would say it: `flows.post_login[2].action`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if part.isprintable() and len(part) <= 60 else f"{part[:60]!r}"
            text += f".{name}" if text else name
    return text


def parse(file: str, text: str) -> Document:
    """Read a document. Never raises for what the file holds: faults are in the result.

    Plain scalars follow YAML 1.2: only `true` and `false` are booleans, so `no` is text and `12:30` is too. Tags,
    anchors and aliases are refused: a tag asks for a constructor, aliases can blow a small file up.
    """
    document = Document(file)
    try:
        _Builder(document).feed(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else file
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "malformed"
        document.faults.append(Fault(where, f"not valid YAML: {problem}"))
        document.broken.add(())
    except UnicodeEncodeError as error:
        # The C parser wants UTF-8, and half a surrogate pair has none.
        line = text.count("\n", 0, error.start) + 1
        document.faults.append(Fault(f"{file}:{line}", "not valid YAML: half of a surrogate pair is not text"))
        document.broken.add(())
    return document


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is being read. `key` is the mapping key whose value comes next, with its place."""

    value: Any
    path: Path
    key: str | None = None
    key_mark: Any = None


class _Builder:
    """Builds plain data from parser events with a stack of its own, so that no input can exhaust ours."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._stack: list[_Open] = []
        self._documents = 0
        # Depth below a value that was refused: its parts are read and dropped.
        self._refused = 0

    def feed(self, events: Iterator[Any]) -> None:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._document.fault((), "holds several YAML documents; want one: remove the `---` line")
                    return
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(self._stack) + self._refused >= _MAX_DEPTH:
                    # Not read on: the parser takes quadratic time over what nests without end.
                    self._refuse(event, (), f"nested more than {_MAX_DEPTH} levels deep")
                    return
                self._begin(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                if self._refused:
                    self._refused -= 1
                else:
                    self._stack.pop()
            elif isinstance(event, yaml.AliasEvent):
                self._scalar(event, None, "aliases (`*name`) are not accepted; write the value out")
            elif isinstance(event, yaml.ScalarEvent):
                self._read(event)
        if not self._documents:
            self._document.fault((), "is empty")
            self._document.broken.add(())

    def _begin(self, event: Any, value: Any) -> None:
        if self._refused:
            self._refused += 1
            return
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._refuse(event, top.path, "a key must be text")
            top.key, top.key_mark = "", event.start_mark
            self._refused = 1
            return
        path = self._place(event)
        if path is None:
            self._refused = 1
            return
        problem = _form(event)
        if problem:
            self._refuse(event, path, problem)
            self._put(path, None)
            self._refused = 1
            return
        self._put(path, value)
        self._stack.append(_Open(value, path))

    def _read(self, event: Any) -> None:
        top = self._stack[-1] if self._stack else None
        if not self._refused and top is not None and isinstance(top.value, dict) and top.key is None:
            top.key, top.key_mark = event.value, event.start_mark
            problem = _form(event)
            if problem:
                self._refuse(event, top.path, problem)
            return
        plain = event.implicit[0]  # neither quoted nor a block
        self._scalar(event, _plain(event.value) if plain else event.value, _form(event))

    def _scalar(self, event: Any, value: Any, problem: str | None) -> None:
        if self._refused:
            return
        top = self._stack[-1] if self._stack else None
        if problem and top is not None and isinstance(top.value, dict) and top.key is None:
            self._refuse(event, top.path, problem)
            top.key, top.key_mark = "", event.start_mark
            return
        path = self._place(event)
        if path is None:
            return
        if problem:
            self._refuse(event, path, problem)
        self._put(path, None if problem else value)

    def _place(self, event: Any) -> Path | None:
        """Find the path of the value that begins here; None for the second value of a key."""
        mark = event.start_mark
        path: Path = ()
        if self._stack:
            top = self._stack[-1]
            if isinstance(top.value, list):
                path = (*top.path, len(top.value))
            else:
                key = top.key or ""
                path = (*top.path, key)
                mark = top.key_mark
                if key in top.value:
                    top.key = None
                    first = self._document.places[path][0]
                    where = f"{self._document.file}:{mark.line + 1}:{mark.column + 1}"
                    message = f"{dotted(path)}: the key is given twice, first on line {first}; keep one"
                    self._document.faults.append(Fault(where, message))
                    self._document.broken.add(path)
                    return None
        self._document.places[path] = (mark.line + 1, mark.column + 1)
        return path

    def _put(self, path: Path, value: Any) -> None:
        if not self._stack:
            self._document.value = value
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            top.value[path[-1]] = value
            top.key = None

    def _refuse(self, event: Any, path: Path, problem: str) -> None:
        mark = event.start_mark
        name = dotted(path)
        where = f"{self._document.file}:{mark.line + 1}:{mark.column + 1}"
        self._document.faults.append(Fault(where, f"{name}: {problem}" if name else problem))
        self._document.broken.add(path)


def _form(event: Any) -> str | None:
    if event.tag is not None:
        return f"YAML tags are not accepted (here {event.tag[:60]!r}); write the plain value"
    if event.anchor is not None:
        return "anchors (`&name`) are not accepted; write the value where it is used"
    return None


def _plain(text: str) -> Any:
    lowered = text.lower() if len(text) <= 5 else text
    if lowered in _WORDS:
        return _WORDS[lowered]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
