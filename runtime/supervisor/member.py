"""One of several processes, as its daemon sees it: what its supervisor gave it, and the answers that it gives back.

Knows the two sockets to the supervisor. Must not know the other processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry

from runtime.config.addresses import split_address
from runtime.config.settings import SETTINGS, Loaded, load
from runtime.errors import StartError
from runtime.ops.http import Probe, probed
from runtime.supervisor import messages

_PR_SET_PDEATHSIG: Final = 1
_ENV: Final = {setting.key: setting.env for setting in SETTINGS}


class Member:
    """What one process was given. Construct it first of all: it ties the process to its supervisor."""

    def __init__(self, control_fd: int) -> None:
        """Take the descriptor by which the supervisor talks to us. Raises: StartError, ConfigError."""
        self._control = _taken(control_fd)
        given = messages.receive(self._control)
        if given is None:
            raise StartError("the supervisor has ended")
        _die_with(int(given["supervisor"]))
        self.number: int = given["number"]
        self.own_address: str = given["own_address"]
        self.keys = [b64decode(key) for key in given["keys"]]
        self.http = [_taken(number) for number in given["http"]]
        self.grpc = _taken(given["grpc"]) if given["grpc"] is not None else None
        self.turn: int = given["turn"]
        self._questions = _taken(given["questions"])
        self._settings: Mapping[str, str] = given["settings"]
        self._control.setblocking(False)

    def loaded(self) -> Loaded:
        """Return the settings that the supervisor sent last. Raises: ConfigError."""
        return load(env={_ENV.get(key, key): text for key, text in self._settings.items()})

    async def serving(self, listen: str, _metrics: str, http: str) -> bool:
        """Tell the supervisor that we serve, and at which addresses."""
        messages.send(self._control, "serving", listen=listen, http=http)
        return True

    def attach(self, drain: Callable[[float], None], reload: Callable[[], None]) -> None:
        """Follow what the supervisor says from now on, on the running loop."""
        loop = asyncio.get_running_loop()

        def said() -> None:
            try:
                message = messages.receive(self._control)
            except BlockingIOError:
                return
            if message is None:
                # The kernel kills us with our supervisor; this is for a supervisor that only let go of us.
                loop.remove_reader(self._control)
                drain(0.0)
            elif message["kind"] == "drain":
                drain(float(message["delay_s"]))
            elif message["kind"] == "reload":
                self._settings = message["settings"]
                reload()

        loop.add_reader(self._control, said)

    def beat(self) -> None:
        """Show that the loop turns."""
        messages.send(self._control, "beat")

    def operators(self, registry: CollectorRegistry, *, live: Probe, ready: Probe) -> MemberAnswers:
        """Return the thread that answers the supervisor's questions."""
        port = split_address(self.loaded().config.metrics_listen)[1]
        return MemberAnswers(self._questions, port, registry, live, ready)


class MemberAnswers:
    """MemberAnswers the supervisor's questions from a thread of its own, so that it can say that the loop is stuck."""

    def __init__(
        self, channel: socket.socket, port: int, registry: CollectorRegistry, live: Probe, ready: Probe
    ) -> None:
        self.port = port
        """The supervisor's, where operators ask."""
        self._channel = channel
        self._registry = registry
        self._live, self._ready = live, ready
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Say what was counted to the end, and answer no more."""
        with contextlib.suppress(OSError):
            self._say({"to": "", **self._counted()})
            self._channel.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while question := self._channel.recv(1):
                found = self._counted() if question == messages.METRICS else self._probed()
                self._say({"to": question.decode(), **found})

    def _counted(self) -> dict[str, Any]:
        return {"families": messages.families(self._registry.collect())}

    def _probed(self) -> dict[str, Any]:
        live, ready = probed(self._live()), probed(self._ready())
        return {"live": list(live.reasons), "ready": list(ready.reasons), "notes": list(ready.notes)}

    def _say(self, values: dict[str, Any]) -> None:
        data = messages.frame(values)
        with self._lock:
            self._channel.sendall(data)


def _taken(descriptor: int) -> socket.socket:
    """Return the socket of a descriptor that we inherited; none of our own children inherits it."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _die_with(supervisor: int) -> None:
    """Let the kernel kill us when the supervisor ends, however that is: no process without one keeps the port.

    Raises: StartError, when it has ended already. Source: PR_SET_PDEATHSIG(2const).
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != supervisor:
        raise StartError("the supervisor has ended")
