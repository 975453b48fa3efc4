"""The setters of a SAML response: a part of the surface table."""

from __future__ import annotations

from typing import Final

from sandbox.contract.call import Budget, Call, Param
from sandbox.contract.kinds import BOOL, Kind, Many, Nullable, OneOrMany, Scalar, choice, utf8, whole
from sandbox.contract.vocabulary import SAML_MEMBERS

# Source of every limit: the post-login reference, sections 2.11 and 4.
_LONG: Final = utf8(2048, 1)
_SHORT: Final = utf8(512, 1)
_PEM: Final = utf8(4096, 1)
_ATTRIBUTE_BYTES: Final = 2048
_ATTRIBUTES_MAX: Final = 100
_ATTRIBUTES_BYTES: Final = 10 * 1024
_LIFETIME_MAX: Final = 10 * 365 * 24 * 3600

_SETTERS: Final[dict[str, tuple[Kind, str]]] = {
    "audience": (_LONG, "Audience of the assertion; by default the issuer of the request."),
    "recipient": (_LONG, "Recipient of the assertion; by default the address that the request asks for."),
    "destination": (_LONG, "Destination of the response; by default the address that the request asks for."),
    "create_upn_claim": (BOOL, "Is a UPN claim made? By default yes."),
    "passthrough_claims_with_no_mapping": (BOOL, "Do claims without a mapping pass? By default yes."),
    "map_unknown_claims_as_is": (BOOL, "Do unknown claims keep their names? By default no."),
    "map_identities": (BOOL, "Are identities mapped? By default yes."),
    "signature_algorithm": (choice(("rsa-sha256", "rsa-sha1")), "Signature algorithm; by default rsa-sha256."),
    "digest_algorithm": (choice(("sha256", "sha1")), "Digest algorithm; by default sha256."),
    "encryption_algorithm": (choice(("aes256-gcm", "aes256-cbc")), "Encryption algorithm; by default aes256-cbc."),
    "lifetime_in_seconds": (whole(1, _LIFETIME_MAX), "Lifetime of the assertion in seconds; by default 3600."),
    "sign_response": (BOOL, "Is the response signed instead of the assertion? By default no."),
    "name_identifier_format": (_SHORT, "Format of the name identifier."),
    "name_identifier_probes": (Many(_SHORT, 10), "Claims that may give the name identifier, the first present wins."),
    "authn_context_class_ref": (_SHORT, "Authentication context class of the assertion."),
    "signing_cert": (_PEM, "Certificate, as PEM, that requests must be signed with."),
    "include_attribute_name_format": (BOOL, "Do attributes say their name format? By default yes."),
    "typed_attributes": (BOOL, "Do attributes say their type? By default yes."),
    "encryption_cert": (_PEM, "Certificate, as PEM, to encrypt with; needs `set_encryption_public_key` too."),
    "encryption_public_key": (_PEM, "Public key, as PEM, to encrypt with; needs `set_encryption_cert` too."),
    "cert": (_PEM, "Certificate, as PEM, to sign with; needs `set_key` too."),
    "key": (_PEM, "Private key, as PEM, to sign with, best from `event.secrets`; needs `set_cert` too."),
    "relay_state": (_LONG, "Relay state of the response; by default that of the request."),
    "issuer": (_LONG, "Issuer of the assertion."),
}


def _setter(name: str) -> Call:
    kind, doc = _SETTERS[name]
    return Call(f"saml_response.set_{name}", (Param("value", kind, aliases=(name,)),), doc)


SAML_CALLS: Final[tuple[Call, ...]] = (
    Call(
        "saml_response.set_attribute",
        (
            Param("attribute", utf8(1024, 1), aliases=("name", "key"), doc="Name of the attribute."),
            Param(
                "value",
                Nullable(OneOrMany(Scalar(_ATTRIBUTE_BYTES), _ATTRIBUTES_MAX, _ATTRIBUTE_BYTES)),
                doc="Text, a number, a truth value or a list of them; None removes the attribute.",
            ),
        ),
        "Set an attribute of the SAML assertion; None removes it.",
        budget=Budget("SAML attributes", _ATTRIBUTES_BYTES, counted="attribute", max_counted=_ATTRIBUTES_MAX),
    ),
    *map(_setter, SAML_MEMBERS),
)
