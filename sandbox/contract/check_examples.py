"""An example of each code that the check of a source can find: an action that has it, and the same rule without it.

The author's page of checks shows them, and a test checks them.
"""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, str]]] = {
    "syntax": (
        """\
def on_execute_post_login(event, api):
    if event.user.email
""",
        """\
def on_execute_post_login(event, api):
    if event.user.email:
        print(event.user.email)
""",
    ),
    "unavailable": (
        """\
def on_execute_post_login(event, api):
    print(eval("1"))
""",
        """\
def on_execute_post_login(event, api):
    print(1)
""",
    ),
    "undefined-name": (
        """\
def on_execute_post_login(event, api):
    prnt("hello")
""",
        """\
def on_execute_post_login(event, api):
    print("hello")
""",
    ),
    "import": (
        """\
import requests


def on_execute_post_login(event, api):
    print(1)
""",
        """\
import json


def on_execute_post_login(event, api):
    print(json.dumps(1))
""",
    ),
    "entry-point": (
        """\
def on_execute_postlogin(event, api):
    print(1)
""",
        """\
def on_execute_post_login(event, api):
    print(1)
""",
    ),
    "module-body": (
        """\
LIMIT = int("ten")


def on_execute_post_login(event, api):
    print(LIMIT)
""",
        """\
LIMIT = int("10")


def on_execute_post_login(event, api):
    print(LIMIT)
""",
    ),
    "unknown-member": (
        """\
def on_execute_post_login(event, api):
    if not event.user.emial:
        api.access.deny("no address")
""",
        """\
def on_execute_post_login(event, api):
    if not event.user.email:
        api.access.deny("no address")
""",
    ),
    "unknown-path": (
        """\
def on_execute_post_login(event, api):
    print(event.get("organisation.name"))
""",
        """\
def on_execute_post_login(event, api):
    print(event.get("organization.name"))
""",
    ),
    "unknown-attribute": (
        """\
def on_execute_post_login(event, api):
    print(event.user.user_id.toLowerCase())
""",
        """\
def on_execute_post_login(event, api):
    print(event.user.user_id.lower())
""",
    ),
    "unknown-call": (
        """\
def on_execute_post_login(event, api):
    api.acess.deny("no")
""",
        """\
def on_execute_post_login(event, api):
    api.access.deny("no")
""",
    ),
    "call-arguments": (
        """\
def on_execute_post_login(event, api):
    api.access.deny()
""",
        """\
def on_execute_post_login(event, api):
    api.access.deny("no")
""",
    ),
    "pattern": (
        """\
import re


def on_execute_post_login(event, api):
    if re.match("(?!a)b", event.user.user_id):
        api.access.deny("no")
""",
        """\
import re


def on_execute_post_login(event, api):
    if re.match("b", event.user.user_id):
        api.access.deny("no")
""",
    ),
    "no-continue": (
        """\
def on_execute_post_login(event, api):
    api.redirect.send_user_to("https://example.com/terms")
""",
        """\
def on_execute_post_login(event, api):
    api.redirect.send_user_to("https://example.com/terms")


def on_continue_post_login(event, api):
    api.access.deny("The terms must be agreed to.")
""",
    ),
    "not-continuing": (
        """\
def on_execute_post_login(event, api):
    api.redirect.validate_token(secret=event.secrets["KEY"])
""",
        """\
def on_execute_post_login(event, api):
    api.redirect.send_user_to("https://example.com/terms")


def on_continue_post_login(event, api):
    print(api.redirect.validate_token(secret=event.secrets["KEY"]))
""",
    ),
    "unknown-code": (
        """\
def on_execute_post_login(event, api):
    print(1)  # vestibule: allow returned-valeu it is for tests
""",
        """\
def on_execute_post_login(event, api):
    print(1)
""",
    ),
    "returned-value": (
        """\
def on_execute_post_login(event, api):
    return {"mfa": "required"}
""",
        """\
def on_execute_post_login(event, api):
    if event.transaction and event.transaction.protocol == "oauth2-refresh-token":
        return
    api.multifactor.enable("any")
""",
    ),
    "no-effect": (
        """\
def on_execute_post_login(event, api):
    if event.user.email_verified is False:
        api.access.deny
""",
        """\
def on_execute_post_login(event, api):
    if event.user.email_verified is False:
        api.access.deny("blocked")
""",
    ),
    "function-as-condition": (
        """\
def on_execute_post_login(event, api):
    if event.user.user_id.isdigit:
        api.access.deny("no")
""",
        """\
def on_execute_post_login(event, api):
    if event.user.user_id.isdigit():
        api.access.deny("no")
""",
    ),
    "event-write": (
        """\
def on_execute_post_login(event, api):
    event.user.app_metadata["seen"] = True
""",
        """\
def on_execute_post_login(event, api):
    api.user.set_app_metadata("seen", True)
""",
    ),
    "never-equal": (
        """\
def on_execute_post_login(event, api):
    if event.get("transaction.protocol") == "refresh-token":
        api.access.deny("no")
""",
        """\
def on_execute_post_login(event, api):
    if event.get("transaction.protocol") == "oauth2-refresh-token":
        api.access.deny("no")
""",
    ),
    "unreachable": (
        """\
def on_execute_post_login(event, api):
    if event.user.email_verified is False:
        api.access.deny("blocked")
        api.id_token.set_custom_claim("https://example.com/blocked", True)
""",
        """\
def on_execute_post_login(event, api):
    if event.user.email_verified is False:
        api.access.deny("blocked")
        return
    api.id_token.set_custom_claim("https://example.com/blocked", False)
""",
    ),
    "global": (
        """\
SEEN = 0


def on_execute_post_login(event, api):
    global SEEN
    SEEN += 1
""",
        """\
def on_execute_post_login(event, api):
    print(len(event.user.user_id))
""",
    ),
    "raise-to-deny": (
        """\
def on_execute_post_login(event, api):
    if event.user.email_verified is False:
        raise ValueError("blocked")
""",
        """\
def on_execute_post_login(event, api):
    if event.user.email_verified is False:
        api.access.deny("blocked")
""",
    ),
    "mfa-on-refresh": (
        """\
def on_execute_post_login(event, api):
    if event.client.client_id == "payroll":
        api.multifactor.enable("any")
""",
        """\
def on_execute_post_login(event, api):
    if event.get("transaction.protocol") == "oauth2-refresh-token":
        return
    if event.client.client_id == "payroll":
        api.multifactor.enable("any")
""",
    ),
    "not-resumed": (
        """\
def on_execute_post_login(event, api):
    if event.get("transaction.protocol") == "oauth2-refresh-token":
        return
    api.multifactor.enable("any")
    if any(method.name == "mfa" for method in event.get("authentication.methods", ())):
        api.user.set_app_metadata("strong", True)
""",
        """\
def on_execute_post_login(event, api):
    if event.get("transaction.protocol") == "oauth2-refresh-token":
        return
    if any(method.name == "mfa" for method in event.get("authentication.methods", ())):
        api.user.set_app_metadata("strong", True)
    api.multifactor.enable("any")
""",
    ),
    "naive-datetime": (
        """\
from datetime import datetime


def on_execute_post_login(event, api):
    created = datetime.fromisoformat(event.user.created_at)
    if (datetime.now() - created).days < 1:
        api.access.deny("too new")
""",
        """\
from datetime import UTC, datetime


def on_execute_post_login(event, api):
    created = datetime.fromisoformat(event.user.created_at)
    if (datetime.now(UTC) - created).days < 1:
        api.access.deny("too new")
""",
    ),
    "allow-comment": (
        """\
def on_execute_post_login(event, api):
    print(1)  # vestibule: allow returned-value nothing is returned
""",
        """\
def on_execute_post_login(event, api):
    return 1  # vestibule: allow returned-value a test of this comment
""",
    ),
}
