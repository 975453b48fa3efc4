"""What SIGHUP does: read again what can change while the daemon serves, and keep what is in effect where that fails."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from runtime.config.settings import SETTINGS, Config, Loaded
from runtime.continuation import keys
from runtime.errors import ConfigError
from runtime.login.suspensions import Suspensions
from runtime.ops.log import ProcessLog, clip

T = TypeVar("T")

Read = Callable[[], Loaded]
"""Reads the configuration as the start did. Raises: ConfigError."""

RELOADABLE = frozenset({"log.level", "continuation.keys_file"})


class Reload:
    """Reloads when it is asked to, one after the other. Belongs to one event loop."""

    def __init__(
        self,
        read: Read,
        config: Config,
        log: ProcessLog,
        suspensions: Suspensions,
        poll_catalog: Callable[[], None],
        moved: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare. `moved` is called when another file of keys than before was read."""
        self._read = read
        self._started = Loaded(config, {})
        self._keys_file = config.continuation.keys_file
        self._level = config.log.level
        self._log = log
        self._suspensions = suspensions
        self._poll_catalog = poll_catalog
        self._moved = moved
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload soon; asking again before it began changes nothing."""
        self._asked.set()

    async def run(self) -> None:
        """Reload each time it is asked for, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        self._poll_catalog()
        complete, moved = True, False
        try:
            found = await in_thread(self._read)
        except ConfigError as error:
            complete = False
            self._failed("config.reload_failed", error, "the settings that are in effect stay")
        else:
            self._level = found.config.log.level
            self._log.set_level(self._level)
            # Without a file the keys of this process stay: others could open nothing that it sealed.
            named = found.config.continuation.keys_file
            moved, self._keys_file = named not in ("", self._keys_file), named or self._keys_file
            self._warn_of_ignored(found)
        if self._keys_file:
            path = Path(self._keys_file)
            try:
                keyring = keys.Keyring(await in_thread(lambda: keys.read(path)))
            except ConfigError as error:
                complete = False
                self._failed("continuation.keys_failed", error, "the keys that are in effect stay")
            else:
                self._suspensions.use(keyring)
                if moved:
                    self._moved(self._keys_file)
        # What is in effect now, new or not.
        key_id = self._suspensions.keys.sealing_id.hex()
        self._log.info("config.reloaded", complete=complete, log_level=self._level, sealing_key_id=key_id)

    def _warn_of_ignored(self, found: Loaded) -> None:
        keys_ = [
            s.key for s in SETTINGS if s.key not in RELOADABLE and found.value(s.key) != self._started.value(s.key)
        ]
        if keys_:
            self._log.warning("config.restart_needed", settings=keys_, remedy="restart to put these into effect")

    def _failed(self, event: str, error: ConfigError, remedy: str) -> None:
        self._log.error(event, faults=[clip(str(fault), 300) for fault in error.faults[:20]], remedy=remedy)


async def in_thread(work: Callable[[], T]) -> T:
    """Run work that may hang on a disk, without holding up the loop or, as an executor's thread would, its end.

    Raises: ConfigError, for every error: a reload that fails is no reason to end anything.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except ConfigError as error:
            future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: it is raised where it is waited for
            future.set_exception(ConfigError([f"cannot be read: {type(error).__name__}"]))

    try:
        threading.Thread(target=run, name="reload", daemon=True).start()
    except RuntimeError:
        raise ConfigError(["no thread can be started to read it; send SIGHUP again"]) from None
    return await asyncio.wrap_future(future)
