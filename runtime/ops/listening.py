"""Find out whether an address can be listened on, before anything is done that would have to be undone."""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runtime.config.addresses import split_address, unix_path
from runtime.config.effective import Config
from runtime.errors import StartError
from runtime.ops import unix_socket

_REMEDIES = {
    "listen": "choose another address with --listen or VESTIBULE_LISTEN",
    "http_listen": "choose another with --http-listen or VESTIBULE_HTTP_LISTEN",
    "metrics_listen": "choose another with --metrics-listen or VESTIBULE_METRICS_LISTEN",
}

# Binding takes microseconds; a supervisor that holds the name for longer has stopped in between.
_TURN_S: Final = 2.0


SETTINGS = tuple(_REMEDIES)
"""The settings that are addresses to listen on."""


def check_free(setting: str, address: str) -> None:
    """Bind an address for a moment. Raises: StartError when it cannot be used."""
    path = unix_path(address)
    if path is not None:
        _check_free_path(setting, address, path)
        return
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, target in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(target)
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and len(found) > 1:
            return  # one of several addresses of a name, such as ::1 of localhost without IPv6; the others are bound
        raise refusal(setting, address, (error.strerror or str(error)).lower()) from None


def _check_free_path(setting: str, address: str, path: str) -> None:
    try:
        unix_socket.clear(path)
    except OSError as error:
        raise refusal(setting, address, (error.strerror or str(error)).lower()) from None
    if not os.access(Path(path).parent, os.W_OK, effective_ids=True):
        raise refusal(setting, address, f"the folder {Path(path).parent} cannot be written")


def refusal(setting: str, address: str, reason: str) -> StartError:
    """Return the error that names the setting, the address, what is wrong with it and the remedy."""
    return StartError(f"{setting}: cannot listen on {address}: {reason}; {_REMEDIES[setting]}")


def check_all(config: Config) -> None:
    """Try every address of a daemon. Raises: StartError that names every one that cannot be used."""
    wrong = []
    for setting in SETTINGS:
        address = getattr(config, setting)
        try:
            if address:
                check_free(setting, address)
        except StartError as error:
            wrong.append(str(error))
    if wrong:
        raise StartError("\n".join(wrong))


def bind_each(setting: str, address: str) -> tuple[list[socket.socket], int]:
    """Bind each address of a name, all with one port, and return them with it; none listens. Raises: StartError."""
    check_free(setting, address)
    host, port = split_address(address)
    bound: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise refusal(setting, address, (error.strerror or str(error)).lower()) from None
    for family, kind, protocol, _, target in found:
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((target[0], port, *target[2:]))
        except OSError:
            made.close()
            continue  # one of several addresses of a name, such as ::1 of localhost without IPv6
        bound.append(made)
        port = made.getsockname()[1]
    if not bound:
        raise refusal(setting, address, "it cannot be bound")
    return bound, port


def hold(setting: str, address: str) -> tuple[list[socket.socket], int]:
    """Take a port for processes of ours that share it by SO_REUSEPORT; return what holds it, and the port.

    The kernel would let any process of our user share such a port. So it is bound without that option, which fails
    when another one is there, and opened to our own processes afterwards. As long as it is held, no other supervisor
    and no daemon can take it, also when none of our processes listens. Raises: StartError.
    """
    with _turn(setting, address):
        held, port = bind_each(setting, address)
        for each in held:
            # In this order: with both options another supervisor could bind it in between.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return held, port


@contextlib.contextmanager
def _turn(setting: str, address: str) -> Iterator[None]:
    """Let one supervisor at a time take a port: two that bind it with SO_REUSEADDR and do not listen yet both succeed.

    The lock is a name that belongs to one socket and ends with it; like ports, it is of the network namespace.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        ends = time.monotonic() + _TURN_S
        while True:
            try:
                lock.bind(f"\0vestibule port {split_address(address)[1]}")
                break
            except OSError:
                if time.monotonic() > ends:
                    raise refusal(setting, address, "another daemon has begun to listen there") from None
                time.sleep(0.01)
        yield
