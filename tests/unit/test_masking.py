"""What tenant code said goes into the log and the store without the values of secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.login.masking import MASK, Masker

SECRET = 'hun"ter2\\é/+ x'
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"


@pytest.mark.parametrize(
    "write",
    [
        str,
        repr,
        json.dumps,
        lambda secret: quote(secret, safe=""),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    ],
    ids=["text", "repr", "json", "url", "base64", "base64url"],
)
def test_a_secret_is_masked_however_it_is_written(write: object) -> None:
    """The text keeps what is around the value; the control has the value."""
    assert callable(write)
    text = f"before {write(SECRET)} after"
    assert Masker([])(text) == text
    masked = Masker([SECRET])(text)
    assert MASK in masked
    assert "ter2" not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


def test_each_line_of_a_key_is_a_secret() -> None:
    """A key that is printed line by line is masked too; a bracket alone is none."""
    assert Masker([PEM])("it: MIIEvQIBADANBg.") == f"it: {MASK}."
    assert Masker(['{\n"a": "long enough"\n}'])("{}") == "{}"


def test_a_value_that_was_cut_is_masked() -> None:
    """Output is cut after some bytes, perhaps within a value."""
    masker = Masker(["correct horse"])
    assert masker("x correct ho", cut=True) == f"x {MASK}"
    assert masker("x correct ho…", cut=True) == f"x {MASK}"
    assert masker("x correct ho") == "x correct ho"
    assert masker("x co", cut=True) == "x co"


def test_the_longest_secret_wins() -> None:
    """One that contains another leaves nothing of itself."""
    assert Masker(["abc", "abcdef", ""])("abcdefabc") == MASK * 2


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_keeps_a_secret(secret: str, before: str, after: str) -> None:
    """Whatever is around it, the value is gone, unless the mask itself has it."""
    masked = Masker([secret])(f"{before}{secret}{after}".encode("utf-8", "replace").decode())
    assert secret not in masked.replace(MASK, "") or secret in MASK
