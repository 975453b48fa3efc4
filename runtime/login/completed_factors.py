"""The second factors that a login has completed so far, and how its event shows them to the actions that come later.

Knows the event's members for factors and what a continuation keeps of them. Must not know flows, keys or gRPC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vestibule.v1.event_pb2 import PostLoginEvent

from runtime.core.resolution import is_enrolled
from runtime.login.messages import FACTOR_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow
    from vestibule.v1.event_pb2 import AuthenticationMethod

    from runtime.core.model import Suspension

TYPE_NAMES: Final = {number: name for name, number in FACTOR_TYPES.items()}
# The name of the methods that are second factors.
_MFA: Final = "mfa"
_ENROLLED_PATH: Final = "user.enrolled_factors"


@dataclass(frozen=True, slots=True)
class Completed:
    """What the user presented or enrolled in this flow.

    `at_ms` says when, by the types of factors and in their order. `known` are fingerprints of the methods that the
    session had before: a factor may have been presented in an earlier login too.
    """

    at_ms: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    enrolled: frozenset[str] = frozenset()
    known: frozenset[int] = frozenset()

    @property
    def types(self) -> tuple[str, ...]:
        """Types of the factors, in order."""
        return tuple(self.at_ms)

    def write(self, state: SuspendedFlow, suspension: Suspension, event: PostLoginEvent) -> None:
        """Put into a continuation what the next leg will need, the factors that are waited for now included."""
        state.completed.extend([FACTOR_TYPES[name] for name in self.at_ms])
        state.completed_at_ms.extend(self.at_ms.values())
        state.enrolled.extend(sorted(FACTOR_TYPES[name] for name in self.enrolled))
        for step in suspension.steps:
            numbers = [FACTOR_TYPES[factor.type] for factor in step.usable]
            state.awaited.add(factors=numbers, enroll=step.kind == "enroll")
        awaited = {factor.type for step in suspension.steps for factor in step.usable}
        state.known_methods.extend(sorted(self.known | set(_fingerprints(event, awaited))))

    def shown(self, event: bytes) -> bytes:
        """Return an event to which the factors that its sender left out are added; a serialized PostLoginEvent."""
        if not self.at_ms:
            return event
        message = PostLoginEvent.FromString(event)
        methods = message.authentication.methods
        for name, at_ms in self.at_ms.items():
            if not any(_fingerprint(method) not in self.known for method in _methods(message, {name})):
                instant = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
                methods.add(name=_MFA, type=name, timestamp=instant.replace("+00:00", "Z"))
        user = message.user
        for name in [name for name in self.at_ms if name in self.enrolled]:
            if not is_enrolled(name, tuple([factor.type for factor in user.enrolled_factors])):
                user.enrolled_factors.add(type=name)
        if user.enrolled_factors and _ENROLLED_PATH in message.empty_lists:
            message.empty_lists.remove(_ENROLLED_PATH)
        data: bytes = message.SerializeToString()
        return data


def read(state: SuspendedFlow) -> Completed:
    """Read what earlier legs completed. Raises: KeyError for what this version does not know."""
    at_ms = {TYPE_NAMES[number]: ms for number, ms in zip(state.completed, state.completed_at_ms, strict=True)}
    enrolled = frozenset([TYPE_NAMES[number] for number in state.enrolled])
    return Completed(at_ms, enrolled, frozenset(state.known_methods))


def _methods(event: PostLoginEvent, types: Iterable[str]) -> Iterable[AuthenticationMethod]:
    """List the session's second factors of these types; an event may name a phone by how its code travels."""
    for method in event.authentication.methods:
        if method.name == _MFA and any(is_enrolled(name, (_spelled(method.type),)) for name in types):
            yield method


def _spelled(name: str) -> str:
    return "push-notification" if name == "push" else name


def _fingerprints(event: PostLoginEvent, types: Iterable[str]) -> Iterable[int]:
    return [_fingerprint(method) for method in _methods(event, types)]


def _fingerprint(method: AuthenticationMethod) -> int:
    said = f"{method.type}\0{method.timestamp}".encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:8], "big")
