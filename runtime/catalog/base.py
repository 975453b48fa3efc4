"""What a catalog gives the daemon: one immutable snapshot of every tenant's flow. Storage is behind a protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from runtime.catalog.hook_door import NO_DOORS, HookDoor
from runtime.core.model import OnError, Settings
from runtime.errors import NoStore, UnknownTenant, VestibuleError
from sandbox.contract import bundle

TENANT_NAME = r"[a-z0-9][a-z0-9-]{0,63}"

HELD, POLICY, GRADUAL, REPORT_ONLY = "held", "policy", "gradual", "report_only"
"""What daemons may serve beside or instead of a tenant's newest version: see `Flow.served`."""

NO_SECRETS: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Binding:
    """An action's place and settings in a flow. `timeout_us` is None when the daemon's default applies.

    `uses` are the groups of `api` that the action may call, sorted; None: all of them.
    """

    action: str
    revision: str
    on_error: OnError = OnError.REQUIRE_MFA
    timeout_us: int | None = None
    uses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A tenant's ordered bindings for post-login, with its settings. Secrets are by action, then by name.

    `digest` is the fingerprint of all that, by which a suspended flow is found again after another was deployed.
    `doors` are by dialect; no worker gets anything of them. `version` is the number of what this is, 0 when it has
    none; `served` is empty for a tenant's newest version, and says why it is another one otherwise.
    """

    tenant: str
    settings: Settings
    bindings: tuple[Binding, ...] = ()
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: NO_SECRETS, repr=False)
    digest: bytes = field(default=b"", repr=False, compare=False)
    doors: Mapping[str, HookDoor] = field(default_factory=lambda: NO_DOORS)
    version: int = field(default=0, compare=False)
    served: str = field(default="", compare=False)

    @property
    def has_secrets(self) -> bool:
        """Tell whether there is a secret, of an action or of a door."""
        return any(self.secrets.values()) or any(door.secrets for door in self.doors.values())


@dataclass(frozen=True, slots=True)
class Definition:
    """One tenant as its author defines it: its flow, and the source of each bound revision by SHA-256."""

    flow: Flow
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def files(self) -> dict[str, str]:
        """The sources as their author has them, by name: each bound action, then the files that actions share."""
        actions: dict[str, str] = {}
        shared: dict[str, str] = {}
        for binding in self.flow.bindings:
            action, files, _ = bundle.unpack(self.sources[binding.revision])
            actions[f"actions/{binding.action}.py"] = action or ""
            shared |= {bundle.file_of(name): source for name, source in files.items()}
        return actions | dict(sorted(shared.items()))


@dataclass(frozen=True, slots=True)
class Band:
    """By how many percentage points the share of denied and of degraded logins on trial may exceed the others'."""

    denied_points: int = 5
    degraded_points: int = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """A version beside a tenant's own one, for a percentage of its logins. 0: it runs for all, and is reported only."""

    definition: Definition
    percent: int
    band: Band = Band()


NO_TRIALS: Mapping[str, Trial] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one catalog revision. Never mutated: a login keeps the snapshot it started with.

    `sources` maps the SHA-256 of each bound revision to its source. `trials` are by tenant.
    """

    revision: int
    tenants: Mapping[str, Flow] = field(repr=False)
    sources: Mapping[str, str] = field(repr=False)
    trials: Mapping[str, Trial] = field(default_factory=lambda: NO_TRIALS, repr=False)


EMPTY = Snapshot(revision=0, tenants=MappingProxyType({}), sources=MappingProxyType({}))


def unknown(snapshot: Snapshot, tenant_id: str) -> VestibuleError:
    """Say why a snapshot has no such tenant: without a store it may well exist, and the caller may try again."""
    if snapshot is EMPTY:
        return NoStore(["no store was read yet"])
    return UnknownTenant(tenant_id)


OnChange = Callable[[str, Mapping[str, Any]], None]
"""Takes what happened to a catalog as a log event, a `noun.past_verb`, and its values. On the event loop."""


@dataclass(frozen=True, slots=True)
class Claim:
    """How a continuation was found that is to be claimed.

    `granted`: it is claimed now. Otherwise it is spent or claimed by another; `running` if by the same request, and
    `answer` is what that request has led to, sealed. `outdated`: it is of an earlier epoch of the store. `expired`: by
    the clock of another replica, so that the store may have forgotten it.
    """

    granted: bool = False
    running: bool = False
    outdated: bool = False
    expired: bool = False
    answer: bytes | None = field(default=None, repr=False)


class SuspendedFlows(Protocol):
    """What replicas share about suspended flows: which continuations were used, and what was deployed before.

    A continuation is claimed before its flow is resumed, and spent before the answer is given, so that it leads to one
    decision; a claim that is never spent, because its daemon died, lapses. With it stands the digest of the request
    that it was claimed for, and then what that request led to, until the continuation expires. Every method raises
    CatalogError when the store cannot be used: then no flow may be resumed.
    """

    @property
    def epoch(self) -> bytes:
        """The epoch to seal continuations in; a restored store begins another. Raises: CatalogError: none is kept."""

    async def claim(
        self,
        name: bytes,
        expires_at_ms: int,
        now_ms: int,
        until_ms: int,
        request: bytes = b"",
        epoch: bytes = b"",
    ) -> Claim:
        """Claim a continuation until an instant, for a request; an empty digest is of one that is never the same.

        One that was sealed in another epoch than the store's is outdated.
        """

    async def spend(self, name: bytes, until_ms: int, answer: bytes | None = None) -> bool:
        """Use up what was claimed until that instant, for good; False when another has claimed it since."""

    async def release(self, name: bytes, until_ms: int) -> None:
        """Give a claim back: nothing was decided."""

    async def sweep(self, now_ms: int) -> None:
        """Drop the answers of continuations that have expired, and what is too much of the others."""

    async def find(self, tenant: str, digest: bytes) -> Definition | None:
        """Return the tenant's flow of this digest, which it has or had; None when that is not kept."""

    async def close(self) -> None:
        """Release the store."""


class Catalog(Protocol):
    """A source of snapshots that keeps itself up to date between `start` and `close`."""

    async def start(self) -> None:
        """Load the first snapshot and begin to watch for changes. Raises: CatalogError."""

    def snapshot(self) -> Snapshot:
        """Return the newest good snapshot: an attribute read, for the hot path."""

    async def close(self) -> None:
        """Stop watching and release the store."""

    @property
    def healthy(self) -> bool:
        """Whether the newest attempt to read the store succeeded; the last good snapshot serves meanwhile."""

    @property
    def reason(self) -> str:
        """Why the catalog is not healthy; empty when it is."""
