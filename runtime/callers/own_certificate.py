"""A client certificate of this process, with which it calls its own port. Its key is in no file and ends with us.

The port trusts this one certificate beside the authorities of clients. No rule names it, so it may do nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# Longer than any process lives; a host's clock may be wrong when it begins.
_LIFE: Final = timedelta(days=3650)


class OwnCertificate(NamedTuple):
    """PEM of both."""

    certificate: bytes
    key: bytes


def make() -> OwnCertificate:
    """Make a certificate that signs itself and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vestibule itself")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return OwnCertificate(certificate.public_bytes(Encoding.PEM), private)
