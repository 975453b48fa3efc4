"""How a regular expression of Python's is said in RE2's terms, and why some cannot be.

Knows the two syntaxes. Knows no text to match and no engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NoReturn

I: Final = 2  # noqa: E741 - Python's own name and value
M: Final = 8
S: Final = 16
U: Final = 32
X: Final = 64
A: Final = 256
FLAGS: Final = I | M | S | U | X | A


class PatternError(Exception):
    """A pattern cannot be used."""

    _exposed_: ClassVar[frozenset[str]] = frozenset({"args", "msg", "pattern", "pos"})

    def __init__(self, msg: str, pattern: str | bytes | None = None, pos: int | None = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.pattern = pattern
        self.pos = pos


LINEAR: Final = "the engine is linear-time RE2"
_UNSUPPORTED: Final = (
    ("(?=", f"look-ahead (?=...) is not supported: {LINEAR}; match in two steps, or capture what follows"),
    ("(?!", f"look-ahead (?!...) is not supported: {LINEAR}; test the unwanted pattern in a second `if not`"),
    ("(?<=", f"look-behind (?<=...) is not supported: {LINEAR}; capture what comes before in a group"),
    ("(?<!", f"look-behind (?<!...) is not supported: {LINEAR}; test the unwanted pattern in a second `if not`"),
    ("(?P=", f"back references are not supported: {LINEAR}; capture both groups and compare them"),
    ("(?>", f"atomic groups are not supported and not needed: {LINEAR}; write (?:...)"),
    ("(?(", f"conditional groups are not supported: {LINEAR}; use two patterns"),
)

# What Python means by these for text, in RE2's terms: RE2's own are ASCII only.
_DIGIT: Final = r"\p{Nd}"
_WORD: Final = r"\p{L}\p{N}_"
_SPACE: Final = r"\s\x0b\x1c-\x1f\x{85}\p{Z}"
_INSIDE: Final = {"d": _DIGIT, "D": r"\P{Nd}", "w": _WORD, "s": _SPACE}
_OUTSIDE: Final = {
    "d": _DIGIT,
    "D": r"\P{Nd}",
    "w": f"[{_WORD}]",
    "W": f"[^{_WORD}]",
    "s": f"[{_SPACE}]",
    "S": f"[^{_SPACE}]",
}
_KEPT_ESCAPES: Final = frozenset("abBdDfnrsStvwWAx")
# "Not a non-word character, nor ...": a difference of sets, which RE2 cannot say in general.
_IDIOMS: Final = (
    (r"[^\W_]", r"[\p{L}\p{N}]"),
    (r"[^\W\d_]", r"[\p{L}\p{Nl}\p{No}]"),
    (r"[^\W\d]", r"[\p{L}\p{Nl}\p{No}_]"),
)
_HEX_DIGITS: Final = {"u": 4, "U": 8}


class Translator:
    """Turns a pattern of Python's into one of RE2's, one piece at a time."""

    def __init__(self, pattern: str, flags: int, *, binary: bool) -> None:
        self.pattern = pattern
        self.verbose = bool(flags & X)
        self.ascii = binary or bool(flags & A)
        self.at = 0
        self.out: list[str] = []
        self.names: set[str] = set()

    def run(self) -> str:
        """Translate it all."""
        pattern, out = self.pattern, self.out
        while self.at < len(pattern):
            char = pattern[self.at]
            if char == "\\":
                self._escape(in_class=False)
            elif char == "[":
                self._character_class()
            elif char == "(" and pattern.startswith("(?", self.at):
                self._group()
            elif char == "{" and pattern.startswith("{,", self.at):
                # RE2 reads `{,3}` as plain text; Python reads "at most 3".
                out.append("{0,")
                self.at += 2
            elif self.verbose and char.isspace():
                self.at += 1
            elif self.verbose and char == "#":
                end = pattern.find("\n", self.at)
                self.at = len(pattern) if end < 0 else end + 1
            else:
                out.append(char)
                self.at += 1
        return "".join(out)

    def fail(self, message: str) -> NoReturn:
        """Refuse the pattern at the current place."""
        raise PatternError(f"{message} (at position {self.at})", self.pattern, self.at)

    def _group(self) -> None:
        pattern = self.pattern
        for start, message in _UNSUPPORTED:
            if pattern.startswith(start, self.at):
                self.fail(message)
        if pattern.startswith("(?#", self.at):
            end = pattern.find(")", self.at)
            if end < 0:
                self.fail("missing ), unterminated comment")
            self.at = end + 1
            return
        if pattern.startswith("(?P<", self.at):
            end = pattern.find(">", self.at)
            name = pattern[self.at + 4 : end] if end > 0 else ""
            if not name.isidentifier() or not name.isascii():
                self.fail("a group name must be made of ASCII letters, digits and underscores")
            if name in self.names:
                self.fail(f"redefinition of group name {name!r}")
            self.names.add(name)
            self.out.append(f"(?P<{name}>")
            self.at = end + 1
            return
        end = self.at + 2
        while end < len(pattern) and pattern[end] in "aiLmsux-":
            end += 1
        flags = pattern[self.at + 2 : end]
        closing = pattern[end : end + 1]
        if closing not in (":", ")") or (not flags and closing == ")"):
            self.fail("unknown extension " + ascii(pattern[self.at : self.at + 3])[1:-1])
        if "x" in flags or "a" in flags or "L" in flags:
            self.fail(
                "of the inline flags only (?i), (?m) and (?s) are supported; pass re.VERBOSE or re.ASCII as flags"
            )
        self.out.append(f"(?{flags.replace('u', '')}{closing}" if flags != "u" else "" if closing == ")" else "(?:")
        self.at = end + 1

    def _character_class(self) -> None:
        pattern, out = self.pattern, self.out
        start = self.at
        for idiom, written in () if self.ascii else _IDIOMS:
            if pattern.startswith(idiom, start):
                out.append(written)
                self.at += len(idiom)
                return
        out.append("[")
        self.at += 1
        if pattern.startswith("^", self.at):
            out.append("^")
            self.at += 1
        first = True
        while self.at < len(pattern):
            char = pattern[self.at]
            if char == "]" and not first:
                out.append("]")
                self.at += 1
                return
            if char == "\\":
                self._escape(in_class=True)
            else:
                # Escaped, so that RE2 does not take `[:alpha:]` for a class of its own.
                out.append("\\[" if char == "[" else "\\]" if char == "]" else char)
                self.at += 1
            first = False
        self.at = start
        self.fail("unterminated character set")

    def _escape(self, *, in_class: bool) -> None:
        pattern, out = self.pattern, self.out
        char = pattern[self.at + 1 : self.at + 2]
        if not char:
            self.fail("bad escape (end of pattern)")
        written = f"\\{char}"
        width = 2
        if char in "dDwWsS" and not self.ascii:
            # `[\s\S]` and its like mean everything; other mixes cannot be said in RE2, and are not guessed at.
            written = self._complement(char) if in_class and char in "WS" else (_INSIDE if in_class else _OUTSIDE)[char]
        elif char == "Z" and not in_class:
            written = "\\z"
        elif char in _HEX_DIGITS and not self.ascii:
            digits = pattern[self.at + 2 : self.at + 2 + _HEX_DIGITS[char]]
            if len(digits) != _HEX_DIGITS[char] or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
                self.fail(f"incomplete escape \\{char}")
            written = f"\\x{{{digits}}}"
            width += len(digits)
        elif char in "pP" and pattern[self.at + 2 : self.at + 3] == "{":
            pass  # RE2's Unicode classes, \p{Lu}: not in Python's re, and useful
        elif char in "123456789" and not in_class:
            octal = pattern[self.at + 1 : self.at + 4]
            if len(octal) < 3 or any(digit not in "01234567" for digit in octal):
                self.fail(f"back references are not supported: {LINEAR}; capture both groups and compare them")
            written = f"\\x{{{int(octal, 8):x}}}"
            width = 4
        elif char == "b" and in_class:
            written = "\\x08"
        elif char in "01234567":
            end = self.at + 1
            while end < min(len(pattern), self.at + 4) and pattern[end] in "01234567":
                end += 1
            written = f"\\x{{{int(pattern[self.at + 1 : end], 8):x}}}"
            width = end - self.at
        elif char.isascii() and char.isalpha():
            if char not in _KEPT_ESCAPES or (in_class and char in "AB"):
                self.fail(f"bad escape \\{char}")
        elif char == "_" or not char.isascii():
            written = char
        out.append(written)
        self.at += width

    def _complement(self, char: str) -> str:
        rest = self.pattern[self.at + 2 : self.at + 4]
        opposite = f"\\{char.lower()}"
        before = self.pattern[self.at - 2 : self.at]
        if opposite in (rest, before):
            return r"\x{0}-\x{10FFFF}"
        if char == "W":
            self.fail("\\W inside [...] is only supported as [\\w\\W] or [^\\W_]; write [^...] with the opposite")
        return _NOT_SPACE


# Everything but what \s means, as ranges: the complement of a union cannot be written inside [...].
_NOT_SPACE: Final = (
    r"\x{0}-\x{8}\x{E}-\x{1B}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}"
    r"\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF}"
)


_SIMPLE_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def template_pieces(template: Any, kind: type, groups: int, groupindex: Mapping[str, int]) -> list[Any]:
    """Read a replacement template: literal pieces and group numbers. RE2's own mangles text that is not ASCII."""
    binary = kind is bytes
    if not isinstance(template, (str, bytes)) or type(template) is not kind:
        raise TypeError(f"the replacement must be {kind.__name__}, not {type(template).__name__}")
    text = template.decode("latin-1") if isinstance(template, bytes) else template
    pieces: list[Any] = []
    at = 0
    while (slash := text.find("\\", at)) >= 0:
        pieces.append(text[at:slash])
        char = text[slash + 1 : slash + 2]
        at = slash + 2
        if char in _SIMPLE_ESCAPES and char:
            pieces.append(_SIMPLE_ESCAPES[char])
        elif char == "g":
            end = text.find(">", at)
            if text[at : at + 1] != "<" or end < 0:
                raise PatternError("missing <group> after \\g", template, slash)
            name = text[at + 1 : end]
            at = end + 1
            pieces.append(_group_number(int(name) if name.isdecimal() and len(name) < 4 else name, groups, groupindex))
        elif char == "0":
            octal = re.match("[0-7]{1,3}", text[slash + 1 :])
            digits = octal.group() if octal else "0"
            pieces.append(chr(int(digits, 8) & 0xFF))
            at = slash + 1 + len(digits)
        elif char.isdecimal():
            digits = text[slash + 1 : slash + 3]
            digits = digits if digits.isdecimal() else char
            pieces.append(_group_number(int(digits), groups, groupindex))
            at = slash + 1 + len(digits)
        elif char.isascii() and (char.isalpha() or not char):
            raise PatternError(f"bad escape \\{char} in the replacement", template, slash)
        else:
            pieces.append("\\" + char)
    pieces.append(text[at:])
    return [piece.encode("latin-1") if binary and type(piece) is str else piece for piece in pieces]


def _group_number(group: int | str, groups: int, groupindex: Mapping[str, int]) -> int:
    number = groupindex.get(group) if isinstance(group, str) else group
    if number is None or number > groups:
        raise PatternError(f"the replacement names group {group!a}, which the pattern does not have")
    return number
