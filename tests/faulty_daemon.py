"""Run the daemon with other workers: `python faulty_daemon.py ENTRY -m runtime.cli ARGUMENT...`.

ENTRY is the module whose `serve` its workers run. All else is the real daemon.
"""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def launcher(entry: str) -> tuple[str, ...]:
    """Return what goes before `-m`."""
    return (__file__, entry)


def main() -> None:
    """Install the fault and become the module."""
    entry, option, module = sys.argv[1:4]
    assert option == "-m"
    from runtime.workers.launch import Hold

    honest = Hold.of
    Hold.of = lambda config: replace(honest(config), entry=entry, path=(str(ROOT),))  # type: ignore[method-assign]  # in a process of the test's own
    sys.argv = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
