"""The YAML that a tenant file may be written in: values, places, and refusals that cannot hurt the reader."""

from typing import Any

import pytest

from runtime.catalog.yaml_file import dotted, parse


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse("f", text).ordered()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: true", {"a": True}),
        ("a: False", {"a": False}),
        ("a: no", {"a": "no"}),
        ("a: off", {"a": "off"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: ''", {"a": ""}),
        ("a: 12", {"a": 12}),
        ("a: -3", {"a": -3}),
        ("a: '12'", {"a": "12"}),
        ("a: 012", {"a": "012"}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 1.5", {"a": 1.5}),
        ("a: .inf", {"a": ".inf"}),
        ("a: 99999999999999999999999", {"a": "99999999999999999999999"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("1: x", {"1": "x"}),
        ("[a, [b, {c: d}], 3]", ["a", ["b", {"c": "d"}], 3]),
        ("- a\n- b: 1\n  c: 2\n", ["a", {"b": 1, "c": 2}]),
        ("just text", "just text"),
        ("# only\n--- # a comment\na: 1\n...\n", {"a": 1}),
    ],
)
def test_values(text: str, value: Any) -> None:
    """Plain scalars follow YAML 1.2, so a `no` does not become false; quoted ones are text."""
    document = parse("f", text)
    assert document.faults == []
    assert document.value == value
    assert repr(document.value) == repr(value)


def test_places() -> None:
    """Every value knows where it begins: a member at its key, an item at itself."""
    document = parse("f", "a:\n  b:\n    - x\n    - c: 1\n")
    assert document.where(("a", "b", 1, "c")) == "f:4:7"
    assert document.where(("a", "b", 0)) == "f:3:7"
    assert document.where(("a", "b", 7, "z")) == "f:2:3"
    assert document.where(("nowhere",)) == "f:1:1"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "f: is empty"),
        ("# nothing\n", "f: is empty"),
        ("a: 1\n---\nb: 2\n", "several YAML documents"),
        ("a: [1, 2", "f:2:1: not valid YAML"),
        ("a: \x01", "not valid YAML"),
        ("a: 1\na: 2\n", "f:2:1: a: the key is given twice, first on line 1; keep one"),
        ("x:\n  a: 1\n  b: 1\n  a: {c: 2}\n", "f:4:3: x.a: the key is given twice, first on line 2"),
        ("a: !!python/object/apply:os.system [id]", "f:1:4: a: YAML tags are not accepted"),
        ("a: !env X", "f:1:4: a: YAML tags are not accepted"),
        ("!!map {a: 1}", "YAML tags are not accepted"),
        ("!x a: 1", "YAML tags are not accepted"),
        ("a: &x 1\nb: *x\n", "f:2:4: b: aliases"),
        ("a: &x 1", "f:1:4: a: anchors"),
        ("? [a]\n: 1\n", "a key must be text"),
        ("? {a: b}\n: {c: d}\n", "a key must be text"),
    ],
)
def test_refusals(text: str, wanted: str) -> None:
    """What could run code, blow up or be read in two ways is a fault with its place."""
    assert any(wanted in fault for fault in faults(text)), faults(text)


def test_one_fault_hides_no_other() -> None:
    """Faults of the form are collected, and what is around them is still read."""
    document = parse("f", "a: !x 1\nb: *y\nc: 1\nc: 2\nd: {e: [1, {f: &z g}]}\nh: 3\n")
    assert [fault.where for fault in document.ordered()] == ["f:1:4", "f:2:4", "f:4:1", "f:5:16"]
    assert document.value["h"] == 3
    assert document.value["d"] == {"e": [1, {"f": None}]}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_hostile_nesting_is_a_fault(opening: str) -> None:
    """Fifty thousand levels are refused by a counter, not by exhausting a stack."""
    assert faults(opening * 50_000)


def test_aliases_cannot_blow_up() -> None:
    """The classic bomb of nested aliases is a list of faults, and small."""
    bomb = "a: &a [x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{f'*{chr(97 + i)},' * 9}]\n" for i in range(9))
    document = parse("f", bomb)
    assert len(repr(document.value)) < 1000
    assert document.faults


def test_names_of_paths_are_safe_to_print() -> None:
    """A key with control characters or of great length is shown escaped and short."""
    assert dotted(("flows", "post_login", 2, "action")) == "flows.post_login[2].action"
    assert "\x1b" not in dotted(("\x1b[31m",))
    assert len(dotted(("x" * 1000,))) < 80
