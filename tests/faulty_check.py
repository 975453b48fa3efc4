"""The entry of a zygote whose workers fail while they look an action over, where its source says so.

Not a test module. It is `sandbox.process.worker`, but a source with `# look: raises` makes the check raise as a mistake
in it would, and one with `# look: dies` ends the worker there.
"""

from __future__ import annotations

import os
from unittest.mock import patch

from sandbox.inspection import inspection
from sandbox.inspection.source import inspect
from sandbox.language.compiler import SourceFault
from sandbox.process import worker

serve = worker.serve


def _inspect(source: str, filename: str, secrets: frozenset[str] | None) -> list[SourceFault]:
    if "# look: raises" in source:
        raise KeyError(source)
    if "# look: dies" in source:
        os._exit(1)
    return inspect(source, filename, secrets)


def prepare() -> None:
    """Do what a worker does, with the faults."""
    worker.prepare()
    patch.object(inspection, "inspect", _inspect).start()
