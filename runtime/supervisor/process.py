"""One process of a supervisor: started, listened to, asked, told to drain, and killed where that does not help.

Knows descriptors and messages. Must not know why a process is started or replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from runtime.ops.http import Probed
from runtime.supervisor import messages
from runtime.supervisor.messages import Family

# A process answers from a thread: only a machine that has no time for it is slower.
_ANSWER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Given:
    """What every process of a supervisor is given."""

    command: Sequence[str]
    """Runs `vestibule serve --supervised`; the number of a descriptor is put behind it."""
    folder: Path
    """Where each has a socket of its own; only our user can enter it."""
    turn: int
    http: Sequence[socket.socket]
    grpc: socket.socket | None
    keys: Sequence[str]


class Process:
    """A process that runs, or has run. Construct it on the loop's thread, which must outlive it."""

    def __init__(self, given: Given, number: int, generation: int, settings: Mapping[str, str]) -> None:
        """Start it. Raises: OSError."""
        self.number = number
        self.serving = asyncio.Event()
        self.ended = asyncio.Event()
        self.code = 0
        """Its exit code; below 0, the signal that killed it."""
        self.draining = self.hung = False
        self._looks_silent = 0
        self.listen = self.http_listen = ""
        """Where it listens, once it serves."""
        self.counted: list[Family] = []
        """What it had counted when it was asked last, or when it ended in good order."""
        self._loop = asyncio.get_running_loop()
        self._path = given.folder / f"{number}-{generation}.sock"
        self._connected = asyncio.Event()
        self._asked: dict[bytes, deque[asyncio.Future[dict[str, Any]]]] = {
            messages.METRICS: deque(), messages.PROBES: deque()
        }  # fmt: skip
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._questions, questions = socket.socketpair()
        inherited = [control, questions, *given.http, *([given.grpc] if given.grpc else [])]
        with control, questions:
            messages.send(
                self._control,
                "start",
                supervisor=os.getpid(),
                number=number,
                own_address=f"unix:{self._path}",
                keys=list(given.keys),
                http=[each.fileno() for each in given.http],
                grpc=given.grpc.fileno() if given.grpc else None,
                turn=given.turn,
                questions=questions.fileno(),
                settings=dict(settings),
            )
            # In a session of its own: a Ctrl-C is the supervisor's to handle.
            self._process = subprocess.Popen(
                [*given.command, str(control.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(given.turn, *(each.fileno() for each in inherited)),
                start_new_session=True,
            )
        self._pidfd = os.pidfd_open(self._process.pid)
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._said)
        self._loop.add_reader(self._pidfd, self._exited)
        self._answering = self._loop.create_task(self._listen(), name=f"answers of {number}")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ending(self) -> str:
        """How it ended."""
        if self.code >= 0:
            return f"exited with code {self.code}"
        name = next((one.name for one in signal.Signals if one == -self.code), f"signal {-self.code}")
        return f"was killed by {name}"

    def looks_silent(self) -> int:
        """Return how many looks in a row, this one included, found no beat of its loop."""
        self._looks_silent += 1
        return self._looks_silent - 1

    def drain(self, delay_s: float) -> None:
        """Tell it to finish what it has and to end."""
        self.draining = True
        messages.send(self._control, "drain", delay_s=delay_s)

    def reload(self, settings: Mapping[str, str]) -> None:
        """Tell it to reload."""
        messages.send(self._control, "reload", settings=dict(settings))

    def kill(self) -> None:
        """Kill it; its zygote and its workers go with it."""
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def count(self) -> None:
        """Ask for its metrics; what it said last stays where it does not answer."""
        await self._ask(messages.METRICS)

    async def probe(self, which: str) -> Probed:
        """Return why it is not "live", or not "ready"."""
        found = await self._ask(messages.PROBES)
        return (
            Probed(["does not answer"])
            if found is None
            else Probed(found[which], found["notes"] if which == "ready" else [])
        )

    async def _ask(self, question: bytes) -> dict[str, Any] | None:
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._connected.wait()
                # A question that is given up keeps its place: its answer may still come.
                self._asked[question].append(answer)
                self._writer.write(question)
                return await answer
        except (TimeoutError, OSError, EOFError):
            return None

    async def _listen(self) -> None:
        """Take answers until the process has ended."""
        reader, self._writer = await asyncio.open_connection(sock=self._questions)
        self._connected.set()
        with contextlib.suppress(OSError, EOFError, ValueError):
            while True:
                length = messages.frame_length(await reader.readexactly(messages.HEAD_BYTES))
                found = json.loads(await reader.readexactly(length))
                if "families" in found:
                    self.counted = found["families"]
                asked = self._asked.get(found["to"].encode())
                if asked and not (answer := asked.popleft()).done():
                    answer.set_result(found)
        self._writer.close()
        for answer in (answer for asked in self._asked.values() for answer in asked):
            if not answer.done():
                answer.set_exception(EOFError())
                # It may have been given up.
                answer.exception()

    def _said(self) -> None:
        try:
            message = messages.receive(self._control)
        except BlockingIOError:
            return
        if message is None:
            self._loop.remove_reader(self._control)
            return
        self._looks_silent = 0
        if message["kind"] == "serving":
            self.listen, self.http_listen = message["listen"], message["http"]
            self.serving.set()

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._loop.remove_reader(self._control)
        self.code = self._process.wait()
        os.close(self._pidfd)
        self._control.close()
        self._path.unlink(missing_ok=True)
        # What it said last is still to be read.
        self._answering.add_done_callback(lambda _: self.ended.set())
