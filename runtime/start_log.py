"""What a daemon says in its log once it serves: what its operator should mend, then `daemon.started` with what it has.

Must not know how the daemon was started, nor change it.
"""

import os
import sys
from dataclasses import dataclass

from runtime.callers.caller_files import CallerFiles
from runtime.catalog.base import Snapshot
from runtime.config.addresses import bound
from runtime.config.effective import Config
from runtime.ops.log import ProcessLog
from runtime.workers.pool import Pool


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a daemon listens: the ports it has got, and the HTTP address, empty without one."""

    port: int
    metrics_port: int
    http_listen: str


def warn_of_secrets(log: ProcessLog, snapshot: Snapshot, *, sealed: bool) -> None:
    """Say that secrets lie in the store as they are, if there are some."""
    if not sealed and any(flow.has_secrets for flow in snapshot.tenants.values()):
        remedy = "make a key, set catalog.keys_file and run `vestibule store seal`"
        log.warning("store.unsealed", problem="its secrets lie there as plain text", remedy=remedy)


def warn_of_made_key(log: ProcessLog, key_id: bytes) -> None:
    """Say that what this process suspends ends with it."""
    log.warning(
        "continuation.key_made",
        key_id=key_id.hex(),
        remedy="logins suspended by this process end with it, and no replica can continue them: "
        "set continuation.keys_file",
    )


def started(
    log: ProcessLog,
    config: Config,
    version: str,
    listening: Listening,
    store: str,
    snapshot: Snapshot,
    files: CallerFiles,
    pool: Pool,
    *,
    credentials: bool,
) -> None:
    """Say that the daemon serves, and with what."""
    log.info(
        "daemon.started",
        version=version,
        pid=os.getpid(),
        python=sys.version.split()[0],
        listen=bound(config.listen, listening.port),
        **({"http_listen": listening.http_listen} if listening.http_listen else {}),
        metrics_listen=bound(config.metrics_listen, listening.metrics_port),
        store=store,
        catalog_revision=snapshot.revision,
        tenants=len(snapshot.tenants),
        isolation=config.sandbox.isolation,
        tls=files.tls is not None,
        credentials=credentials,
        layers=[layer.name for layer in pool.layers if layer.active],
        layers_missing=[layer.name for layer in pool.layers if not layer.active],
    )
