"""What one of each thing takes, as it was measured: what goes into the model. Read from and written to a file.

Knows units. Must not know how anything is measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from tests.load.processes import BenchError

FILE: Final = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time in microseconds, unless a name says something else."""

    client_us: float
    """Of the load generator, for a login: it shares the processors where a host is measured."""
    loop_us: float
    """Of a daemon process itself, for a warm login."""
    worker_us: float
    """Of the tenant's worker, for a warm login."""
    stream_loop_us: float
    """As `loop_us`, for a login of a stream of eight a message."""
    stream_worker_us: float
    wake_us: float
    """Time that a lone login takes beyond all processor time: processes that wake, and the network."""
    first_loop_us: float
    """Of a daemon process, for the first login of a tenant, beyond a warm one."""
    first_below_us: float
    """Of workers and zygote, for that: fork, lock-down, compiling, and the successor."""
    again_loop_us: float
    """As these, for a tenant whose worker was let go, and whose code is kept."""
    again_below_us: float
    zygote_us: float
    """Of the zygote itself, which makes one worker at a time, for such a login."""
    worker_bytes: float
    """Private memory of a warm worker."""
    daemon_bytes: float
    """Resident memory of a daemon process and its zygote, without tenants."""
    tenant_bytes: float
    """Resident memory of a daemon process for a tenant of its catalog."""
    work_us: float
    """Of PostgreSQL, for a claim, or for what spends it."""
    transaction_us: float
    """Of PostgreSQL, for a transaction of such, however many are in it."""
    claim_loop_us: float
    """Of a daemon process, for a claim and what spends it."""
    flush_us: float
    """Time that a commit takes beyond all processor time: mostly the disk."""
    apply_us: float
    """Time of a change of one tenant under the writers' lock."""
    apply_server_us: float
    """Of PostgreSQL, for it."""
    read_server_us: float
    """Of PostgreSQL, for each daemon process that reads it."""
    read_loop_us: float
    """Of a daemon process, for reading it."""
    notify_us: float
    """Of PostgreSQL, for each daemon process that is notified of it."""

    def seconds(self, name: str) -> float:
        """Return one of the times in seconds."""
        value: float = getattr(self, name)
        return value / 1e6


@dataclass(frozen=True, slots=True)
class TwoProcesses:
    """What a real daemon of two processes did on this host, which the model must say too."""

    rate: float
    """Logins a second, with so many in flight that its processors are full."""
    full_p50_us: float
    calm_mean_us: float
    """Time of a login with a few in flight."""
    calm_p50_us: float
    others: float
    """Share of the processors that other programs took meanwhile."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Costs, and where and when they were measured."""

    costs: Costs
    two: TwoProcesses
    machine: str
    date: str
    commit: str
    others: float
    """Share of the processors that other programs took meanwhile."""


def read(path: Path = FILE) -> Measured:
    """Read the file. Raises: BenchError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        numbers = found.pop("costs")
        unknown = numbers.keys() ^ {field.name for field in fields(Costs)}
        if unknown:
            raise BenchError(
                f"{path}: {', '.join(sorted(unknown))}: unknown or missing; measure anew with `make scale`"
            )
        two = TwoProcesses(**found.pop("two"))
        return Measured(Costs(**{name: float(value) for name, value in numbers.items()}), two, **found)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BenchError(f"{path}: {error}; measure anew with `make scale`") from None


def write(measured: Measured, path: Path = FILE) -> None:
    """Write the file, with as many digits as are true."""
    found = asdict(measured)
    found["costs"] = {name: int(value) if value >= 1000 else round(value, 1) for name, value in found["costs"].items()}
    found["two"] = {name: round(value, 2) for name, value in found["two"].items()}
    found["others"] = round(measured.others, 2)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
