"""The entry of workers that an attacker is taken to own: where a source says so, each reply is as bad as one can be.

It is `sandbox.process.worker` but for the bytes that it sends. Must never be what a service runs: `lying_daemon`
starts it, for the benchmark alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from vestibule.worker.v1 import worker_pb2

from sandbox.contract import wire
from sandbox.process import worker
from sandbox.process.channel import Channel
from sandbox.process.children import Children
from sandbox.process.syscalls import ANSWER_FD, QUESTION_FD

MARK: Final = "# lies: "
_DONE: Final = b"\x08\x01"
# A little less than `sandbox.reply_bytes`: beyond it nothing is read.
_ROOM: Final = 500_000

prepare = worker.prepare


def _member(tag: bytes, data: bytes) -> bytes:
    return tag + wire.varint(len(data)) + data


def _of_step(nonce: int, report: bytes) -> bytes:
    return wire.flow_reply(nonce, [1], [1], [wire.step(report)], False)


def _command(value: str) -> bytes:
    args = '{"name":"https://example.com/n","value":' + value + "}"
    return _member(b"\x12", _member(b"\x0a", b"id_token.set_custom_claim") + _member(b"\x12", args.encode()))


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "steps": lambda nonce: wire.flow_reply(nonce, [], [], [], False) + b"\x12\x00" * (_ROOM // 2),
    "commands": lambda nonce: _of_step(nonce, _DONE + b"\x12\x00" * (_ROOM // 2)),
    "fields": lambda nonce: _of_step(nonce, _DONE + _member(b"\x12", b"\x0a\x01x" * (_ROOM // 3))),
    "items": lambda nonce: _of_step(nonce, _DONE + _command("[" + "{}," * 30_000 + "{}]")),
    "digits": lambda nonce: _of_step(nonce, _DONE + _command("[" + ",".join(["9" * 4300] * 20) + "]")),
    # As much as one step may hold, and then one item too many: all of it is read before that is known.
    "budget": lambda nonce: _of_step(nonce, _DONE + _command("[" + ",".join(['{"k":0}'] * 500) + "]") * 2),
}
"""What each kind answers to the question with a nonce."""


class LyingChannel(Channel):
    """Lies about each login of a flow whose source says how."""

    def __init__(self) -> None:
        super().__init__(QUESTION_FD, ANSWER_FD)
        self._kind, self._nonce, self._lying = "", 0, False

    def read(self) -> bytes:
        """Read a question, and what to lie about."""
        frame = super().read()
        _, found, rest = frame.partition(MARK.encode())
        if found:
            self._kind = rest.partition(b"\n")[0].decode()
        question = worker_pb2.RunFlow.FromString(frame)
        self._nonce, self._lying = question.nonce, not question.check_only
        return frame

    def write(self, payload: bytes) -> None:
        """Send the lie, or the reply."""
        lie = KINDS.get(self._kind) if self._lying else None
        super().write(payload if lie is None else lie(self._nonce))


def serve(_channel: Channel, view: memoryview, ready: bytes, children: Children | None = None) -> NoReturn:
    """Serve as a worker does, but for the bytes that it sends."""
    worker.serve(LyingChannel(), view, ready, children)
