"""The layers of the sandbox that the kernel enforces: their names, and one of them as a worker reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

SECCOMP: Final = "seccomp"
LANDLOCK: Final = "landlock"
RLIMITS: Final = "rlimits"
NO_NEW_PRIVS: Final = "no_new_privs"
DESCRIPTORS: Final = "descriptors"
NOT_DUMPABLE: Final = "not_dumpable"
PARENT_DEATH: Final = "parent_death"
SPECULATION: Final = "speculation"

ENVIRONMENT: Final = "environment"
UID: Final = "uid"
WORKER_UID: Final = 65534
"""Of workers under a daemon that is root, where nothing else is configured."""
USER: Final = "namespaces.user"
NET: Final = "namespaces.net"
MOUNT: Final = "namespaces.mount"
IPC: Final = "namespaces.ipc"
UTS: Final = "namespaces.uts"
CGROUP: Final = "namespaces.cgroup"
PID: Final = "namespaces.pid"

LANDLOCK_TCP_ABI: Final = 4
LANDLOCK_SCOPES_ABI: Final = 6
"""Versions of Landlock from which it refuses TCP, and signals and abstract sockets."""

NAMESPACES: Final = (USER, NET, MOUNT, IPC, UTS, CGROUP, PID)
ZYGOTE: Final = (ENVIRONMENT, UID, *NAMESPACES)
"""Layers that the zygote takes on, and every worker inherits."""
LAYERS: Final = (
    SECCOMP, LANDLOCK, RLIMITS, NO_NEW_PRIVS, UID, ENVIRONMENT, DESCRIPTORS, NOT_DUMPABLE, PARENT_DEATH, SPECULATION,
    *NAMESPACES,
)  # fmt: skip
"""All of them, the most important first."""


class LayerMessage(Protocol):
    """The wire form: `Layer` of vestibule.worker.v1."""

    name: str
    active: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer; `detail` says how far it reaches, or why it does not hold."""

    name: str
    active: bool
    detail: str

    @classmethod
    def of(cls, message: LayerMessage) -> Layer:
        """Read the wire form."""
        return cls(message.name, message.active, message.detail)
