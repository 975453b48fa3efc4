"""Text made by the guards equals Python's own, without addresses."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.reach import guards, text
from sandbox.reach.attributes import guarded_getattr
from sandbox.reach.text import safe_ascii, safe_format, safe_repr, safe_str


def _function() -> None:
    pass


@pytest.mark.parametrize(
    "value", ["a", 1, 1.5, True, None, [1, "a"], {"a": (1,)}, b"x", ValueError("x"), KeyError("k")]
)
def test_same_as_python(value: object) -> None:
    """For values without an address nothing changes."""
    assert safe_str(value) == str(value)
    assert safe_repr(value) == repr(value)
    assert safe_ascii(value) == ascii(value)
    assert safe_format(value) == format(value)
    assert str(text.field_text(value)) == format(value)


@pytest.mark.parametrize(
    "value", [_function, [_function], {"f": iter([])}, ValueError(_function), (x for x in ""), object()]
)
def test_no_address(value: object) -> None:
    """An address is left out, at whatever depth it stands; Python's own text has it."""
    for safe, plain in (
        (safe_str, str),
        (safe_repr, repr),
        (safe_ascii, ascii),
        (safe_format, format),
        (text.field_text, format),
        (lambda v: guards.GUARDS["_mod_"]("%s", [v]), lambda v: str([v])),
        (lambda v: guards.GUARDS["_mod_"]("%r %s", (1, v)), lambda v: f"1 {v}"),
        (lambda v: guards.GUARDS["_mod_"](b"%a", v if type(v) is not dict else [v]), lambda v: ascii([v])),
        (lambda v: guarded_getattr("{!r:>5}", "format")(v), repr),
    ):
        assert "0x" in plain(value)
        assert "0x" not in str(safe(value))


def test_plain_text_is_not_touched() -> None:
    """What an author wrote stays, also where it looks like an address."""
    assert safe_str("error at 0x1F") == "error at 0x1F"
    assert guards.GUARDS["_mod_"]("%s", ("error at 0x1F",)) == "error at 0x1F"
    assert guards.GUARDS["_mod_"]("%s", "error at 0x1F") == "error at 0x1F"


def test_format_specs() -> None:
    """Format specs reach the types that understand them."""
    assert safe_format(3.14159, ".2f") == "3.14"
    assert safe_format(datetime.date(2026, 1, 2), "%Y") == "2026"
    with pytest.raises(TypeError):
        safe_format([], ">3")


@pytest.mark.parametrize(
    ("template", "args", "kwargs"),
    [
        ("{} {}", (1, 2), {}),
        ("{1} {0}", (1, 2), {}),
        ("{a} {a!r:>6} {{}}", (), {"a": "x"}),
        ("{0[k]} {0[k]:>{1}}", ({"k": 5}, 4), {}),
        ("{:{}.{}f}", (3.14159, 8, 2), {}),
        ("{0[0][1]}", ([[1, 2]],), {}),
        ("{0.real}", (5,), {}),
        ("{0!a} {0!s}", ("é",), {}),
        ("", (), {}),
        ("{x}", (), {}),
        ("{} {}", (1,), {}),
        ("{0} {}", (1, 2), {}),
        ("{} {0}", (1, 2), {}),
        ("{", (), {}),
        ("}", (), {}),
        ("{!x}", (1,), {}),
        ("{:{:{}}}", (1, 2, 3), {}),
        ("{0[x}", ({},), {}),
        ("{:d}", ("x",), {}),
    ],
)
def test_str_format(template: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The guarded `str.format` answers, or fails with the kind of error, that the one in C does."""
    try:
        expected: object = template.format(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  the kind is compared
        expected = type(error)
    try:
        actual: object = guarded_getattr(template, "format")(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  the kind is compared
        actual = type(error)
    assert actual == expected


def test_str_format_reads_through_the_guards() -> None:
    """A field cannot walk to what a dot could not reach; the C implementation does."""

    template = "{0.__globals__[guards]}"
    assert "module" in template.format(_function)
    call: Callable[[], object]
    for call in (
        lambda: guarded_getattr(template, "format")(_function),
        lambda: guarded_getattr("{f.__globals__}", "format_map")({"f": _function}),
        lambda: guarded_getattr(str, "format")(template, _function),
        lambda: guarded_getattr("{0:{1.__globals__}}", "format")(1, _function),
    ):
        with pytest.raises(AttributeError):
            call()


def test_mod_is_arithmetic_too() -> None:
    """On numbers `%` is what it was."""
    mod = guards.GUARDS["_mod_"]
    assert (mod(7, 3), mod(-7, 3), mod(7.5, 2), mod(True, 2)) == (1, 2, 1.5, 1)
    with pytest.raises(ZeroDivisionError):
        mod(1, 0)
    with pytest.raises(TypeError):
        mod("%s %s", (1,))
