"""What the gRPC server listens on: an address with or without TLS, or a unix socket with a mode."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import grpc

from runtime.callers.own_certificate import OwnCertificate
from runtime.callers.tls_files import Material
from runtime.config.addresses import unix_path
from runtime.ops import unix_socket

# A handshake takes milliseconds, over the slowest of networks some seconds. gRPC's own limit is two minutes.
HANDSHAKE_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS of a port. `current` returns the files in effect now; `own` is the certificate of our own calls."""

    current: Callable[[], Material]
    own: OwnCertificate

    def of_server(self) -> grpc.ServerCredentials:
        """Return credentials whose new connections have the newest files."""
        configured = self.current()

        def newer() -> grpc.ServerCertificateConfiguration | None:
            # Called by gRPC in every handshake, in threads of its own; None leaves what it has.
            nonlocal configured
            material = self.current()
            if material is configured:
                return None
            configured = material
            return self._configuration(material)

        # Whether a client must have a certificate is fixed for the life of the port; by whom it is signed is not.
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(configured),
            newer,  # type: ignore[arg-type]  # the types leave out the None that its documentation has
            require_client_authentication=bool(configured.client_ca),
        )

    def _configuration(self, material: Material) -> grpc.ServerCertificateConfiguration:
        trusted = material.client_ca + self.own.certificate if material.client_ca else None
        return grpc.ssl_server_certificate_configuration([(material.key, material.chain)], trusted)

    def of_client(self) -> grpc.ChannelCredentials:
        """Return credentials for a call of our own, which trusts the very certificate that the port shows."""
        return grpc.ssl_channel_credentials(self.current().chain, self.own.key, self.own.certificate)

    def client_options(self) -> tuple[tuple[str, str], ...]:
        """Return the options with which our own call takes the certificate, whatever address it goes to."""
        return (("grpc.ssl_target_name_override", self.current().name),)


@dataclass(frozen=True, slots=True)
class GrpcListener:
    """Where to listen. `mode` is that of a unix socket.

    `own` is a unix socket beside it on which only this process listens, where the address is several processes'. A
    path cannot be shared in this way: its connections come by `own`.
    """

    address: str
    mode: int = 0o600
    tls: Tls | None = None
    own: str = ""

    def add_to(self, server: grpc.aio.Server) -> int:
        """Make a server listen; return the port, 0 for a unix socket. Raises: RuntimeError, OSError."""
        if self.own:
            self._add_path(server, self.own, 0o600)
        path = unix_path(self.address)
        if path is not None:
            if not self.own:
                self._add_path(server, self.address, self.mode)
            return 0
        if self.tls is not None:
            return server.add_secure_port(self.address, self.tls.of_server())
        return server.add_insecure_port(self.address)

    def _add_path(self, server: grpc.aio.Server, address: str, mode: int) -> None:
        with unix_socket.owner_only():
            server.add_insecure_port(address)
        os.chmod(address.removeprefix("unix:"), mode)

    def again(self, port: int) -> GrpcListener:
        """Return the same with the port that was bound."""
        if unix_path(self.address) is not None:
            return self
        return replace(self, address=f"{self.address.rpartition(':')[0]}:{port}")
