"""The credentials of a gRPC call: its `authorization`, or the certificate of its connection."""

from __future__ import annotations

from typing import Any, Final

import grpc

from runtime.callers.caller import Caller
from runtime.callers.callers import Callers
from runtime.callers.errors import CredentialsMalformed

_AUTHORIZATION: Final = "authorization"
# gRPC's core names the certificate that it verified so.
_CERTIFICATE: Final = "x509_pem_cert"


def caller_of(context: grpc.aio.ServicerContext[Any, Any], callers: Callers) -> Caller:
    """Return who makes a call. Raises: CallerError."""
    return callers.identify(*credentials_of(context))


def credentials_of(context: grpc.aio.ServicerContext[Any, Any]) -> tuple[str | None, bytes | None]:
    """Return what a call has for `Callers.identify`. Raises: CredentialsMalformed."""
    sent = [value for key, value in context.invocation_metadata() or () if key == _AUTHORIZATION]
    if len(sent) > 1 or not all(isinstance(value, str) for value in sent):
        raise CredentialsMalformed
    if sent:
        return str(sent[0]), None
    found = context.auth_context().get(_CERTIFICATE)
    return None, next(iter(found), None) if found else None
