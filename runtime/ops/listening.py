"""Find out whether an address can be listened on, before anything is done that would have to be undone."""

import errno
import os
import socket
from pathlib import Path

from runtime.config.addresses import split_address, unix_path
from runtime.config.settings import Config
from runtime.errors import StartError
from runtime.ops import unix_socket

_REMEDIES = {
    "listen": "choose another address with --listen or VESTIBULE_LISTEN",
    "http_listen": "choose another with --http-listen or VESTIBULE_HTTP_LISTEN",
    "metrics_listen": "choose another with --metrics-listen or VESTIBULE_METRICS_LISTEN",
}


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
