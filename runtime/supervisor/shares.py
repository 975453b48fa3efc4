"""What each of several processes gets of the limits, which are for all of them together.

Pure. Must not know how the processes are made.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from operator import attrgetter
from typing import Final

from runtime.config.kinds import AUTO
from runtime.config.settings import SETTINGS, Config
from runtime.errors import ConfigError, Fault
from runtime.ops import control_group
from runtime.workers.meter import ceiling_bytes

DIVIDED: Final = (
    "pool.blank_workers", "pool.max_workers", "pool.workers_per_tenant", "pool.queue_per_tenant",
    "limits.max_in_flight", "limits.max_streams", "grpc.max_connections", "http.max_connections",
)  # fmt: skip
"""Settings that are for all processes together. Each process has one at least, unless the setting is 0."""


def processors() -> int:
    """Return how many processors we may use: those of our affinity, and no more than a control group's quota."""
    count = len(os.sched_getaffinity(0))
    quota = control_group.processors()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def count(config: Config) -> int:
    """Return how many processes a configuration asks for."""
    return processors() if config.processes == AUTO else config.processes


def shares(config: Config, processes: int) -> list[Config]:
    """Return the configuration of each process. Raises: ConfigError, when there is less than one needs."""
    memory = ceiling_bytes(config.pool.memory_bytes) // processes
    if memory < config.sandbox.memory_bytes:
        message = (
            f"{processes} processes have {memory} bytes each for their workers, and sandbox.memory_bytes "
            f"{config.sandbox.memory_bytes} is more: one action could fill it; lower processes or "
            "sandbox.memory_bytes, or raise pool.memory_bytes"
        )
        raise ConfigError([Fault("processes", message)])
    return [_share(config, processes, number, memory) for number in range(processes)]


def _share(config: Config, processes: int, number: int, memory_bytes: int) -> Config:
    given: dict[str, dict[str, float]] = {
        "pool": {"memory_bytes": memory_bytes, "long_run_share": config.pool.long_run_share / processes}
    }
    for key in DIVIDED:
        section, _, name = key.partition(".")
        whole = attrgetter(key)(config)
        # The first ones have one more of what does not divide.
        part = whole // processes + (number < whole % processes)
        given.setdefault(section, {})[name] = max(1, part) if whole else 0
    pool = given["pool"]
    # What is right together for the whole is so for each.
    pool["blank_workers"] = min(pool["blank_workers"], pool["max_workers"])
    pool["workers_per_tenant"] = min(pool["workers_per_tenant"], pool["max_workers"])
    changed = {section: replace(getattr(config, section), **values) for section, values in given.items()}
    return replace(config, processes=processes, **changed)


def texts(config: Config, processes: int) -> list[dict[str, str]]:
    """Return the settings of each process as text: those that differ from the defaults.

    A process of the next version has its own defaults. Raises: ConfigError, as `shares`.
    """
    return [
        {s.key: s.whole(value) for s in SETTINGS if (value := attrgetter(s.key)(share)) != s.default}
        for share in shares(config, processes)
    ]
