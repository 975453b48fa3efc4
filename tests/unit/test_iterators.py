"""The iterators of an action give what CPython's give, are held while they run, and nest only so deep."""

from __future__ import annotations

import itertools
import operator
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.reach import iterators
from tests.action_body import value
from tests.effort import effort

ITEMS = st.lists(st.integers(0, 3), max_size=8)
MADE: Any = types.SimpleNamespace(**iterators.ITERTOOLS)


def fates(made: Iterator[Any], limit: int = 30) -> list[Any]:
    """Return what an iterator gives, one by one, up to its end."""
    return list(itertools.islice(made, limit))


@effort(100)
@given(ITEMS, ITEMS, ITEMS)
def test_the_same_items_as_cpython(a: list[int], b: list[int], c: list[int]) -> None:
    """What is written here gives what CPython's own gives."""
    ours, real = MADE, itertools
    pairs: list[tuple[Iterator[Any], Iterator[Any]]] = [
        (ours.chain(a, b, c), real.chain(a, b, c)),
        (ours.chain.from_iterable([a, b]), real.chain.from_iterable([a, b])),
        (ours.cycle(a), real.cycle(a)),
        (ours.pairwise(a), real.pairwise(a)),
        (ours.zip_longest(a, b, c, fillvalue="-"), real.zip_longest(a, b, c, fillvalue="-")),
        (ours.zip_longest(*[]), real.zip_longest(*[])),
        (ours.accumulate(a), real.accumulate(a)),
        (ours.accumulate(a, operator.mul, initial=7), real.accumulate(a, operator.mul, initial=7)),
        (ours.accumulate(a, max), real.accumulate(a, max)),
        (ours.takewhile(bool, a), real.takewhile(bool, a)),
        (ours.dropwhile(bool, a), real.dropwhile(bool, a)),
        (ours.filterfalse(None, a), real.filterfalse(None, a)),
        (ours.starmap(pow, zip(a, b, strict=False)), real.starmap(pow, zip(a, b, strict=False))),
        (ours.compress(a, b), real.compress(a, b)),
    ]
    for mine, theirs in pairs:
        assert fates(mine) == fates(theirs)
    grouped = [(key, list(group)) for key, group in MADE.groupby(a, lambda i: i // 2)]
    assert grouped == [(key, list(group)) for key, group in itertools.groupby(a, lambda i: i // 2)]


@effort(100)
@given(ITEMS, st.lists(st.sampled_from("gni"), max_size=20))
def test_a_groupby_and_its_groups_share_one_iterator(items: list[int], steps: list[str]) -> None:
    """In whatever order they are advanced, they give what CPython's give, an older group nothing."""

    def walk(groupby: Callable[..., Iterator[Any]]) -> list[Any]:
        seen: list[Any] = []
        groups: list[Any] = []
        made = groupby(items)
        for step in steps:
            if step == "g":
                key, group = next(made, (None, None))
                seen.append(key)
                groups += [group] if group is not None else []
            elif groups:
                seen.append(next(groups[-1 if step == "n" else 0], "end"))
        return seen

    assert walk(MADE.groupby) == walk(itertools.groupby)


@effort(200)
@given(st.lists(st.none() | st.integers(0, 6), min_size=1, max_size=2), st.none() | st.integers(1, 3))
def test_islice_takes_no_more_than_cpython_does(bounds: list[Any], step: int | None) -> None:
    """The items are the same, and so is what is left, after each of them."""
    args = (*bounds, step) if len(bounds) == 2 else bounds
    mine, theirs = iter(range(9)), iter(range(9))
    ours, real = MADE.islice(mine, *args), itertools.islice(theirs, *args)
    for _ in range(10):
        assert next(ours, "end") == next(real, "end")
        assert operator.length_hint(mine) == operator.length_hint(theirs)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("itertools.islice([1], -1)", "ValueError: Stop argument for islice() must be None or an integer"),
        ("itertools.islice([1], 'a', 2)", "ValueError: Indices for islice() must be None or an integer"),
        ("itertools.islice([1], 0, 1, 0)", "ValueError: Step for islice() must be a positive integer or None."),
        ("itertools.islice([1])", "TypeError: islice expected at least 2"),
        ("itertools.cycle(1)", "TypeError: 'int' object is not iterable"),
        ("iter(1, 2)", "TypeError: iter(v, w): v must be callable"),
        ("map(str)", "TypeError: map() must have at least two arguments."),
        ("enumerate(1)", "TypeError: 'int' object is not iterable"),
        ("next(zip([1], [], strict=True))", "ValueError: zip() argument 2 is shorter than argument 1"),
    ],
)
def test_a_wrong_argument_is_said_at_once(body: str, wanted: str) -> None:
    """Where it is given, and not where the first item is taken."""
    text = value(
        f"import itertools\ntry:\n    {body}\nexcept (TypeError, ValueError) as error:\n    return repr(error)"
    )
    kind, _, message = wanted.partition(": ")
    assert text.startswith(f"{kind}(")
    assert message in text


def test_types_and_texts() -> None:
    """They are what they are called, for `isinstance`, `iter` and `repr`."""
    body = """
        import itertools, collections.abc
        a, b, m = itertools.chain([1]), itertools.cycle([1]), map(str, [1])
        return [isinstance(a, itertools.chain), isinstance(b, itertools.chain), isinstance(m, map), type(m) is map,
                iter(a) is a, isinstance(a, collections.abc.Iterator), repr(m), repr(a), repr(zip),
                repr(itertools.chain),
                repr(itertools.starmap), repr(itertools.starmap(max, [])), isinstance(enumerate([]), enumerate)]
    """
    assert value(body) == [
        True, False, True, True, True, True, "<map object>", "<generator object itertools.chain>", "<class 'zip'>",
        "<class 'itertools.chain'>", "<class 'itertools.starmap'>", "<itertools.starmap object>", True,
    ]  # fmt: skip


def test_iterators_without_an_end_are_lazy() -> None:
    """An infinite source is taken from one by one."""
    body = """
        import itertools
        seen = []
        it = itertools.chain.from_iterable([i, i] for i in itertools.count())
        pairs = itertools.pairwise(itertools.accumulate(map(lambda i: seen.append(i) or i, itertools.count())))
        return [next(it) for _ in range(4)], [next(pairs) for _ in range(2)], seen, next(zip(itertools.cycle("ab"), it))
    """
    assert value(body) == ([0, 0, 1, 1], [(0, 1), (1, 3)], [0, 1, 2], ("a", 2))


def test_a_callable_is_asked_until_its_sentinel() -> None:
    """`iter(function, sentinel)` ends at the sentinel, or where the function has nothing more."""
    body = "it = iter([1, 2, 3, 4])\nreturn list(iter(lambda: next(it), 3)), list(iter(lambda: next(it), 0))"
    assert value(body) == ([1, 2], [4])


@pytest.mark.parametrize(
    "one",
    ["map(abs, x)", "filter(None, x)", "zip(x)", "enumerate(x)", "itertools.starmap(abs, x)",
     "itertools.takewhile(abs, x)", "itertools.dropwhile(abs, x)", "itertools.filterfalse(abs, x)",
     "itertools.compress(x, [1])", "itertools.compress([1], x)"],
)  # fmt: skip
def test_depth_has_an_end(one: str) -> None:
    """A hundred in one another are fine; the next one is refused with what to do."""
    body = f"""
        import itertools
        x = iter([1])
        count = 0
        try:
            while count < 1000:
                x = {one}
                count += 1
        except RecursionError as error:
            return count, str(error)
    """
    count, message = value(body)
    assert count == iterators.DEPTH_MAX
    assert "make a list" in message
