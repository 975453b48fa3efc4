"""Read a small file that holds a secret, and say when its mode lets others at it. Must not know what the secret is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runtime.errors import ConfigError, Fault


def read(path: Path, label: str, most_bytes: int, remedy: str) -> tuple[bytes, os.stat_result]:
    """Return what a plain file holds, and its status. Raises: ConfigError; `label` and `remedy` are for its message."""
    try:
        # O_NONBLOCK: a named pipe in place of a file must not hold us. Links are followed: that is how an orchestrator
        # mounts a secret.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            data = os.read(descriptor, most_bytes + 1) if stat.S_ISREG(status.st_mode) else None
        finally:
            os.close(descriptor)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise ConfigError([Fault(label, f"cannot be read: {why}; {remedy}")]) from None
    if data is None:
        raise ConfigError([Fault(label, "is not a plain file")])
    if len(data) > most_bytes:
        raise ConfigError([Fault(label, f"is larger than {most_bytes} bytes; is it the right file?")])
    return data, status


def exposed(status: os.stat_result) -> list[str]:
    """Say who else may use a file. Its group may read it: that is how a secret is shared with a service."""
    faults = []
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if status.st_mode & 0o007:
        faults.append(f"has mode {mode}, so every user of this host can use it; chmod 0600, or 0640 for a group")
    elif status.st_mode & 0o030:
        faults.append(f"has mode {mode}, so its group can change it; chmod 0640")
    if status.st_uid not in (0, os.geteuid()):
        faults.append(f"belongs to uid {status.st_uid}; it must belong to root or to us, uid {os.geteuid()}")
    return faults


def exposed_to_group(status: os.stat_result) -> list[str]:
    """Say who else may use a file that its group may read only if root owns it: then an administrator gave it to us."""
    if status.st_uid == os.geteuid() and status.st_uid != 0 and status.st_mode & 0o077 == 0o040:
        return [f"has mode {stat.S_IMODE(status.st_mode):04o}, so its group can read it; chmod 0600"]
    return exposed(status)


def changeable(status: os.stat_result) -> list[str]:
    """Say who else may change a file that is no secret."""
    if status.st_mode & 0o022:
        return [f"has mode {stat.S_IMODE(status.st_mode):04o}, so others can change it; chmod 0644"]
    return []


def refusal(label: str, faults: list[str]) -> ConfigError:
    """Return the error that lists what is wrong with a file."""
    return ConfigError([Fault(label, fault) for fault in faults])
