"""Writing to a part of a list: what is written is a list before the part is looked for.

Knows lists and slices. Must not know guards, facades or events. CPython computes which places an extended slice names,
then walks the right side, and then writes (Objects/listobject.c, list_ass_subscript): an iterator that clears the list
meanwhile makes it write past the end.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

_WALKED: Final = frozenset({list, tuple})
"""What CPython walks without calling Python code."""


class ListWriter:
    """Stands for a list where its items are assigned or deleted by slice."""

    __slots__ = ("_items",)
    _exposed_: ClassVar[frozenset[str]] = frozenset()
    _writable_: ClassVar[bool] = True
    __iter__: ClassVar[None] = None

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) is slice and type(value) not in _WALKED and hasattr(type(value), "__iter__"):
            value = list(value)
        self._items[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._items[key]


def make_slice(*args: Any) -> slice:
    """Be `slice`.

    Raises:
        TypeError: a part is no int. A chain of slices of slices, taken apart, runs down the C stack.
    """
    if any(arg is not None and type(arg) is not int for arg in args):
        raise TypeError("slice() takes ints and None")
    return slice(*args)
