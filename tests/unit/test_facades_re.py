"""`re` answers as Python's own where both can, and says so where RE2 cannot."""

from __future__ import annotations

import random
import re as real

import pytest

from sandbox.reach.facades import patterns
from sandbox.reach.facades.context import CURRENT
from sandbox.reach.facades.pattern_syntax import PatternError
from tests.action_body import value

SHARED = [
    r"^[a-z]+@example\.com",
    r"(?i)admin|root",
    r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})",
    r"\bword\b",
    r"[^@\s]+@[^@\s]+\.[a-z]{2,}",
    r"(?P<year>\d{4})-(?P<month>\d\d)",
    r"a*?b|c+",
    r"x*",
    r"\w+",
    r"\W+",
    r"\s+",
    r"\S+",
    r"\D",
    r"[\w.-]+",
    r"[\s\S]{2}",
    r"[^\W_]+",
    r"[^\W\d_]+",
    r"[^\W\d]+",
    r"[\S\n]",
    r"[\d,]+",
    r"[]a]+",
    r"[^]a]+",
    r"[a\]b]",
    r"[\[:a]+",
    r"a{,2}b",
    r"a{1,2}",
    r"a{2,}",
    r"\.\*\+\?\(\)\[\]\{\}\^\$\|\\\/\-\@\_",
    r"\x41|\u00e9|\U0001F600|\t|\n",
    r"(?:ab)+|(c)|(d)",
    r"(?#comment)a(?#another)b",
    r"(?s)a.b",
    r"(?m)^b$",
    r"(?i:A)b",
    r"\Aab",
    r"é|ü",
    r"[à-ü]+",
    r"\101\0",
    r"",
    r"(a)|b",
    r"(a(b)?)+",
    r".",
    r"[\b]",
    r"\$\{(\w+)\}",
]

TEXTS = [
    "",
    "joe@example.com",
    "Admin root ADMIN",
    "10.0.0.1 and 192.168.1.254",
    "a word, words word",
    "2024-02-29 2023-11",
    "aaab ccc abxd",
    "josé müller_ß 123 ٣ Ⅷ ² _x",
    "a\nb\r\nab\x0b\x1c\x85\u2003z",
    "[]a]:^-.*+?()[]{}^$|\\/-@_",
    "AéB\U0001f600\t",
    "ab(ab)cd comment",
    "${name} ${x}",
    "A\x00\x08",
]


@pytest.mark.parametrize("pattern", SHARED)
def test_agrees_with_python(pattern: str) -> None:
    """Every call answers what Python's re answers: matches, groups, spans, replacements and splits."""
    ours, pythons = patterns.compile(pattern), real.compile(pattern)
    assert (ours.groups, ours.groupindex) == (pythons.groups, dict(pythons.groupindex))
    for text in TEXTS:
        for name in ("search", "match", "fullmatch"):
            one, other = getattr(ours, name)(text), getattr(pythons, name)(text)
            assert (one is None) == (other is None), (name, text)
            if one is not None and other is not None:
                groups = range(pythons.groups + 1)
                assert [one.span(g) for g in groups] == [other.span(g) for g in groups], (name, text)
                assert one.groups("-") == other.groups("-")
                assert one.groupdict() == other.groupdict()
                assert one.lastgroup == other.lastgroup
        assert ours.findall(text) == pythons.findall(text), text
        assert [m.span() for m in ours.finditer(text)] == [m.span() for m in pythons.finditer(text)], text
        assert ours.split(text) == pythons.split(text), text
        assert ours.split(text, 1) == pythons.split(text, 1), text
        assert ours.subn(r"<\g<0>é>", text) == pythons.subn(r"<\g<0>é>", text), text
        assert ours.sub(lambda m: m.group().upper(), text, 2) == pythons.sub(lambda m: m.group().upper(), text, count=2)


def test_random_patterns_agree_with_python() -> None:
    """Patterns put together at random answer as Python's, or are refused with a PatternError."""
    draw = random.Random(11)
    pieces = ["a", "b", "é", ".", r"\w", r"\d", r"\s", "[ab]", "[^a]", "(a)", "(?:b|c)", "(?:b|)", "x", r"\.", "[a-c]"]
    repeats = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "*?", "+?"]
    for _ in range(400):
        pattern = "".join(draw.choice(pieces) + draw.choice(repeats) for _ in range(draw.randint(1, 4)))
        text = "".join(draw.choice("abcé x.1\n") for _ in range(draw.randint(0, 12)))
        ours, pythons = patterns.compile(pattern), real.compile(pattern)
        one, other = ours.search(text), pythons.search(text)
        assert (one and one.span()) == (other and other.span()), (pattern, text)
        if "*?" not in pattern:  # a lazy pattern that can match nothing is a documented difference
            assert ours.findall(text) == pythons.findall(text), (pattern, text)


@pytest.mark.parametrize("flags", [0, real.I, real.M, real.S, real.X, real.A, real.I | real.M | real.S])
def test_flags_agree_with_python(flags: int) -> None:
    """The flags have Python's numbers and Python's effect."""
    for pattern in (r"^a . b$", r"É\w", r"a.b", "^b # c\n"):
        for text in ("a x b", "x\nA\nb", "éé", "a\nb", "axb", "b # c\n", "b"):
            ours = patterns.findall(pattern, text, int(flags))
            # `$` is the very end here; a text that ends in a newline has a test of its own.
            assert ours == real.findall(pattern, text, flags), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(?=a)", "look-ahead"),
        (r"(?!a)", "look-ahead"),
        (r"(?<=a)b", "look-behind"),
        (r"(?<!a)b", "look-behind"),
        (r"(a)\1", "back references"),
        (r"(?P<x>a)(?P=x)", "back references"),
        (r"(?>a)", "atomic groups"),
        (r"(a)?(?(1)b|c)", "conditional groups"),
        (r"a++", "possessive"),
        (r"a{1001}", "at most 1000"),
        (r"((a{100}){100}){100}", "at most 1000"),
        (r"a(?x: b)", "inline flags"),
        (r"(?U)a", "unknown extension"),
        (r"\Qa\E", r"bad escape \\Q"),
        (r"\Ca", r"bad escape \\C"),
        (r"\e", r"bad escape \\e"),
        (r"\u00", "incomplete escape"),
        (r"[\Wa]", r"\\W inside"),
        (r"[a", "unterminated character set"),
        (r"(a", "missing"),
        (r"a)", "unexpected"),
        (r"*a", "repetition"),
        (r"(?P<x>a)(?P<x>b)", "redefinition of group name 'x'"),
        (r"(?P<é>a)", "group name"),
        (r"(?P<x", "group name"),
        ("\\", "end of pattern"),
        ("(?#a", "unterminated comment"),
        ("a" * 9000, "more than 8192"),
        ("\ud800", "surrogate"),
    ],
)
def test_unsupported_is_explained(pattern: str, words: str) -> None:
    """What RE2 cannot do is refused at compile, with what to do instead; never another meaning in silence."""
    with pytest.raises(PatternError, match=words):
        patterns.compile(pattern)


def test_dollar_is_the_very_end() -> None:
    """`$` does not match before a trailing newline, unlike Python's; with MULTILINE it does."""
    assert patterns.search("^admin$", "admin\n") is None
    assert real.search("^admin$", "admin\n") is not None
    assert patterns.search("^admin$", "admin\n", 8) is not None
    assert patterns.search(r"^admin\Z", "admin") is not None


def test_catastrophic_patterns_are_linear() -> None:
    """Patterns that stall a backtracking engine answer at once."""
    assert patterns.match(r"(a+)+$", "a" * 20000 + "b") is None
    assert patterns.match(r"^([a-zA-Z0-9_.+-]+)+@([a-zA-Z0-9-]+.)+$", "a" * 20000) is None
    assert patterns.search(r"(x+x+)+y", "x" * 20000) is None


def test_engine_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """A bad pattern writes nothing to the process's stderr."""
    for pattern in ("(a", "a**", "(?P<x>a)(?P<x>b)"):
        with pytest.raises(PatternError):
            patterns.compile(pattern)
    assert capfd.readouterr() == ("", "")


def test_compiled_once_in_an_execution() -> None:
    """The same pattern is compiled once in an execution, up to a number, and forgotten at its end."""
    value("import re\nfor i in range(500):\n    re.compile(str(i))\nreturn re.compile('0') is re.compile('0')")
    assert CURRENT.patterns == {}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("re.search('a', b'a')", TypeError),
        ("re.search(b'a', 'a')", TypeError),
        ("re.search('a', None)", TypeError),
        ("re.search(3, 'a')", TypeError),
        ("re.compile('a', 1 << 20)", ValueError),
        ("re.compile(re.compile('a'), re.I)", ValueError),
        ("re.sub('a', 3, 'a')", TypeError),
        ("re.sub('a', lambda m: None, 'a')", TypeError),
        ("re.sub('a', r'\\1', 'a')", PatternError),
        ("re.sub('a', r'\\g<x>', 'a')", PatternError),
        ("re.sub('a', r'\\g<1', 'a')", PatternError),
        ("re.sub('a', r'\\q', 'a')", PatternError),
        ("re.search('a', 'a').group(1)", IndexError),
        ("re.search('a', 'a').group('x')", IndexError),
        ("list(re.search('a', 'a'))", TypeError),
        ("re.Pattern()", TypeError),
        ("re.Match()", TypeError),
        ("re.escape(None)", TypeError),
    ],
)
def test_wrong_use_raises(body: str, error: type[Exception]) -> None:
    """Wrong arguments raise what Python raises."""
    with pytest.raises(error):
        value(f"import re\nreturn {body}")
