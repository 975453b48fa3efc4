"""Section 4 of the post-login reference, limit by limit: what just fits is recorded, what is beyond raises and says so.

Limits of the catalog (sources, actions, bindings, secrets) are in `test_catalog_directory.py`, those of the cache, told
by codes, in `test_surface_cache.py`, the four commands of a flow in `test_flow_semantics.py`.
"""

from collections.abc import Callable
from typing import Any

import pytest
from vestibule.v1 import event_pb2

from sandbox.action.api import CommandRecorder, make_api
from sandbox.action.event import Event
from sandbox.contract import tokens
from sandbox.contract.surface import CONTINUE

NOW_S = 1_700_000_000
EVENT = event_pb2.PostLoginEvent(
    user=event_pb2.User(user_id="u"),
    session=event_pb2.Session(id="s"),
    authorization=event_pb2.Authorization(roles=["r"]),
    request=event_pb2.Request(hostname="login.example.com"),
)
CLAIM = "https://x.example/c"

Ask = Callable[[Any, int], Any]


def begin() -> tuple[Any, CommandRecorder]:
    recorder = CommandRecorder(Event(EVENT, {}), clock_ns=NOW_S * 10**9, defined=(CONTINUE,))
    return make_api(recorder), recorder


def texts(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


def kept(group: str) -> list[Any]:
    """Limits that the metadata of a session and of a refresh token have in common."""

    def entries(api: Any, count: int) -> None:
        for name in texts(count):
            getattr(api, group).set_metadata(name, "v")

    return [
        pytest.param(
            lambda api, n: getattr(api, group).set_metadata("k" * n, "v"),
            255,
            f"{group}.set_metadata",
            id=f"{group} key",
        ),
        pytest.param(
            lambda api, n: getattr(api, group).set_metadata("k", "v" * n),
            255,
            f"{group}.set_metadata",
            id=f"{group} value",
        ),
        pytest.param(entries, 25, f"{group}.set_metadata", id=f"{group} entries"),
    ]


def saml(name: str, limit: int) -> Any:
    return pytest.param(
        lambda api, n: getattr(api.saml_response, name)("x" * n), limit, f"saml_response.{name}", id=f"SAML {name}"
    )


def attributes(api: Any, count: int) -> None:
    for name in texts(count):
        api.saml_response.set_attribute(name, "v")


LIMITS: list[Any] = [
    # what is asked for with a number, the largest that fits, the call that is named beyond it
    pytest.param(lambda api, n: api.transaction.set_metadata("k" * n, 1), 64, "transaction.set_metadata", id="key"),
    pytest.param(
        lambda api, n: api.transaction.set_metadata("k", "v" * n), 8192, "transaction.set_metadata", id="value"
    ),
    pytest.param(
        lambda api, n: api.transaction.set_metadata("k", n), 2**53 - 1, "transaction.set_metadata", id="safe integer"
    ),
    *kept("session"),
    *kept("refresh_token"),
    pytest.param(
        lambda api, n: api.authentication.set_primary_user("u" * n),
        128,
        "authentication.set_primary_user",
        id="primary",
    ),
    pytest.param(
        lambda api, n: [api.authentication.set_primary_user("u") for _ in range(n)],
        1,
        "authentication.set_primary_user",
        id="primary user, once",
    ),
    pytest.param(
        lambda api, n: api.saml_response.set_attribute("n" * n, "v"),
        1024,
        "saml_response.set_attribute",
        id="SAML name",
    ),
    pytest.param(
        lambda api, n: api.saml_response.set_attribute("n", "v" * n),
        2048,
        "saml_response.set_attribute",
        id="SAML value",
    ),
    pytest.param(attributes, 100, "saml_response.set_attribute", id="SAML attributes"),
    *[saml(f"set_{name}", 2048) for name in ("audience", "recipient", "destination")],
    *[saml(f"set_{name}", 512) for name in ("name_identifier_format", "authn_context_class_ref")],
    *[
        saml(f"set_{name}", 4096)
        for name in ("signing_cert", "encryption_cert", "encryption_public_key", "cert", "key")
    ],
    pytest.param(
        lambda api, n: api.saml_response.set_name_identifier_probes(texts(n)),
        10,
        "saml_response.set_name_identifier_probes",
        id="SAML probes",
    ),
    pytest.param(
        lambda api, n: api.saml_response.set_name_identifier_probes(["x" * n]),
        512,
        "saml_response.set_name_identifier_probes",
        id="SAML probe",
    ),
    pytest.param(
        lambda api, n: api.roles.get_user_effective_roles(take=n),
        100,
        "roles.get_user_effective_roles",
        id="roles a page",
    ),
    pytest.param(
        lambda api, n: api.roles.get_user_effective_roles_by_names(texts(n)),
        50,
        "roles.get_user_effective_roles_by_names",
        id="roles by name",
    ),
]


@pytest.mark.parametrize(("ask", "limit", "call"), LIMITS)
def test_section_4(ask: Ask, limit: int, call: str) -> None:
    """As many as the limit are accepted; one more raises an error that names the call and the limit."""
    api, _ = begin()
    ask(api, limit)
    api, _ = begin()
    with pytest.raises((TypeError, ValueError)) as caught:
        ask(api, limit + 1 if limit < 2**50 else limit + 2)
    assert f"api.{call}" in str(caught.value)
    assert str(limit) in str(caught.value) or "2**53" in str(caught.value) or "once" in str(caught.value)


def parts(count: int, call: Callable[[Any], Callable[[str, str], Any]], name: str = "k") -> Ask:
    """Spend a number of characters on several members: each of them fits, all of them together may not."""

    def ask(api: Any, chars: int) -> None:
        for number in range(count):
            call(api)(f"{name}{number}", "v" * (chars // count))

    return ask


TOTALS: list[Any] = [
    pytest.param(parts(2, lambda api: api.id_token.set_custom_claim, CLAIM), 102400, "custom claims", id="claims"),
    pytest.param(parts(2, lambda api: api.user.set_user_metadata), 32768, "user_metadata", id="user metadata"),
    pytest.param(parts(2, lambda api: api.user.set_app_metadata), 32768, "app_metadata", id="app metadata"),
    pytest.param(parts(3, lambda api: api.transaction.set_metadata), 16384, "transaction metadata", id="transaction"),
    pytest.param(
        parts(10, lambda api: api.saml_response.set_attribute), 10240, "SAML attributes", id="SAML attributes"
    ),
]


@pytest.mark.parametrize(("ask", "limit", "name"), TOTALS)
def test_section_4_totals(ask: Ask, limit: int, name: str) -> None:
    """A total counts names and the marks of JSON too: a little less fits, the whole of it in values does not."""
    api, _ = begin()
    ask(api, limit - 300)
    api, _ = begin()
    with pytest.raises(ValueError, match=str(limit)) as caught:
        ask(api, limit)
    assert name in str(caught.value)


def test_section_4_a_redirect_token_lives_900_seconds() -> None:
    """By default; an action may say otherwise."""
    api, _ = begin()
    secret = "s" * 32
    assert tokens.verify(api.redirect.encode_token(secret=secret, payload={}), secret)["exp"] == NOW_S + 900
    shorter = api.redirect.encode_token(secret=secret, payload={}, expires_in_seconds=60)
    assert tokens.verify(shorter, secret)["exp"] == NOW_S + 60
