"""What tells two states of a tenant apart: by name and line, never by the value of a secret."""

import time

from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog.base import Definition, Flow
from runtime.catalog.differences import differences, unified
from runtime.catalog.hook_door import HookDoor
from runtime.core.model import Policy, Settings
from tests.fixtures.tenants import define


def test_sources_settings_and_names_of_secrets_are_compared() -> None:
    """The values of secrets are not: two states that differ in them alone are the same."""
    old = define("acme", "one\ntwo\n", secrets={"KEY": "first"})
    new = define("acme", "one\n2\n", policy=Policy.ALWAYS, secrets={"KEY": "other", "MORE": "x"})
    found = differences("acme@1", old, "acme@2", new)
    assert [str(change) for change in found.changes] == [
        "setting mfa.policy: never -> always",
        "action a0: another source",
        "secret a0.MORE: added",
    ]
    (source,) = found.sources
    assert source.lines == (
        "--- acme@1/actions/a0.py",
        "+++ acme@2/actions/a0.py",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    )
    assert not differences("a", old, "b", define("acme", "one\ntwo\n", secrets={"KEY": "another"}))


def test_secrets_of_doors_are_counted() -> None:
    def opened(*secrets: str) -> Definition:
        return Definition(Flow("acme", Settings(), doors={"kratos": HookDoor("kratos", "deny", secrets)}))

    assert not differences("a", opened("x" * 16), "b", opened("y" * 16))
    found = differences("a", opened("x" * 16), "b", opened("x" * 16, "y" * 16))
    assert [str(change) for change in found.changes] == ["door kratos: other secrets"]


def test_a_tenant_that_is_not_there() -> None:
    there = define("acme", "one\n")
    found = differences("acme@1", None, "acme@2", there)
    assert [str(change) for change in found.changes] == ["tenant acme: added"]
    assert found.sources[0].lines[:2] == ("--- /dev/null", "+++ acme@2/actions/a0.py")
    found = differences("acme@1", there, "acme@2", None)
    assert [str(change) for change in found.changes] == ["tenant acme: removed"]
    assert found.sources[0].lines[-1] == "-one"
    assert not differences("a", None, "b", None)


LINES = st.text(st.sampled_from("ab\n\r\x0c"), max_size=60)


@given(LINES, LINES)
def test_a_diff_is_one_that_patch_applies(old: str, new: str) -> None:
    """Lines end at line feeds alone, and a text without one at its end says so."""
    lines = list(unified(old, new, "a", "b"))
    assert (not lines) == (old == new)
    assert patched(old, lines) == new


def patched(text: str, lines: list[str]) -> str:
    """Apply a unified diff by its rules."""
    was, found, at = text.split("\n"), [], 0
    last_is_whole, sign = True, " "
    for line in lines[2:]:
        if line.startswith("@@"):
            start = max(int(line.split()[1].lstrip("-").split(",")[0]) - 1, 0)
            found += was[at:start]
            at = start
        elif line.startswith("\\"):
            last_is_whole = sign == "-"
        else:
            sign = line[0]
            if sign in " -":
                assert was[at] == line[1:]
                at += 1
            if sign in " +":
                found.append(line[1:])
                last_is_whole = True
    rest = was[at:]
    if rest and rest != [""]:
        return "\n".join([*found, *rest])
    return "\n".join(found) + ("\n" if found and last_is_whole else "")


def test_a_hostile_source_keeps_no_operator_waiting() -> None:
    """Lines that repeat a hundred times each take difflib minutes; they are shown whole."""
    old = "".join(f"{at % 500}\n" for at in range(25_000))
    new = "".join(f"{at * 7 % 499}\n" for at in range(25_000))
    before_s = time.process_time()
    lines = list(unified(old, new, "a", "b"))
    assert time.process_time() - before_s < 2.0
    assert len(lines) > 40_000
    assert lines[2].startswith("@@ -1,")


def test_what_is_shown_whole_is_a_diff_too() -> None:
    """With lines around it, and counts that the tool `patch` would take."""
    same = "".join(f"same {at}\n" for at in range(10))
    old = same + "".join(f"old {at}\n" for at in range(3000)) + same
    new = same + "".join(f"new {at}\n" for at in range(2000)) + same
    lines = list(unified(old, new, "a", "b"))
    assert lines[2] == "@@ -8,3006 +8,2006 @@"
    assert patched(old, lines) == new
