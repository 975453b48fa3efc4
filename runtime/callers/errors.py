"""Why a caller is refused: one class for each reason that an operator can tell apart. Must not know where it is found.

Messages say no more than the caller may know: nothing of other keys, and not whether a tenant exists.
"""

from collections.abc import Sequence

from runtime.errors import RequestError


class CallerError(RequestError):
    """The caller may not do this. Not raised itself. `reason` is a metric label, from REFUSED_CALLERS."""

    reason = "other"


class NoCredentials(CallerError):
    """The call has neither an API key nor a client certificate."""

    reason = "no_credentials"

    def __init__(self) -> None:
        super().__init__(
            "the call has no credentials; send an API key as `authorization: Bearer vk_...`, or a client certificate"
        )


class CredentialsMalformed(CallerError):
    """What was sent as credentials is none."""

    reason = "credentials_malformed"

    def __init__(self) -> None:
        super().__init__("`authorization` is not one API key; send it once, as `Bearer vk_...`")


class KeyUnknown(CallerError):
    """No key has this id, or the secret is another one: the caller does not learn which."""

    reason = "key_unknown"

    def __init__(self) -> None:
        super().__init__("the API key is not known here; check that it is whole and of this deployment")


class KeyExpired(CallerError):
    """The key was right until it expired."""

    reason = "key_expired"

    def __init__(self, name: str) -> None:
        super().__init__(f"the API {name} has expired; use a new one")


class KeyRevoked(CallerError):
    """The key was right until it was revoked."""

    reason = "key_revoked"

    def __init__(self, name: str) -> None:
        super().__init__(f"the API {name} was revoked; use another one")


class CertificateUnknown(CallerError):
    """The client certificate is genuine, and no rule gives it a scope."""

    reason = "certificate_unknown"

    def __init__(self) -> None:
        super().__init__("no rule of auth.certificates_file names this client certificate; add one, or send an API key")


class CertificateExpired(CallerError):
    """The client certificate expired while its connection was open."""

    reason = "certificate_expired"

    def __init__(self) -> None:
        super().__init__("the client certificate has expired; connect with a new one")


class ScopeMissing(CallerError):
    """The caller is known, and has none of the scopes that this call needs."""

    reason = "scope_missing"

    def __init__(self, needed: Sequence[str]) -> None:
        self.needed = " or ".join(needed)
        super().__init__(f"the credentials do not have the scope {self.needed}; use others that have it")


class TenantNotAllowed(CallerError):
    """The caller is known, and is of another tenant. Raised whether or not the tenant that was named exists."""

    reason = "tenant_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"the credentials are of tenant {allowed} alone; use those of the tenant that is asked for")


class HookNotAuthentic(CallerError):
    """A hook's call has no valid signature or secret of the tenant. `problem` says what is wrong, in one word."""

    reason = "hook_not_authentic"

    def __init__(self, dialect: str, problem: str) -> None:
        super().__init__(
            f"the call is not authentic at the door {dialect} ({problem}); check the secret of the tenant's doors, and "
            "the clocks"
        )


class TenantHasNoDoor(CallerError):
    """The tenant does not open this door, or there is no such tenant: the caller does not learn which."""

    reason = "no_door"

    def __init__(self, dialect: str) -> None:
        super().__init__(f"the tenant has no door {dialect}; add it to doors of its tenant.yaml and apply")
