"""The keys that seal continuations: how their file is read, and which key of several is used for what.

Knows the file's form and its faults. Must not know what is sealed.

The file has one key a line, 32 bytes in base64; blank lines and lines that begin with # are passed over. The first
key seals, every key opens. So a key is rotated in two steps: add the new one below the old one everywhere, then put
it first everywhere; the old one is removed when the last token it sealed has expired.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from runtime.errors import ConfigError, Fault
from runtime.ops import private_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY_BYTES: Final = 32
ID_BYTES: Final = 4
MAX_KEYS: Final = 16
_MAX_FILE_BYTES: Final = 16 * 1024
_MAKE_ONE: Final = "head -c 32 /dev/urandom | base64"


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

    def opening(self, name: bytes) -> AESGCMSIV | None:
        """Return the cipher of a key id; None for a key that we do not have."""
        return self._by_id.get(name)


def key_id(key: bytes) -> bytes:
    """Name a key without saying anything of use about it."""
    return hashlib.sha256(b"vestibule continuation key\0" + key).digest()[:ID_BYTES]


def generate() -> bytes:
    """Make a key."""
    return secrets.token_bytes(KEY_BYTES)


def text(keys: Sequence[bytes]) -> str:
    """Write keys as their file holds them."""
    return "".join(base64.b64encode(key).decode() + "\n" for key in keys)


def read(path: Path) -> tuple[bytes, ...]:
    """Read a keys file. Raises: ConfigError, with every fault of the file; none of them quotes a key."""
    label = f"continuation.keys_file {path}"
    data, status = private_file.read(path, label, _MAX_FILE_BYTES, f"make a key with `{_MAKE_ONE}`")
    exposed = [Fault(label, message) for message in private_file.exposed(status)]
    keys, faults = _parse(data, label)
    if exposed or faults:
        raise ConfigError([*exposed, *faults])
    return tuple(keys)


def _parse(data: bytes, label: str) -> tuple[list[bytes], list[Fault]]:
    keys: list[bytes] = []
    faults: list[Fault] = []
    line_of: dict[bytes, int] = {}
    for number, raw in enumerate(data.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        try:
            key = base64.b64decode(line, validate=True)
        except binascii.Error:
            faults.append(Fault(f"{label}:{number}", f"is not base64; make a key with `{_MAKE_ONE}`"))
            continue
        if len(key) != KEY_BYTES:
            message = f"is a key of {len(key)} bytes; {KEY_BYTES} are wanted: make one with `{_MAKE_ONE}`"
            faults.append(Fault(f"{label}:{number}", message))
        elif len(set(key)) < 8:
            faults.append(Fault(f"{label}:{number}", f"is not a random key; make one with `{_MAKE_ONE}`"))
        elif (first := line_of.setdefault(key_id(key), number)) != number:
            faults.append(Fault(f"{label}:{number}", f"is the key of line {first} again; remove it"))
        else:
            keys.append(key)
    if not keys and not faults:
        faults.append(Fault(label, f"holds no key; make one with `{_MAKE_ONE}`"))
    elif len(keys) > MAX_KEYS:
        faults.append(Fault(label, f"holds {len(keys)} keys; at most {MAX_KEYS}: remove those that seal nothing alive"))
    return keys, faults
