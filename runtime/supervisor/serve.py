"""`vestibule serve` with several processes: takes the ports and makes what all processes are given.

Must not know when a process is replaced.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from runtime.callers.caller_files import CallerFiles
from runtime.config.addresses import bound, unix_path
from runtime.config.settings import Config, Loaded
from runtime.continuation import keys
from runtime.errors import StartError
from runtime.ops import listening, unix_socket
from runtime.ops.http import OperatorsPort
from runtime.ops.log import ProcessLog, build, clip, forward_libraries, task_failed
from runtime.ops.log_writer import LogWriter
from runtime.reload import Read
from runtime.supervisor.orders import Orders
from runtime.supervisor.overview import Overview
from runtime.supervisor.process import Given
from runtime.supervisor.shares import shares
from runtime.supervisor.supervisor import Supervisor

_BACKLOG: Final = 1024
# A unix socket's path has 107 bytes, and ours some letters behind the folder.
_FOLDER_BYTES: Final = 80


def serve(found: Loaded, count: int, version: str, command: Sequence[str], read_again: Read) -> int:
    """Run `count` processes until a signal ends them; return the exit code. `command` runs one, see `Given`.

    Raises: StartError, ConfigError.
    """
    turn = os.memfd_create("vestibule-log-turn", os.MFD_CLOEXEC)
    out = LogWriter.to(sys.stderr, turn)
    log = build(found.config.log, out)
    for fault in found.ignored:
        log.warning("config.ignored", where=clip(fault.where), problem=clip(fault.message))
    undo = forward_libraries(log)
    try:
        shares(found.config, count)  # before anything is bound
        with ExitStack() as parts, asyncio.Runner() as runner:
            config, given = _given(found.config, turn, command, log, parts)
            return runner.run(_run(found, config, given, count, version, read_again, log, out))
    finally:
        undo()
        log.report_suppressed(everything=True)
        out.close()
        os.close(turn)


async def _run(
    found: Loaded, config: Config, given: Given, count: int, version: str, read_again: Read, log: ProcessLog,
    out: LogWriter,
) -> int:  # fmt: skip
    """Serve until a signal; return the exit code."""
    asyncio.get_running_loop().set_exception_handler(partial(task_failed, log))
    supervisor = Supervisor(given, count, config.drain_s, version, log)
    async with AsyncExitStack() as parts:
        operators = _operators(config, supervisor.overview, log, parts)
        config = replace(config, metrics_listen=bound(config.metrics_listen, operators.port))
        orders = Orders(supervisor, found, config, count, read_again, log, out)
        parts.push_async_callback(orders.close)
        if not await orders.start():
            return supervisor.failed_code if supervisor.failed_code > 0 else 1
        parts.enter_context(_pid_file(config.pid_file))
        log.info(
            "supervisor.started",
            version=version,
            pid=os.getpid(),
            processes=count,
            listen=config.listen,
            **({"http_listen": config.http_listen} if config.http_listen else {}),
            metrics_listen=config.metrics_listen,
        )
        await orders.wait()
    log.info("supervisor.stopped")
    return 0


def _operators(config: Config, overview: Overview, log: ProcessLog, parts: AsyncExitStack) -> OperatorsPort:
    """Begin to answer operators. Raises: StartError, ConfigError."""
    tls = None
    if config.tls.metrics:
        files = CallerFiles(config, log, _NoGauges())
        files.start()
        parts.callback(files.close)
        tls = files.metrics_context()
    port = OperatorsPort(
        config.metrics_listen, overview.registry, log, live=overview.live, ready=overview.ready, tls=tls
    )
    port.start()
    # In a thread: an answer that is being made waits for this loop.
    parts.push_async_callback(asyncio.to_thread, port.close)
    return port


class _NoGauges:
    """The processes show the state of the files; see runtime/callers/caller_files.py."""

    def caller_files_read(self, files: str, healthy: bool) -> None:
        """Note nothing."""

    def certificates_expire(self, server_s: float, client_ca_s: float) -> None:
        """Note nothing."""


@contextmanager
def _pid_file(name: str) -> Iterator[None]:
    """Keep our process id in a file, if one is configured. Raises: StartError."""
    if not name:
        yield
        return
    path, ours = Path(name), f"{os.getpid()}\n"
    try:
        path.write_text(ours)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"pid_file: {name} cannot be written: {reason}; name another file, or none") from None
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_text() == ours:
                path.unlink()


def _given(
    config: Config, turn: int, command: Sequence[str], log: ProcessLog, parts: ExitStack
) -> tuple[Config, Given]:
    """Take the addresses and make what all processes are given; return the configuration with real ports, and that."""
    grpc = None
    if (path := unix_path(config.listen)) is not None:
        grpc = parts.enter_context(_listening_path("listen", path, config))
    else:
        held, port = listening.hold("listen", config.listen)
        for each in held:
            parts.enter_context(each)
        config = replace(config, listen=bound(config.listen, port))
    http: list[socket.socket] = []
    if (path := unix_path(config.http_listen)) is not None:
        http.append(parts.enter_context(_listening_path("http_listen", path, config)))
    elif config.http_listen:
        # One queue for all: what waits in it is lost with no process.
        http, port = listening.bind_each("http_listen", config.http_listen)
        for each in http:
            parts.enter_context(each)
            _listen("http_listen", config.http_listen, each)
        config = replace(config, http_listen=bound(config.http_listen, port))
    made = []
    if not config.continuation.keys_file:
        made.append(keys.generate())
        log.warning(
            "continuation.key_made",
            key_id=keys.key_id(made[0]).hex(),
            remedy="logins suspended by these processes end with their supervisor, and no replica can continue them: "
            "set continuation.keys_file",
        )
    folder = parts.enter_context(_folder())
    return config, Given(command, folder, turn, http, grpc, [b64encode(key).decode() for key in made])


@contextmanager
def _listening_path(setting: str, path: str, config: Config) -> Iterator[socket.socket]:
    address = f"unix:{path}"
    listening.check_free(setting, address)
    try:
        made = unix_socket.bind(path, int(config.listen_mode, 8))
    except OSError as error:
        raise listening.refusal(setting, address, (error.strerror or str(error)).lower()) from None
    identity = unix_socket.identity(path)
    try:
        _listen(setting, address, made)
        yield made
    finally:
        made.close()
        unix_socket.remove(path, identity)


def _listen(setting: str, address: str, made: socket.socket) -> None:
    try:
        made.listen(_BACKLOG)
    except OSError as error:
        raise listening.refusal(setting, address, (error.strerror or str(error)).lower()) from None


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that only our user can enter, for each process's own socket. Raises: StartError."""
    try:
        made = tempfile.TemporaryDirectory(prefix="vestibule-", ignore_cleanup_errors=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(
            f"no folder for the processes' sockets: {reason}; set TMPDIR to one that can be written"
        ) from None
    with made as folder:
        if len(os.fsencode(folder)) > _FOLDER_BYTES:
            raise StartError(f"the path {folder} is too long for sockets in it; set TMPDIR to a shorter one")
        yield Path(folder)
