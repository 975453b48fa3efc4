"""What an API key looks like, and what is kept of it. Must not know where keys are stored.

`vk_`, an id of 10 letters and digits, `_`, a secret of 52: 256 bits from the system. The prefix lets scanners of source
code and logs find a key; the id is no secret and names the key in lists and logs.

Only the SHA-256 of the secret is kept. A slow hash is for passwords, which can be guessed: a random secret of 256 bits
cannot, so a slow hash would keep nothing from a thief of the store and would cost each call a tenth of a second.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Final, NamedTuple

PREFIX: Final = "vk_"
_SECRET_BYTES: Final = 32
_ID_CHARS: Final = 10
_FORM: Final = re.compile(r"vk_([a-z2-7]{10})_([a-z2-7]{52})").fullmatch


class KeyText(NamedTuple):
    """The two parts of a key."""

    key_id: str
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.key_id}_{self.secret}"

    def __repr__(self) -> str:
        return f"KeyText({self.key_id})"  # no traceback or log line shows the secret


def generate() -> KeyText:
    """Make a key."""
    name, secret = (
        base64.b32encode(secrets.token_bytes(size)).decode().lower().rstrip("=") for size in (8, _SECRET_BYTES)
    )
    return KeyText(name[:_ID_CHARS], secret)


def parse(text: str) -> KeyText | None:
    """Read a key; None when the text is none. text: from a caller; hostile."""
    found = _FORM(text)
    return KeyText(found[1], found[2]) if found else None


def digest(secret: str) -> bytes:
    """Return what is kept of a secret, which may be any text."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
