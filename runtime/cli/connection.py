"""How a command reaches a daemon: its address, TLS and the caller's key, from flags and the environment.

A key is never taken from the command line, where every user of the host could read it.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime.callers import key_text
from runtime.cli.output import read_input
from runtime.config.addresses import is_local, unix_path
from runtime.errors import ConfigError, Fault
from runtime.ops import private_file

if TYPE_CHECKING:
    from runtime.rpc.client import Credentials

DEFAULT_TARGET: Final = "127.0.0.1:50051"
_HOST_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}").fullmatch
_URL: Final = re.compile(
    r"https?://((?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?)(?:/[A-Za-z0-9._~/-]*)?"
).fullmatch
_MOST_BYTES: Final = 1 << 20


def add_connection(parser: argparse.ArgumentParser, *, instead_of_store: bool = False) -> None:
    """Add the flags. A command that has a store goes to a daemon for --target alone, never for a variable."""
    group = parser.add_argument_group("daemon, instead of a store" if instead_of_store else "connection")
    group.add_argument(
        "--target",
        metavar="ADDRESS",
        help="ask a daemon's AdminService: host:port, unix:PATH or http(s)://host:port"
        if instead_of_store
        else f"the daemon, host:port or unix:PATH (environment: VESTIBULE_TARGET; {DEFAULT_TARGET})",
    )
    group.add_argument("--tls", action="store_true", help="use TLS, with the authorities that gRPC brings")
    group.add_argument("--tls-ca", metavar="FILE", help="use TLS, with the authorities of this PEM file alone")
    group.add_argument("--tls-cert", metavar="FILE", help="PEM of our own certificate, for a daemon that asks for one")
    group.add_argument("--tls-key", metavar="FILE", help="PEM of its key, readable by us only")
    group.add_argument(
        "--api-key-file", metavar="FILE", help="file with our API key, readable by us only (or VESTIBULE_API_KEY)"
    )
    group.add_argument("--insecure", action="store_true", help="send the API key to another host without TLS")


def asked_for(args: argparse.Namespace) -> bool:
    """Tell whether one of the flags was given."""
    names = ("target", "tls", "tls_ca", "tls_cert", "tls_key", "api_key_file", "insecure")
    return any(getattr(args, name) for name in names)


def target_of(args: argparse.Namespace, *, urls: bool = False) -> str:
    """Return the daemon's address, or with `urls` also that of its HTTP port. Raises: ConfigError."""
    target: str = args.target or os.environ.get("VESTIBULE_TARGET") or DEFAULT_TARGET
    if urls and _URL(target):
        return target
    if not (_HOST_PORT(target) or (unix_path(target) or "").startswith("/")):
        where = "--target" if args.target else "environment VESTIBULE_TARGET"
        http = ", or http://host:port" if urls else ""
        message = f"{target!r} is not an address; write host:port, such as {DEFAULT_TARGET}, or unix:/PATH{http}"
        raise ConfigError([Fault(where, message)])
    return target


def credentials_of(args: argparse.Namespace, target: str) -> Credentials:
    """Return what a call needs besides an address. Raises: ConfigError."""
    from runtime.rpc.client import Credentials

    url = _URL(target)
    tls = bool(args.tls or args.tls_ca or target.startswith("https://"))
    key = _api_key(args)
    faults = []
    if tls and unix_path(target) is not None:
        faults.append(Fault("--tls", "a unix socket has no TLS; leave --tls and --tls-ca out"))
    if bool(args.tls_cert) != bool(args.tls_key):
        faults.append(Fault("--tls-cert", "and --tls-key belong together; give both"))
    if args.tls_cert and not tls:
        faults.append(Fault("--tls-cert", "needs TLS; give --tls-ca, or --tls"))
    if tls and target.startswith("http://"):
        faults.append(Fault("--tls", f"does not go with {target}; write https://"))
    if key and not tls and not args.insecure and not is_local(_with_port(url[1]) if url else target):
        message = f"would go to {target} without TLS, where others could read it; give --tls-ca, or say --insecure"
        faults.append(Fault("the API key", message))
    if faults:
        raise ConfigError(faults)
    return Credentials(
        tls=tls,
        authorities=read_input(args.tls_ca) if args.tls_ca else None,
        certificate=read_input(args.tls_cert) if args.tls_cert else None,
        private_key=_private(args.tls_key, "--tls-key") if args.tls_key else None,
        api_key=key,
    )


def _with_port(authority: str) -> str:
    return authority if _HOST_PORT(authority) else f"{authority}:80"


def _api_key(args: argparse.Namespace) -> str:
    if args.api_key_file:
        where = f"--api-key-file {args.api_key_file}"
        text = _private(args.api_key_file, "--api-key-file").decode("ascii", "replace").strip()
    else:
        where, text = "environment VESTIBULE_API_KEY", os.environ.get("VESTIBULE_API_KEY", "").strip()
    if text and key_text.parse(text) is None:
        raise ConfigError([Fault(where, "holds no API key; one begins with vk_ and has 66 characters")])
    if args.api_key_file and not text:
        raise ConfigError([Fault(where, "is empty; write the API key into it")])
    return text


def _private(name: str, flag: str) -> bytes:
    label = f"{flag} {name}"
    data, status = private_file.read(Path(name), label, _MOST_BYTES, "name another file")
    exposed = private_file.exposed_to_group(status)
    if exposed:
        raise private_file.refusal(label, exposed)
    return data
