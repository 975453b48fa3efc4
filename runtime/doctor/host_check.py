"""What this host can hold a worker with: asked of a real worker, tried by real attempts to break out."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime.doctor import cells
from runtime.errors import WorkerStartError
from runtime.workers.launch import Hold
from sandbox.contract import exit_codes, layers
from sandbox.contract.attempts import ATTEMPTS
from sandbox.contract.layers import Layer

if TYPE_CHECKING:
    from runtime.config.effective import Config

_BUDGET_S: Final = 10.0

_USER_NAMESPACES: Final = (
    "allow user namespaces (sysctl user.max_user_namespaces > 0, and kernel.apparmor_restrict_unprivileged_userns = 0 "
    "or an AppArmor profile with `userns`), or start the daemon with CAP_SYS_ADMIN; in a container, a seccomp profile "
    "that allows unshare"
)
REMEDIES: Final = {
    layers.SECCOMP: "a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64; under gVisor or an old container "
    "runtime, one that passes seccomp(2) through",
    layers.LANDLOCK: "Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and `landlock` in the kernel's lsm= list (see "
    "/sys/kernel/security/lsm); in a container, a seccomp profile that allows the landlock_* calls",
    layers.RLIMITS: "raise the hard limits that the service manager sets for the daemon",
    layers.NO_NEW_PRIVS: "Linux 3.5 or newer",
    layers.UID: "start the daemon as an ordinary user, or as root with CAP_SETUID and CAP_SETGID",
    layers.SPECULATION: "newer microcode, or a hypervisor that passes the processor's switches (spec_ctrl, ssbd) "
    "through",
    **dict.fromkeys(layers.NAMESPACES, _USER_NAMESPACES),
    layers.MOUNT: _USER_NAMESPACES + " and mount, on a root that pivot_root can leave (not an initramfs)",
}


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One attempt to break out of a worker; `detail` says how it ended."""

    name: str
    tried: bool
    """False: the worker ended before it could say, so that nothing is known of what it could do."""
    contained: bool
    """It was tried and failed."""
    detail: str


@dataclass(frozen=True, slots=True)
class HostCheck:
    """What a worker on this host is held by, and whether it holds."""

    layers: tuple[Layer, ...]
    attempts: tuple[AttemptResult, ...]


def remedy(layer: Layer) -> str:
    """Say what to change on the host for a layer that is not active; nothing for one that is."""
    return "" if layer.active else REMEDIES.get(layer.name, "report it: nothing on a host should stop this one")


async def check_host(config: Config, hold: Hold | None = None) -> HostCheck:
    """Start a zygote as the daemon does, ask a worker for its layers, and let one worker per attempt try to break out.

    Raises: WorkerStartError.
    """
    async with cells.held(hold or Hold.of(config)) as made:
        try:
            async with asyncio.timeout(_BUDGET_S):
                async with made.cell() as cell:
                    found = tuple(cell.layers.values())
                attempts = [judge(name, await made.self_test(name)) for name in ATTEMPTS]
        except TimeoutError:
            raise WorkerStartError(f"no worker answered within {_BUDGET_S:.0f} s") from None
    return HostCheck(found, tuple(attempts))


def judge(name: str, code: int) -> AttemptResult:
    """Say how an attempt went by the exit code of its worker."""
    if code == -signal.SIGSYS:
        return AttemptResult(name, True, True, "killed by the system call filter")
    if code == exit_codes.REFUSED:
        return AttemptResult(name, True, True, "refused by the kernel")
    if code == exit_codes.BROKE_OUT:
        return AttemptResult(name, True, False, "it succeeded")
    ended = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
    return AttemptResult(name, False, False, f"its worker {ended}")
