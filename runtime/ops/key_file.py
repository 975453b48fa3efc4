"""Files of keys, one a line, 32 random bytes in base64: how they are read, and every fault that one can have.

Must not know what the keys are for. Blank lines and lines that begin with # are passed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import TYPE_CHECKING, Final

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


def generate() -> bytes:
    """Make a key."""
    return secrets.token_bytes(KEY_BYTES)


def text(keys: Sequence[bytes]) -> str:
    """Write keys as their file holds them."""
    return "".join(base64.b64encode(key).decode() + "\n" for key in keys)


def key_id(key: bytes, purpose: str) -> bytes:
    """Name a key without saying anything of use about it."""
    return hashlib.sha256(f"vestibule {purpose} key\0".encode() + key).digest()[:ID_BYTES]


def read(path: Path, setting: str) -> tuple[bytes, ...]:
    """Read a file. Raises: ConfigError, with every fault of the file; none of them quotes a key."""
    label = f"{setting} {path}"
    data, status = private_file.read(path, label, _MAX_FILE_BYTES, f"make a key with `{_MAKE_ONE}`")
    exposed = [Fault(label, message) for message in private_file.exposed(status)]
    keys, faults = _parse(data, label)
    if exposed or faults:
        raise ConfigError([*exposed, *faults])
    return tuple(keys)


def parse(data: bytes, label: str) -> tuple[bytes, ...]:
    """Read keys that came in another way than by a file. Raises: ConfigError, as `read`."""
    keys, faults = _parse(data, label)
    if faults:
        raise ConfigError(faults)
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
        elif (first := line_of.setdefault(key, number)) != number:
            faults.append(Fault(f"{label}:{number}", f"is the key of line {first} again; remove it"))
        else:
            keys.append(key)
    if not keys and not faults:
        faults.append(Fault(label, f"holds no key; make one with `{_MAKE_ONE}`"))
    elif len(keys) > MAX_KEYS:
        faults.append(Fault(label, f"holds {len(keys)} keys; at most {MAX_KEYS}: remove those that seal nothing alive"))
    return keys, faults
