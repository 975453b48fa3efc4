"""The closed vocabularies of the event are of members that it has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1 import event_pb2

from sandbox.contract.event_fields import wrapped
from sandbox.contract.event_values import VOCABULARIES

PROTO = Path(__file__).resolve().parents[2] / "proto" / "vestibule" / "v1" / "event.proto"


@pytest.mark.parametrize("path", VOCABULARIES)
def test_a_vocabulary_is_of_a_member_that_the_event_has(path: str) -> None:
    """Each path leads to a text of the contract, and the contract names the words."""
    message: Any = event_pb2.PostLoginEvent.DESCRIPTOR
    *above, last = path.split(".")
    for name in above:
        field = message.fields_by_name[name]
        message = (wrapped(field) or field).message_type
    field = message.fields_by_name[last]
    assert field.type == field.TYPE_STRING
    words = set(re.findall(r"[\w-]+", PROTO.read_text(encoding="utf-8")))
    assert set(VOCABULARIES[path]) <= words
