"""Tenant folders of any bytes: the catalog takes a tenant or tells its faults, and keeps its neighbour either way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog import tenant_file, yaml_file
from runtime.catalog.secret_values import Secrets
from tests.effort import effort
from tests.security.fuzz.damage import Edit, damaged, edits
from tests.security.fuzz.findings import seeds

GOOD = (
    "tenant: acme\nlogin_experience: new\nmfa: {policy: always, factors: [otp], merge: strictest}\n"
    "flows:\n  post_login:\n    - {action: geo, on_error: deny, timeout_ms: 100}\n"
    "secrets:\n  geo: {A: b, C: {env: D}}\n"
)
SECRETS = Secrets({"D": "d", "PATH": "of the daemon"}, frozenset({("acme", "D")}))

# What makes YAML dangerous: tags, anchors, aliases, merge keys, many documents, other numbers, other line ends.
TOKENS = (
    "!!python/object/apply:os.system [id]", "!!python/name:os.system", "&a [*a]", "*a", "<<: *a", "---\n", "...\n",
    "%TAG ! x",
    "!<tag:yaml.org,2002:python/module:os>", "? {a: b}\n: c\n", "|\n  text\n", ">-\n", "'", '"\\x00"', '"\\ud800"',
    "\u2028",
    "\ufeff", "\x85", "0o7", "0x_f", "1e999", "-.inf", ".nan", "12:30:45", "2024-01-01", "~", "tenant: bank\n",
    "[" * 70,
    "{env: PATH}", "{env: [D]}", "a: " * 3, "timeout_ms: 1_000", "!!binary aGk=", "\t", "\0", "../../etc/passwd",
    "{file: ../x}", "{file: D}", "unused: [geo]",
)  # fmt: skip


def holds(text: str) -> tenant_file.Tenant | None:
    """Read a tenant's file: a tenant of plain data, or faults that say where, in words that can be printed."""
    document = yaml_file.parse("f", text)
    tenant, faults = tenant_file.read(document, "acme", frozenset({"geo"}), SECRETS)
    assert (tenant is None) is bool(faults)
    for fault in faults:
        assert fault.where.split(":")[0] == "f"
        assert 0 < len(fault.message) < 1000
        assert fault.message.isprintable()
    if tenant is not None:
        assert all(type(v) is str for secrets in tenant.secrets.values() for v in secrets.values())
        assert set(tenant.secrets) <= {"geo"}
        assert "of the daemon" not in str(tenant.secrets)
    return tenant


def test_control_the_good_file_is_taken() -> None:
    """Control: what is damaged below is a good tenant."""
    assert holds(GOOD) is not None


@pytest.mark.parametrize("text", seeds("tenants.txt"))
def test_seeds_of_tenants_are_refused(text: str) -> None:
    """Files that ask for a constructor, blow up, or name what is not theirs are refused."""
    assert holds(text) is None


@effort(150)
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), st.sampled_from(TOKENS)), max_size=4))
def test_any_dangerous_token_is_refused_or_harmless(changes: list[tuple[int, int, str]]) -> None:
    """A good file with dangerous YAML put in anywhere is a tenant of plain data, or its faults."""
    text = GOOD
    for at, cut, put in changes:
        text = text[:at] + put + text[at + cut :]
    holds(text)


def test_an_action_with_an_unprintable_name_is_shown_escaped() -> None:
    """A byte order mark in the name of an action is seen in the fault, not looked for."""
    assert holds(GOOD.replace("  geo: {A", "  \ufeff geo: {A")) is None


def test_half_a_surrogate_pair_is_a_fault_with_its_line() -> None:
    """Text that has no UTF-8, as a lenient decoder makes it, is listed with its line and raises nothing."""
    assert holds("tenant: acme\nmfa: \udcff") is None
    assert yaml_file.parse("f", "tenant: acme\nmfa: \udcff").ordered()[0].where == "f:2"


@effort(150)
@given(edits)
def test_any_damaged_bytes_are_refused_or_harmless(harm: list[Edit]) -> None:
    """So is one with its bytes damaged, read as any text file is."""
    holds(damaged(GOOD.encode(), harm).decode(errors="surrogateescape"))


lines: Any = st.lists(st.sampled_from([*GOOD.splitlines(), *TOKENS, "", "  ", "    - {action: geo}"]), max_size=12)


@effort(150)
@given(lines)
def test_any_lines_are_refused_or_harmless(chosen: list[str]) -> None:
    """So are the lines of a good file in any order, often or not at all, with dangerous ones between them."""
    holds("\n".join(chosen))
