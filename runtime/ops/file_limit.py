"""Raise the number of descriptors to the host's limit, and warn when that is too few."""

import resource
from typing import Final

from runtime.config.effective import Config
from runtime.ops.log import Log

# More would only make the kernel's table larger. A worker takes four descriptors.
MAX_FILES: Final = 1 << 20
_FILES_PER_WORKER: Final = 4
REMEDY: Final = "raise the hard limit, or lower pool.max_workers and the ports' max_connections"


def needed(config: Config) -> int:
    """Return how many descriptors a daemon takes when everything that the settings allow is open."""
    http = config.http.max_connections if config.http_listen else 0
    workers = config.pool.max_workers * _FILES_PER_WORKER
    return workers + config.limits.max_in_flight + config.grpc.max_connections + http


def reach() -> int:
    """Return how many descriptors the hard limit allows us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)


def raise_to_hard(config: Config, log: Log) -> None:
    """Raise the soft limit as far as the hard one goes, and warn if the configuration may need more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = reach()
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # ValueError is what Python makes of EPERM
            wanted = soft
    if wanted < needed(config):
        log.warning("files.limited", limit=wanted, needed=needed(config), remedy=REMEDY)
