"""`re` on RE2: Python's spelling, a linear-time engine, nothing kept between two executions.

Knows how a pattern of Python's differs from one of RE2's.

Limits, for authors: no look-around and no back references (they need a backtracking engine, which an attacker's text
can stall); `\\b` knows ASCII letters only; `$` means the very end of the text unless MULTILINE is set (Python's also
accepts a newline there, which has let `admin\\n` through many a check); at most 1000 repetitions of a counted group.
Two corners differ: a group repeated like `(b|)+` keeps its last match that is not empty, and `findall` of a lazy
pattern that can match nothing, `a*?`, finds nothing only.
"""

from __future__ import annotations

import re as real
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, NoReturn, cast

import re2

from sandbox.reach.facades.base import Module, exception, module, names
from sandbox.reach.facades.context import CURRENT
from sandbox.reach.facades.pattern_syntax import (
    FLAGS,
    LINEAR,
    A,
    I,
    M,
    PatternError,
    S,
    Translator,
    U,
    X,
    template_pieces,
)

_PATTERN_CHARS: Final = 8192
_MEMORY_BYTES: Final = 2 << 20
"""Of one compiled pattern and its automaton; over it, RE2 refuses the pattern or runs slower, still in linear time."""

_PATTERNS_MAX: Final = 100
"""Compiled patterns an execution keeps at hand; more are compiled anew."""


def _options(flags: int, *, binary: bool) -> Any:
    options = re2.Options()
    options.log_errors = False  # RE2 would write to the process's stderr
    options.max_mem = _MEMORY_BYTES
    if binary:
        options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not flags & I
    options.dot_nl = bool(flags & S)
    return options


class Match:
    """Where a pattern matched."""

    __slots__ = ("_found", "endpos", "pos", "re", "string")
    _exposed_: ClassVar[frozenset[str]] = names(
        "end endpos expand group groupdict groups lastgroup lastindex pos re span start string"
    )

    _found: Any
    re: Pattern
    string: Any
    pos: int
    endpos: int

    def __new__(cls) -> NoReturn:
        raise TypeError("a Match is made by matching")

    def group(self, *groups: Any) -> Any:
        """Return what a group matched, None if it took no part; the whole match without arguments."""
        return self._found.group(*[self._number(group) for group in groups])

    __iter__ = None  # a Match is read by group, not walked

    def __getitem__(self, group: Any) -> Any:
        return self._found.group(self._number(group))

    def groups(self, default: Any = None) -> tuple[Any, ...]:
        """Return what all groups matched."""
        return cast("tuple[Any, ...]", self._found.groups(default))

    def groupdict(self, default: Any = None) -> dict[str, Any]:
        """Return what the named groups matched."""
        return {name: default if (got := self[name]) is None else got for name in self.re.groupindex}

    def start(self, group: Any = 0) -> int:
        """Return where a group begins, -1 if it took no part."""
        return self.span(group)[0]

    def end(self, group: Any = 0) -> int:
        """Return where a group ends, -1 if it took no part."""
        return self.span(group)[1]

    def span(self, group: Any = 0) -> tuple[int, int]:
        """Return where a group begins and ends."""
        return cast("tuple[int, int]", self._found.span(self._number(group)))

    def expand(self, template: Any) -> Any:
        """Fill the groups of the match into a template."""
        return _expand(self.re.template(template), self)

    @property
    def lastindex(self) -> int | None:
        """The number of the last group that matched."""
        return cast("int | None", self._found.lastindex)

    @property
    def lastgroup(self) -> str | None:
        """The name of the last group that matched."""
        last = self.lastindex
        return next((name for name, index in self.re.groupindex.items() if index == last), None)

    def _number(self, group: Any) -> int:
        if type(group) is str and group in self.re.groupindex:
            return self.re.groupindex[group]
        if type(group) is int and 0 <= group <= self.re.groups:
            return group
        raise IndexError("no such group")

    def __repr__(self) -> str:
        return f"<re.Match object; span={self.span()}, match={self.group()!r}>"


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_engine", "flags", "groupindex", "groups", "pattern")
    _exposed_: ClassVar[frozenset[str]] = names(
        "findall finditer flags fullmatch groupindex groups match pattern search split sub subn"
    )

    _engine: Any
    pattern: Any
    flags: int
    groups: int
    groupindex: dict[str, int]

    def __new__(cls) -> NoReturn:
        raise TypeError("a Pattern is made by re.compile()")

    def search(self, string: Any, pos: int = 0, endpos: int | None = None) -> Match | None:
        """Find the first match anywhere in a text."""
        return self._match(self._engine.search(self._checked(string), pos, endpos), string, pos, endpos)

    def match(self, string: Any, pos: int = 0, endpos: int | None = None) -> Match | None:
        """Match at the beginning of a text."""
        return self._match(self._engine.match(self._checked(string), pos, endpos), string, pos, endpos)

    def fullmatch(self, string: Any, pos: int = 0, endpos: int | None = None) -> Match | None:
        """Match the whole of a text."""
        return self._match(self._engine.fullmatch(self._checked(string), pos, endpos), string, pos, endpos)

    def finditer(self, string: Any, pos: int = 0, endpos: int | None = None) -> Iterator[Match]:
        """Return every match, one after the other."""
        found = list(self._engine.finditer(self._checked(string), pos, endpos))
        return iter([cast("Match", self._match(one, string, pos, endpos)) for one in found])

    def findall(self, string: Any, pos: int = 0, endpos: int | None = None) -> list[Any]:
        """Return what every match, or its groups, matched."""
        return cast("list[Any]", self._engine.findall(self._checked(string), pos, endpos))

    def split(self, string: Any, maxsplit: int = 0) -> list[Any]:
        """Split a text where the pattern matches."""
        return cast("list[Any]", self._engine.split(self._checked(string), maxsplit))

    def sub(self, repl: Any, string: Any, count: int = 0) -> Any:
        """Replace what matches by a template, or by what a function of the match returns."""
        return self.subn(repl, string, count)[0]

    def subn(self, repl: Any, string: Any, count: int = 0) -> tuple[Any, int]:
        """Replace as `sub`, and count."""
        template = None if callable(repl) else self.template(repl)
        kind = type(self._checked(string))
        parts: list[Any] = []
        end = made = 0
        for match in self.finditer(string):
            if count and made >= count:
                break
            start, stop = match.span()
            written = _expand(template, match) if template is not None else repl(match)
            if type(written) is not kind:
                raise TypeError(f"the replacement must be {kind.__name__}, not {type(written).__name__}")
            parts += (string[end:start], written)
            end = stop
            made += 1
        parts.append(string[end:])
        return kind().join(parts), made

    def template(self, template: Any) -> list[Any]:
        """Read a replacement template. Not open to actions."""
        return template_pieces(template, type(self.pattern), self.groups, self.groupindex)

    def _checked(self, string: Any) -> Any:
        # Exact types: the engine encodes the text, and a subclass could answer with something else.
        if type(string) is not type(self.pattern):
            raise TypeError(f"expected {type(self.pattern).__name__} to match, got {type(string).__name__}")
        return string

    def _match(self, found: Any, string: Any, pos: int, endpos: int | None) -> Match | None:
        if found is None:
            return None
        made: Match = object.__new__(cast("type[Match]", Match))
        made._found = found
        made.re = self
        made.string = string
        made.pos = min(max(pos, 0), len(string))
        made.endpos = len(string) if endpos is None else min(max(endpos, 0), len(string))
        return made

    def __repr__(self) -> str:
        return f"re.compile({self.pattern!r})"


def _expand(template: list[Any], match: Match) -> Any:
    empty = type(match.string)()
    pieces = [(match.group(piece) or empty) if type(piece) is int else piece for piece in template]
    return empty.join(pieces)


def compile(pattern: Any, flags: int = 0) -> Pattern:
    """Compile a pattern; the same one is compiled once in an execution."""
    if type(pattern) is Pattern:
        if flags:
            raise ValueError("cannot process flags argument with a compiled pattern")
        return cast("Pattern", pattern)
    if type(pattern) not in (str, bytes):
        raise TypeError(f"a pattern must be str or bytes, not {type(pattern).__name__}")
    if type(flags) is not int or flags & ~FLAGS:
        raise ValueError("unknown flags; there are re.ASCII, DOTALL, IGNORECASE, MULTILINE and VERBOSE")
    known = CURRENT.patterns.get((pattern, flags))
    if known is None:
        known = _compile(pattern, flags)
        if len(CURRENT.patterns) < _PATTERNS_MAX:
            CURRENT.patterns[pattern, flags] = known
    return cast("Pattern", known)


_LETTERS: Final = {"a": A, "i": I, "m": M, "s": S, "u": U, "x": X}
_LEADING: Final = real.compile(r"\(\?([aimsux]+)\)")


def _compile(pattern: str | bytes, flags: int) -> Pattern:
    if len(pattern) > _PATTERN_CHARS:
        raise PatternError(f"the pattern has more than {_PATTERN_CHARS} characters")
    binary = isinstance(pattern, bytes)
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    leading = _LEADING.match(text)
    if leading is not None:
        # What stands for the whole pattern is a flag like any other; RE2 has no (?x) and no (?a).
        for letter in leading[1]:
            flags |= _LETTERS[letter]
        text = text[leading.end() :]
    translated = Translator(text, flags, binary=binary).run()
    if flags & M:
        translated = "(?m)" + translated
    if re2.purge not in CURRENT.at_end:
        CURRENT.at_end.append(re2.purge)  # the library keeps the last 128 patterns otherwise
    try:
        engine = re2.compile(translated.encode("latin-1") if binary else translated, _options(flags, binary=binary))
    except UnicodeEncodeError:
        raise PatternError("the pattern holds half of a surrogate pair", pattern) from None
    except re2.error as error:
        raise PatternError(_reason(error), pattern) from None
    made: Pattern = object.__new__(cast("type[Pattern]", Pattern))
    made._engine = engine
    made.pattern = pattern
    made.flags = flags if binary or flags & A else flags | U
    made.groups = engine.groups
    named = [
        (index, name.decode("utf-8") if isinstance(name, bytes) else name) for name, index in engine.groupindex.items()
    ]
    made.groupindex = {name: index for index, name in sorted(named)}  # in the order of the pattern
    return made


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if "bad repetition operator: " in text and text.endswith("+"):
        return f"possessive quantifiers are not supported and not needed: {LINEAR} ({text})"
    if "invalid repetition size" in text:
        return f"a group can be repeated at most 1000 times ({text})"
    return text[:200]


def _first_compiled(name: str) -> Callable[..., Any]:
    """Answer the function of `re` that compiles a pattern and calls its method of the same name."""
    method = vars(Pattern)[name]

    def call(pattern: Any, string: Any, flags: int = 0) -> Any:
        return method(compile(pattern, flags), string)

    call.__name__ = call.__qualname__ = name
    return call


search: Final = _first_compiled("search")
match: Final = _first_compiled("match")
fullmatch: Final = _first_compiled("fullmatch")
findall: Final = _first_compiled("findall")
finditer: Final = _first_compiled("finditer")


def split(pattern: Any, string: Any, maxsplit: int = 0, flags: int = 0) -> list[Any]:
    """Split a text where a pattern matches."""
    return compile(pattern, flags).split(string, maxsplit)


def sub(pattern: Any, repl: Any, string: Any, count: int = 0, flags: int = 0) -> Any:
    """Replace what a pattern matches."""
    return compile(pattern, flags).sub(repl, string, count)


def subn(pattern: Any, repl: Any, string: Any, count: int = 0, flags: int = 0) -> tuple[Any, int]:
    """Replace what a pattern matches, and count."""
    return compile(pattern, flags).subn(repl, string, count)


def escape(pattern: Any) -> Any:
    """Write a text so that it matches itself."""
    if type(pattern) not in (str, bytes):
        raise TypeError(f"re.escape() takes str or bytes, not {type(pattern).__name__}")
    if len(pattern) > _PATTERN_CHARS:
        raise ValueError(f"re.escape(): more than {_PATTERN_CHARS} characters, which no pattern has")
    return real.escape(pattern)


def modules() -> dict[str, Module]:
    """Build the facade of this file and open what its values show."""
    exception(PatternError, "msg pattern pos")
    members: dict[str, Any] = {
        "A": A, "ASCII": A, "DOTALL": S, "I": I, "IGNORECASE": I, "M": M, "MULTILINE": M, "NOFLAG": 0, "S": S, "U": U,
        "UNICODE": U, "VERBOSE": X, "X": X, "Match": Match, "Pattern": Pattern, "PatternError": PatternError,
        "compile": compile, "error": PatternError, "escape": escape, "findall": findall, "finditer": finditer,
        "fullmatch": fullmatch, "match": match, "search": search, "split": split, "sub": sub, "subn": subn,
    }  # fmt: skip
    return {"re": module("re", members)}
