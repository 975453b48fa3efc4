"""Our own attacks against the whole stack: catalog, pool, locked workers and decision, as one tenant among others."""

from __future__ import annotations

from vestibule.v1 import decision_pb2

from tests.security import corpus
from tests.security.test_hostile_corpus import ACTION_MS, Stack, verdict


async def test_no_attack_shows_and_nobody_else_notices() -> None:
    """No mark gets into a decision; what failed asks for a second factor; a neighbour is decided rightly after each."""
    stack = Stack()
    await stack.pool.start()
    wrong: list[str] = []
    try:
        for entry in corpus.load(corpus.OWN):
            stack.catalog.put("mallory", entry.code)
            decision = await stack.login("mallory")
            ended = verdict(decision)
            if entry.mark in str(decision):
                wrong.append(f"{entry.id}: {decision}")
            if ended != "COMPLETED" and decision.outcome != decision_pb2.OUTCOME_MFA_REQUIRED:
                wrong.append(f"{entry.id}: {ended}, and yet {decision}")
            if ended not in ("COMPLETED", "RAISED", "REJECTED", "EXHAUSTED"):
                # None of them is about time: whoever needs longer than ACTION_MS, or dies, has found something.
                wrong.append(f"{entry.id}: {ended} within {ACTION_MS} ms: {decision}")
            for tenant in ("mallory", "bystander") if entry.followup is not None else ():
                stack.catalog.put(tenant, entry.followup or "")
                after = await stack.login(tenant)
                if entry.mark in str(after):
                    wrong.append(f"{entry.id}, seen by {tenant}: {after}")
            canary = await stack.login("canary")
            if canary.degraded or canary.multifactor.provider != decision_pb2.PROVIDER_ANY:
                wrong.append(f"after {entry.id}: {canary}")
    finally:
        await stack.pool.close()
        await stack.runner.close()
    assert wrong == []
