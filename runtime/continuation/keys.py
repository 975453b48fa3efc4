"""The keys that seal continuations: which key of several is used for what. Must not know what is sealed.

Their file has one key a line. The first key seals, every key opens. So a key is rotated in two steps: add the new one
below the old one everywhere, then put it first everywhere; the old one is removed when the last token it sealed has
expired.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from runtime.errors import ConfigError, Fault
from runtime.ops import key_file
from runtime.ops.key_file import ID_BYTES as ID_BYTES
from runtime.ops.key_file import KEY_BYTES as KEY_BYTES
from runtime.ops.key_file import MAX_KEYS as MAX_KEYS
from runtime.ops.key_file import generate as generate
from runtime.ops.key_file import text as text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SETTING: Final = "continuation.keys_file"


class Keyring:
    """Keys by id. The id of a key is part of its hash, so that replicas need not agree on names."""

    __slots__ = ("_by_id", "identities", "sealing_id")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take at least one key of KEY_BYTES; the first one seals. Raises: ConfigError where it cannot be used."""
        try:
            # Nonces are random. This mode survives two equal ones, at billions of tokens under one key; plain GCM would
            # give its authentication away. Source: RFC 8452, section 9.
            self._by_id = {key_id(key): AESGCMSIV(key) for key in reversed(keys)}
        except UnsupportedAlgorithm:
            raise ConfigError(
                [Fault("continuation", "the cryptography package of this Python has no AES-GCM-SIV; install its wheel")]
            ) from None
        self.sealing_id = key_id(keys[0])
        self.identities = hashlib.blake2b(b"vestibule identities of requests", key=keys[0], digest_size=32).digest()
        """What the seeds of requests are derived with; of the key that seals."""

    @property
    def sealing(self) -> AESGCMSIV:
        """The cipher that seals."""
        return self._by_id[self.sealing_id]

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The ids of all keys."""
        return tuple(self._by_id)

    def opening(self, name: bytes) -> AESGCMSIV | None:
        """Return the cipher of a key id; None for a key that we do not have."""
        return self._by_id.get(name)


def key_id(key: bytes) -> bytes:
    """Name a key without saying anything of use about it."""
    return key_file.key_id(key, "continuation")


def read(path: Path) -> tuple[bytes, ...]:
    """Read a keys file. Raises: ConfigError, with every fault of the file; none of them quotes a key."""
    return key_file.read(path, _SETTING)
