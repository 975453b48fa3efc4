"""Logins as a service sees them: tenants by Zipf, with shares that are hostile, cold, or suspended and continued.

Knows how calls are drawn and which tenants they need. Must not know how they are sent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from runtime.core.model import OnError
from tests.load import soak, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.catalog.base import Definition

WARM, HOSTILE, COLD, SUSPENDED = KINDS = ("warm", "hostile", "cold", "suspended")
"""What a login is: of a tenant that logs in again and again, of one that misbehaves, the only one of its tenant, or in
two parts."""
_SEED: Final = 13
_HOSTILE_BUDGET_US: Final = 20_000
_SUSPENDED_TENANTS: Final = 5
# What `vestibule apply` refuses is no load.
_HOSTILE: Final = tuple(sorted(soak.HOSTILE.keys() - {"broken", "swallow"}))
_MOST_TENANTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Mix:
    """Who logs in. The shares are of all logins; the rest is warm."""

    tenants: int = 20
    zipf: float = 1.0
    """The tenant of rank k has a k**zipf'th of the logins of the first; 0 for the same of each."""
    hostile: float = 0.0
    cold: float = 0.0
    suspended: float = 0.0
    budget_us: int | None = None
    """Of every action that is not hostile."""

    def fault(self) -> str:
        """Say what is wrong with it, or nothing."""
        shares = {"--hostile": self.hostile, "--cold": self.cold, "--suspended": self.suspended}
        wrong = [f"{flag} is a share from 0 to 1" for flag, share in shares.items() if not 0 <= share <= 1]
        if not wrong and sum(shares.values()) > 1:
            wrong.append("--hostile, --cold and --suspended are more than 1 together")
        if not 1 <= self.tenants <= _MOST_TENANTS:
            wrong.append(f"--tenants is from 1 to {_MOST_TENANTS:,}")
        if not 0 <= self.zipf <= 4:
            wrong.append("--zipf is from 0 to 4")
        return "; ".join(wrong)

    def words(self) -> str:
        """Say it to a reader."""
        shares = [
            f"{share:.0%} {kind}"
            for kind, share in ((HOSTILE, self.hostile), (COLD, self.cold), (SUSPENDED, self.suspended))
            if share
        ]
        spread = f" by Zipf {self.zipf:g}" if self.tenants > 1 else ""
        return ", ".join([f"{self.tenants:,} tenant{'s' if self.tenants > 1 else ''}{spread}", *shares])


@dataclass(slots=True)
class Logins:
    """The calls of a run. The lists beside `requests` are as long; `order` says which request each call makes."""

    requests: list[bytes] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    continued: list[bytes] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    cold: int = 0
    """How many cold tenants came."""

    def add(self, tenant: str, kind: str) -> int:
        """Add a request and return its place."""
        request = subjects.request(tenant)
        self.requests.append(request)
        self.wanted.append("deny" if kind == HOSTILE else "mfa_required")
        self.continued.append(subjects.continuing(request) if kind == SUSPENDED else b"")
        self.kinds.append(kind)
        self.tenants.append(tenant)
        return len(self.requests) - 1

    def firsts(self) -> frozenset[int]:
        """Return the calls that are the first of their tenants."""
        seen: dict[int, int] = {}
        for index, place in enumerate(self.order):
            seen.setdefault(place, index)
        return frozenset(seen.values())


def logins(mix: Mix, count: int, *, first_cold: int = 0) -> Logins:
    """Draw the calls. The same mix and count give the same ones; a cold tenant of an earlier run is not cold."""
    chance = random.Random(_SEED)
    shares = (mix.hostile, mix.cold, mix.suspended)
    kinds = chance.choices(KINDS, (max(0.0, 1 - sum(shares)), *shares), k=count)
    weights = list(accumulate(1 / rank**mix.zipf for rank in range(1, mix.tenants + 1)))
    made, places = Logins(), dict[str, int]()
    for kind in kinds:
        if kind == WARM:
            tenant = f"load-{chance.choices(range(mix.tenants), cum_weights=weights)[0]}"
        elif kind == COLD:
            tenant, made.cold = f"load-cold-{first_cold + made.cold}", made.cold + 1
        elif kind == SUSPENDED:
            tenant = f"load-suspended-{chance.randrange(_SUSPENDED_TENANTS)}"
        else:
            tenant = f"load-hostile-{chance.choice(_HOSTILE)}"
        if tenant not in places:
            places[tenant] = made.add(tenant, kind)
        made.order.append(places[tenant])
    return made


def sources(tenant: str, kind: str) -> tuple[str, ...]:
    """Return the actions of a tenant."""
    if kind == HOSTILE:
        return (soak.HOSTILE[tenant.removeprefix("load-hostile-")],)
    return subjects.SUSPENDED if kind == SUSPENDED else subjects.FLOW


def tenants(mix: Mix, cold: int) -> Iterator[tuple[str, str]]:
    """Return the tenants that a mix has, each with its kind."""
    yield from ((f"load-{n}", WARM) for n in range(mix.tenants))
    yield from ((f"load-cold-{n}", COLD) for n in range(cold))
    if mix.suspended:
        yield from ((f"load-suspended-{n}", SUSPENDED) for n in range(_SUSPENDED_TENANTS))
    if mix.hostile:
        yield from ((f"load-hostile-{name}", HOSTILE) for name in _HOSTILE)


def definitions(mix: Mix, cold: int) -> Iterator[Definition]:
    """Define them."""
    for tenant, kind in tenants(mix, cold):
        if kind == HOSTILE:
            yield subjects.definition(tenant, sources(tenant, kind), _HOSTILE_BUDGET_US, OnError.DENY)
        else:
            yield subjects.definition(tenant, sources(tenant, kind), mix.budget_us)


def write(folder: Path, mix: Mix, cold: int) -> int:
    """Write them as a directory that `vestibule apply` takes; return how many there are."""
    wanted = list(tenants(mix, cold))
    for tenant, kind in wanted:
        actions = folder / tenant / "actions"
        actions.mkdir(parents=True, exist_ok=True)
        lines = [f"tenant: {tenant}", "mfa:", "  policy: never", f"  factors: [{', '.join(subjects.SETTINGS.factors)}]"]
        lines += ["flows:", "  post_login:"]
        for place, source in enumerate(sources(tenant, kind), 1):
            (actions / f"action_{place}.py").write_text(source, encoding="utf-8")
            lines.append(f"    - action: action_{place}")
            if kind == HOSTILE:
                lines += ["      on_error: deny", f"      timeout_ms: {_HOSTILE_BUDGET_US // 1000}"]
            elif mix.budget_us is not None:
                lines.append(f"      timeout_ms: {mix.budget_us // 1000}")
        (folder / tenant / "tenant.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(wanted)
