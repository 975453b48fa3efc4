"""Describes what a check can find, a section for each code: for the author's page, and for `check --explain`.

Must not know how anything is found.
"""

from __future__ import annotations

from sandbox.contract.check_examples import EXAMPLES
from sandbox.contract.codes import CODES


def section(name: str) -> str:
    """Describe one code in Markdown, with an example where a source has it."""
    code = CODES[name]
    parts = [f"### {name}", f"{code.title} {code.why}"]
    if name in EXAMPLES:
        bad, good = (text.strip("\n") for text in EXAMPLES[name])
        parts += [f"```python\n{bad}\n```", "Instead:", f"```python\n{good}\n```"]
    return "\n\n".join(parts)


def sections() -> str:
    """Describe every code, faults first."""
    parts = []
    for warning, title in ((False, "Faults"), (True, "Warnings")):
        parts += [f"## {title}", *(section(name) for name, code in CODES.items() if code.warning is warning)]
    return "\n\n".join(parts)
