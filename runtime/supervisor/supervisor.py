"""Keeps several daemons behind the same ports: starts them, replaces what ends, restarts one at a time, ends them all.

It decides no login and imports no gRPC, so that what can break a daemon does not break it. Must not know what the
processes do with a login.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from runtime.ops.log import Log
from runtime.ops.orphans import Orphans
from runtime.supervisor.overview import Overview
from runtime.supervisor.process import Given, Process

# A process that does not serve after this long is not waited for: its machine has no time, or it hangs.
_START_S: Final = 120.0
# A process whose loop has not turned for so many looks of ours is replaced. Looks, not seconds: when the machine stood
# still, so did we.
_LOOK_S: Final = 1.0
_LOOKS_HUNG: Final = 10
# How often processes are asked for their metrics: what one counted since is lost when it is killed.
_LOOKS_COUNTED: Final = 10
# A process that ends is replaced at once if it had served for a while, else later each time.
_SETTLED_S: Final = 30.0
_AGAIN_S: Final = 0.5
_AGAIN_MAX_S: Final = 30.0
# How long a process that is replaced says NOT_SERVING before it takes no more: clients that watch health let go of
# their connection, so that no call crosses its end. Others behind the port take them; more would let them wait.
_NOTICE_S: Final = 0.3
# Beyond what a process has to drain.
_END_S: Final = 5.0

Texts = Mapping[str, str]
"""Values of settings as text, by key."""


def again_in_s(failures: int) -> float:
    """Return how long to wait before a process is started again that has ended so often without serving for long."""
    return min(_AGAIN_MAX_S, _AGAIN_S * 2.0 ** (failures - 1)) if failures else 0.0


class Supervisor:
    """The processes by number. Construct it on the loop."""

    def __init__(self, given: Given, count: int, drain_s: float, version: str, log: Log) -> None:
        """Keep `count` processes."""
        self.overview = Overview(self, version)
        self.reason = "starting"
        """Why no login should come; empty when some may."""
        self.failed_code = 0
        """The exit code of the last process that ended before it served."""
        self._given, self._drain_s, self._log = given, drain_s, log
        self._generation = 0
        # What a process of each number is started with.
        self._settings: list[Texts] = [{}] * count
        self._slots: list[Process | None] = [None] * count
        # Those that start, and those that drain.
        self._others: set[Process] = set()
        # A number has one process that starts, after a crash or for a restart.
        self._turns = [asyncio.Lock() for _ in range(count)]
        self._keeping: list[asyncio.Task[None]] = []
        self._mourning: set[asyncio.Task[None]] = set()

    def processes(self) -> list[Process]:
        """Return those that live."""
        return [*(process for process in self._slots if process is not None), *self._others]

    async def start(self, settings: Sequence[Texts]) -> bool:
        """Start all, the first one alone, so that what is wrong is said once; False when one does not serve."""
        self._settings = list(settings)
        for numbers in (range(1), range(1, len(self._slots))):
            begun = await asyncio.gather(*(self._begin(number, self._settings[number]) for number in numbers))
            for process in begun:
                if process is not None:
                    self._take(process)
            if None in begun:
                return False
        self.reason = ""
        self._keeping = [asyncio.create_task(self._keep(number)) for number in range(len(self._slots))]
        self._keeping.append(asyncio.create_task(self._watch()))
        return True

    async def close(self, delay_s: float) -> None:
        """Let every process drain, and kill those that do not end in time."""
        self.reason = "draining"
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*(self._drain(process, delay_s) for process in self.processes()))
        await asyncio.gather(*self._mourning)

    def kill(self) -> None:
        """Kill every process: who asked does not want to wait."""
        for process in self.processes():
            process.kill()

    def reload(self, reloadable: Sequence[Texts], found: Sequence[Texts]) -> None:
        """Tell every process to reload by the settings that were found, and keep those that can change at once."""
        self._settings = [{**now, **changed} for now, changed in zip(self._settings, reloadable, strict=True)]
        for process in self.processes():
            process.reload(found[process.number])

    async def restart(self, settings: Sequence[Texts]) -> bool:
        """Replace one process after the other; False when a new one did not serve, and the rest stays as it is."""
        for number, each in enumerate(settings):
            async with self._turns[number]:
                old, new = self._slots[number], await self._begin(number, each)
                if new is None:
                    return False
                # The old one may have crashed meanwhile.
                old = self._slots[number] if old is not None else None
                self._take(new)
                self._settings[number] = each
            if old is not None:
                await self._drain(old, _NOTICE_S)
        return True

    # -- one process -----------------------------------------------------------------------------------------------

    async def _begin(self, number: int, settings: Texts) -> Process | None:
        """Start a process and wait until it serves; None when it does not."""
        self._generation += 1
        try:
            process = Process(self._given, number, self._generation, settings)
        except OSError as error:
            self.overview.metrics.exited("start_failed")
            self._log.error("process.start_failed", process=number, reason=(error.strerror or str(error)).lower())
            return None
        self._others.add(process)
        mourning = asyncio.create_task(self._mourn(process))
        self._mourning.add(mourning)
        mourning.add_done_callback(self._mourning.discard)
        self._log.info("process.started", process=number, process_pid=process.pid)
        first = [asyncio.ensure_future(process.serving.wait()), asyncio.ensure_future(process.ended.wait())]
        try:
            await asyncio.wait(first, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in first:
                waiting.cancel()
        if process.serving.is_set() and not process.ended.is_set():
            return process
        process.kill()
        await process.ended.wait()
        self.failed_code = process.code
        self._log.error("process.start_failed", process=number, process_pid=process.pid, reason=process.ending)
        return None

    def _take(self, process: Process) -> None:
        """Let a process that serves have its number."""
        before, self._slots[process.number] = self._slots[process.number], process
        self._others.discard(process)
        if before is not None:
            self._others.add(before)
        self._log.info("process.serving", process=process.number, process_pid=process.pid)

    async def _drain(self, process: Process, delay_s: float) -> None:
        process.drain(delay_s)
        try:
            async with asyncio.timeout(delay_s + self._drain_s + _END_S):
                await process.ended.wait()
        except TimeoutError:
            self._log.error("process.drain_cut", process=process.number, process_pid=process.pid)
            process.kill()
            await process.ended.wait()

    async def _mourn(self, process: Process) -> None:
        """Keep what a process counted, once it has ended."""
        await process.ended.wait()
        self._others.discard(process)
        if self._slots[process.number] is process:
            self._slots[process.number] = None
        self.overview.ended.add(process.counted)
        in_order = process.draining and process.code == 0
        served = process.serving.is_set()
        reason = "drained" if in_order else "hung" if process.hung else "crashed" if served else "start_failed"
        self.overview.metrics.exited(reason)
        say = self._log.info if in_order else self._log.error
        say("process.exited", process=process.number, process_pid=process.pid, reason=reason, ending=process.ending)

    async def _keep(self, number: int) -> None:
        """Replace the process of a number whenever it has ended."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            async with self._turns[number]:
                if self._slots[number] is None:
                    begun = await self._begin(number, self._settings[number])
                    if begun is not None:
                        self._take(begun)
            process, since_s = self._slots[number], loop.time()
            if process is not None:
                await process.ended.wait()
                if self._slots[number] not in (process, None):
                    failures = 0
                    continue  # by a restart
            failures = 0 if loop.time() - since_s > _SETTLED_S else failures + 1
            if failures > 1:
                self._log.warning("process.start_delayed", process=number, again_in_s=again_in_s(failures - 1))
            await asyncio.sleep(again_in_s(failures - 1) if failures else 0.0)

    async def _watch(self) -> None:
        """Look at every process now and then: does its loop turn, and what has it counted?"""
        looks = 0
        orphans = Orphans()
        while True:
            await asyncio.sleep(_LOOK_S)
            looks += 1
            orphans.look()
            serving = [process for process in self.processes() if process.serving.is_set() and not process.draining]
            for process in serving:
                if process.looks_silent() >= _LOOKS_HUNG:
                    self._log.error("process.hung", process=process.number, process_pid=process.pid)
                    process.hung = True
                    process.kill()
            if looks % _LOOKS_COUNTED == 0:
                await asyncio.gather(*(process.count() for process in serving))
