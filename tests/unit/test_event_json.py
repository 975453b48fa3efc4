"""Events read from JSON in Auth0's own shape."""

import json
from typing import Any

import pytest

from runtime import event_json
from runtime.errors import InvalidEvent


def test_empty_lists_are_noted_by_path() -> None:
    """A list that is there and empty is named, in either spelling, at any depth; an absent or full one is not."""
    event = event_json.from_json(
        {
            "user": {"enrolledFactors": [], "identities": [], "multifactor": ["guardian"]},
            "transaction": {"acr_values": [], "prompt": None},
            "client": {"refresh_token": {"policies": [{"audience": "a", "scope": []}]}},
            "authentication": {"riskAssessment": {"supplemental": {"akamai": {"akamaiBot": {"botCategory": []}}}}},
        }
    )
    assert sorted(event.empty_lists) == [
        "authentication.risk_assessment.supplemental.akamai.akamai_bot.bot_category",
        "client.refresh_token.policies.scope",
        "transaction.acr_values",
        "user.enrolled_factors",
        "user.identities",
    ]


def test_paths_given_by_the_caller_are_kept() -> None:
    """JSON that already names its empty lists keeps them once."""
    event = event_json.from_json({"empty_lists": ["user.multifactor"], "user": {"multifactor": []}})
    assert list(event.empty_lists) == ["user.multifactor"]


def test_metadata_is_not_searched_for_lists() -> None:
    """A Struct keeps its own empty lists."""
    event = event_json.from_json({"user": {"user_metadata": {"acr_values": [], "multifactor": []}}})
    assert list(event.empty_lists) == []
    assert "multifactor" in event.user.user_metadata.fields


def test_unknown_members_are_ignored() -> None:
    """What this version does not know is no reason to refuse a login."""
    event = event_json.from_json(
        {"secrets": {"a": "b"}, "configuration": {}, "user": {"user_id": "u", "department": 1}}
    )
    assert event.user.user_id == "u"


@pytest.mark.parametrize("value", [None, [], "x", 1, {"user": "x"}, {"user": {"email_verified": "x"}}, {"client": [1]}])
def test_another_shape_is_an_invalid_event(value: Any) -> None:
    """A member of the wrong type is the caller's fault, and is said so."""
    with pytest.raises(InvalidEvent):
        event_json.loads(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"user": NaN'])
def test_text_that_is_not_json_is_an_invalid_event(text: str) -> None:
    """Broken text ends in the same error."""
    with pytest.raises(InvalidEvent):
        event_json.loads(text)
