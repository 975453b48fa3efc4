"""The answer to a login: its decision and the serialized response, ready to be filled in.

Knows decisions and their messages. Must not know how a decision came about, workers or gRPC. Most logins of a tenant
end like one before: what is the same for each is serialized once; ids, times, revision and output are filled in.
"""

from collections.abc import Sequence

from vestibule.v1 import decision_pb2 as pb

from runtime.core.aggregate import CACHE
from runtime.core.model import Decision, Verdict
from runtime.login import messages
from sandbox.contract import wire

Printed = tuple[tuple[str, bool], ...]
"""What each execution printed, and whether that was cut; empty when none printed."""


class Answer:
    """A decision and its message, ready to be filled in; the executions of the decision hold no output.

    `cache`: what they wrote to the trigger's cache. The message is an ExecutePostLoginResponse and a
    ContinuePostLoginResponse alike.
    """

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.verdicts = tuple([int(execution.verdict) for execution in decision.executions])
        self.cache = tuple(
            [
                command
                for execution in decision.executions
                for command in execution.commands
                if command.op in CACHE and execution.verdict is Verdict.COMPLETED and not execution.earlier
            ]
        )
        message = messages.encode(decision, "", 0, 0)
        # Each field stands once, in the order of the numbers: many readers take the last of two, where protobuf's own
        # merge them. What stands before the id is the same for every login, but for a continuation or an instant in it.
        self._tail = pb.Decision(
            wall_time=message.wall_time, contributions=message.contributions, executions=message.executions
        )
        self._basic = pb.Decision(wall_time=message.wall_time)
        for name in ("wall_time", "contributions", "executions"):
            message.ClearField(name)
        self._open = message if decision.suspension is not None or decision.status == "remembered" else None
        self._head = message.SerializeToString(deterministic=True)
        self._wall = [report.wall_time for report in self._tail.executions]
        self._cpu = [report.cpu_time for report in self._tail.executions]
        self._long = False

    def fill(
        self,
        request_id: str,
        decision_id: str,
        catalog_revision: int,
        wall_us: int,
        step_wall_us: Sequence[int],
        step_cpu_us: Sequence[int],
        printed: Printed = (),
        sealed: tuple[bytes, int] | None = None,
        remembered_until_ms: int = 0,
        basic: bool = False,
        tenant_version: int = 0,
    ) -> bytes:
        """Return the serialized ExecutePostLoginResponse of one login, as protobuf would write it.

        The ids are written by hand, and output into a copy: a message keeps every text that was ever set in it until it
        is gone itself, and these ones are filled in again for as long as the flow is served.

        Args:
            printed: by each execution.
            sealed: the continuation of a suspension, which is never remembered, and when it expires: milliseconds since
                the epoch.
            remembered_until_ms: when the remembered browser that satisfies the requirement is forgotten.
            basic: leave contributions and executions out.
            tenant_version: of the flow that decided; 0 for none.
        """
        head = self._head if self._open is None else self._opened(self._open, sealed, remembered_until_ms)
        tail = self._basic if basic else self._tail
        tail.catalog_revision = catalog_revision
        tail.tenant_version = tenant_version
        if basic:
            messages.set_duration(tail.wall_time, wall_us)
            return _response(head, decision_id, tail.SerializeToString(), request_id)
        longest_us = max((wall_us, *step_wall_us, *step_cpu_us))
        if longest_us < 1_000_000 and not self._long:
            # No whole second in it, and none left over from an earlier login.
            tail.wall_time.nanos = wall_us * 1000
            for duration, us in zip(self._wall, step_wall_us, strict=False):
                duration.nanos = us * 1000
            for duration, us in zip(self._cpu, step_cpu_us, strict=False):
                duration.nanos = us * 1000
        else:
            self._long = True
            messages.set_duration(tail.wall_time, wall_us)
            for duration, us in zip((*self._wall, *self._cpu), (*step_wall_us, *step_cpu_us), strict=False):
                messages.set_duration(duration, us)
        if printed:
            tail = pb.Decision()
            tail.CopyFrom(self._tail)
            for report, (text, cut) in zip(tail.executions, printed, strict=False):
                if text:
                    report.output, report.output_truncated = text, cut
        return _response(head, decision_id, tail.SerializeToString(), request_id)

    @staticmethod
    def _opened(head: pb.Decision, sealed: tuple[bytes, int] | None, remembered_until_ms: int) -> bytes:
        """Serialize a head that has something of one login in it."""
        if sealed is not None:
            head.suspension.continuation, expires_at_ms = sealed
            head.suspension.expires_at.FromMilliseconds(expires_at_ms)
        if remembered_until_ms:
            head.multifactor.memory.expires_at.FromMilliseconds(remembered_until_ms)
        return head.SerializeToString(deterministic=True)


def _response(head: bytes, decision_id: str, tail: bytes, request_id: str) -> bytes:
    decision, request = decision_id.encode(), request_id.encode()
    size = len(head) + len(decision) + len(tail) + 2
    if 0x80 <= size < 0x4000 and 0 < len(decision) < 0x80 and 0 < len(request) < 0x80:
        # The usual lengths, in one step.
        return b"\x0a%c%c%b\x4a%c%b%b\x12%c%b" % (
            size & 0x7F | 0x80, size >> 7, head, len(decision), decision, tail, len(request), request,
        )  # fmt: skip
    message = b"".join((head, _member(b"\x4a", decision) if decision else b"", tail))
    return _member(b"\x0a", message) + (_member(b"\x12", request) if request else b"")


def _member(tag: bytes, data: bytes) -> bytes:
    """Write a text or a message with its tag and length."""
    return b"".join((tag, wire.varint(len(data)), data))
