"""The verifiers of hooks: genuine samples, and everything that is refused, each beside its control."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from runtime.doors.dialects.table import DIALECTS
from runtime.doors.dialects.verifiers import TOLERANCE_S, static_secret, timestamped_hex
from tests.conformance.hook_cases import NAMES, case

SIGNED = [name for name in NAMES if "forged" in case(name)]
OTHER = {"zitadel": "another-signing-key-01", "supabase": "v1,whsec_" + base64.b64encode(b"x" * 32).decode()}


def verify(name: str, *, headers: dict[str, Any] | None = None, later_s: float = 0, **changed: Any) -> str:
    """Verify the genuine call of a dialect, changed; return the problem."""
    genuine = case(name)["genuine"]
    given = {key: value for key, value in (genuine["headers"] | (headers or {})).items() if value is not None}
    body = changed.get("body", genuine["body"].encode())
    secrets = changed.get("secrets", tuple(case(name)["door"]["secrets"]))
    return DIALECTS[name].verify(secrets, given, body, genuine["at"] + later_s).problem


@pytest.mark.parametrize("name", NAMES)
def test_a_genuine_call_is_authentic(name: str) -> None:
    """The control: the sample as the product sends it, also in the other forms that it may have."""
    assert verify(name) == ""
    for headers in case(name).get("also_genuine", []):
        assert verify(name, headers=headers) == ""


@pytest.mark.parametrize("name", SIGNED)
def test_a_forged_signature_is_refused(name: str) -> None:
    """Another signature, time, id or version, and a header that is no signature."""
    for headers in case(name)["forged"]:
        assert verify(name, headers=headers) in ("wrong", "malformed"), headers


@pytest.mark.parametrize("name", SIGNED)
def test_any_change_of_the_body_is_refused(name: str) -> None:
    """The signature is over the raw bytes: the same JSON in another form is another body."""
    body = case(name)["genuine"]["body"].encode()
    for other in (body + b" ", b" " + body, body[:-1], b"", body.replace(b":", b": ", 1), body.swapcase()):
        assert verify(name, body=other) == "wrong"


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_time_too_far_from_ours_is_refused_on_both_sides(name: str, sign: int) -> None:
    """What is replayed after the tolerance is stale, and so is what comes from a clock ahead of ours."""
    assert verify(name, later_s=sign * TOLERANCE_S) == ""
    assert verify(name, later_s=sign * (TOLERANCE_S + 1)) == "stale"
    assert verify(name, later_s=sign * 1e9) == "stale"


@pytest.mark.parametrize("name", NAMES)
def test_two_secrets_are_active(name: str) -> None:
    """The old and the new secret both count, in either order; without the right one a call is refused."""
    right, other = case(name)["door"]["secrets"][0], OTHER.get(name, "another-secret-of-acme")
    assert verify(name, secrets=(other, right)) == verify(name, secrets=(right, other)) == ""
    assert verify(name, secrets=(other,)) == "wrong"
    assert verify(name, secrets=()) == "wrong"


@pytest.mark.parametrize("name", NAMES)
def test_a_call_without_its_header_is_refused(name: str) -> None:
    """Each header that a verifier needs is needed."""
    for header in case(name)["genuine"]["headers"]:
        if header.startswith(("webhook", "zitadel", "authorization")):
            assert verify(name, headers={header: None}) == "missing"


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer kratos-secret-of-acme-2", "Basic kratos-secret-of-acme-1",
     "kratos-secret-of-acme-1", "Bearer kratos-secret-of-acme-1, Bearer kratos-secret-of-acme-1",
     "Bearer kratos-secret-of-acme-1x"],
)  # fmt: skip
def test_another_static_secret_is_refused(value: str) -> None:
    """Nothing but the secret under its scheme is taken, and not twice."""
    assert verify("kratos", headers={"authorization": value}) in ("wrong", "malformed")


def test_a_scheme_is_of_any_case() -> None:
    """`bearer` is `Bearer`; a verifier without a scheme takes the value as it is."""
    assert verify("kratos", headers={"authorization": "bearer kratos-secret-of-acme-1"}) == ""
    bare = static_secret("x-key", "")
    assert bare(("a-secret",), {"x-key": "a-secret"}, b"", 0).problem == ""
    assert bare(("a-secret",), {"x-key": "a-secre"}, b"", 0).problem == "wrong"


def test_times_may_be_milliseconds() -> None:
    """The same form with milliseconds, as other products have it."""
    check = timestamped_hex("signature", milliseconds=True)
    sent = hmac.new(b"k", b"1796068800123.body", hashlib.sha256).hexdigest()
    headers = {"signature": f"t=1796068800123, v1={sent}"}
    assert check(("k",), headers, b"body", 1796068800).problem == ""
    assert check(("k",), headers, b"body", 1796068800 + 301).problem == "stale"


def test_deliveries_are_told_apart_by_their_time() -> None:
    """The time of a signature is part of what was asked, so that a replay is no new call."""
    genuine = case("zitadel")["genuine"]
    secrets = tuple(case("zitadel")["door"]["secrets"])
    proof = DIALECTS["zitadel"].verify(secrets, genuine["headers"], genuine["body"].encode(), genuine["at"])
    assert proof.once == "1796068800"


def test_a_signed_dialect_remembers_as_long_as_a_signature_is_good() -> None:
    """While a replayed signature would pass, its call gets the reply that it had: no second login."""
    for name in SIGNED:
        assert DIALECTS[name].repeat_s >= 2 * TOLERANCE_S
