"""Run the daemon with a fault of a test's choice: `python faulty_daemon.py FAULT ARGUMENT -m runtime.cli ...`.

FAULT is `worker`, and ARGUMENT the module whose `serve` workers run, or `clock`, and ARGUMENT a file whose number of
seconds is added to the daemon's time of day, read again at every look. All else is the real daemon. Started by
tests/daemon_rig.py in a process of its own.
"""

import runpy
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def launcher(fault: str, argument: object) -> tuple[str, ...]:
    """Return what goes before `-m`."""
    return (__file__, fault, str(argument))


def _serve_by(entry: str) -> None:
    from runtime.workers.launch import Hold

    honest = Hold.of
    Hold.of = lambda config: replace(honest(config), entry=entry, path=(str(ROOT),))  # type: ignore[method-assign]


def _shift_clock(file: Path) -> None:
    real_s, real_ns = time.time, time.time_ns
    # Also what gRPC reads when it is asked for the time that a call has left.
    time.time = lambda: real_s() + float(file.read_text())
    time.time_ns = lambda: real_ns() + int(float(file.read_text()) * 1e9)


def main() -> None:
    """Install the fault and become the module."""
    fault, argument, option, module = sys.argv[1:5]
    assert option == "-m"
    if fault == "worker":
        _serve_by(argument)
    else:
        _shift_clock(Path(argument))
    sys.argv = [module, *sys.argv[5:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
