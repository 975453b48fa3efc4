"""Whether the actions of an earlier version are still accepted: what this release refuses must not come back unseen."""

from __future__ import annotations

from runtime.catalog import versions
from runtime.catalog.database import Connection
from runtime.catalog.versions import Version
from runtime.errors import CatalogError
from runtime.findings import Source, split
from runtime.offline import check


def refuse_faulty(connection: Connection, version: Version) -> None:
    """Compile the actions of a version in sandboxed workers. Raises: CatalogError, with every fault."""
    state = versions.content(connection, version)
    if state is None:
        return
    flow = state.flow
    sources = [
        Source(
            f"{version}/actions/{binding.action}.py",
            state.sources[binding.revision],
            flow.tenant,
            frozenset(flow.secrets.get(binding.action, ())),
        )
        for binding in flow.bindings
    ]
    faults, _ = split(check.findings(sources)) if sources else ([], [])
    if faults:
        raise CatalogError([*faults, f"{version} is not accepted any more; name another version, or add --force"])
