"""Whether this host fits a configuration: descriptors, processes, memory, processors, store, keys, TLS, ports.

Every fault is found before a daemon is started, all at once, each with its remedy. Must not know terminals, nor layers:
those are host_check's. It serves nothing.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.callers import caller_files, tls_files
from runtime.catalog import directory, images, sealed_store, store_keys
from runtime.catalog.opening import DAEMON_TIMEOUT_S, open_database
from runtime.catalog.secret_values import Secrets
from runtime.config import store_url
from runtime.config.store_url import DIRECTORY
from runtime.continuation import keys
from runtime.errors import FaultsError, StartError
from runtime.offline import check
from runtime.ops import control_group, file_limit, listening
from runtime.workers import meter

if TYPE_CHECKING:
    from runtime.config.effective import Config

# What daemon and zygote hold beside the workers: 75 and 30 MiB with a hundred warm tenants, more with many connections.
BESIDE_BYTES: Final = 192 << 20
# Daemon, zygote and the threads of both.
_PROCESSES_BESIDE: Final = 64
# The alert on a certificate's end has the same.
EXPIRES_SOON_S: Final = 14 * 86_400
_MIB: Final = 1 << 20


class Finding(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class HostFact:
    """One thing that was looked at: what was found, and what to do about it if it is not well."""

    name: str
    state: Finding
    detail: str
    remedy: str = ""


def checks(config: Config) -> list[HostFact]:
    """Look at everything. Raises nothing that can be foreseen."""
    return [
        *of_host(config),
        *of_store(config),
        *_continuation_keys(config),
        *_tls(config),
        *_rules(config),
        *_ports(config),
    ]


def of_host(config: Config) -> Iterator[HostFact]:
    """Hold what the host allows against what the settings may need."""
    yield from (_descriptors(config), _processes(config), _memory(config), _processors())


def _descriptors(config: Config) -> HostFact:
    has, needs = file_limit.reach(), file_limit.needed(config)
    detail = f"the hard limit allows {has}, the settings may need {needs}"
    return _check("descriptors", needs <= has, detail, file_limit.REMEDY)


def _processes(config: Config) -> HostFact:
    # The kernel holds an ordinary user to its own limit; root has that of the control group alone.
    nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1] if os.geteuid() else resource.RLIM_INFINITY
    group = control_group.limit("pids.max")
    limits = [nproc] if nproc != resource.RLIM_INFINITY else []
    has = min(limits if group is None else [*limits, group], default=None)
    needs = config.pool.max_workers + _PROCESSES_BESIDE
    detail = f"{'no limit' if has is None else has}, the settings may need {needs}"
    remedy = "raise TasksMax, pids.max or the pod's limit of processes, or lower pool.max_workers"
    return _check("processes", has is None or needs <= has, detail, remedy)


def _memory(config: Config) -> HostFact:
    has, workers = meter.available_bytes(), meter.ceiling_bytes(config.pool.memory_bytes)
    detail = (
        f"{has // _MIB} MiB here; workers may hold {workers // _MIB} MiB, "
        f"the daemon needs some {BESIDE_BYTES // _MIB} MiB beside them"
    )
    fits = has - BESIDE_BYTES
    remedy = (
        f"give it more memory, or set pool.memory_bytes to {fits // _MIB}MiB or less"
        if fits >= config.sandbox.memory_bytes
        else f"give it {(config.sandbox.memory_bytes + BESIDE_BYTES) // _MIB} MiB or more"
    )
    return _check("memory", workers <= fits, detail, remedy)


def _processors() -> HostFact:
    quota, there = control_group.processors(), len(os.sched_getaffinity(0))
    if quota is None or quota >= there:
        return HostFact("processors", Finding.OK, f"{there}, without a quota below that")
    detail = f"a quota of {quota:g} on {there}: one tenant's loop can use it up for all until its budget ends"
    return HostFact("processors", Finding.WARNING, detail, "give it whole processors (a cpuset) instead of a quota")


def of_store(config: Config) -> Iterator[HostFact]:
    """Read the store whole, as a daemon does at its start."""
    if config.store.startswith(DIRECTORY):
        yield from _of_directory(config)
        return
    yield from _verified(config.store)
    try:
        keys_ = store_keys.given(config.catalog, os.environ)
    except FaultsError as error:
        yield from _faults("store keys", error)
        return
    database = open_database(config.store, timeout_s=DAEMON_TIMEOUT_S, keys=lambda: keys_)
    plain = False
    try:
        with database.reading() as connection:
            image = images.read(connection, None, database.name)
            plain = sealed_store.any_plain_secret(connection)
        writable = database.writable()
    except FaultsError as error:
        yield from _faults("store", error)
        return
    finally:
        database.close()
    tenants = len(image.snapshot.tenants) if image is not None else 0
    detail = f"{database.setting}: tenants: {tenants}, at revision {image.mark.revision if image is not None else 0}"
    if not tenants and not config.catalog.allow_empty:
        yield HostFact("store", Finding.FAULT, detail, "put tenants into it with `vestibule apply DIR`")
    elif not writable:
        remedy = "let the daemon's user write the store and its folder, and leave room on its disk"
        detail += "; it cannot be written, so that no suspended login can be continued"
        yield HostFact("store", Finding.FAULT, detail, remedy)
    else:
        yield HostFact("store", Finding.OK, detail)
    if plain:
        remedy = "make a key, set catalog.keys_file and run `vestibule store seal`"
        detail = "plain text, for all who can read the store or a copy of it"
        yield HostFact("secrets", Finding.WARNING, detail, remedy)
    elif keys_:
        yield HostFact("secrets", Finding.OK, f"sealed; keys: {', '.join(keys_.ids)}")


def _of_directory(config: Config) -> Iterator[HostFact]:
    """Read and compile the tree that would be served, and say where its claims would lie."""
    secrets = Secrets(directory=Path(config.catalog.secrets_dir) if config.catalog.secrets_dir else None)
    path = config.store.removeprefix(DIRECTORY)
    yield from _read(
        "store", lambda: f"tenants: {len(directory.load(path, check.findings, secrets).definitions)} in {path}"
    )
    state = config.catalog.state_store
    if not state:
        yield HostFact("state store", Finding.WARNING, "none: no login can be suspended", "set catalog.state_store")
        return
    yield from _verified(state)
    with contextlib.closing(open_database(state, timeout_s=DAEMON_TIMEOUT_S)) as database:
        yield from _read("state store", lambda: f"{database.setting}: schema {database.version()}")


def _verified(store: str) -> Iterator[HostFact]:
    """Warn of a server whose certificate is not verified."""
    if store_url.unverified(store):
        detail = f"{store_url.shown(store)}: its certificate is not verified, and it gets the password and all secrets"
        yield HostFact("store's TLS", Finding.WARNING, detail, "add sslmode=verify-full and sslrootcert to the URL")


def _continuation_keys(config: Config) -> Iterator[HostFact]:
    name, file = "continuation keys", config.continuation.keys_file
    if not file:
        detail = "none: the daemon makes a key, and logins that it suspended end with it; replicas need the same keys"
        yield HostFact(name, Finding.WARNING, detail, "set continuation.keys_file")
        return
    yield from _read(name, lambda: f"{len(keys.read(Path(file)))} in {file}")


def _tls(config: Config) -> Iterator[HostFact]:
    if not config.tls.cert_file:
        yield HostFact("TLS", Finding.OK, "none is configured")
        return
    try:
        material = tls_files.read(config.tls)
    except FaultsError as error:
        yield from _faults("TLS", error)
        return
    yield from expiry("TLS", "the certificate", material.expires_at_s)
    if material.client_ca_expires_at_s:
        yield from expiry("TLS", "the first authority of clients", material.client_ca_expires_at_s)


def expiry(name: str, what: str, ends_s: float) -> Iterator[HostFact]:
    """Say when something ends."""
    left_s = ends_s - time.time()
    detail = f"{what} ends in {left_s / 86_400:.1f} days"
    if left_s <= 0:
        detail = f"{what} has expired"
    state = Finding.FAULT if left_s <= 0 else Finding.WARNING if left_s < EXPIRES_SOON_S else Finding.OK
    yield HostFact(name, state, detail, "" if state is Finding.OK else "put a new one in its file's place")


def _rules(config: Config) -> Iterator[HostFact]:
    if file := config.auth.certificates_file:
        yield from _read("rules for certificates", lambda: _rules_of(file))


def _rules_of(file: str) -> str:
    caller_files.read_rules(Path(file))
    return f"read from {file}"


def _ports(config: Config) -> Iterator[HostFact]:
    for setting in listening.SETTINGS:
        if address := getattr(config, setting):
            try:
                listening.check_free(setting, address)
            except StartError as error:
                detail, _, remedy = str(error).removeprefix(f"{setting}: ").rpartition("; ")
                yield HostFact(f"port {setting}", Finding.FAULT, detail, remedy)
            else:
                yield HostFact(f"port {setting}", Finding.OK, f"{address} is free")


def _check(name: str, well: bool, detail: str, remedy: str) -> HostFact:
    return HostFact(name, Finding.OK, detail) if well else HostFact(name, Finding.FAULT, detail, remedy)


def _read(name: str, read: Callable[[], str]) -> Iterator[HostFact]:
    try:
        yield HostFact(name, Finding.OK, read())
    except FaultsError as error:
        yield from _faults(name, error)


def _faults(name: str, error: FaultsError) -> Iterator[HostFact]:
    """Turn an error's faults into checks: their texts say what is wrong and, behind the first semicolon, the remedy."""
    for fault in error.faults:
        detail, _, remedy = str(fault).partition("; ")
        yield HostFact(name, Finding.FAULT, detail, remedy or "see the text of the fault")
