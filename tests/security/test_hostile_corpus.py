"""Every attack of the corpus against the whole stack, each followed by a canary login of another tenant."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from vestibule.v1 import decision_pb2

from runtime.config.effective import Config
from runtime.doctor import assault
from runtime.doctor.corpus import SHARED, Attack, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENTRIES = load(SHARED)
# Text with lone surrogates has no UTF-8, so no catalog can hold it; `vestibule check` has its own test for it.
STORABLE = [entry for entry in ENTRIES if entry.is_text]
ACTION_MS = 400
# What an answer may take on a busy machine: the point is that it comes, the benchmark says how fast.
ANSWER_S = 30.0

# Refused as syntax when the corpus was made. `match` is of the language now; a pattern of keys is no way into an event.
OF_THE_LANGUAGE = {"mat03"}
CONTAINED_BY_LIMIT = {"rejected", "raised", "timed_out", "exhausted", "crashed", "violated"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[assault.Stack]:
    """One stack for all attacks: what one leaves behind, the next ones would meet."""
    async with assault.stack(Config(), ACTION_MS) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("entry", STORABLE, ids=[entry.id for entry in STORABLE])
async def test_attack_is_contained(stack: assault.Stack, entry: Attack) -> None:
    """The attack does not succeed, leaves nothing for the next login, and another tenant is decided rightly."""
    marker = Path("/tmp") / entry.mark
    assert not marker.exists()
    stack.put("mallory", entry.code)
    started_s = time.monotonic()
    decision = await stack.login("mallory", ANSWER_S)
    took_s = time.monotonic() - started_s
    ended = assault.verdict(decision)
    text = str(decision)

    assert took_s < ANSWER_S
    assert entry.mark not in text, f"{entry.goal}: {text}"
    assert not marker.exists(), entry.goal
    if entry.id in OF_THE_LANGUAGE:
        assert (ended, decision.outcome) == ("completed", decision_pb2.OUTCOME_ALLOW), text
    elif entry.expect == "rejected_at_deploy":
        assert ended == "rejected", text
    elif entry.expect in ("error_at_run", "killed"):
        assert ended in CONTAINED_BY_LIMIT, text
    if ended == "completed":
        # It ran to its end: then what it asked for is all that happened.
        assert not decision.degraded
        if entry.id in ("prt01", "prt08", "api17"):
            assert decision.denial.description == "real"
    else:
        assert decision.degraded
        assert decision.outcome == decision_pb2.OUTCOME_MFA_REQUIRED, text
        assert decision.executions[0].error.message
        # A failed action has asked for nothing.
        assert not decision.HasField("on_any_outcome"), text
        assert not decision.HasField("on_success"), text

    for tenant in ("mallory", "bystander"):
        if entry.followup is not None:
            stack.put(tenant, entry.followup)
            after = await stack.login(tenant)
            assert entry.mark not in str(after), entry.goal
    canary = await stack.login("canary")
    assert canary.outcome == decision_pb2.OUTCOME_MFA_REQUIRED
    assert not canary.degraded, str(canary)
    assert canary.multifactor.provider == decision_pb2.PROVIDER_ANY


def test_the_corpus_is_whole() -> None:
    """No entry got lost, and every family of attack is there."""
    assert len(ENTRIES) >= 144
    assert len({entry.id for entry in ENTRIES}) == len(ENTRIES)
    assert len({entry.family for entry in ENTRIES}) >= 35
    assert len(ENTRIES) - len(STORABLE) <= 2
