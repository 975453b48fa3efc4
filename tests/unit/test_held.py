"""What an action writes to is what it was in Python, and what CPython would not hold is held."""

from __future__ import annotations

import pytest

from sandbox.language import compiler
from sandbox.reach import held, stacks
from tests.action_body import value


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("r = [1, 2, 3, 4]\nr[1:3] = map(str, [7, 8, 9])\nreturn r", [1, "7", "8", "9", 4]),
        ("r = [1, 2, 3, 4]\nr[::2] = (i for i in 'ab')\nreturn r", ["a", 2, "b", 4]),
        ("r = [1, 2, 3, 4]\ndel r[::2]\nreturn r", [2, 4]),
        ("r = [1, 2, 3, 4]\nr[:2] += [5]\nreturn r", [1, 2, 5, 3, 4]),
        ("r = [1, 2, 3, 4]\nr[::2] += map(int, [])\nreturn r", [1, 2, 3, 4]),
        ("r = [1, 2, 3, 4]\ns = slice(0, 2)\nr[s] = 'xy'\nreturn r, r[s]", (["x", "y", 3, 4], ["x", "y"])),
        ("r = [1, 2, 3]\ns = slice(None, None, 2)\ndel r[s]\nreturn r", [2]),
        ("r = [1, 2, 3]\na = r[:1] = [9, 8]\nreturn a, r", ([9, 8], [9, 8, 2, 3])),
        ("r = [1, 2, 3]\n(r[:1], b) = ([4, 5], 6)\nreturn r, b", ([4, 5, 2, 3], 6)),
        ("r = [1, 2]\nfor r[:1] in ['ab', 'c']:\n    pass\nreturn r", ["c", "b", 2]),
        ("r = [1, 2]\nr[:] = r\nreturn r", [1, 2]),
        ("r = [1]\nslice(1)\nr[0] = 2\nreturn r", [2]),
    ],
)
def test_parts_of_a_list_are_written_as_in_python(body: str, wanted: object) -> None:
    """Whatever the right side is, and wherever the target stands."""
    assert value(body) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("r = [1, 2, 3]\nr[::2] = [1]", "attempt to assign sequence of size 1 to extended slice of size 2"),
        ("r = [1]\nr[:] = 5", "can only assign an iterable"),
        ("d = {}\nd[1:2] = 3", "unhashable type: 'slice'"),
        ("d = {}\nd[1:2]", "cannot be sliced"),
        ("import collections\nd = collections.defaultdict(list)\nd[[]:1]", "cannot be sliced"),
        (
            "import collections\nc = collections.Counter('a')\nc.items = len",
            "has no attribute 'items' that can be assigned",
        ),
        ("import collections\nc = collections.Counter('a')\nsetattr(c, 'get', len)", "has no attribute 'get'"),
        ("r = []\nr.x = 1", "has no attribute 'x'"),
    ],
)
def test_what_cannot_be_written_says_why(body: str, wanted: str) -> None:
    """As Python does, or nearly."""
    text = value(
        f"try:\n    {body.replace(chr(10), chr(10) + '    ')}\nexcept Exception as error:\n    return str(error)"
    )
    assert wanted in text


def test_a_slice_inside_a_key_is_refused() -> None:
    """No type of an action takes it, and as a key it would hand out what stood in it."""
    faults = compiler.check("def on_execute_post_login(event, api):\n    {}[1:2, 3]\n")
    assert ["a slice inside a tuple" in fault.message for fault in faults] == [True]


def test_a_function_too_large_for_the_stack_is_refused() -> None:
    """Room for the frame of every call is kept: 1,000 calls of functions of 2,000 variables."""
    names = ", ".join(f"a{i}" for i in range(stacks.FRAME_SLOTS_MAX))
    source = f"def on_execute_post_login(event, api):\n    def large({names}):\n        pass\n"
    assert ["the function 'large' is too large" in fault.message for fault in compiler.check(source)] == [True]


def test_a_factory_is_held_until_the_execution_ends() -> None:
    """A defaultdict forgets its factory at once, and the factory may be what runs."""
    body = """
        import collections
        d = collections.defaultdict(lambda: setattr(d, "default_factory", None) or [1])
        return d["a"], d.default_factory, dict(d)
    """
    assert value(body) == ([1], None, {"a": [1]})
    held.keep("one")
    held.release()
    assert held.KEPT == []


ROWS = [("b", 2), ("a", 2), ("c", 1)]


@pytest.mark.parametrize(
    "body",
    [
        "return sorted(rows, key=key)",
        "rows.sort(key=key, reverse=True)\nreturn rows",
        "return min(rows, key=key), max(rows, key=key)",
        "return key(rows[0]) < key(rows[2]), key(rows[0]) > key(rows[2]), key(rows[0]) <= key(rows[1])",
        "return sorted(map(key, rows)) and key(rows[0]) >= key(obj=rows[1])",
    ],
)
def test_a_function_that_compares_orders_rows(body: str) -> None:
    """A key of `cmp_to_key` does in a sort, in `min`, `max` and by itself what it does in Python."""
    real = "import functools\nkey = functools.cmp_to_key(lambda a, b: a[1] - b[1])\n"
    wanted: dict[str, object] = {}
    lines = f"{real}rows = {ROWS}\n{body}".replace("\n", "\n    ")
    exec(f"def run():\n    {lines}", wanted)  # noqa: S102 - plain Python, for comparison
    assert value(f"{real}rows = {ROWS}\n{body}") == wanted["run"]()  # type: ignore[operator]  # it is a function


@pytest.mark.parametrize(
    "body",
    [
        "[key(1)] < [key(2)]", "(key(1),) == (key(2),)", "key(1) in [key(2)]", "[key(1)].index(key(2))",
        "{1: key(1)} == {1: key(2)}", "sorted([[key(1)], [key(2)]])", "key(1) != key(2)", "[key(1)].remove(key(2))",
        "collections.deque([key(1)]).index(key(2))", "collections.deque([key(1)]) < collections.deque([key(2)])",
        "types.SimpleNamespace(a=key(1)) == types.SimpleNamespace(a=key(2))",
    ],
)  # fmt: skip
def test_no_container_compares_by_a_function(body: str) -> None:
    """Containers begin with `==`, which CPython does not always hold both sides of; so that calls nothing."""
    text = value(f"""
        import collections, functools, types
        called = []
        key = functools.cmp_to_key(lambda a, b: called.append(1) or 1)
        try:
            {body}
        except TypeError as error:
            return str(error), called
    """)
    assert "is ordered and equals nothing" in text[0]
    assert text[1] == []
