"""`vestibule healthcheck`: ask a running daemon whether it takes logins, as a container's platform does.

It starts every few seconds, so it imports little: the settings' types, and gRPC where it is not asked for, stay out.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import ssl
import tomllib
from pathlib import Path
from typing import Any, Final

from runtime.cli.connection import add_connection, asked_for, credentials_of, target_of
from runtime.cli.output import Exit, complain, say
from runtime.config.addresses import split_address
from runtime.errors import CannotReach, ConfigError, Fault

DESCRIPTION = """\
Ask a running daemon whether it takes logins. Without flags for a connection it asks /readyz at the address where the
daemon with this configuration has its port of metrics: the same file, variables or flag, of this host. With --target or
another flag for a connection it asks the gRPC health service there. Prints the state, or each reason why not. Exits
with 0 if the daemon takes logins, 1 if not, 5 if there is no answer."""

METRICS_LISTEN: Final = "127.0.0.1:9464"
"""The setting's default."""
_MOST_BYTES: Final = 1 << 16
_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--live", action="store_true", help="ask /livez: whether the daemon's loop turns")
    parser.add_argument(
        "--timeout", type=_seconds, default=3.0, metavar="S", help="how long an answer may take, 0.1 to 60 [3]"
    )
    parser.add_argument(
        "--config", metavar="FILE", help="the daemon's file of settings (environment: VESTIBULE_CONFIG)"
    )
    parser.add_argument(
        "--metrics-listen", metavar="HOST:PORT", help=f"the daemon's port of metrics [the setting; {METRICS_LISTEN}]"
    )
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, and print the answer."""
    if not asked_for(args):
        return _of_probe(args)
    if args.live:
        raise ConfigError([Fault("--live", "asks the port of metrics; leave the flags for a connection out")])
    return _of_grpc(args)


def _of_grpc(args: argparse.Namespace) -> int:
    from runtime.rpc import client

    target = target_of(args)
    state = client.health(target, timeout_s=args.timeout, credentials=credentials_of(args, target))
    say(f"{target}: {state}")
    return Exit.OK if state == client.SERVING else Exit.UNEXPECTED


def _of_probe(args: argparse.Namespace) -> int:
    address, tls = listening(args.metrics_listen, args.config)
    path = "/livez" if args.live else "/readyz"
    status, text = _get(address, path, args.timeout, tls)
    lines = [line for line in text.splitlines() if line.strip()]
    if status == http.client.OK:
        say(f"{address}{path}: ok")
        return Exit.OK
    for line in lines or [f"HTTP status {status}"]:
        complain(f"vestibule: {address}{path}: {line}")
    return Exit.UNEXPECTED


def listening(flag: str | None, file: str | None) -> tuple[str, bool]:
    """Return where the daemon of this configuration has its port of metrics, and whether it has TLS there.

    It has the same order as the settings, flag, environment, file, default; a test holds the two together. Raises:
    ConfigError.
    """
    document = _document(file or os.environ.get("VESTIBULE_CONFIG"))
    table = document.get("tls")
    tls = os.environ.get("VESTIBULE_TLS_METRICS", table.get("metrics", False) if isinstance(table, dict) else False)
    given = flag or os.environ.get("VESTIBULE_METRICS_LISTEN") or document.get("metrics_listen") or METRICS_LISTEN
    try:
        host, port = split_address(str(given).strip())
    except ValueError:
        port = 0
    if not 0 < port < 65_536:
        message = f"{given!r} is not an address to ask; write host:port, such as {METRICS_LISTEN}"
        raise ConfigError([Fault("metrics_listen", message)])
    host = _EVERY_ADDRESS.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", str(tls).strip().lower() == "true"


def _document(file: str | None) -> dict[str, Any]:
    if not file:
        return {}
    try:
        return tomllib.loads(Path(file).read_bytes().decode())
    except OSError as error:
        why = f"cannot be read: {error.strerror}; give another path with --config"
    except UnicodeDecodeError:
        why = "is not UTF-8 text; write it as TOML"
    except tomllib.TOMLDecodeError as error:
        why = f"is not TOML: {error}"
    raise ConfigError([Fault(f"file {file}", why)])


def _get(address: str, path: str, timeout_s: float, tls: bool) -> tuple[int, str]:
    host, port = split_address(address)
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout_s, context=_unverified())
        if tls
        else http.client.HTTPConnection(host, port, timeout=timeout_s)
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise CannotReach(
            f"no daemon answers at {address}: {why.lower()}; is `vestibule serve` running with metrics_listen there?"
        ) from None
    finally:
        connection.close()


def _unverified() -> ssl.SSLContext:
    """Return TLS that checks no certificate: it has the callers' name for us, not this host's address.

    Nothing secret is sent. The probes of Kubernetes do the same.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0.1 <= (value := float(text)) <= 60:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a time; write seconds from 0.1 to 60")
