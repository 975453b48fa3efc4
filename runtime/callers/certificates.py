"""Which scopes a client certificate has: the rules of a file, matched with the names in the certificate.

A rule is a line: a name, its scopes, and a tenant or `*`. The first rule that matches counts. TLS has verified the
certificate before; only its names and its end are read here.

    dns:gateway.example.com          execute          *
    uri:spiffe://prod/ns/idp/sa/*    execute,read     acme
    cn:operator                      operator,read    *
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from runtime.callers.caller import EVERY_TENANT, Caller, Scope
from runtime.catalog.base import TENANT_NAME
from runtime.errors import ConfigError, Fault

_EXAMPLE: Final = "write NAME SCOPES TENANT, such as: dns:gateway.example.com execute *"
# What `*` stands for: one part of a name, so that it never takes in a domain or a path below the one that was meant.
_PART: Final = {"dns": r"[^.]+", "uri": r"[^/]+", "cn": r".+"}
_NAME: Final = re.compile(r"(dns|uri|cn):(\S+)").fullmatch
_TENANT: Final = re.compile(rf"\*|{TENANT_NAME}").fullmatch
_BEGIN: Final = b"-----BEGIN"


@dataclass(frozen=True, slots=True)
class Rule:
    """What the certificates that have a name may do."""

    kind: str
    name: re.Pattern[str]
    scopes: frozenset[Scope]
    tenant: str

    def matches(self, kind: str, name: str) -> bool:
        """Tell whether the rule is of this name."""
        return kind == self.kind and self.name.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a file, in its order."""

    rules: tuple[Rule, ...] = ()


def parse(text: str, label: str) -> Rules:
    """Read the rules of a file. Raises: ConfigError, with every fault; `label` names the file."""
    rules: list[Rule] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            rules.append(_rule(words))
        except ValueError as error:
            faults.append(Fault(f"{label}:{number}", str(error)))
    if faults:
        raise ConfigError(faults)
    return Rules(tuple(rules))


def _rule(words: list[str]) -> Rule:
    if len(words) != 3:
        raise ValueError(f"has {len(words)} words, and a rule has three; {_EXAMPLE}")
    name, tenant = _NAME(words[0]), words[2]
    if name is None:
        raise ValueError(f"{words[0]!r} does not begin with dns:, uri: or cn:; {_EXAMPLE}")
    if not _TENANT(tenant):
        raise ValueError(f"{tenant!r} is not a tenant; write its id, or {EVERY_TENANT} for every tenant")
    scopes = words[1].split(",")
    unknown = [scope for scope in scopes if scope not in [*Scope]]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a scope; write {', '.join(Scope)}, with commas between them")
    kind, pattern = name[1], name[2]
    expression = _PART[kind].join(re.escape(part) for part in pattern.split("*"))
    flags = re.IGNORECASE if kind == "dns" else re.NOFLAG
    return Rule(kind, re.compile(expression, flags), frozenset(map(Scope, scopes)), tenant)


def caller_of(certificate: bytes, rules: Rules) -> Caller | None:
    """Return who a client certificate (PEM or DER) is by the first rule that matches; None when none does."""
    try:
        load = x509.load_pem_x509_certificate if certificate.startswith(_BEGIN) else x509.load_der_x509_certificate
        found = load(certificate)
        names = list(_names(found))
        expires_at_s = found.not_valid_after_utc.timestamp()
    except ValueError:  # TLS took it, this parser does not
        return None
    for rule in rules.rules:
        for kind, name in names:
            if rule.matches(kind, name):
                return Caller(f"certificate {kind}:{name}", rule.scopes, rule.tenant, expires_at_s)
    return None


def _names(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        yield from (("dns", name) for name in names.get_values_for_type(x509.DNSName))
        yield from (("uri", name) for name in names.get_values_for_type(x509.UniformResourceIdentifier))
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        if isinstance(attribute.value, str):
            yield "cn", attribute.value
