"""Writes `deploy/scale.md`: what a large fleet takes, what saturates first and what is then done, from measured costs.

Knows costs, model and words. Must not know how anything was measured.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.load.scale import against, limits
from tests.load.scale.costs import Costs, Measured
from tests.load.scale.fleet import Fleet, Simulated, simulate
from tests.load.stats import percentile

_GIB: Final = 1 << 30
_MIB: Final = 1 << 20
_SECONDS: Final = 0.5
_CONTINUED: Final = 0.05
_CHANGES_A_DAY: Final = 10
"""Of each tenant."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fleet that was simulated."""

    name: str
    fleet: Fleet
    found: Simulated


def cases(costs: Costs, progress: Callable[[str], None]) -> list[Case]:
    """Simulate the fleets of the page; the first one is what the others are compared with."""
    base = limits.sized(Fleet(continued=_CONTINUED), costs)
    whole = base.tenants * base.processes
    affine = replace(base, ways=2, bounded=True)
    streamed = limits.sized(replace(affine, stream=True), costs)
    full = min(0.9, 1.15 * limits.continued_most(affine, costs, limits.WORKS_AT_ONCE) / base.rate)
    plans = [
        ("round robin, as installed", base),
        ("round robin, `pool.max_workers` for all tenants", replace(base, max_workers=whole)),
        ("affinity, one process a tenant", replace(base, ways=1)),
        ("affinity, two processes a tenant", replace(base, ways=2)),
        ("affinity, two or more by size", affine),
        ("the same by streams of eight", streamed),
        (f"{full:.0%} of logins continued, one store", replace(affine, continued=full)),
        (f"{full:.0%} continued, two stores", replace(affine, continued=full, stores=2)),
        (f"{full:.0%} continued, four stores", replace(affine, continued=full, stores=4)),
    ]
    made = []
    for name, fleet in plans:
        progress(f"scale: {name}")
        made.append(Case(name, fleet, simulate(fleet, costs, _SECONDS)))
    return made


def write(measured: Measured, made: list[Case]) -> str:
    """Return the page."""
    costs = measured.costs
    chosen = made[4]
    busy = against.busy(measured)
    warning = f"\n\n**The machine was busy: {busy}. Measure anew on an idle one.**" if busy else ""
    return _filled(f"""\
# Past one machine

Written by `make scale` on {measured.date}, of commit {measured.commit}: do not edit. It measures on this
machine what one
of each thing takes, and simulates a fleet of {_number(chosen.fleet.rate)} logins a second over
{_number(chosen.fleet.tenants)} tenants by Zipf with it. The model is in `tests/load/scale`: `fleet.py` says
what a login
passes through. It knows no network between hosts and no garbage of other programs, so take its numbers as the least
that is needed, and measure your own machine.

{measured.machine}{warning}

- [What it takes](#what-it-takes) · [What saturates first](#what-saturates-first) ·
  [What is then done](#what-is-then-done) · [Is the model right?](#is-the-model-right) · [Costs](#costs)

## What it takes

{_takes(chosen, costs)}

Simulated: hosts of {chosen.fleet.processors} processors with {chosen.fleet.processes} daemon processes each, as
many as keep processors and event
loops below {limits.TAKEN:.0%}. Times are those of logins that are not continued; continued ones wait for two commits.

{_table(made, costs)}

## What saturates first

{_saturates(chosen, made, costs)}

## What is then done

{_done(made, costs)}

## Is the model right?

The costs are measured with one daemon process. A daemon of two processes ran in turn with it on the same two
processors,
clients included, and the model of that host must say what it did. `make scale` fails beyond
{against.WITHIN:.0%}; `make bench-release` asks too.

{_compared(measured)}

Tests hold the model to closed forms (M/M/c, M/D/1), to Little's law, and to the laws that every login that
comes is decided,
refused or still there, and that a server is busy for arrivals times their service (`tests/unit/test_scale_model.py`).

## Costs

{_costs(costs)}
""")


def _takes(case: Case, costs: Costs) -> str:
    fleet, found = case.fleet, case.found
    memory = limits.memory_bytes(fleet, costs, found.workers)
    changes = fleet.tenants * _CHANGES_A_DAY / 86_400
    continued = fleet.rate * fleet.continued
    lock, _, _ = limits.changes_most(fleet, costs)
    return "\n".join(
        [
            "| what | how much | why |",
            "|---|---|---|",
            f"| processors | {_number(fleet.hosts * fleet.processors)}, of which {found.processors:.0%} are taken | "
            f"{limits.login_s(fleet, costs) * 1e6:,.0f} us a login |",
            f"| replicas | {fleet.hosts} hosts with {fleet.processes} processes each | "
            f"{1e6 / costs.loop_us:,.0f} logins a second fill one event loop |",
            f"| memory | {memory / _GIB:,.0f} GiB, {memory / fleet.hosts / _GIB:.1f} GiB a host | "
            f"{_number(found.workers)} warm workers; {costs.worker_bytes / _MIB:.1f} MiB each |",
            f"| writes of logins | {_number(2 * continued)}/s, in {_number(found.transactions / found.seconds)} commits"
            " | "
            f"{fleet.continued:.0%} of logins are continued: a claim, and what spends it; others write nothing |",
            f"| writes of changes | {changes:.1f}/s | {_CHANGES_A_DAY} a tenant and day; the lock bears {lock:.0f}/s, "
            f"and {_number(fleet.all_processes)} processes read each |",
            f"| connections to the database | {_number(fleet.all_processes * limits.CONNECTIONS)} at most | "
            "four and the listener, of each process; a pooler in transaction mode bears all but the listener |",
        ]
    )


def _table(made: list[Case], costs: Costs) -> str:
    lines = [
        "| fleet | hosts | refused | cold | p50 | p99 | continued, p99 | in flight at the end | processors "
        "| busiest loop | store | workers | memory a host |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case in made:
        fleet, found = case.fleet, case.found
        memory = limits.memory_bytes(fleet, costs, found.workers) / fleet.hosts / _GIB
        lines.append(
            f"| {case.name} | {fleet.hosts} | {found.refused / found.entered:.1%} | {found.cold / found.entered:.1%} | "
            f"{_ms(found.latencies_s, 50)} | {_ms(found.latencies_s, 99)} | {_ms(found.continued_s, 99)} | "
            f"{_number(found.in_flight)} | {found.processors:.0%} | {found.busiest_loop:.0%} | "
            f"{found.store:.0%} | {_number(found.workers)} | {memory:.1f} GiB |"
        )
    return "\n".join(lines)


def _saturates(case: Case, made: list[Case], costs: Costs) -> str:
    fleet = case.fleet
    hot = limits.hot_tenant(fleet, costs)
    lock, server, loops = limits.changes_most(fleet, costs)
    zygotes, processors = limits.cold_most(fleet, costs)
    lone = limits.continued_most(fleet, costs, 1)
    together = limits.continued_most(fleet, costs, limits.WORKS_AT_ONCE)
    installed, whole = made[0], made[1]
    each = limits.memory_bytes(whole.fleet, costs, whole.found.workers) / whole.fleet.hosts / _GIB
    return f"""\
In the order in which a growing fleet meets them:

1. **Cold tenants.** By round robin every process sees every tenant. A process keeps
{_number(max(1, fleet.max_workers // fleet.processes))} workers as installed
   (`pool.max_workers` {_number(fleet.max_workers)} of a host), so
{installed.found.cold / installed.found.entered:.0%} of logins come to a tenant whose worker was let go. Zygotes bear
   {_number(zygotes)} cold logins a second together, and what warm logins leave of the processors
{_number(processors)}: {min(zygotes, processors) / fleet.rate:.0%} of logins.
   With room for every tenant a host holds {_number(whole.found.workers / whole.fleet.hosts)} workers, {each:.0f} GiB.
2. **One hot tenant.** The largest of {_number(fleet.tenants)} has {hot.share:.0%} of logins,
{_number(hot.rate)}/s. One process decides {_number(hot.one_process)}/s at most, so
   affinity to one process is refused from {_number(hot.one_process / hot.share)} logins a second of the fleet,
and to two from {_number(2 * hot.one_process / hot.share)}.
3. **Claims.** One database of {fleet.store_processors} processors bears {_number(lone)} continued logins a
second one by one, and {_number(together)} when each
   transaction carries {limits.WORKS_AT_ONCE}: as queues grow, transactions do. At {_CONTINUED:.0%} continued
that is a fleet of {_number(together / _CONTINUED)} logins a second.
4. **Changes and NOTIFY.** Writers take turns: {lock:.0f} changes a second fill the lock. Each is read by
{_number(fleet.all_processes)} processes; the
   database's processors are full at {server:.0f}/s, and a tenth of every event loop at {loops:.0f}/s. The
announcement itself is
   {costs.notify_us:,.0f} us of the server for each process. One apply of many tenants is one change."""


def _done(made: list[Case], costs: Costs) -> str:
    whole, one, two, sized = made[1].found, made[2].found, made[3].found, made[4].found
    streamed, few, more, most = made[5], made[6].found, made[7].found, made[8].found
    return f"""\
- **Send a tenant to the same few processes.** Of the {_number(whole.workers)} warm workers that round robin
needs, {_number(sized.workers)} are left, and
  {sized.cold / sized.entered:.1%} of logins are cold. It needs nothing of the daemon: the gateway sends the
tenant's name as metadata of its own, and the
  load balancer hashes it (Envoy: `hash_policy` on that header with `RING_HASH` or `MAGLEV`; Helm's Service
alone is round robin).
  A replica that is lost costs its tenants one cold login each.
- **Give a large tenant more of them.** With one process a tenant {one.refused / one.entered:.1%} of logins are
refused, with two {two.refused / two.entered:.1%}; by size, none is to be
  refused: {sized.refused / sized.entered:.1%}, and the busiest loop is taken to {sized.busiest_loop:.0%}. At
the load balancer that is a bounded load of the hash
  (Envoy: `hash_balance_factor`), or a list of large tenants that are balanced by round robin.
- **Divide claims by tenant.** Each part of the tenants has replicas and a `store` of its own, and the load
balancer chooses the part by
  the same header: no claim is ever asked of two databases. At the same share of continued logins one database
is taken to {few.store:.0%}, and
  p99 of a continued login is {_ms(few.continued_s, 99)}; two are taken to {more.store:.0%}
({_ms(more.continued_s, 99)}), four to {most.store:.0%} ({_ms(most.continued_s, 99)}). It
  divides changes and their readers as well.
- **Stream.** Gateways that send eight logins a message need {streamed.fleet.hosts} hosts:
{(costs.stream_loop_us + costs.stream_worker_us):,.0f} us a login.
- **Gather changes.** One `apply` of a directory is one revision, one announcement and one read, whatever it changes."""


def _compared(measured: Measured) -> str:
    lines = ["| two processes | measured | model | off by | must be right |", "|---|---|---|---|---|"]
    for one in against.compare(measured):
        digits = 0 if one.unit == "/s" else 1
        both = [f"{value:,.{digits}f} {one.unit}" for value in (one.measured, one.modelled)]
        lines.append(f"| {one.what} | {' | '.join(both)} | {one.off:.0%} | {'yes' if one.judged else 'no'} |")
    return "\n".join(lines)


def _costs(costs: Costs) -> str:
    def us(*names: str) -> str:
        return " and ".join(f"{getattr(costs, name):,.0f} us" for name in names)

    rows = [
        ("warm login, daemon process", us("loop_us")),
        ("warm login, worker", us("worker_us")),
        ("login of a stream: daemon process, worker", us("stream_loop_us", "stream_worker_us")),
        ("wake-ups and network of a lone login, time", us("wake_us")),
        ("first login of a tenant, beyond that: daemon process, workers", us("first_loop_us", "first_below_us")),
        ("a tenant whose worker was let go: daemon process, workers", us("again_loop_us", "again_below_us")),
        ("the zygote's part of that", us("zygote_us")),
        ("memory of a warm worker", f"{costs.worker_bytes / _MIB:.2f} MiB"),
        ("memory of a daemon process with its zygote", f"{costs.daemon_bytes / _MIB:.0f} MiB"),
        ("memory of a tenant of the catalog, in each process", f"{costs.tenant_bytes / 1024:.1f} KiB"),
        ("claim or what spends it: database; for each transaction besides", us("work_us", "transaction_us")),
        ("claim and what spends it: daemon process", us("claim_loop_us")),
        ("commit, beyond processor time, time", us("flush_us")),
        ("change of a tenant: time under the lock, database", us("apply_us", "apply_server_us")),
        ("its reading, for each process: database, daemon process", us("read_server_us", "read_loop_us")),
        ("its announcement, for each process: database", us("notify_us")),
    ]
    head = ["Processor time, unless it says something else.", "", "| what | takes |", "|---|---|"]
    return "\n".join([*head, *[f"| {what} | {takes} |" for what, takes in rows]])


def _filled(text: str) -> str:
    """Fill the lines of paragraphs and lists; tables and headings stay as they are."""
    blocks = []
    for block in text.split("\n\n"):
        if block.lstrip().startswith(("|", "#", "- [")):
            blocks.append(block.strip("\n"))
            continue
        items = re.split(r"\n(?=- |\d+\. )", block)
        blocks.append("\n".join(_fill(" ".join(item.split())) for item in items))
    return "\n\n".join(blocks).rstrip("\n") + "\n"


def _fill(text: str) -> str:
    marker = re.match(r"- |\d+\. ", text)
    indent = " " * len(marker[0]) if marker else ""
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _ms(seconds: Sequence[float], percent: float) -> str:
    return f"{percentile(seconds, percent) * 1000:.1f} ms" if seconds else ""


def _number(value: float) -> str:
    return f"{value:,.0f}"
