"""How the daemon is reached: TLS, mutual TLS, an API key, a unix socket. Must not know messages, steps or retries."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import grpc

ApiKey: TypeAlias = str | Callable[[], str]
"""A key, or what returns the present one, which is asked at each call."""

_OPTIONS: Final = (
    # Retries are made here, as the daemon asks for them; gRPC would add its own.
    ("grpc.enable_retries", 0),
    # A connection that broke without a word is noticed, and a daemon that is back is found again within a second.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


@dataclass(frozen=True, kw_only=True)
class Tls:
    """What proves who is who: paths of PEM files, or their content. Without `ca` the system's authorities count."""

    ca: str | Path | bytes | None = None
    certificate: str | Path | bytes | None = None
    """Of this gateway, for mutual TLS; with `key`."""
    key: str | Path | bytes | None = None
    server_name: str | None = None
    """The name in the daemon's certificate, where it is not the host of the target."""

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files. Raises: OSError; ValueError."""
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("tls: certificate and key belong together; give both, or neither")
        ca, certificate, key = map(_content, (self.ca, self.certificate, self.key))
        return grpc.ssl_channel_credentials(ca, key, certificate)


@dataclass(frozen=True)
class Way:
    """A target, the credentials for it (None: plain text) and the channel's options."""

    target: str
    credentials: grpc.ChannelCredentials | None
    options: tuple[tuple[str, str | int], ...]


def way_to(target: str, tls: Tls | None, *, insecure: bool) -> Way:
    """Say how to reach a target: with TLS unless it is on this machine. Raises: OSError; ValueError."""
    if not target:
        raise ValueError("target: is empty; give HOST:PORT or unix:/PATH")
    if insecure and tls is not None:
        raise ValueError("insecure: contradicts tls; give one of them")
    if insecure or (tls is None and _is_local(target)):
        return Way(target, None, _OPTIONS)
    tls = tls or Tls()
    named = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()
    return Way(target, tls.credentials(), _OPTIONS + named)


def metadata(api_key: ApiKey | None) -> tuple[tuple[str, str], ...]:
    """Return what a call carries to say who calls. Raises: ValueError: the key is none."""
    if api_key is None:
        return ()
    # Of a file, which ends with a line feed; gRPC sends none, and fails each call instead.
    key = (api_key if isinstance(api_key, str) else api_key()).strip()
    if not (key and key.isascii() and key.isprintable()):
        raise ValueError("api_key: is empty, or has characters that no key has; give the text that begins with vk_")
    return (("authorization", f"Bearer {key}"),)


def _is_local(target: str) -> bool:
    """Say whether a target is a unix socket or a loopback address, which no network can listen to."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = target.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _content(pem: str | Path | bytes | None) -> bytes | None:
    return pem if pem is None or isinstance(pem, bytes) else Path(pem).read_bytes()
