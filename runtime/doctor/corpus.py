"""The shipped corpora: one JSON object a line, each a tenant action that attacks the sandbox.

Never run an entry of SHARED outside a sandbox: several kill processes, fork, or fill memory on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

SHARED: Final = "hostile_actions.jsonl"
OWN: Final = "own_attacks.jsonl"
"""Attacks of our own invention: each succeeds in plain Python, and harms nothing where it does."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One action of a hostile tenant."""

    id: str
    family: str
    goal: str
    code: str
    """A module; as text of JSON it may hold NUL, half a surrogate pair or a byte order mark."""
    followup: str | None = None
    """An action that runs at the next logins, of the same tenant and of another, and must see no trace."""
    expect: str = ""
    """The weakest outcome that counts as contained."""
    success: str = ""
    """How success would show."""
    needs: tuple[int, ...] = ()
    """The Python whose syntax it is written in; an older one has no control of it, and must refuse it all the same."""
    raw: bool = False
    """To be tried as plain Python as well, against the process alone."""

    @property
    def mark(self) -> str:
        """What a successful attack shows: in the decision, or as a file in the temporary directory."""
        return f"ESCAPED_{self.id}"

    @property
    def is_text(self) -> bool:
        """Can it reach a worker at all? No catalog holds what has no UTF-8."""
        return not any("\ud800" <= char <= "\udfff" for char in self.code)


def load(*names: str) -> list[Attack]:
    """Read corpora by name, all of them without one."""
    attacks = []
    for name in names or (SHARED, OWN):
        for line in text(name).splitlines():
            row = json.loads(line)
            known = {name: row[name] for name in ("id", "family", "goal", "code", "expect", "success")}
            raw = "raw" in row.get("modes", ())
            attacks.append(Attack(**known, followup=row.get("followup"), needs=tuple(row.get("needs", ())), raw=raw))
    return attacks


def text(name: str) -> str:
    """Return a corpus as it is written."""
    return resources.files("runtime.doctor").joinpath(name).read_text(encoding="utf-8")


def storable(attacks: Sequence[Attack]) -> list[Attack]:
    """Leave out what never reaches a worker."""
    return [attack for attack in attacks if attack.is_text]
