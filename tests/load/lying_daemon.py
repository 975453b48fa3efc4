"""Runs `vestibule` with workers that lie where a source says so: `python -m tests.load.lying_daemon serve ...`.

Knows the one place where a daemon chooses what its workers run. Must not know how they lie. For the benchmark alone.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from runtime.cli import main as cli
from runtime.workers.launch import Hold


def main() -> int:
    """Choose the lying worker and run the command."""
    honest = Hold.of
    Hold.of = lambda config: replace(honest(config), entry="tests.load.lying_worker")  # type: ignore[method-assign]  # of this process only
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
