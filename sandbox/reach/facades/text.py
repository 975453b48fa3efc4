"""`string`, `textwrap`, `html`, `unicodedata`, `base64`, `binascii` and `urllib.parse`: text and its encodings.

Knows encodings of text. Touches no file and no network: nothing here resolves or fetches.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import string
import textwrap
import unicodedata
from collections.abc import Callable
from typing import Any, Final
from urllib import parse

from sandbox.reach.builtin_types import check_codec
from sandbox.reach.facades.base import Module, exception, module, opened
from sandbox.reach.facades.context import CURRENT
from sandbox.reach.text import safe_str

_FORGET: Final[Callable[[], None]] = parse.urlsplit.cache_clear  # type: ignore[attr-defined]  # typeshed does not say that it is cached


def _remembered(forget: Callable[[], None]) -> None:
    # The library keeps its last answers; they hold what was in the texts of this execution.
    if forget not in CURRENT.at_end:
        CURRENT.at_end.append(forget)


def _splitting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the function that forgets what the library remembers of a call."""

    def call(*args: Any, **kwargs: Any) -> Any:
        _remembered(_FORGET)
        return function(*args, **kwargs)

    return call


# Where `encoding` stands in each function of urllib.parse that takes one.
_CODING: Final = {"quote": 2, "quote_plus": 2, "unquote": 1, "unquote_plus": 1, "parse_qs": 3, "parse_qsl": 3}


def _coding(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Make the function that takes the codecs of `str.encode` only: others would be imported, or are quadratic."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > place and args[place] is not None:
            args = (*args[:place], check_codec(args[place]), *args[place + 1 :])
        elif kwargs.get("encoding") is not None:
            kwargs["encoding"] = check_codec(kwargs["encoding"])
        return function(*args, **kwargs)

    return call


def urlencode(
    query: Any,
    doseq: bool = False,
    safe: str = "",
    encoding: str | None = None,
    errors: str | None = None,
    quote_via: Callable[..., str] = parse.quote_plus,
) -> str:
    """Write pairs as a query string."""
    pairs = list(query.items()) if isinstance(query, dict) else list(query)
    plain = [(_word(key), _words(value) if doseq else _word(value)) for key, value in pairs]
    codec = None if encoding is None else check_codec(encoding)
    return parse.urlencode(plain, doseq, safe, codec, errors, quote_via)


def _word(value: Any) -> str | bytes:
    return value if isinstance(value, bytes) else safe_str(value)


def _words(value: Any) -> Any:
    return [_word(item) for item in value] if isinstance(value, (list, tuple)) else _word(value)


def escape(s: str, quote: bool = True) -> str:
    """Write text so that HTML shows it as it is."""
    return html.escape(_only_text(s), quote)


def unescape(s: str) -> str:
    """Read HTML's character references."""
    return html.unescape(_only_text(s))


_NORMAL_CHARS: Final = 1 << 16
_MARKS_MAX: Final = 500
"""Combining marks in a row: they are put in order one by one, which is quadratic. Source: UAX 15, 13, allows 30."""


def normalize(form: str, unistr: str, /) -> str:
    """Return the normal form of a text."""
    return unicodedata.normalize(form, _bounded("normalize", unistr))  # type: ignore[arg-type]  # it says which there are


def is_normalized(form: str, unistr: str, /) -> bool:
    """Tell whether a text is in a normal form."""
    return unicodedata.is_normalized(form, _bounded("is_normalized", unistr))  # type: ignore[arg-type]  # as above


def _bounded(what: str, text: Any) -> str:
    if len(_only_text(text)) > _MARKS_MAX and not text.isascii():
        if len(text) > _NORMAL_CHARS:
            raise ValueError(f"unicodedata.{what}(): more than {_NORMAL_CHARS} characters; take the text in parts")
        marks = bytes(map(unicodedata.combining, text))
        if max(map(len, marks.split(b"\0"))) > _MARKS_MAX:
            raise ValueError(f"unicodedata.{what}(): more than {_MARKS_MAX} combining marks in a row")
    return str(text)


def _only_text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected str, got {type(value).__name__}")
    return value


_WRAPPED_MAX: Final = 1 << 13
"""Characters: the library takes a text to words by an expression that goes back."""
_INDENTED_MAX: Final = 1 << 16


def _laying_out(name: str, most: int) -> Callable[..., Any]:
    """Make the function of `textwrap` that takes texts of at most so many characters."""
    function = getattr(textwrap, name)

    def call(text: Any, *args: Any, **kwargs: Any) -> Any:
        tab = kwargs.get("tabsize", 8)
        if type(tab) is not int:
            raise TypeError(f"textwrap.{name}(): tabsize must be an int")
        # A tab stands for as many blanks, before the text is taken apart.
        if len(_only_text(text)) > most or (most == _WRAPPED_MAX and len(text) + text.count("\t") * tab > most):
            raise ValueError(f"textwrap.{name}(): more than {most} characters, with tabs expanded")
        _remembered(re.purge)  # `dedent` makes a pattern of what the text begins with
        return function(text, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call


_URL: Final = "count fragment geturl hostname index netloc password path port query scheme username"


def modules() -> dict[str, Module]:
    """Build the facades of this file and open what their values show."""
    exception(binascii.Error)
    for result in (parse.ParseResult, parse.ParseResultBytes):
        opened(result, f"{_URL} params", iterable=True, items=True)
    for split in (parse.SplitResult, parse.SplitResultBytes):
        opened(split, _URL, iterable=True, items=True)
    for defrag in (parse.DefragResult, parse.DefragResultBytes):
        opened(defrag, "count fragment geturl index url", iterable=True, items=True)
    splitting = {name: _splitting(getattr(parse, name)) for name in ("urldefrag", "urljoin", "urlparse", "urlsplit")}
    coding = {name: _coding(getattr(parse, name), place) for name, place in _CODING.items()}
    urls = module("urllib.parse", {**splitting, **coding, "urlencode": urlencode}, parse)
    laid_out = {name: _laying_out(name, _WRAPPED_MAX) for name in ("fill", "shorten", "wrap")}
    laid_out |= {name: _laying_out(name, _INDENTED_MAX) for name in ("dedent", "indent")}
    return {
        "textwrap": module("textwrap", laid_out),
        "string": module("string", {}, string),
        "html": module("html", {"escape": escape, "unescape": unescape}),
        "unicodedata": module("unicodedata", {"normalize": normalize, "is_normalized": is_normalized}, unicodedata),
        "base64": module("base64", {}, base64),
        "binascii": module("binascii", {}, binascii),
        "urllib.parse": urls,
        "urllib": module("urllib", {"parse": urls}),
    }
