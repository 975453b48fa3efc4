"""`make scale`: measure costs, hold the model to a real daemon, simulate the fleet, write `deploy/scale.md`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from runtime.cli.output import Exit, complain, progress, say
from tests.load.processes import BenchError
from tests.load.run import fewer_cpus, terminable
from tests.load.scale import against, costs, page
from tests.load.scale.measure import measure

PAGE: Final = Path(__file__).parents[3] / "deploy" / "scale.md"
_PROCESSORS: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__, allow_abbrev=False)
    parser.add_argument("--measured", action="store_true", help="take the costs of the last run, and measure nothing")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="page to write [deploy/scale.md]")
    parser.add_argument(
        "--costs", type=Path, default=costs.FILE, metavar="FILE", help="file of costs [tests/load/scale/costs.json]"
    )
    args = parser.parse_args(argv)
    try:
        with fewer_cpus(_PROCESSORS), terminable():
            found = costs.read(args.costs) if args.measured else measure(progress)
            if not args.measured:
                costs.write(found, args.costs)
            made = page.cases(found.costs, progress)
    except BenchError as error:
        complain(f"scale: {error}")
        return Exit.USAGE
    finally:
        progress("")
    args.page.write_text(page.write(found, made), encoding="utf-8")
    say(f"{args.page} is written; load of the machine {os.getloadavg()[0]:.1f}")
    return verdict(found)


def verdict(found: costs.Measured) -> int:
    """Say whether the model does what the real daemon did; a busy machine proves nothing."""
    missed = against.missed(against.compare(found))
    for one in missed:
        complain(f"scale: {one.what}: the model says {one.modelled:,.1f} {one.unit}, measured were {one.measured:,.1f}")
    if missed and (busy := against.busy(found)):
        complain(f"scale: not checked: {busy}; run it again on an idle machine")
        return Exit.OK
    return Exit.TEST_FAILED if missed else Exit.OK


if __name__ == "__main__":
    sys.exit(main())
