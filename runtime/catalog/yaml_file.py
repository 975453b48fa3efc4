"""Read one YAML file into plain data, with the place of every value and every fault of its form.

PyYAML composes the nodes. Turning them into values stays ours: its constructors read YAML 1.1, keep the last of two
equal keys, and follow tags. What the keys mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import yaml

from runtime.errors import Fault

Path = tuple[str | int, ...]

# The C parser where PyYAML has it: ten times faster.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A definition nests five levels deep; the limit is there for hostile nesting.
_MAX_DEPTH: Final = 16
# With aliases a small file can stand for a large value.
_MAX_VALUES: Final = 200_000
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]{1,3})?")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Document:
    """The value of a file, where each of its parts begins (1-based line and column), and what is wrong with its form.

    `broken` holds the paths whose values could not be read, so that nothing complains of them twice.
    """

    file: str
    value: Any
    places: Mapping[Path, tuple[int, int]]
    faults: Sequence[Fault]
    broken: Set[Path]

    def where(self, path: Path) -> str:
        """Name the place of a path, or of the nearest part around it, as `file:line:column`."""
        while path and path not in self.places:
            path = path[:-1]
        if path not in self.places:
            return self.file
        line, column = self.places[path]
        return f"{self.file}:{line}:{column}"

    def ordered(self, more: Iterable[Fault] = ()) -> list[Fault]:
        """List the faults, with more of the same file, in the order of the file."""

        def place(fault: Fault) -> tuple[int, ...]:
            return tuple(int(part) for part in fault.where.removeprefix(self.file).split(":") if part)

        return sorted([*self.faults, *more], key=place)

    def fault(self, path: Path, message: str) -> Fault:
        """Say what is wrong at a path."""
        return _fault(self.where(path), path, message)


def _fault(where: str, path: Path, message: str) -> Fault:
    name = dotted(path)
    return Fault(where, f"{name}: {message}" if name else message)


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


def parse(file: str, text: str, *, aliases: bool = False) -> Document:
    """Read a document. Never raises for what the file holds: faults are in the result.

    Plain scalars follow YAML 1.2: only `true` and `false` are booleans, so `no` is text and `12:30` is too. Tags are
    refused, because a tag asks for a constructor, and so are anchors and aliases, unless `aliases` allows them: they
    can blow a small file up. Where they are allowed, the values of the whole document are counted.
    """
    reader = _Reader(file)
    value = None
    try:
        composer = _Composer(text, aliases=aliases)
        if not composer.check_node():
            raise _Unreadable(problem="is empty")
        root: Any = composer.get_node()
        value = reader.value((), root, root.start_mark, composer.refused)
        if composer.check_node():
            raise _Unreadable(problem="holds several YAML documents; want one: remove the `---` line")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "malformed"
        tabs = _tabs(text)
        if mark is not None and mark.line + 1 in tabs:
            reader.broken.add(())
            reader.faults += [Fault(f"{file}:{line}:1", "YAML is not indented by tabs; write spaces") for line in tabs]
        else:
            prefix = "" if isinstance(error, _Unreadable) else "not valid YAML: "
            reader.refuse((), mark, prefix + problem)
    except UnicodeEncodeError as error:
        # The C parser wants UTF-8, and half a surrogate pair has none.
        line = text.count("\n", 0, error.start) + 1
        reader.faults.append(Fault(f"{file}:{line}", "not valid YAML: half of a surrogate pair is not text"))
        reader.broken.add(())
    return Document(file, value, reader.places, reader.faults, reader.broken)


def _tabs(text: str) -> list[int]:
    """Return the first hundred lines that begin with a tab, perhaps behind spaces."""
    lines = [at for at, line in enumerate(text.split("\n"), 1) if line.lstrip(" ").startswith("\t") and line.strip()]
    return lines[:100]


class _Unreadable(yaml.MarkedYAMLError):
    """The document is refused whole, though it is YAML."""


class _Composer(yaml.composer.Composer, _LOADER):  # type: ignore[misc]  # a parser in C where there is one
    """PyYAML's composer on its parser, bounded in depth: what nests without end takes the parser quadratic time.

    `refused` says what is wrong with the form of a node. An alias that is refused is a node of its own.
    """

    def __init__(self, text: str, *, aliases: bool) -> None:
        _LOADER.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        self._aliases = aliases
        self.refused: dict[yaml.Node, str] = {}
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            if self._aliases:
                return super().compose_node(parent, index)
            self.get_event()
            alias = yaml.ScalarNode("", "", mark)
            self.refused[alias] = "aliases (`*name`) are not accepted; write the value out"
            return alias
        if self._depth > _MAX_DEPTH:
            raise _Unreadable(problem=f"nested more than {_MAX_DEPTH} levels deep", problem_mark=mark)
        problem = None
        if event.tag is not None:
            problem = f"YAML tags are not accepted (here {event.tag[:60]!r}); write the plain value"
        elif event.anchor is not None and not self._aliases:
            problem = "anchors (`&name`) are not accepted; write the value where it is used"
        if not self._aliases:
            event.anchor = None
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if problem and node is not None:
            self.refused[node] = problem
        return node


class _Reader:
    """Turns nodes into plain data, and collects places and faults. The composer has bounded the recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.places: dict[Path, tuple[int, int]] = {}
        self.faults: list[Fault] = []
        self.broken: set[Path] = set()

    def value(self, path: Path, node: Any, mark: Any, refused: Mapping[yaml.Node, str]) -> Any:
        """Return the value of a node; None when its form is refused. `mark` is where it begins."""
        if len(path) > _MAX_DEPTH + 1 or len(self.places) > _MAX_VALUES:
            raise _Unreadable(problem="aliases make it too deep or too large; write the values out", problem_mark=mark)
        self.places[path] = (mark.line + 1, mark.column + 1)
        if problem := refused.get(node):
            return self.refuse(path, node.start_mark, problem)
        if isinstance(node, yaml.SequenceNode):
            return [self.value((*path, at), item, item.start_mark, refused) for at, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            # Quoted and block scalars have a style, and are text.
            return node.value if node.style else _plain(node.value)
        found: dict[str, Any] = {}
        for key, value in node.value:
            problem = refused.get(key)
            at = (*path, key.value)
            if problem or not isinstance(key, yaml.ScalarNode):
                self.refuse(path, key.start_mark, problem or "a key must be text")
            elif key.value in found:
                self.refuse(at, key.start_mark, f"the key is given twice, first on line {self.places[at][0]}; keep one")
            else:
                found[key.value] = self.value(at, value, key.start_mark, refused)
        return found

    def refuse(self, path: Path, mark: Any, problem: str) -> None:
        """Note what is wrong with the form of a value."""
        where = f"{self._file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else self._file
        self.faults.append(_fault(where, path, problem))
        self.broken.add(path)


def _plain(text: str) -> Any:
    lowered = text.lower() if len(text) <= 5 else text
    if lowered in _WORDS:
        return _WORDS[lowered]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
