"""The certificate that the daemon shows, its key, and the authorities of clients: read from files and checked whole.

Must not know which transport uses them. What is wrong is found here, so that no handshake fails for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from runtime.config.listeners import TlsConfig
from runtime.errors import ConfigError, Fault
from runtime.ops import private_file

_MOST_BYTES: Final = 1 << 20
_PUBLIC: Final = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Material:
    """What TLS needs, as PEM. Never mutated: a change of files makes a new one."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_ca: bytes = field(default=b"", repr=False)
    name: str = "localhost"
    """A name of the certificate, by which a client of ours may check it."""
    expires_at_s: float = 0.0
    """When the first certificate of the chain ends, in seconds since the epoch."""
    client_ca_expires_at_s: float = 0.0
    """When the first of the clients' authorities ends; 0 without any."""


def paths(config: TlsConfig) -> list[Path]:
    """List the files that are read."""
    return [Path(name) for name in (config.cert_file, config.key_file, config.client_ca_file) if name]


def read(config: TlsConfig, now: datetime | None = None) -> Material:
    """Read and check the files. Raises: ConfigError, with every fault; none of them quotes a key."""
    faults: list[Fault] = []
    now = now or datetime.now(UTC)
    chain = _certificates("tls.cert_file", config.cert_file, faults)
    key = _key(config.key_file, faults)
    authorities = _certificates("tls.client_ca_file", config.client_ca_file, faults) if config.client_ca_file else []
    if chain:
        label = f"tls.cert_file {config.cert_file}"
        faults += [Fault(label, message) for message in _not_valid(chain[0], now)]
        if key and not _belong_together(chain[0], key):
            faults.append(
                Fault(label, f"is not the certificate of the key in {config.key_file}; give both of one pair")
            )
    if faults:
        raise ConfigError(faults)
    return Material(
        _pem(chain),
        key,
        _pem(authorities),
        _name(chain[0]),
        chain[0].not_valid_after_utc.timestamp(),
        min([each.not_valid_after_utc.timestamp() for each in authorities], default=0.0),
    )


def _certificates(setting: str, name: str, faults: list[Fault]) -> list[x509.Certificate]:
    label = f"{setting} {name}"
    try:
        data, _ = private_file.read(Path(name), label, _MOST_BYTES, "name a file of PEM certificates")
        found = x509.load_pem_x509_certificates(data)
        for certificate in found:
            _names(certificate)  # parsed lazily: what cannot be read is to be found now
    except ConfigError as error:
        faults.extend(error.faults)
        return []
    except (ValueError, UnsupportedAlgorithm):
        faults.append(Fault(label, "holds no certificate in PEM; write them from `-----BEGIN CERTIFICATE-----` on"))
        return []
    return found


def _key(name: str, faults: list[Fault]) -> bytes:
    label = f"tls.key_file {name}"
    try:
        data, status = private_file.read(Path(name), label, _MOST_BYTES, "name the PEM file of the certificate's key")
    except ConfigError as error:
        faults.extend(error.faults)
        return b""
    exposed = private_file.exposed_to_group(status)
    faults += [Fault(label, message) for message in exposed]
    try:
        load_pem_private_key(data, None)
    except TypeError:
        faults.append(
            Fault(label, "is encrypted; the daemon takes a key without a passphrase, kept by the file's mode")
        )
    except (ValueError, UnsupportedAlgorithm):
        faults.append(Fault(label, "holds no private key in PEM that can be used; write an EC or RSA key"))
    else:
        return data
    return b""


def _belong_together(certificate: x509.Certificate, key: bytes) -> bool:
    public = load_pem_private_key(key, None).public_key()
    return public.public_bytes(*_PUBLIC) == certificate.public_key().public_bytes(*_PUBLIC)


def _not_valid(certificate: x509.Certificate, now: datetime) -> list[str]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return [f"expired at {ends:%Y-%m-%dT%H:%M:%SZ}; put a new certificate there"]
    if now < begins:
        return [f"is not valid before {begins:%Y-%m-%dT%H:%M:%SZ}; check it, and this host's clock"]
    return []


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def _names(certificate: x509.Certificate) -> list[str]:
    """List the names by which a client may check a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return [
        *(name.replace("*", "vestibule") for name in names.get_values_for_type(x509.DNSName)),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    ]


def _name(certificate: x509.Certificate) -> str:
    return next(iter(_names(certificate)), "localhost")
