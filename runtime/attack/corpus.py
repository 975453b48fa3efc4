"""The shipped corpus: one JSON object a line, each a tenant action that attacks the sandbox.

Knows how a line is written. Must not know how it is run. Called by `runtime.attack.assault`. Never run an entry outside
a sandbox: several kill processes, fork, or fill memory on purpose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Attack:
    """One action of a hostile tenant."""

    id: str
    family: str
    goal: str
    code: str
    followup: str | None
    """An action that runs at the next logins, of the same tenant and of another, and must see no trace."""

    @property
    def mark(self) -> str:
        """What a successful attack shows: in the decision, or as a file in the temporary directory."""
        return f"ESCAPED_{self.id}"


def load() -> list[Attack]:
    """Read every attack that is a text; one that is none never reaches a worker."""
    attacks = []
    for file in sorted(resources.files("runtime.attack").iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".jsonl"):
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            attack = Attack(row["id"], row["family"], row["goal"], row["code"], row.get("followup"))
            if _is_text(attack.code):
                attacks.append(attack)
    return attacks


def _is_text(code: str) -> bool:
    try:
        code.encode()
    except UnicodeEncodeError:
        return False
    return True
