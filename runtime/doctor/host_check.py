"""What this host can hold a worker with: asked of a real worker, tried by real attempts to break out.

Knows how to remedy a missing layer. Must not know terminals or exit codes.
"""

from __future__ import annotations

import asyncio
import signal
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.errors import WorkerStartError
from runtime.workers.launch import Hold
from runtime.workers.spawned import SpawnedWorker
from runtime.workers.zygote import Zygote

if TYPE_CHECKING:
    from runtime.config.settings import Config

ATTEMPTS: Final = (
    "read a file",
    "read its environment",
    "open a socket",
    "fork a process",
    "execute a program",
    "map executable memory",
    "signal its parent",
)
"""Names in `sandbox.process.selftest`, which a test compares with these."""
_EXIT_BROKE_OUT: Final = 42
_EXIT_REFUSED: Final = 43
_BUDGET_S: Final = 10.0
_FRAME_BYTES_MAX: Final = 64 * 1024
_LENGTH: Final = struct.Struct(">I")

_USER_NAMESPACES: Final = (
    "allow user namespaces (sysctl user.max_user_namespaces > 0, and kernel.apparmor_restrict_unprivileged_userns = 0 "
    "or an AppArmor profile with `userns`), or start the daemon with CAP_SYS_ADMIN; in a container, a seccomp profile "
    "that allows unshare"
)
_REMEDIES: Final = {
    "seccomp": "a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64; under gVisor or an old container runtime, "
    "one that passes seccomp(2) through",
    "landlock": "Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and `landlock` in the kernel's lsm= list (see "
    "/sys/kernel/security/lsm); in a container, a seccomp profile that allows the landlock_* calls",
    "rlimits": "raise the hard limits that the service manager sets for the daemon",
    "no_new_privs": "Linux 3.5 or newer",
    "uid": "start the daemon as an ordinary user, or as root with CAP_SETUID and CAP_SETGID",
    "speculation": "newer microcode, or a hypervisor that passes the processor's switches (spec_ctrl, ssbd) through",
    "namespaces.user": _USER_NAMESPACES,
    "namespaces.net": _USER_NAMESPACES,
    "namespaces.mount": _USER_NAMESPACES + " and mount, on a root that pivot_root can leave (not an initramfs)",
    "namespaces.ipc": _USER_NAMESPACES,
    "namespaces.uts": _USER_NAMESPACES,
    "namespaces.cgroup": _USER_NAMESPACES,
    "namespaces.pid": _USER_NAMESPACES,
}


@dataclass(frozen=True, slots=True)
class LayerSurvey:
    """One layer; `remedy` is empty when it is active."""

    name: str
    active: bool
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class AttemptSurvey:
    """One attempt to break out of a worker; `detail` says what became of it."""

    name: str
    tried: bool
    """False: the worker ended before it could tell, so that nothing is known of what it could do."""
    contained: bool
    """It was tried and failed."""
    detail: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a worker on this host is held by, and whether it holds."""

    layers: tuple[LayerSurvey, ...]
    attempts: tuple[AttemptSurvey, ...]


def remedy(name: str, active: bool) -> str:
    """Say what to change on the host for a layer that is not active."""
    return "" if active else _REMEDIES.get(name, "report it: nothing on a host should stop this one")


async def survey(config: Config, hold: Hold | None = None) -> Survey:
    """Start a zygote as the daemon does, ask a worker for its layers, and let one worker per attempt try to break out.

    Raises: WorkerStartError.
    """
    exits: dict[int, asyncio.Future[int]] = {}
    loop = asyncio.get_running_loop()

    def exit_of(worker_id: int) -> asyncio.Future[int]:
        return exits.setdefault(worker_id, loop.create_future())

    zygote = Zygote(hold or Hold.of(config), lambda worker_id, code: exit_of(worker_id).set_result(code))
    try:
        await zygote.start()
        async with asyncio.timeout(_BUDGET_S):
            worker = await zygote.spawn()
            try:
                ready = await _ready(worker)
            finally:
                worker.close()
            attempts = []
            for name in ATTEMPTS:
                worker = await zygote.spawn(self_test=name)
                try:
                    attempts.append(_judge(name, await exit_of(worker.id)))
                finally:
                    worker.close()
    except TimeoutError:
        raise WorkerStartError(f"no worker answered within {_BUDGET_S:.0f} s") from None
    finally:
        await zygote.close()
    layers = (LayerSurvey(item.name, item.active, item.detail, remedy(item.name, item.active)) for item in ready.layers)
    return Survey(tuple(layers), tuple(attempts))


def _judge(name: str, code: int) -> AttemptSurvey:
    if code == -signal.SIGSYS:
        return AttemptSurvey(name, True, True, "killed by the system call filter")
    if code == _EXIT_REFUSED:
        return AttemptSurvey(name, True, True, "refused by the kernel")
    if code == _EXIT_BROKE_OUT:
        return AttemptSurvey(name, True, False, "it succeeded")
    ended = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
    return AttemptSurvey(name, False, False, f"its worker {ended}")


async def _ready(worker: SpawnedWorker) -> worker_pb2.Ready:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < _LENGTH.size or len(data) < _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        more = await loop.sock_recv(worker.sock, _FRAME_BYTES_MAX)
        if not more or len(data) > _FRAME_BYTES_MAX:
            raise WorkerStartError("a worker died before it was ready")
        data += more
    try:
        return worker_pb2.Ready.FromString(data[_LENGTH.size :])
    except DecodeError:
        raise WorkerStartError("a worker's ready frame cannot be parsed") from None
