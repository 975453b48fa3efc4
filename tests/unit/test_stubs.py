"""The author's stubs: equal to what the tables say, importable in an action."""

import re

from sandbox.action import event
from sandbox.authoring import reference, stubs
from sandbox.contract import surface
from sandbox.contract.call import signature
from sandbox.contract.values import camel
from sandbox.reach import reachable


def test_the_committed_stub_is_what_the_tables_say() -> None:
    """Nothing drifts: after a change of the api or the event, `python -m sandbox.authoring.stubs` is run."""
    assert stubs.STUB.read_text() == stubs.generate()
    assert stubs.REFERENCE.read_text() == reference.generate()


def test_every_call_and_every_member_is_in_the_reference() -> None:
    """Each call has a row with its limits, each member of the event's root another."""
    text = reference.generate()
    for call in surface.SURFACE:
        assert f"| `{signature(call).removeprefix(f'api.{call.group}.')}` |" in text
    for name in event.Event._below_:
        assert f"`event.{name}`" in text or f", `{name}` |" in text


def test_whatever_ends_or_suspends_a_flow_is_in_its_table() -> None:
    """The reference says of each such call whether later actions run."""
    table = reference.generate().partition("## Effect on the flow")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    for call in surface.SURFACE:
        assert sum(f"`{call.op}`" in row for row in rows) == bool(call.ends), call.op


def test_every_call_and_every_member_is_in_it() -> None:
    """Both spellings of each call, and each member of the event's root, have a line of their own."""
    text = stubs.generate()
    for call in surface.SURFACE:
        assert f"    def {call.name}(self" in text
        if (alias := camel(call.name)) != call.name:
            assert f"    {alias} = {call.name}\n" in text
    for name in event.Event._below_:
        assert f"    def {name}(self) -> " in text


def test_every_named_type_can_be_imported() -> None:
    """An action may import what the stub defines beside the parts of event and api, in the sandbox too."""
    named = set(re.findall(r"^class (\w+)", stubs.generate(), re.MULTILINE))
    parts = {name for name in named if re.match(r"(Api|Event)[A-Z]", name)} | {"View"}
    assert named - parts == reachable.MODULES["vestibule_actions"]
