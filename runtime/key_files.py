"""The keys of a daemon, of continuations and of its store. Their files are followed: a change needs no restart.

Must not know what the keys seal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from runtime.catalog import store_keys
from runtime.catalog.replicas import KeysInUse
from runtime.catalog.store_keys import StoreKeys
from runtime.config.settings import Config
from runtime.continuation import keys
from runtime.continuation.keys import Keyring
from runtime.ops.followed import Followed
from runtime.ops.log import Log

CONTINUATION: Final = "continuation"
STORE: Final = "store"


class KeyGauges(Protocol):
    """Where the state of the files is noted; see runtime/ops/metrics.py."""

    def keys_read(self, kind: str, healthy: bool) -> None:
        """Note whether the newest attempt to read a file of keys succeeded."""


class KeyFiles:
    """The keys of one configuration. Raises: ConfigError."""

    def __init__(
        self, config: Config, environment: Mapping[str, str], log: Log, gauges: KeyGauges, made: Sequence[bytes]
    ) -> None:
        """Read all. `made` seal continuations where there is no file of such keys."""
        self._log, self._gauges = log, gauges
        self._changed: Callable[[], None] = _ignore
        self._continuation: Followed[Keyring] | None = None
        self._store: Followed[StoreKeys] | None = None
        self._made: Keyring | None = None if config.continuation.keys_file else Keyring(made)
        if config.continuation.keys_file:
            self._continuation = self._followed(config.continuation.keys_file)
        if config.catalog.keys_file:
            path = Path(config.catalog.keys_file)
            self._store = Followed("store keys", [path], partial(store_keys.read, path), log, self._store_read)
        self._given = store_keys.given(config.catalog, environment)

    @property
    def own(self) -> bool:
        """Is there no file of keys of continuations?"""
        return self._continuation is None

    @property
    def keyring(self) -> Keyring:
        """The keys of continuations, as their file has them."""
        if self._continuation is not None:
            return self._continuation.value
        assert self._made is not None
        return self._made

    def store_keys(self) -> StoreKeys:
        """Return the keys of the store that are in effect."""
        return self._given if self._store is None else self._store.value

    def in_use(self, ring: Keyring, last_expiry_ms: Mapping[str, int]) -> KeysInUse:
        """Return the row of a daemon that seals with a ring, and the last expiry of what each of its keys sealed."""
        ids = tuple(name.hex() for name in ring.ids)
        return KeysInUse(ring.sealing_id.hex(), ids, dict(last_expiry_ms), self.store_keys().ids, own=self.own)

    def start(self, changed: Callable[[], None]) -> None:
        """Begin to follow; `changed` is called from another thread when keys were read anew."""
        self._changed = changed
        for followed in (self._continuation, self._store):
            if followed is not None:
                followed.start()

    def ask(self) -> None:
        """Read the keys of the store again soon. Those of continuations are read at once by who asks."""
        if self._store is not None:
            self._store.ask()

    def moved(self, path: str) -> None:
        """Follow another file of keys of continuations. Raises: ConfigError, and then nothing changed."""
        before = self._continuation
        self._continuation = self._followed(path)
        self._continuation.start()
        if before is not None:
            before.close()

    def close(self) -> None:
        """Stop following."""
        self._changed = _ignore
        for followed in (self._continuation, self._store):
            if followed is not None:
                followed.close()

    def _followed(self, name: str) -> Followed[Keyring]:
        path = Path(name)
        return Followed(
            "continuation keys", [path], lambda: Keyring(keys.read(path)), self._log, self._continuation_read
        )

    def _continuation_read(self, keyring: Keyring | None) -> None:
        self._gauges.keys_read(CONTINUATION, keyring is not None)
        if keyring is not None:
            self._changed()

    def _store_read(self, read: StoreKeys | None) -> None:
        self._gauges.keys_read(STORE, read is not None)
        if read is not None:
            self._changed()


def _ignore() -> None:
    pass
