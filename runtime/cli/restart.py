"""`vestibule restart`: replace the processes of a supervisor one at a time, and wait until that is done."""

import argparse
import os
import signal
import time
from pathlib import Path
from typing import Final

from runtime.cli.flags import add_settings, loaded
from runtime.cli.output import Exit, say
from runtime.errors import ConfigError, StartError

DESCRIPTION = """\
Replace every process of `vestibule serve --processes N`, one after the other: a new one serves before the old one
drains. Configuration and code are read anew. The supervisor gets SIGUSR2; it is found by the file that `pid_file` names
in its configuration, or by --pid. Waits until every process is a new one. If a new one does not serve, the others stay
as they are, and the exit code is 1."""

_LOOK_S: Final = 0.05
# A new process is started as soon as the configuration is read.
_BEGUN_S: Final = 30.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_settings(parser, only=("pid_file",))
    parser.add_argument("--pid", type=int, metavar="PID", help="process id of the supervisor")
    parser.add_argument("--wait", type=float, default=600.0, metavar="S", help="how long to wait; 0: do not [600]")


def run(args: argparse.Namespace) -> int:
    """Ask for it, and wait. Raises: ConfigError, StartError."""
    supervisor = args.pid if args.pid is not None else _pid_in(loaded(args).config.pid_file)
    if not _catches(supervisor, signal.SIGUSR2):
        raise StartError(
            f"process {supervisor} is no supervisor of Vestibule, or not ours: name one that runs `vestibule serve` "
            "with --processes 2 or more"
        )
    before = _children(supervisor)
    os.kill(supervisor, signal.SIGUSR2)
    if args.wait <= 0:
        say(f"asked supervisor {supervisor} to replace its {len(before)} processes")
        return Exit.OK
    _wait(supervisor, before, args.wait)
    say(f"replaced the {len(before)} processes of supervisor {supervisor}")
    return Exit.OK


def _wait(supervisor: int, before: set[int], wait_s: float) -> None:
    """Wait until none of the processes is there that were before. Raises: StartError."""
    new: set[int] = set()
    begun_s = time.monotonic()
    while (now := _children(supervisor)) & before or len(now) < len(before):
        passed_s = time.monotonic() - begun_s
        if not now and not _catches(supervisor, signal.SIGUSR2):
            raise StartError(f"supervisor {supervisor} has ended; its log says why")
        if now & before and new - now:
            raise StartError("a new process did not serve; the others stay as they are, and the log says why")
        if passed_s > min(wait_s, _BEGUN_S) and not new:
            raise StartError("no process was replaced: the configuration cannot be used as it is now; see the log")
        if passed_s > wait_s:
            old = len(now & before)
            raise StartError(f"{old} of {len(before)} processes are not replaced yet; the log says how far it is")
        new |= now - before
        time.sleep(_LOOK_S)


def _pid_in(file: str) -> int:
    if not file:
        raise ConfigError(["which supervisor? give --pid, or set pid_file here and for `vestibule serve`"])
    try:
        return int(Path(file).read_text())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(
            f"pid_file: {file} cannot be read: {reason}; is a supervisor running? give --pid otherwise"
        ) from None
    except ValueError:
        raise StartError(f"pid_file: {file} holds no process id; give --pid") from None


def _catches(pid: int, number: signal.Signals) -> bool:
    """Say whether a supervisor has a handler for a signal, without which it ends. Source: proc_pid_status(5)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = os.stat(f"/proc/{pid}")
    except OSError:
        return False
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    # And the command line: other programs have handlers for it too.
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ours = b"serve" in arguments and b"--supervised" not in arguments
    return bool(caught >> (number - 1) & 1) and ours and os.geteuid() in (0, status.st_uid)


def _children(pid: int) -> set[int]:
    try:
        return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
