"""Damage to bytes, as a strategy: what a hostile or broken sender makes of a good message. Called by the fuzz tests."""

from __future__ import annotations

import random

from hypothesis import strategies as st

# What parsers trip over: varints without an end, lengths of 4 GiB, group tags, field 0, surrogates in UTF-8, NaN.
TOKENS = (
    b"\x00", b"\xff", b"\x80" * 10, b"\xff\xff\xff\xff\x0f", b"\x0b", b"\x0c", b"\x02\x00", b"\xed\xa0\x80",
    b"\xc0\x80", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\x0a\x7f", b"\x12\x02\x08\x07", b"\x09" + bytes(8),
    b"\x28\x01", b"{}",
)  # fmt: skip

Edit = tuple[int, int, int, bytes]

_edits = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 1 << 16),
        st.integers(0, 1 << 16),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=12)),
    ),
    max_size=6,
)


def damaged(good: bytes, edits: list[Edit]) -> bytes:
    """Carry out edits: overwrite, insert, cut out, repeat, cut off, flip a bit."""
    data = bytearray(good)
    for kind, at, size, put in edits:
        start = at % (len(data) + 1)
        end = min(start + size % 64, len(data))
        if kind == 0:
            data[start : start + len(put)] = put
        elif kind == 1:
            data[start:start] = put
        elif kind == 2:
            del data[start:end]
        elif kind == 3:
            data[start:start] = data[start:end]
        elif kind == 4:
            del data[start:]
        elif start < len(data):
            data[start] ^= 1 << size % 8
    return bytes(data)


edits: st.SearchStrategy[list[Edit]] = _edits


def pieces(data: bytes, seed: int) -> list[bytes]:
    """Cut a stream anywhere, as a network or a malicious sender may."""
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(1, len(data)), min(len(data) - 1, rng.randrange(6)))) if len(data) > 1 else []
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
