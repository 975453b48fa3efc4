"""What a host may lack, and what that means: skips that name it, and their summary at the end of a run.

Knows the features of kernels and hosts that tests ask for. Must not know the tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

import pytest

_NAMESPACE: Final = "a worker shares the host's {}; seccomp and Landlock still hold it"

MEANING: Final = {
    "seccomp": "no system call is filtered: the daemon refuses to start here",
    "landlock": "no file or socket is refused by Landlock: the daemon refuses to start here",
    "landlock version": "this Landlock is too old for part of what newer ones refuse; seccomp refuses it too",
    "rlimits": "memory and processor time have no limit: the daemon refuses to start here",
    "no_new_privs": "privileges could be gained: the daemon refuses to start here",
    "namespaces.user": "an ordinary user's workers have no namespaces; as root they have those that the host allows",
    "namespaces.mount": "a worker's root is not empty; seccomp and Landlock still refuse every file",
    "namespaces.net": _NAMESPACE.format("network"),
    "namespaces.ipc": _NAMESPACE.format("System V objects"),
    "namespaces.uts": _NAMESPACE.format("host name"),
    "namespaces.cgroup": _NAMESPACE.format("view of control groups"),
    "namespaces.pid": _NAMESPACE.format("process numbers"),
    "uid": "workers run as root: seccomp and Landlock still hold them",
    "speculation": "the processor or its hypervisor offers no switch, so that Spectre is the host's to hold",
    "control groups": "a host that is out of processes or memory was not tried",
    "setpriv": "an interrupted run leaves its daemons; install util-linux",
    "mounts": "a full or read-only disk was not tried",
    "a namespace of processes": "a daemon that is the first process of a container was not tried",
    "another user": "a daemon that runs as an ordinary user was not tried",
    "Go": "the client for Go was not tried",
    "PostgreSQL": "a fleet with one database was not tried; install PostgreSQL, or the development packages anew",
    "ssh-keygen": "signatures of releases were not tried; install openssh-client",
    "systemd": "the unit of systemd was not tried; install systemd",
    "Java": "what Java reads of an answer was not tried",
    "root": "what only root can set up was not tried; run the tests as root for it",
}
"""By feature, as a skip names it before its colon: what a host without it does not have, or what was not tried."""

_SKIPPED: Final = "Skipped: "


KERNEL: Final = "VESTIBULE_REQUIRE_KERNEL"
TOOLCHAINS: Final = "VESTIBULE_REQUIRE_TOOLCHAINS"
"""Variables that continuous integration sets: what the kernel, or a compiler and its registry, lacks is a failure."""


def require(condition: bool, reason: str, unless: str = KERNEL) -> None:
    """Skip where the kernel or the host lacks something; fail where a variable says that it must not.

    Args:
        reason: a feature of MEANING, a colon, and what the host says.
        unless: the variable.
    """
    if condition:
        return
    if os.environ.get(unless) == "1":
        pytest.fail(f"required of this host: {reason}")
    pytest.skip(reason)


def summary(reasons: Iterable[str]) -> Iterator[str]:
    """Yield a line for each feature that tests were skipped for, with how many they were and what it means."""
    counts: dict[str, int] = {}
    for reason in reasons:
        text = re.sub(r"\s+", " ", reason.removeprefix(_SKIPPED)).strip()
        feature = text.partition(":")[0]
        key = feature if feature in MEANING else text
        counts[key] = counts.get(key, 0) + 1
    for key, count in sorted(counts.items()):
        tests = "1 test" if count == 1 else f"{count} tests"
        yield f"{key}: {tests} skipped: {MEANING[key]}" if key in MEANING else f"{tests} skipped: {key}"
