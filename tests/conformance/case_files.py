"""Finds the cases: the suites of the template gallery and those of `cases/flows`, and the fold's own in `cases/core`.

The shipped reader reads the suites. README.md beside this file says what a case of the fold has.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime.catalog import directory
from runtime.catalog.base import Definition
from runtime.suites import suites
from runtime.suites.reading import Case

HERE = Path(__file__).parent
CASES = HERE / "cases"
TEMPLATES = HERE.parents[1] / "deploy" / "templates"

# Eight times as fast where the library has its C part.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_KEYS = {"name", "source", "settings", "facts", "executions", "expect"}


def core() -> list[tuple[str, dict[str, Any]]]:
    """Return (id, case) of the cases that begin with executions: `cases/core`."""
    found = []
    for file in sorted((CASES / "core").glob("*.yaml")):
        for case in yaml.load(file.read_text(), LOADER):
            assert case.keys() <= _CORE_KEYS, f"{file.stem}: {case.keys() - _CORE_KEYS}"
            found.append((f"{file.stem}: {case['name']}", case))
    return found


def logins() -> list[Case]:
    """Return the cases that begin with an event: those of the templates, and `cases/flows`."""
    read = [suites.of_tenant(TEMPLATES / name, found) for name, found in templates().items()]
    flows = CASES / "flows"
    read += [suites.alone(flows / name) for name in suites.names(flows)]
    return [case for suite in read for case in suite]


def id_of(case: Case) -> str:
    """Return the name of a case among all."""
    return f"{Path(case.suite).stem}: {case.name}"


@cache
def templates() -> dict[str, Definition]:
    """Return the gallery by name."""
    return {found.flow.tenant: found for found in directory.load(TEMPLATES).definitions}
