"""Which lines and branches of a tenant's actions its suites ran: the `coverage` library's reports.

Knows what a measured worker says. Must not know how cases are run. The library is wanted for this alone, so that it is
an extra of the package: no daemon needs it.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from vestibule.worker.v1 import worker_pb2

from runtime.core.model import Execution
from runtime.errors import ConfigError, Fault
from sandbox.contract import bundle, wire

_LINE_MAX: Final = 1_000_000


class Measured:
    """What ran so far, by file."""

    def __init__(self) -> None:
        """Begin with nothing. Raises: ConfigError: the library is not installed."""
        try:
            import coverage
        except ImportError:
            remedy = "needs the package `coverage`; install it: pip install 'vestibule[coverage]'"
            raise ConfigError([Fault("--coverage", remedy)]) from None
        # Neither an author's own configuration nor files of data: this is about actions.
        self._coverage: Any = coverage.Coverage(data_file=None, branch=True, config_file=False)
        self._arcs: dict[str, set[tuple[int, int]]] = {}

    def expect(self, files: Iterable[Path]) -> None:
        """Name the files that are reported on, whether or not anything of them runs."""
        for file in files:
            self._arcs.setdefault(str(file.resolve()), set())

    def add(self, folder: Path, action: Path, execution: Execution) -> None:
        """Add what ran in one execution of an action of this file, and of the shared files of its tenant's folder."""
        try:
            parts = [
                worker_pb2.Covered.FromString(execution.covered[start:end])
                for _, start, end in wire.fields(execution.covered, bundle.MAX_FILES + 1)
            ]
        except (DecodeError, ValueError):
            return
        for part in parts:
            if part.file and not bundle.is_file(part.file):
                continue
            file = folder / part.file if part.file else action
            pairs = zip(part.arcs[::2], part.arcs[1::2], strict=False)
            known = [pair for pair in pairs if max(map(abs, pair)) < _LINE_MAX]
            self._arcs.setdefault(str(file.resolve()), set()).update(known)

    def report(self) -> CoverageReport:
        """Return the reports of everything that was added."""
        self._coverage.get_data().add_arcs(self._arcs)
        files = sorted(self._arcs)
        table = io.StringIO()
        total: float = self._coverage.report(morfs=files, file=table, show_missing=True) if files else 100.0
        with tempfile.TemporaryDirectory() as folder:
            outfile = Path(folder) / "coverage.json"
            if files:
                self._coverage.json_report(morfs=files, outfile=str(outfile))
            found = json.loads(outfile.read_text()) if files else {"files": {}}
        return CoverageReport(total, table.getvalue().rstrip().split("\n"), found["files"])


class CoverageReport:
    """How much of the actions ran: lines and branches together, in percent; as a table, and by file."""

    def __init__(self, total: float, table: list[str], files: dict[str, Any]) -> None:
        self.total = total
        self.table = table
        self.files = {
            name: {
                "percent": round(found["summary"]["percent_covered"], 2),
                "missing_lines": found["missing_lines"],
                "missing_branches": found["missing_branches"],
            }
            for name, found in files.items()
        }
