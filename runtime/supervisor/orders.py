"""What operators send to a supervisor by signals: the end, a reload, a restart of its processes.

Knows signals and how the configuration is read again. Must not know ports.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from runtime.config.settings import Config, Loaded
from runtime.errors import ConfigError
from runtime.ops.log import ProcessLog, clip
from runtime.ops.log_writer import LogWriter
from runtime.reload import RELOADABLE, Read, in_thread
from runtime.supervisor.shares import texts
from runtime.supervisor.supervisor import Supervisor, Texts

PINNED: Final = ("processes", "pid_file", "listen", "listen_mode", "http_listen", "metrics_listen", "log.format")
"""Texts that are the supervisor's own, with those of TLS on its port: no restart of its processes changes them."""

# What the log may take of an exit that must not wait.
_LAST_LINES_S: Final = 0.2


class Orders:
    """Takes signals from its start to its end. Construct it on the loop."""

    def __init__(
        self, supervisor: Supervisor, found: Loaded, config: Config, count: int, read: Read, log: ProcessLog,
        out: LogWriter,
    ) -> None:  # fmt: skip
        """Take what was `found` at the start, and the `config` that it led to, with real ports in place of 0."""
        self._supervisor, self._found, self._config, self._count = supervisor, found, config, count
        self._read, self._log, self._out = read, log, out
        self._ending = asyncio.Event()
        self._delay_s = 0.0
        self._wanted = {signal.SIGHUP: asyncio.Event(), signal.SIGUSR2: asyncio.Event()}
        self._working: list[asyncio.Task[None]] = []

    async def start(self) -> bool:
        """Start the processes; False when one does not serve. A signal ends that too."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        for number, wanted in self._wanted.items():
            loop.add_signal_handler(number, wanted.set)
        starting = asyncio.ensure_future(self._supervisor.start(texts(self._config, self._count)))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not starting.result():
                return False
        finally:
            starting.cancel()
            ending.cancel()
        self._working = [
            asyncio.create_task(self._each(signal.SIGHUP, self._reload)),
            asyncio.create_task(self._each(signal.SIGUSR2, self._restart)),
        ]
        return True

    async def wait(self) -> None:
        """Wait until the end is asked for."""
        await self._ending.wait()

    async def close(self) -> None:
        """Let the processes drain."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        living = len(self._supervisor.processes())
        self._log.info("supervisor.draining", processes=living, delay_s=self._delay_s, drain_s=self._config.drain_s)
        await self._supervisor.close(self._delay_s)

    def _signalled(self, number: int) -> None:
        if self._ending.is_set():
            # The second one: its sender does not want to wait. The processes die with us.
            self._out.close(_LAST_LINES_S)
            os._exit(128 + number)
        # With SIGINT a person at the terminal waits for the end.
        self._delay_s = self._config.drain.delay_s if number == signal.SIGTERM else 0.0
        self._ending.set()

    async def _each(self, number: signal.Signals, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work of a signal each time it comes, one after the other."""
        while True:
            await self._wanted[number].wait()
            self._wanted[number].clear()
            await work()

    async def _reload(self) -> None:
        """Reload in every process. A configuration that is wrong changes nothing; keys, catalog and TLS are read."""
        config = await self._again()
        if config is None:
            config = self._config
        else:
            self._log.set_level(config.log.level)
            now = self._config
            self._config = replace(
                now,
                log=replace(now.log, level=config.log.level),
                continuation=replace(now.continuation, keys_file=config.continuation.keys_file),
            )
        found = texts(config, self._count)
        reloadable: list[Texts] = [{key: each.get(key, "") for key in RELOADABLE if key in each} for each in found]
        self._supervisor.reload(reloadable, found)

    async def _restart(self) -> None:
        """Replace every process, by the configuration as it is now."""
        config = await self._again()
        if config is None:
            self._supervisor.overview.metrics.restarted("failed")
            return
        self._log.info("restart.begun", processes=self._count)
        if await self._supervisor.restart(texts(config, self._count)):
            self._config = config
            self._supervisor.overview.metrics.restarted("done")
            self._log.info("restart.finished", processes=self._count)
            return
        self._supervisor.overview.metrics.restarted("failed")
        self._log.error(
            "restart.failed", remedy="a new process did not serve, for the reason in the lines before; the others stay"
        )

    async def _again(self) -> Config | None:
        """Read the configuration again, but for what is the supervisor's own; None, and an error, where it is wrong."""
        try:
            found = await in_thread(self._read)
            config = replace(found.config, **{key: getattr(self._config, key) for key in PINNED if "." not in key})
            config = replace(config, log=replace(config.log, format=self._config.log.format))
            texts(config, self._count)
        except ConfigError as error:
            faults = [clip(str(fault), 300) for fault in error.faults[:20]]
            self._log.error("config.reload_failed", faults=faults, remedy="the settings that are in effect stay")
            return None
        changed = [key for key in PINNED if found.value(key) != self._found.value(key)]
        if changed:
            remedy = "the supervisor itself has these: stop it and start it again to put them into effect"
            self._log.warning("config.restart_needed", settings=changed, remedy=remedy)
        return config
