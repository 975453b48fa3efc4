"""Tenant files of any content: the reader answers with a tenant or with faults, and never raises."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog import tenant_file, yaml_file
from runtime.catalog.secret_values import Secrets
from runtime.errors import Fault

SECRETS = Secrets({"D": "d"}, frozenset({("acme", "D")}))
GOOD = (
    "tenant: acme\nlogin_experience: new\nmfa: {policy: always, factors: [otp], merge: strictest}\n"
    "flows:\n  post_login:\n    - {action: geo, on_error: deny, timeout_ms: 100}\n"
    "secrets:\n  geo: {A: b, C: {env: D}}\n"
)
KEYS = [
    "tenant",
    "mfa",
    "policy",
    "factors",
    "flows",
    "post_login",
    "action",
    "timeout_ms",
    "secrets",
    "geo",
    "env",
    "x",
]

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(KEYS)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=3)), inner)
    ),
    max_leaves=20,
)


def read(text: str) -> tuple[tenant_file.Tenant | None, list[Fault]]:
    document = yaml_file.parse("f", text)
    return tenant_file.read(document, "acme", frozenset({"geo"}), SECRETS)


def holds(text: str) -> None:
    """Either a tenant or faults, each with the file's name and one line of printable words."""
    tenant, faults = read(text)
    assert (tenant is None) is bool(faults)
    for fault in faults:
        assert fault.where.split(":")[0] == "f"
        assert fault.message
        assert len(fault.message) < 1000


def test_the_seed_is_good() -> None:
    """The control: the file that is mutated below has no fault."""
    tenant, faults = read(GOOD)
    assert faults == []
    assert tenant is not None
    assert tenant.secrets == {"geo": {"A": "b", "C": "d"}}


@given(st.text())
def test_any_text(text: str) -> None:
    """Text that is not even YAML."""
    holds(text)


@given(values)
def test_any_data(value: Any) -> None:
    """YAML of any shape, with our own keys among it."""
    holds(yaml.safe_dump(value))


@given(values, st.sampled_from(["tenant", "login_experience", "mfa", "flows", "secrets"]))
def test_any_data_in_the_place_of_a_member(value: Any, key: str) -> None:
    """A good file with one member replaced by anything."""
    good = yaml.safe_load(GOOD)
    good[key] = value
    holds(yaml.safe_dump(good))


@given(st.integers(0, len(GOOD)), st.integers(0, 8), st.text(alphabet="{}[]:,-&*!?|>'\"#%@ \n\tab1\0", max_size=4))
def test_any_small_damage(at: int, cut: int, put: str) -> None:
    """A good file with a few characters cut out and others put in."""
    holds(GOOD[:at] + put + GOOD[at + cut :])
