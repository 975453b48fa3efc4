"""TLS for ports that Python's `ssl` serves: a context whose new connections have the newest files. Not for gRPC."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from enum import Enum

from runtime.callers.tls_files import Material


class Clients(Enum):
    """Whether clients show a certificate, where there are authorities for them. One that is shown is checked."""

    UNASKED = ssl.CERT_NONE
    OPTIONAL = ssl.CERT_OPTIONAL
    REQUIRED = ssl.CERT_REQUIRED


def server_context(
    current: Callable[[], Material], *, clients: Clients = Clients.REQUIRED, alpn: Sequence[str] = ()
) -> ssl.SSLContext:
    """Return a context for a listening socket. `current` returns what is in effect now."""
    material = current()
    newest = (material, _context(material, clients, alpn))

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context_: ssl.SSLContext) -> None:
        # Called in every handshake, also without a name, before anything of the certificate is used.
        nonlocal newest
        material = current()
        if material is not newest[0]:
            newest = (material, _context(material, clients, alpn))
        connection.context = newest[1]

    newest[1].sni_callback = choose
    return newest[1]


def _context(material: Material, clients: Clients, alpn: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # From memory: what was checked is what is used, whatever the files hold by now.
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(material.key + b"\n" + material.chain)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=b"")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if clients is not Clients.UNASKED and material.client_ca:
        context.load_verify_locations(cadata=material.client_ca.decode())
        context.verify_mode = clients.value
        # No session is resumed: a resumed one would skip the check of a client whose authority was taken away since.
        # Before TLS 1.3 a server cannot be kept from it.
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        # As gRPC does: an authority in the file is trusted by itself, also one that another one signed.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context
