"""Load on a daemon that runs elsewhere: bounds that must be given, what its answers say, and nothing of its insides.

Knows flags, credentials and a run's rows. Must not know how calls are sent.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.cli.connection import credentials_of, target_of
from runtime.cli.output import progress
from runtime.errors import CannotReach, ConfigError, Fault
from runtime.rpc import client
from tests.load import mix as mixes
from tests.load import open_loop, subjects
from tests.load.picture import Series

if TYPE_CHECKING:
    from tests.load.mix import Logins, Mix
    from tests.load.report import Row

_COUNT_MOST: Final = 2_000_000
_SECONDS_MOST: Final = 3600.0
_RATE_MOST: Final = 20_000.0
_READY_S: Final = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that are for a daemon elsewhere alone."""
    group = parser.add_argument_group("a daemon elsewhere (with --target, which measures nothing else)")
    group.add_argument("--count", type=int, metavar="N", help="logins at most; must be given")
    group.add_argument("--seconds", type=float, metavar="S", help="time in which logins begin, at most; must be given")
    group.add_argument("--in-flight", type=int, default=32, metavar="N", help="without --rate: logins at a time [32]")
    group.add_argument(
        "--tenant",
        action="append",
        metavar="ID",
        help="a tenant of your own, whose outcome is not judged; repeat for several, the first gets most logins",
    )
    group.add_argument(
        "--write-tenants",
        type=Path,
        metavar="DIR",
        help="write the tenants that the other flags need, as a directory for `vestibule apply`, and end",
    )


def faults(args: argparse.Namespace, mix: Mix, rates: tuple[float, ...]) -> list[Fault]:
    """Return what is wrong with the flags."""
    found = []
    if args.count is None or not 1 <= args.count <= _COUNT_MOST:
        found.append(Fault("--count", f"must say how many logins at most, 1 to {_COUNT_MOST:,}"))
    if args.write_tenants is None and (args.seconds is None or not 0 < args.seconds <= _SECONDS_MOST):
        found.append(Fault("--seconds", f"must say how long logins may begin, up to {_SECONDS_MOST:,.0f}"))
    if len(rates) > 1 or any(not 0 < rate <= _RATE_MOST for rate in rates):
        found.append(Fault("--rate", f"is one number with --target, more than 0 and at most {_RATE_MOST:,.0f}"))
    if not 1 <= args.in_flight <= open_loop.AT_ONCE_MOST:
        found.append(Fault("--in-flight", f"is from 1 to {open_loop.AT_ONCE_MOST:,}"))
    if args.tenant and (mix.hostile or mix.cold or mix.suspended):
        found.append(Fault("--tenant", "has no hostile, cold or suspended share; leave one of them out"))
    return found


def write_tenants(args: argparse.Namespace, mix: Mix) -> int:
    """Write what a run with these flags needs; return how many tenants there are. Raises: ConfigError."""
    folder: Path = args.write_tenants
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError([Fault(f"--write-tenants {folder}", "is there and is not an empty directory; name another")])
    return mixes.write(folder, mix, mixes.logins(mix, args.count).cold)


def run(args: argparse.Namespace, mix: Mix, rates: tuple[float, ...]) -> tuple[list[Row], list[Series], bool]:
    """Make the logins; return rows, pictures, and whether each was answered as it must be.

    Raises: ConfigError, CannotReach, NoDecision: the first login has none, for a reason that it says.
    """
    target = target_of(args)
    credentials = credentials_of(args, target)
    made = _own(args.tenant, mix, args.count) if args.tenant else mixes.logins(mix, args.count)
    with credentials.channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(_READY_S)
        except grpc.FutureTimeoutError:
            raise CannotReach(f"no daemon answers at {target}; {credentials.doubt()}") from None
    event = PostLoginEvent.FromString(subjects.event())
    client.execute(target, made.tenants[made.order[0]], event, credentials=credentials)
    rate = rates[0] if rates else 0.0
    name = f"{rate:,.0f}/s due" if rate else f"closed loop, {args.in_flight} in flight"
    progress(f"{target}: {name}, at most {args.count:,} logins in {args.seconds:g} s")
    answers = open_loop.run(
        target,
        made,
        rate=rate,
        in_flight=open_loop.AT_ONCE_MOST if rate else args.in_flight,
        longest_s=args.seconds,
        tls=credentials.tls,
        authorities=_text(credentials.authorities),
        certificate=_text(credentials.certificate),
        private_key=_text(credentials.private_key),
        api_key=credentials.api_key,
    )
    words = f"{len(args.tenant)} tenants of your own" if args.tenant else mix.words()
    rows = list(open_loop.rows("elsewhere", name, made, answers, rate))
    right = answers.codes.keys() == {"OK"} and not answers.wrong
    return rows, [open_loop.series(f"{name}; {words}", made, answers)], right


def _own(names: list[str], mix: Mix, count: int) -> Logins:
    """Draw logins of the user's own tenants, whose outcomes are their own."""
    drawn = mixes.logins(mixes.Mix(tenants=len(names), zipf=mix.zipf), count)
    drawn.tenants = [names[int(tenant.removeprefix("load-"))] for tenant in drawn.tenants]
    drawn.requests = [subjects.request(tenant) for tenant in drawn.tenants]
    drawn.wanted = []
    return drawn


def _text(data: bytes | None) -> str | None:
    return data.decode() if data is not None else None
