"""What the numbers were measured on, in the words of the operating system.

Knows /proc and versions. Must not know what is measured.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_MEMINFO: Final = Path("/proc/meminfo")
_MIB: Final = 1 << 20


def describe(client: str) -> dict[str, Any]:
    """Return machine, kernel and versions; `client` names the load generator."""
    return {
        "cpu": cpu_model(_CPUINFO.read_text()),
        "cpus": os.cpu_count(),
        "cpus_used": len(os.sched_getaffinity(0)),
        "memory_mib": meminfo_bytes("MemTotal") // _MIB,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "uid": os.getuid(),
        "load_before": os.getloadavg()[0],
        "client": client,
        "versions": {name: metadata.version(name) for name in ("vestibule", "grpcio", "protobuf", "uvloop")},
    }


def sentence(machine: dict[str, Any]) -> str:
    """Say it in two lines for a reader."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cpus_used']} of {machine['cpus']} CPUs shared by daemon, workers and load; "
        f"{machine['memory_mib'] / 1024:.0f} GiB; Linux {machine['kernel']}; uid {machine['uid']}; "
        f"load before {machine['load_before']:.1f}\n"
        f"Python {machine['python']}, {versions}; load by {machine['client']}"
    )


def cpu_model(cpuinfo: str) -> str:
    """Return the model of the first processor; its architecture where the kernel gives no name."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def meminfo_bytes(name: str) -> int:
    """Return one figure of /proc/meminfo, such as MemAvailable."""
    for line in _MEMINFO.read_text().splitlines():
        found, _, value = line.partition(":")
        if found == name:
            return int(value.split()[0]) * 1024
    raise LookupError(name)
