"""Seals the secrets of a store, each bound to its place, and opens them: with data keys, which the store itself keeps.

Must not know SQL, nor where the keys come from that seal the data keys.

A sealed text is the form's number, the data key's id, and base64 of a nonce and of the ciphertext with its tag. Form,
id and place are authenticated too, so that no row can stand in for another one. A store is sealed as a whole or not at
all: in one that is not, no text is ever taken for a sealed one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from runtime.catalog.store_keys import NONCE_BYTES
from runtime.errors import CatalogUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

FORM: Final = "1"
ID_BYTES: Final = 8

SecretPlace = tuple[str, ...]
"""What a text is and whose: the first part is the kind, the others what identifies the row."""


def secret(tenant: str, action: str, name: str) -> SecretPlace:
    """Name the place of an action's secret."""
    return "secret", tenant, action, name


def doors(tenant: str) -> SecretPlace:
    """Name the place of a tenant's doors, with their secrets."""
    return "doors", tenant


def superseded(tenant: str, digest: bytes) -> SecretPlace:
    """Name the place of a flow that was replaced, with its secrets."""
    return "superseded", tenant, digest.hex()


def cached(tenant: str, key: str) -> SecretPlace:
    """Name the place of a record of a tenant's cache."""
    return "cached record", tenant, key


class Unsealable(CatalogUnavailable, ValueError):
    """A sealed text is not what was sealed there: the row was changed, cut, moved, or its data key is gone."""

    def __init__(self, place: SecretPlace, why: str) -> None:
        kind, tenant, *rest = (*place, "")
        message = f"{kind} of tenant {tenant} {' '.join(rest)}".rstrip() + f" {why}"
        super().__init__([f"{message}; restore the store from a backup, or apply the tenant again"])


class Vault(Protocol):
    """What seals and opens the texts of one store."""

    @property
    def sealed(self) -> bool:
        """Is the store sealed?"""

    def seal(self, place: SecretPlace, text: str) -> str:
        """Return what the store keeps of a text."""

    def open(self, place: SecretPlace, kept: str) -> str:
        """Return the text that is kept in a place. Raises: Unsealable."""

    def fingerprint(self, text: bytes) -> bytes:
        """Return 32 bytes that tell a text from others. In a sealed store no secret can be guessed by them."""


class PlainVault:
    """Of a store that is not sealed: texts are kept as they are."""

    sealed = False

    def seal(self, place: SecretPlace, text: str) -> str:
        """Return the text."""
        return text

    def open(self, place: SecretPlace, kept: str) -> str:
        """Return the text."""
        return kept

    def fingerprint(self, text: bytes) -> bytes:
        """Return the SHA-256."""
        return hashlib.sha256(text).digest()


PLAIN: Final = PlainVault()


class SealedVault:
    """Of a sealed store: the data keys by id, as hexadecimal. The newest one seals, each opens."""

    sealed = True

    def __init__(self, newest: str, keys: Mapping[str, bytes], fingerprints: bytes) -> None:
        """Take data keys, which one is the newest, and the key of fingerprints."""
        self.newest = newest
        self._ciphers = {name: AESGCMSIV(key) for name, key in keys.items()}
        self._fingerprints = fingerprints

    def seal(self, place: SecretPlace, text: str) -> str:
        """Seal with the newest data key."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._ciphers[self.newest].encrypt(nonce, text.encode(), _bound(self.newest, place))
        return f"{head(self.newest)}{base64.b64encode(sealed).decode()}"

    def open(self, place: SecretPlace, kept: str) -> str:
        """Open what any of the data keys has sealed. Raises: Unsealable."""
        form, _, rest = kept.partition(".")
        name, dot, encoded = rest.partition(".")
        if form != FORM or not dot:
            raise Unsealable(place, "is not sealed, in a store that is")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise Unsealable(place, "is sealed with a data key that the store does not have")
        try:
            sealed = base64.b64decode(encoded, validate=True)
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(name, place)).decode()
        except (InvalidTag, ValueError):
            raise Unsealable(place, "was changed or moved since it was sealed") from None

    def fingerprint(self, text: bytes) -> bytes:
        """Return a keyed hash."""
        return hashlib.blake2b(text, key=self._fingerprints, digest_size=32).digest()


def head(data_key: str) -> str:
    """Return what each text begins with that this data key has sealed."""
    return f"{FORM}.{data_key}."


def _bound(data_key: str, place: SecretPlace) -> bytes:
    # As JSON, so that no two places are written alike.
    return json.dumps([FORM, data_key, *place]).encode()
