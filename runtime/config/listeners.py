"""Who may reach the ports that decide logins, and what that asks for: TLS, credentials, or to say `insecure`.

Local is what only this host reaches: loopback and unix sockets. The port of metrics decides nothing and is not meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from runtime.config.addresses import is_local, unix_path
from runtime.config.declaring import declared

if TYPE_CHECKING:
    from runtime.config.kinds import OneOf, OptionalPath, Switch


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """What the ports show of themselves, and ask of clients. Its files are read again when they change."""

    cert_file: OptionalPath = declared(
        "", "PEM of the certificate, then of those that signed it. With it every port but unix has TLS."
    )
    key_file: OptionalPath = declared(
        "", "PEM of the certificate's key, readable by the daemon's user only, or by root and our group."
    )
    client_ca_file: OptionalPath = declared(
        "", "PEM of the authorities that sign clients' certificates. With it a client must have one."
    )
    http_clients: OneOf[Literal["required", "optional"]] = declared(
        "required",
        "Whether clients of the HTTP port must have a certificate too. optional: hooks and holders of a key need none.",
    )
    metrics: Switch = declared(False, "Whether the port of metrics has TLS too; it asks for no certificate.")


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Who may call."""

    mode: OneOf[Literal["auto", "required", "off"]] = declared(
        "auto",
        "Whether a call needs an API key or a client certificate. auto: as soon as other hosts can reach "
        "one of the ports.",
    )
    certificates_file: OptionalPath = declared(
        "",
        "What client certificates may do, one rule a line: a name, scopes, a tenant or *. Read again when it changes.",
    )


class PortSettings(Protocol):
    """The settings that say who may reach what: members of Config."""

    @property
    def listen(self) -> str: ...
    @property
    def http_listen(self) -> str: ...
    @property
    def listen_mode(self) -> str: ...
    @property
    def insecure(self) -> bool: ...
    @property
    def tls(self) -> TlsConfig: ...
    @property
    def auth(self) -> AuthConfig: ...


class Listener(NamedTuple):
    """A port that decides logins. `setting` names it."""

    setting: str
    address: str
    local: bool
    tls: bool


def login_listeners(config: PortSettings) -> list[Listener]:
    """List the ports of a configuration that decide logins."""
    given = [("listen", config.listen), ("http_listen", config.http_listen)]
    return [
        Listener(setting, address, is_local(address), bool(config.tls.cert_file) and unix_path(address) is None)
        for setting, address in given
        if address
    ]


def credentials_required(config: PortSettings) -> bool:
    """Tell whether a call needs credentials."""
    if config.auth.mode == "auto":
        return not all(listener.local for listener in login_listeners(config))
    return config.auth.mode == "required"


def weaknesses(config: PortSettings) -> Iterator[tuple[str, str]]:
    """Say of each port that other hosts can reach what it lacks, by the port's setting."""
    for listener in login_listeners(config):
        if not listener.local and not listener.tls:
            yield listener.setting, f"other hosts can reach {listener.address}, and it has no TLS"
        if not listener.local and not credentials_required(config):
            yield listener.setting, f"other hosts can reach {listener.address}, and it asks for no credentials"


def faults(config: PortSettings) -> Iterator[tuple[str, str]]:
    """Name settings of ports, TLS and callers that do not go together, by key."""
    tls = config.tls
    if not config.insecure:
        remedy = (
            "set tls.cert_file and tls.key_file, and leave auth.mode alone; or listen on 127.0.0.1 or unix:PATH; or "
            "say --insecure (insecure: true) where a mesh in front has both"
        )
        yield from ((setting, f"{weakness}; {remedy}") for setting, weakness in weaknesses(config))
    if bool(tls.cert_file) != bool(tls.key_file):
        given, missing = ("cert_file", "key_file") if tls.cert_file else ("key_file", "cert_file")
        yield f"tls.{given}", f"needs tls.{missing} too: TLS takes a certificate and its key"
    if not tls.cert_file and (tls.client_ca_file or tls.metrics):
        key = "tls.client_ca_file" if tls.client_ca_file else "tls.metrics"
        yield key, "needs tls.cert_file and tls.key_file: without them there is no TLS"
    if config.auth.certificates_file and not tls.client_ca_file:
        yield "auth.certificates_file", "needs tls.client_ca_file: without it no client shows a certificate"
    if config.listen_mode[-3] not in "67":
        yield "listen_mode", f'{config.listen_mode} keeps ourselves out; write one that begins with 6, such as "0660"'
