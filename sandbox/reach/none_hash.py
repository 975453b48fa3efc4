"""Gives None the same hash in every process, as CPython 3.12 and later do by themselves.

Knows where a type keeps its hash function. Must not import anything of ours.

In CPython 3.11 None is hashed by its address, like any object without a hash of its own. An order of a set that has
None in it would show where the interpreter lies in memory, and would be another one after each start of the daemon.
"""

from __future__ import annotations

import ctypes

# Where `tp_hash` is in PyTypeObject: after the head of an object of variable size, three words, and twelve fields of a
# word each. Source: Include/cpython/object.h; it is the same in CPython 3.8 to 3.13. Not `Final`: typing has a set with
# None in it.
_TP_HASH = 15 * ctypes.sizeof(ctypes.c_void_p)


def _slot(kind: type) -> ctypes.c_void_p:
    return ctypes.c_void_p.from_address(id(kind) + _TP_HASH)


def fix() -> None:
    """Let None be hashed by `PyObject_IsTrue`, which answers 0 for it.

    Raises:
        RuntimeError: this interpreter is built differently.
    """
    if hash(None) != object.__hash__(None):
        return  # it has a hash of its own
    inherited = _slot(object).value
    slot = _slot(type(None))
    # Types that inherit what `object` has must show the same word there, and a type with its own another one.
    if inherited is None or not inherited == slot.value == _slot(type(...)).value != _slot(int).value:
        raise RuntimeError(_STRANGE)
    slot.value = ctypes.cast(ctypes.pythonapi.PyObject_IsTrue, ctypes.c_void_p).value
    if hash(None) != 0:
        slot.value = inherited
        raise RuntimeError(_STRANGE)


_STRANGE = "None is hashed by its address, and this build of CPython 3.11 is none in which that can be changed"
