"""The `vestibule` command: finds the subcommand, runs it, and turns every error into lines and an exit code.

The outermost edge of every command: no traceback reaches a user who did not ask for it with --debug.
"""

import argparse
import gc
import importlib
import os
import signal
import sys
from collections.abc import Collection, Sequence
from typing import Final, NoReturn

from runtime import errors
from runtime.cli import completion
from runtime.cli.output import Exit, Unwritable, complain, flush, plural, say
from runtime.cli.parser import Parser

COMMANDS: Final = {
    "serve": "run the daemon",
    "restart": "replace the processes of a daemon that has several, one at a time",
    "apply": "put a directory of tenants into the store",
    "list": "list the tenants of the store, with version, author and hold",
    "show": "show what a tenant is, or was at a version",
    "diff": "show what tells two versions or directories apart",
    "history": "list the versions of a tenant",
    "logs": "show what a tenant's actions did in logins, and printed",
    "rollback": "make an earlier version of a tenant its newest",
    "promote": "make the version that a tenant has on trial its own",
    "abandon": "end the trial of a tenant's version",
    "hold": "serve an earlier version of a tenant, or its policy alone, for a while",
    "export": "write tenants of the store as directories",
    "delete": "remove a tenant from the store",
    "migrate": "bring the store's schema to this version",
    "api_keys": "make, list and revoke the keys that callers send",
    "store": "look after the store: accept one that was restored",
    "continuation_keys": "show which keys of suspended logins are in use, and where",
    "execute": "ask a running daemon to decide one login, or to continue one",
    "tenant": "ask a running daemon what a gateway may know of a tenant",
    "healthcheck": "ask a running daemon whether it takes logins",
    "init": "make a tenant to begin with: flow, action, tests, an editor's settings",
    "check": "check actions, or whole tenants, without a daemon",
    "test": "run the suites of a tenant, without a daemon",
    "run": "run an action or a tenant's flow on events, without a daemon",
    "schema": "print the JSON Schema of tenant.yaml or of a suite, for an editor",
    "doctor": "show which sandbox layers are active on this host",
    "check_config": "check the configuration and print what is in effect",
    "completion": "print the script that makes a shell complete commands",
    "demo": "decide the demo's sample logins, then keep serving",
}
"""What each command is for, by its module. Here, so that a command is imported when it is wanted."""


def version() -> str:
    """Return the installed version."""
    from importlib import metadata  # takes as long as all else that --help needs

    return metadata.version("vestibule")


class _Version(argparse.Action):
    """Prints the version, and looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> NoReturn:
        """End the command."""
        say(f"vestibule {version()}")
        raise SystemExit(0)


def build_parser(loaded: Collection[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """Return a parser that knows every command by name, and the arguments of some: all take half a second."""
    parser = Parser(
        prog="vestibule",
        description="A sandboxed action-runtime daemon: tenants' own post-login actions, one decision for each login.",
        epilog="exit codes: 0 ok, 1 unexpected, 2 usage or configuration, 3 check failed, 4 test failed, "
        "5 cannot reach the daemon, 6 changed meanwhile",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, purpose in COMMANDS.items():
        sub = commands.add_parser(name.replace("_", "-"), help=purpose, allow_abbrev=False)
        if name not in loaded:
            continue
        module = importlib.import_module(f"runtime.cli.{name}")
        sub.description = module.DESCRIPTION
        module.arguments(sub)
        # Accepted on both sides of the command's name; SUPPRESS keeps this one from undoing the other.
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _open_missing_streams()
    if (asked := completion.asked()) is not None:
        completion.answer(build_parser((asked.replace("-", "_"),)))
    arguments = sys.argv[1:] if argv is None else argv
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command == "serve":
        # One that comes before the daemon can act on it must not end it. No child inherits a handler.
        signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        return _run(command, arguments)
    finally:
        _give_up_output()


def _open_missing_streams() -> None:
    """Give a process that was started without standard streams empty ones, before a store takes their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process


def _give_up_output() -> None:
    """Drop what cannot be written: at its end the interpreter would try again, fail, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(command: str, arguments: Sequence[str]) -> int:
    debug = False
    try:
        parser, args = _parsed(command, arguments)
        debug = args.debug
        if args.command is None:
            parser.print_help(sys.stderr)
            return Exit.USAGE
        code: int = args.run(args)
        flush()
    except SystemExit as exit_:  # argparse: help, version, usage
        return exit_.code if isinstance(exit_.code, int) else Exit.UNEXPECTED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has enough.
        return Exit.OK
    except Unwritable as error:
        complain(f"vestibule: the result cannot be written: {error}")
        return Exit.UNEXPECTED
    except errors.VestibuleError as error:
        if debug:
            _trace()
        return _foreseen(error)
    except Exception as error:  # noqa: BLE001 - the outermost edge: one line for the user, for any error
        if debug:
            _trace()
        complain(
            f"vestibule: unexpected {type(error).__name__}: this is a fault of ours; please report it, "
            "with what `vestibule --debug` shows"
        )
        return Exit.UNEXPECTED
    return code


def _parsed(command: str, arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Read the command line. What is imported for it stays: to collect meanwhile takes a seventh of a short command."""
    gc.disable()
    try:
        parser = build_parser((command.replace("-", "_"),))
        args, unknown = parser.parse_known_args(arguments)
        if unknown:
            args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parser, args
    finally:
        gc.enable()


def _trace() -> None:
    import traceback

    for line in traceback.format_exc().split("\n"):
        complain(line)


def _foreseen(error: errors.VestibuleError) -> int:
    """Print an error of ours and return its exit code."""
    if isinstance(error, errors.FaultsError):
        for fault in error.faults:
            complain(f"vestibule: {fault}")
        if len(error.faults) > 1:
            complain(f"vestibule: {plural(len(error.faults), 'fault')}; nothing was done")
    else:
        for line in f"vestibule: {error}".split("\n"):
            complain(line)
    if isinstance(error, errors.ConfigError | errors.RequestError):
        return Exit.USAGE
    if isinstance(error, errors.Conflict):
        return Exit.CONFLICT
    if isinstance(error, errors.CatalogError) and not isinstance(error, errors.CatalogUnavailable):
        return Exit.CHECK_FAILED
    if isinstance(error, errors.CannotReach):
        return Exit.UNREACHABLE
    return Exit.UNEXPECTED
