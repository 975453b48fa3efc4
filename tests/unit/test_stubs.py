"""The author's stubs: equal to what the tables say, importable in an action."""

import ast
import re
from typing import Any

import pytest
import vestibule.v1.event_pb2 as pb

from sandbox.action import event
from sandbox.authoring import language_page, reference, stubs
from sandbox.authoring.comments import comment
from sandbox.contract import surface
from sandbox.contract.call import signature
from sandbox.contract.event_fields import wrapped
from sandbox.contract.event_values import EXTENSIBLE, VOCABULARIES
from sandbox.contract.values import camel
from sandbox.reach import reachable


def test_the_committed_stub_is_what_the_tables_say() -> None:
    """Nothing drifts: after a change of the api or the event, `python -m sandbox.authoring.stubs` is run."""
    assert stubs.STUB.read_text() == stubs.generate()
    assert stubs.MODULE.read_text() == stubs.generate_module()
    assert stubs.REFERENCE.read_text() == reference.generate()
    assert stubs.LANGUAGE.read_text() == language_page.generate()


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


def test_every_member_has_a_docstring() -> None:
    """An editor shows something for each class, property, call and member of a dict."""
    documented = 0
    for node in ast.walk(ast.parse(stubs.generate())):
        if isinstance(node, ast.ClassDef):
            members = [part for part in node.body if isinstance(part, ast.AnnAssign) and node.name != "EventList"]
            below = [node.body[node.body.index(part) + 1] for part in members]
            assert all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in below), node.name
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            assert len(ast.get_docstring(node) or "") > 4, node.name
            documented += 1
    assert documented > 500


def field_of(path: str) -> Any:
    """Find the field of a path of the event."""
    message: Any = pb.PostLoginEvent.DESCRIPTOR
    for name in path.split("."):
        field = message.fields_by_name[name]
        message = (wrapped(field) or field).message_type
    return field


@pytest.mark.parametrize("path", sorted(VOCABULARIES.keys() - EXTENSIBLE))
def test_a_closed_vocabulary_is_what_the_contract_says(path: str) -> None:
    """The comment of its field lists these words and no others; the type has them alone."""
    said = comment(field_of(path))
    if path == "authentication.risk_assessment.confidence":
        said = comment(field_of("authentication.risk_assessment.assessments.new_device.confidence"))
    words = VOCABULARIES[path]
    assert set(re.split(r", (?:or )?| or ", said.partition(". ")[0].rstrip("."))) == set(words)
    name = path.rpartition(".")[2]
    assert re.search(rf"def {name}\(self\) -> {re.escape(stubs.words(words))}", stubs.generate())
