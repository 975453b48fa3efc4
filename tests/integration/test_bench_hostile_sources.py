"""The benchmark's bad actions are as bad as it says: each ends in the way that its measure is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.config.effective import Config
from runtime.offline import run as offline
from runtime.offline.event_line import Line
from tests.load import fairness, overshoot

pytestmark = pytest.mark.long  # a drill

SOURCES = {
    **{what: (source, {"timed_out"}) for what, source in overshoot.ENDLESS.items()},
    **{
        tenant: (source, fairness.VERDICTS[tenant])
        for tenant, source in (("loops", fairness.LOOPS), ("eats", fairness.EATS), ("broken", fairness.BROKEN))
    },
}
EVENT = '{"user": {"user_id": "a"}, "client": {"client_id": "app"}}'


@pytest.mark.parametrize("name", SOURCES)
async def test_a_bad_action_ends_as_its_measure_says(name: str) -> None:
    """None of them is refused for another reason, and none ends before its budget."""
    source, wanted = SOURCES[name]
    config = replace(Config(), sandbox=replace(Config().sandbox, action_timeout_ms=400))
    async with offline.open_action("bad", source, config) as runner:
        execution = await runner.execution(Line(EVENT, secrets_of="bad"))
    assert execution.verdict.name.lower() in wanted, execution.error
