"""Sealed texts of a store: what opens, and each way in which somebody who can write the store could change one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog import store_keys, vault
from runtime.catalog.store_keys import NO_STORE_KEYS, StoreKeys
from runtime.catalog.vault import PLAIN, SealedVault, Unsealable
from runtime.errors import ConfigError
from runtime.ops import key_file

FIRST, SECOND = "aa" * vault.ID_BYTES, "bb" * vault.ID_BYTES
KEYS = {FIRST: key_file.generate(), SECOND: key_file.generate()}
FINGERPRINTS = key_file.generate()
PLACE = vault.secret("acme", "main", "API_KEY")

sealing = SealedVault(FIRST, KEYS, FINGERPRINTS)


@given(st.text(max_size=300), st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_text_comes_back(text: str, place: list[str]) -> None:
    """Any text in any place opens as it was, and does not stand in what is kept."""
    kept = sealing.seal(tuple(place), text)
    assert sealing.open(tuple(place), kept) == text
    assert PLAIN.open(tuple(place), PLAIN.seal(tuple(place), text)) == text


def test_what_is_kept_says_nothing() -> None:
    """Neither the text nor its base64 stands in what is kept, and the same text is never kept alike twice."""
    text = "hunter2-hunter2-hunter2"
    kept = [sealing.seal(PLACE, text) for _ in range(20)]
    assert len(set(kept)) == 20
    assert all(text not in each and base64.b64encode(text.encode()).decode().rstrip("=") not in each for each in kept)
    assert text in PLAIN.seal(PLACE, text), "the control: a store that is not sealed shows it"


@pytest.mark.parametrize(
    "elsewhere",
    [
        vault.secret("bank", "main", "API_KEY"),
        vault.secret("acme", "other", "API_KEY"),
        vault.secret("acme", "main", "OTHER"),
        vault.secret("acm", "emain", "API_KEY"),
        vault.doors("acme"),
        vault.superseded("acme", b"\1" * 32),
        ("secret", "acme", "main API_KEY"),
    ],
)
def test_a_swapped_row_is_refused(elsewhere: vault.SecretPlace) -> None:
    """A text that was moved to another tenant, action, name or table does not open; in its own place it does."""
    kept = sealing.seal(PLACE, "s3cret")
    with pytest.raises(Unsealable, match="changed or moved"):
        sealing.open(elsewhere, kept)
    assert sealing.open(PLACE, kept) == "s3cret"


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_flipped_bit_is_refused(at: int) -> None:
    """Each byte of nonce, ciphertext and tag counts."""
    kept = sealing.seal(PLACE, "twelve chars")
    form, name, encoded = kept.split(".")
    changed = bytearray(base64.b64decode(encoded))
    changed[at] ^= 1
    with pytest.raises(Unsealable):
        sealing.open(PLACE, f"{form}.{name}.{base64.b64encode(bytes(changed)).decode()}")


def test_a_cut_or_plain_text_is_refused() -> None:
    """Whatever is cut off, and whatever was put there by hand, is refused in words; nothing of it is quoted."""
    kept = sealing.seal(PLACE, "s3cret")
    for length in range(len(kept)):
        with pytest.raises(Unsealable):
            sealing.open(PLACE, kept[:length])
    with pytest.raises(Unsealable) as refused:
        sealing.open(PLACE, "hunter2")
    assert "secret of tenant acme main API_KEY is not sealed, in a store that is" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_data_key_is_authenticated() -> None:
    """A text that claims another data key does not open, one of an older data key does, and an unknown one says so."""
    kept = sealing.seal(PLACE, "s3cret")
    with pytest.raises(Unsealable, match="changed or moved"):
        sealing.open(PLACE, kept.replace(FIRST, SECOND))
    with pytest.raises(Unsealable, match="a data key that the store does not have"):
        sealing.open(PLACE, kept.replace(FIRST, "cc" * vault.ID_BYTES))
    rotated = SealedVault(SECOND, KEYS, FINGERPRINTS)
    assert rotated.open(PLACE, kept) == "s3cret"
    assert rotated.seal(PLACE, "s3cret").startswith(vault.head(SECOND))
    gone = SealedVault(SECOND, {SECOND: KEYS[SECOND]}, FINGERPRINTS)
    with pytest.raises(Unsealable):
        gone.open(PLACE, kept)


def test_a_guess_cannot_be_checked_by_the_fingerprint() -> None:
    """A sealed store's fingerprint needs its key; a plain store's is a hash that each guess can be compared with."""
    guess = b'{"PIN": "0000"}'
    assert PLAIN.fingerprint(guess) == PLAIN.fingerprint(bytes(guess)), "the control"
    other = SealedVault(FIRST, KEYS, key_file.generate())
    assert len({sealing.fingerprint(guess), other.fingerprint(guess), PLAIN.fingerprint(guess)}) == 3
    assert SealedVault(SECOND, KEYS, FINGERPRINTS).fingerprint(guess) == sealing.fingerprint(guess)


def test_any_key_of_the_file_opens_and_the_first_seals() -> None:
    """Rotation: what either key sealed opens, only the first one seals, and a key that is not there opens nothing."""
    old, new = key_file.generate(), key_file.generate()
    data_key = key_file.generate()
    name, wrapped = StoreKeys([old]).wrap(b"values 1", data_key)
    both = StoreKeys([new, old])
    assert both.ids == (store_keys.key_id(new), store_keys.key_id(old))
    assert both.unwrap(name, b"values 1", wrapped) == data_key
    assert both.wrap(b"values 1", data_key)[0] == store_keys.key_id(new)
    assert StoreKeys([new]).unwrap(name, b"values 1", wrapped) is None
    assert NO_STORE_KEYS.unwrap(name, b"values 1", wrapped) is None
    assert not NO_STORE_KEYS


def test_a_data_key_that_was_changed_or_swapped_is_refused() -> None:
    """One data key cannot stand in for another one, nor be cut or changed."""
    keys = StoreKeys([key_file.generate()])
    name, wrapped = keys.wrap(b"values 1", key_file.generate())
    for what, changed in (
        (b"values 2", wrapped),
        (b"fingerprints 1", wrapped),
        (b"values 1", wrapped[:-1]),
        (b"values 1", b""),
        (b"values 1", wrapped[:-1] + bytes([wrapped[-1] ^ 1])),
    ):
        with pytest.raises(ValueError, match="a data key was changed"):
            keys.unwrap(name, what, changed)


def test_keys_come_from_a_file_or_a_variable(tmp_path: Path) -> None:
    """Both hold the same text; what is wrong is named with its place, and no key is quoted."""
    made = [key_file.generate(), key_file.generate()]
    path = tmp_path / "store.keys"
    path.write_text(key_file.text(made))
    path.chmod(0o600)
    assert store_keys.read(path).ids == store_keys.of_variable("K", {"K": key_file.text(made)}).ids
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"catalog\.keys_file .* has mode 0644"):
        store_keys.read(path)
    with pytest.raises(ConfigError, match=r"catalog\.keys_env: the environment has no variable K; set it"):
        store_keys.of_variable("K", {})
    with pytest.raises(ConfigError, match=r"catalog\.keys_env K:2: is not base64") as refused:
        store_keys.of_variable("K", {"K": f"{key_file.text(made[:1])}hunter2!\n"})
    assert "hunter2" not in str(refused.value)
