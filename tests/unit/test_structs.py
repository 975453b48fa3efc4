"""JSON data written by hand as a Struct, held against the library."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from runtime.login import structs
from tests import strict_reader

DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


def hold(members: dict[str, Any]) -> None:
    wanted = Struct()
    wanted.update(members)
    data = structs.write(members)
    strict_reader.walk(data, Struct.DESCRIPTOR, "Struct")
    assert len(data) == wanted.ByteSize()
    assert Struct.FromString(data).SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


@given(st.dictionaries(st.text(max_size=200), DATA, max_size=6))
def test_a_struct_is_written_as_the_library_writes_it(members: dict[str, Any]) -> None:
    """It is the same message, in a form that the strictest reader takes."""
    hold(members)


@pytest.mark.parametrize("size", [127, 128, 16_383, 16_384, 100_000])
def test_lengths_of_any_size_are_written(size: int) -> None:
    """Of keys, texts, lists and dicts alike."""
    members = {"k" * size: "x" * size, "l": ["x"] * (size // 8), "d": {str(n): n for n in range(size // 16)}}
    hold(members)


def test_what_no_call_lets_pass_is_a_fault_of_ours() -> None:
    """Anything but checked data is never written as something else."""
    with pytest.raises(TypeError, match="tuple"):
        structs.write({"a": (1,)})
