"""What is measured with: an event of about 300 bytes, a flow of three everyday actions, tenants of every kind.

Knows the event's message and the catalog's values. Must not know how a load is made.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vestibule.v1 import event_pb2, runtime_service_pb2

from runtime.catalog import applies
from runtime.catalog.base import Binding, Definition, Flow
from runtime.catalog.sqlite import SqliteDatabase
from runtime.core.model import OnError, Policy, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SETTINGS: Final = Settings(policy=Policy.NEVER, factors=("push-notification", "otp", "webauthn-roaming"))

UNVERIFIED: Final = '''\
"""Refuse users whose address was never verified."""


def on_execute_post_login(event, api):
    if not event.user.email_verified:
        api.access.deny("Verify your email address first.")
'''
MFA: Final = '''\
"""Require a second factor for sensitive applications, and of users who asked for it."""

SENSITIVE = frozenset({"admin-console", "payroll"})


def on_execute_post_login(event, api):
    metadata = event.user.user_metadata
    if event.client.client_id in SENSITIVE or metadata.get("use_mfa"):
        api.multifactor.enable("any", allow_remember_browser=False)
'''
CLAIMS: Final = '''\
"""Tell the application which department a user works for."""


def on_execute_post_login(event, api):
    department = event.user.app_metadata.get("department")
    if department and event.transaction.protocol != "oauth2-refresh-token":
        api.id_token.set_custom_claim("https://example.com/department", department)
'''
FLOW: Final = (UNVERIFIED, MFA, CLAIMS)
RETURN: Final = '''\
"""Send users to a page elsewhere, and continue when they are back."""


def on_execute_post_login(event, api):
    api.redirect.send_user_to("https://example.com/terms")


def on_continue_post_login(event, api):
    api.user.set_app_metadata("terms", "accepted")
'''
SUSPENDED: Final = (UNVERIFIED, MFA, RETURN)
"""A flow whose last action suspends it; continued, it has four executions."""

BUDGET_US: Final = 100_000
# Each needs another hand to stop it: bytecode, which the signal handler interrupts; arithmetic, which looks for signals
# now and then; a C loop, which never does, and is killed from outside.
HOSTILE: Final = {
    "loop": "def on_execute_post_login(event, api):\n    while True:\n        pass\n",
    "power": "def on_execute_post_login(event, api):\n    api.multifactor.enable('any' if 10 ** 10 ** 8 else 'none')\n",
    "c-loop": "def on_execute_post_login(event, api):\n    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))\n",
}
REGEX: Final = """\
import re


def on_execute_post_login(event, api):
    if re.match(r"(a+)+$", "a" * 40 + "b"):
        api.access.deny("never")
"""


def event() -> bytes:
    """Serialize an ordinary login to a sensitive application."""
    login = event_pb2.PostLoginEvent()
    login.user.user_id = "auth0|5f7c8ec7c33c6c004bbafe82"
    login.user.email = "ada@example.com"
    login.user.email_verified = True
    login.user.name = "Ada Lovelace"
    login.user.app_metadata.update({"department": "engineering"})
    login.user.user_metadata.update({"use_mfa": True})
    login.client.client_id = "admin-console"
    login.client.name = "Admin console"
    login.connection.name = "Username-Password-Authentication"
    login.connection.strategy = "auth0"
    login.request.ip = "203.0.113.7"
    login.request.method = "GET"
    login.transaction.protocol = "oidc-basic-profile"
    login.transaction.requested_scopes.values.extend(["openid", "profile"])
    login.authentication.methods.add(name="pwd").timestamp.FromJsonString("2026-11-24T08:00:00.123Z")
    login.stats.logins_count = 42
    return login.SerializeToString()


def request(tenant: str, *, sensitive: bool = True) -> bytes:
    """Serialize the request that decides this login for a tenant; one that is not sensitive needs no second factor."""
    # Without a request id: equal ones at a time would be one login, decided once.
    message = runtime_service_pb2.ExecutePostLoginRequest(tenant_id=tenant)
    message.event.MergeFromString(event())
    if not sensitive:
        message.event.client.client_id = "newsletter"
        message.event.user.ClearField("user_metadata")
    return message.SerializeToString()


def continuing(request: bytes) -> bytes:
    """Serialize the request that continues the suspended login, all but its continuation."""
    first = runtime_service_pb2.ExecutePostLoginRequest.FromString(request)
    rest = runtime_service_pb2.ContinuePostLoginRequest(
        tenant_id=first.tenant_id, request_id=first.request_id, event=first.event
    )
    return rest.SerializeToString()


def definition(
    tenant: str, sources: Sequence[str], timeout_us: int | None = None, on_error: OnError = OnError.REQUIRE_MFA
) -> Definition:
    """Define a tenant whose flow is these sources in order."""
    revisions = [hashlib.sha256(source.encode()).hexdigest() for source in sources]
    bindings = tuple(
        Binding(f"action-{place}", revision, on_error, timeout_us) for place, revision in enumerate(revisions, 1)
    )
    return Definition(Flow(tenant, SETTINGS, bindings), dict(zip(revisions, sources, strict=True)))


def store(folder: Path, definitions: Iterable[Definition]) -> None:
    """Make a fresh store of these tenants in a folder."""
    path = folder / "store.db"
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (folder / name).unlink(missing_ok=True)
    applies.apply(SqliteDatabase(path), definitions)
