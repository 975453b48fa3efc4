"""The second factors that a login has completed so far, and how its event shows them to the actions that come later.

Knows the event's members for factors and what a continuation keeps of them. Must not know flows, keys or gRPC.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

from vestibule.continuation.v1.suspended_flow_pb2 import SuspendedFlow
from vestibule.v1.decision_pb2 import Factor
from vestibule.v1.event_pb2 import AuthenticationMethod, PostLoginEvent

from runtime.core.model import Suspension
from runtime.core.resolution import is_enrolled
from runtime.errors import FlowGone, InvalidRequest
from runtime.login.messages import FACTOR_TYPES

TYPE_NAMES: Final = {number: name for name, number in FACTOR_TYPES.items()}
# The name of the methods that are second factors.
_MFA: Final = "mfa"


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

    @classmethod
    def of(cls, state: SuspendedFlow, numbers: Sequence[int], now_ms: int) -> "Completed":
        """Return what earlier legs completed, and what the user has completed since.

        Args:
            state: the suspended flow.
            numbers: what satisfied each step, as the caller says; hostile.
            now_ms: milliseconds since the epoch, when the caller says so.

        Raises:
            InvalidRequest: a step that is waited for is not satisfied, and none is ever skipped.
            FlowGone: another version of Vestibule sealed what this one does not know.
        """
        awaited = [tuple(step.factors) for step in state.awaited]
        if not awaited and numbers:
            raise InvalidRequest("completed", "is for factors; this flow waits for a page: send none")
        if len(numbers) != len(awaited):
            raise InvalidRequest(
                "completed",
                f"has {len(numbers)}, and the flow waits for {len(awaited)}; send the factor that satisfied each step, "
                "in order, or refuse the login",
            )
        try:
            before = cls.read(state)
            wanted_names = [[TYPE_NAMES[number] for number in wanted] for wanted in awaited]
        except (KeyError, ValueError):
            raise FlowGone(state.tenant_id) from None
        at_ms, enrolled = dict(before.at_ms), set(before.enrolled)
        for at, (number, wanted) in enumerate(zip(numbers, wanted_names, strict=True)):
            name = TYPE_NAMES.get(number, "")
            if name not in wanted:
                offered = " or ".join([Factor.Name(FACTOR_TYPES[each]) for each in wanted])
                raise InvalidRequest(
                    f"completed[{at}]", f"{_said(number)} does not satisfy this step; it wants {offered}"
                )
            at_ms.setdefault(name, now_ms)
            if state.awaited[at].enroll:
                enrolled.add(name)
        return cls(at_ms, frozenset(enrolled), before.known)

    @classmethod
    def read(cls, state: SuspendedFlow) -> "Completed":
        """Read what earlier legs completed. Raises: KeyError, ValueError for what this version does not know."""
        at_ms = {TYPE_NAMES[number]: ms for number, ms in zip(state.completed, state.completed_at_ms, strict=True)}
        enrolled = frozenset([TYPE_NAMES[number] for number in state.enrolled])
        return cls(at_ms, enrolled, frozenset(state.known_methods))

    def write(self, state: SuspendedFlow, suspension: Suspension, event: PostLoginEvent) -> None:
        """Put into a continuation what the next leg will need, the factors that are waited for now included."""
        state.completed.extend([FACTOR_TYPES[name] for name in self.at_ms])
        state.completed_at_ms.extend(self.at_ms.values())
        state.enrolled.extend(sorted(FACTOR_TYPES[name] for name in self.enrolled))
        for step in suspension.steps:
            numbers = [FACTOR_TYPES[factor.type] for factor in step.usable]
            state.awaited.add(factors=numbers, enroll=step.kind == "enroll")
        awaited = {factor.type for step in suspension.steps for factor in step.usable}
        state.known_methods.extend(sorted(self.known | set(map(_fingerprint, _methods(event, awaited)))))

    def shown(self, event: bytes) -> bytes:
        """Return an event to which the factors that its sender left out are added; a serialized PostLoginEvent."""
        if not self.at_ms:
            return event
        message = PostLoginEvent.FromString(event)
        methods = message.authentication.methods
        for name, at_ms in self.at_ms.items():
            if not any(_fingerprint(method) not in self.known for method in _methods(message, {name})):
                methods.add(name=_MFA, type=name).timestamp.FromMilliseconds(at_ms)
        enrolled_factors = message.user.enrolled_factors.values
        for name in [name for name in self.at_ms if name in self.enrolled]:
            if not is_enrolled(name, tuple([factor.type for factor in enrolled_factors])):
                enrolled_factors.add(type=name)
        data: bytes = message.SerializeToString()
        return data


NONE_COMPLETED: Final = Completed()


def _said(number: int) -> str:
    return Factor.Name(cast("Any", number)) if number in Factor.values() else f"factor {number}"


def _methods(event: PostLoginEvent, types: Iterable[str]) -> Iterable[AuthenticationMethod]:
    """List the session's second factors of these types; an event may name a phone by how its code travels."""
    for method in event.authentication.methods:
        spelled = "push-notification" if method.type == "push" else method.type
        if method.name == _MFA and any(is_enrolled(name, (spelled,)) for name in types):
            yield method


def _fingerprint(method: AuthenticationMethod) -> int:
    said = f"{method.type}\0{method.timestamp.seconds}.{method.timestamp.nanos}".encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:8], "big")
