"""Who calls: keys and certificates become callers, and nothing else is let in."""

import re
import time
from types import MappingProxyType

import pytest

from runtime import errors
from runtime.callers import certificates, key_text
from runtime.callers import errors as caller_errors
from runtime.callers.caller import ANYONE, Caller, Scope
from runtime.callers.callers import Callers
from runtime.catalog.api_keys import ApiKey, ApiKeys
from runtime.ops.labels import REFUSED_CALLERS
from tests.fixtures.certificates import Certificate, issue

# Certificates of tests are made now.
NOW = int(time.time())


class Desk:
    """Keys, rules and a clock that a test changes, and the Callers that read them."""

    def __init__(self) -> None:
        self.keys = ApiKeys()
        self.rules = certificates.Rules()
        self.now_s = float(NOW)
        self.callers = Callers(True, lambda: self.keys, lambda: self.rules, lambda: self.now_s)

    def key(self, *scopes: str, tenant: str = "*", expires_at: int | None = None, revoked: bool = False) -> str:
        """Add a key, and return it as its user sends it."""
        made = key_text.generate()
        digest, revoked_at = key_text.digest(made.secret), NOW if revoked else None
        kept = ApiKey(made.key_id, digest, "a gateway", scopes, tenant, NOW, expires_at, revoked_at)
        self.keys = ApiKeys(made.key_id.encode(), MappingProxyType({**self.keys.by_id, made.key_id: kept}))
        return f"Bearer {made}"

    def refusal(self, authorization: str | None = None, certificate: bytes | None = None) -> str:
        """Return the reason for which credentials are refused."""
        with pytest.raises(caller_errors.CallerError) as refused:
            self.callers.identify(authorization, certificate)
        return refused.value.reason


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_key_has_its_scopes_and_its_tenant(desk: Desk) -> None:
    """The caller is what the key was made for; the scheme's letters may be of either case."""
    sent = desk.key("execute", "read", tenant="acme")
    caller = desk.callers.identify(sent)
    assert (set(caller.scopes), caller.tenant) == ({Scope.EXECUTE, Scope.READ}, "acme")
    assert desk.callers.identify(sent.replace("Bearer", "bearer")) == caller


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        "vk_aaaaaaaaaa_" + "b" * 52,
        "\x00\xff",
        "\udc80",
        "Bearer " * 999,
    ],
)
def test_garbage_is_no_key(desk: Desk, sent: str) -> None:
    """What is not one key in the one form is malformed, and never a traceback."""
    desk.key("execute")
    assert desk.refusal(sent) == "credentials_malformed"


def test_a_key_in_a_wrong_form_is_malformed(desk: Desk) -> None:
    """A key with something before, behind or inside it is not that key; the control is the key itself."""
    sent = desk.key("execute")
    for wrong in (sent + " ", sent + "\n", sent.replace(" ", "  "), sent.upper(), f"{sent}, {sent}"):
        assert desk.refusal(wrong) == "credentials_malformed"
    assert desk.callers.identify(sent)


def test_a_wrong_secret_says_no_more_than_a_wrong_id(desk: Desk) -> None:
    """An id that exists with another secret is refused like an id that does not exist, also for a dead key."""
    alive, dead, late = desk.key("execute"), desk.key("execute", revoked=True), desk.key("execute", expires_at=NOW)
    other = str(key_text.generate())
    texts = set()
    for sent in (alive, dead, late):
        with pytest.raises(caller_errors.KeyUnknown) as wrong:
            desk.callers.identify(sent[: -len("_") - 52] + other[-53:])
        texts.add(str(wrong.value))
    with pytest.raises(caller_errors.KeyUnknown) as unknown:
        desk.callers.identify(f"Bearer {other}")
    assert texts == {str(unknown.value)}


def test_a_key_ends_when_it_is_revoked_or_expires(desk: Desk) -> None:
    """Its user learns which, and the next call after the change is refused."""
    sent = desk.key("execute", expires_at=NOW + 10)
    assert desk.callers.identify(sent)
    desk.now_s += 10
    assert desk.refusal(sent) == "key_expired"
    assert desk.refusal(desk.key("execute", revoked=True)) == "key_revoked"
    desk.now_s = NOW
    assert desk.callers.identify(sent)
    desk.keys = ApiKeys()
    assert desk.refusal(sent) == "key_unknown"


def test_no_credentials_are_refused_where_they_are_required(desk: Desk) -> None:
    """The control: where they are not, everyone is ANYONE, with whatever they send."""
    assert desk.refusal() == "no_credentials"
    assert Callers(False).identify() is ANYONE
    assert Callers(False).identify("garbage") is ANYONE


def test_a_scope_includes_no_other() -> None:
    """Each scope gives itself alone: a gateway's key cannot administer, an operator's decides no login."""
    for scope in Scope:
        caller = Caller("x", frozenset([scope]))
        assert [other for other in Scope if caller.may("acme", other)] == [scope]
        assert caller.may("acme", *Scope)
        for other in set(Scope) - {scope}:
            with pytest.raises(caller_errors.ScopeMissing, match=other):
                caller.require("acme", other)
        caller.require("acme", scope)


def test_a_tenants_caller_sees_no_other_tenant() -> None:
    """The refusal names the caller's own tenant and not the other one, which may exist or not."""
    caller = Caller("x", frozenset(Scope), "acme")
    caller.require("acme", Scope.EXECUTE)
    with pytest.raises(caller_errors.TenantNotAllowed) as refused:
        caller.require("umbrella", Scope.EXECUTE)
    assert "acme" in str(refused.value)
    assert "umbrella" not in str(refused.value)
    assert not caller.may("umbrella", Scope.EXECUTE)
    with pytest.raises(caller_errors.TenantNotAllowed):
        caller.require("*", Scope.EXECUTE)


def test_a_scope_of_a_later_version_gives_nothing(desk: Desk) -> None:
    """A key made by a newer command keeps what this daemon knows."""
    assert desk.callers.identify(desk.key("execute", "everything")).scopes == {Scope.EXECUTE}


def test_keys_are_random_and_recognisable() -> None:
    """Each is new, has one form that a scanner finds, and is read back; its repr has no secret."""
    made = [key_text.generate() for _ in range(100)]
    assert len({key.secret for key in made}) == len({key.key_id for key in made}) == 100
    for key in made:
        assert re.fullmatch(r"vk_[a-z2-7]{10}_[a-z2-7]{52}", str(key))
        assert key_text.parse(str(key)) == key
        assert key.secret not in repr(key)


def test_a_certificate_has_the_first_rule_that_names_it(desk: Desk) -> None:
    """Names of the certificate are matched with the rules in their order, from PEM as from DER."""
    desk.rules = certificates.parse(
        "# gateways\ndns:gw-*.example.com execute acme\n\nuri:spiffe://prod/ns/*/sa/ops operator,read *\n"
        "cn:robot read *\n",
        "rules",
    )
    gateway = issue("robot", dns=("gw-1.example.com",))
    for form in (gateway.pem, gateway.der):
        caller = desk.callers.identify(None, form)
        assert (set(caller.scopes), caller.tenant) == ({Scope.EXECUTE}, "acme")
    operator = issue("x", uri=("spiffe://prod/ns/infra/sa/ops",))
    assert desk.callers.identify(None, operator.pem).scopes == {Scope.OPERATOR, Scope.READ}
    assert desk.callers.identify(None, issue("robot").pem).scopes == {Scope.READ}


@pytest.mark.parametrize(
    "certificate",
    [
        issue("x", dns=("gw.a.example.com",)),
        issue("x", dns=("gw.example.com.evil.org",)),
        issue("gw.example.com"),
        issue("x", uri=("spiffe://prod/ns/a/b/sa/ops",)),
        issue("x", uri=("dns:gw.example.com",)),
    ],
    ids=["a domain below", "a domain behind", "another kind of name", "a path below", "a kind inside a name"],
)
def test_a_certificate_of_another_name_is_unknown(desk: Desk, certificate: Certificate) -> None:
    """A star stands for one part of a name, and a rule for one kind of names."""
    desk.rules = certificates.parse("dns:*.example.com execute *\nuri:spiffe://prod/ns/*/sa/ops read *", "rules")
    assert desk.callers.identify(None, issue("x", dns=("GW.example.com",)).pem).scopes == {Scope.EXECUTE}
    assert desk.refusal(None, certificate.pem) == "certificate_unknown"


def test_a_certificate_ends_with_its_time_and_with_its_rule(desk: Desk) -> None:
    """A connection that is older than its certificate's end is refused, and so is one whose rule was removed."""
    desk.rules = certificates.parse("dns:gw.example.com execute *", "rules")
    gateway = issue("x", dns=("gw.example.com",))
    desk.now_s = gateway.certificate.not_valid_after_utc.timestamp() - 1
    assert desk.callers.identify(None, gateway.pem)
    desk.now_s += 1
    assert desk.refusal(None, gateway.pem) == "certificate_expired"
    desk.rules = certificates.Rules()
    assert desk.refusal(None, gateway.pem) == "certificate_unknown"
    assert desk.refusal(None, b"-----BEGIN nothing") == "certificate_unknown"


def test_a_key_decides_where_both_are_sent(desk: Desk) -> None:
    """A wrong key is refused beside a good certificate: what a caller sends is what counts."""
    desk.rules = certificates.parse("dns:gw.example.com execute *", "rules")
    gateway = issue("x", dns=("gw.example.com",)).pem
    assert desk.callers.identify(desk.key("read"), gateway).scopes == {Scope.READ}
    assert desk.refusal(f"Bearer {key_text.generate()}", gateway) == "key_unknown"


def test_every_fault_of_a_rules_file_is_listed() -> None:
    """Each names its line and the remedy."""
    text = "dns:a execute\nip:1.2.3.4 execute *\ndns:a everything *\ndns:a execute ACME!\ndns:ok read *"
    with pytest.raises(errors.ConfigError) as refused:
        certificates.parse(text, "rules")
    faults = [str(fault) for fault in refused.value.faults]
    assert [fault.split(": ")[0] for fault in faults] == ["rules:1", "rules:2", "rules:3", "rules:4"]
    assert all("write" in fault for fault in faults)


def test_each_refusal_is_a_label() -> None:
    """The metric has a series for each reason."""
    kinds: list[type[caller_errors.CallerError]] = [
        caller_errors.CallerError,
        *caller_errors.CallerError.__subclasses__(),
    ]
    assert sorted([kind.reason for kind in kinds]) == sorted(REFUSED_CALLERS)
