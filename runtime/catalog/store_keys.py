"""The keys that open a sealed store: read from a file or a variable; each seals and opens the store's own data keys.

The first key seals, every key opens, as with the keys of continuations. Must not know what lies in a store.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from runtime.errors import ConfigError, Fault
from runtime.ops import key_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.config.sections import CatalogConfig

NONCE_BYTES: Final = 12
_PURPOSE: Final = "store"
_FILE: Final = "catalog.keys_file"
_VARIABLE: Final = "catalog.keys_env"


class StoreKeys:
    """Keys by id. Without any, a store can be used that is not sealed."""

    __slots__ = ("_by_id", "ids")

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Take keys of KEY_BYTES. Raises: ConfigError where they cannot be used."""
        try:
            # As for continuations: random nonces, and a mode that survives two equal ones.
            self._by_id = {key_id(key): AESGCMSIV(key) for key in reversed(keys)}
        except UnsupportedAlgorithm:
            raise ConfigError(
                [Fault("catalog", "the cryptography package of this Python has no AES-GCM-SIV; install its wheel")]
            ) from None
        self.ids = tuple(dict.fromkeys(key_id(key) for key in keys))
        """Ids of all keys, as text; that of the key that seals comes first."""

    def __bool__(self) -> bool:
        return bool(self.ids)

    def __repr__(self) -> str:
        return f"<StoreKeys {' '.join(self.ids)}>"

    def wrap(self, what: bytes, data_key: bytes) -> tuple[str, bytes]:
        """Seal a data key with the first key; return that key's id, too. `what` says which data key it is."""
        name = self.ids[0]
        nonce = os.urandom(NONCE_BYTES)
        return name, nonce + self._by_id[name].encrypt(nonce, data_key, _bound(name, what))

    def unwrap(self, name: str, what: bytes, wrapped: bytes) -> bytes | None:
        """Return a data key; None when its key is not among these. Raises: ValueError: it was changed or swapped."""
        cipher = self._by_id.get(name)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(name, what))
        except (InvalidTag, ValueError):
            raise ValueError("a data key was changed since it was sealed") from None


NO_STORE_KEYS: Final = StoreKeys()


def _bound(name: str, what: bytes) -> bytes:
    return b"vestibule data key\0" + name.encode() + b"\0" + what


def key_id(key: bytes) -> str:
    """Name a key without saying anything of use about it."""
    return key_file.key_id(key, _PURPOSE).hex()


def read(path: Path) -> StoreKeys:
    """Read a keys file. Raises: ConfigError, with every fault of the file; none of them quotes a key."""
    return StoreKeys(key_file.read(path, _FILE))


def given(config: CatalogConfig, environment: Mapping[str, str]) -> StoreKeys:
    """Return the keys that a configuration names. Raises: ConfigError."""
    if config.keys_env:
        return of_variable(config.keys_env, environment)
    return read(Path(config.keys_file)) if config.keys_file else NO_STORE_KEYS


def of_variable(name: str, environment: Mapping[str, str]) -> StoreKeys:
    """Read the variable of that name, which holds what a file would. Raises: ConfigError, as `read`."""
    value = environment.get(name)
    if not value:
        raise ConfigError([Fault(_VARIABLE, f"the environment has no variable {name}; set it, or name a file of keys")])
    return StoreKeys(key_file.parse(value.encode(errors="replace"), f"{_VARIABLE} {name}"))
