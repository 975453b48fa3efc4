"""The hostile corpus: one JSON object a line, each a tenant action that attacks the sandbox.

Never run an entry outside a sandbox: several kill processes, fork, or fill memory on purpose. `id` and `family` name
it; `goal` says what it tries, `source` where the technique is described; `code` is the module, which may decode to NUL,
lone surrogates or a BOM; `expect` is the weakest outcome that counts as contained, `success` how success would show,
and `followup` an action that runs afterwards and must see no trace.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

# The corpus speaks of a few members by names that this runtime does not have. A missing name would stop the attack for
# the wrong reason, so they are replaced by what is there.
_ADAPTED = {
    "event.user.roles": "event.authorization.roles",
    "api.authentication.challenge_with_any": "api.multifactor.enable",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One attack."""

    id: str
    family: str
    goal: str
    code: str
    expect: str
    success: str
    followup: str | None
    raw: bool

    @property
    def mark(self) -> str:
        """What a successful attack shows."""
        return f"ESCAPED_{self.id}"


def _adapt(code: str) -> str:
    for name, ours in _ADAPTED.items():
        code = code.replace(name, ours)
    return code


SHARED = "hostile_actions.jsonl"
OWN = "own_attacks.jsonl"
"""Attacks of our own invention: each succeeds in plain Python, and harms nothing where it does."""


def path(name: str) -> Path:
    """Where a corpus is."""
    return Path(__file__).with_name(name)


def load(name: str = SHARED) -> list[Entry]:
    """Read a corpus."""
    entries = []
    for line in path(name).read_text().splitlines():
        row = json.loads(line)
        followup = row.get("followup")
        entries.append(
            Entry(
                row["id"],
                row["family"],
                row["goal"],
                _adapt(row["code"]),
                row["expect"],
                row["success"],
                _adapt(followup) if followup else None,
                "raw" in row.get("modes", ()),
            )
        )
    return entries
