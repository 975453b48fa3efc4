"""The entry of workers that an attacker is taken to own: where a source says so, each reply is as bad as one can be.

It is `sandbox.process.worker` but for the bytes that it sends. Must never be what a service runs: `lying_daemon`
starts it, for the benchmark alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Final, NoReturn

from vestibule.worker.v1 import worker_pb2

from sandbox.contract import wire
from sandbox.process import worker

MARK: Final = "# lies: "
_LENGTH: Final = struct.Struct(">I")
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


def serve(sock_fd: int, view: memoryview, ready: bytes) -> NoReturn:
    """Serve as a worker does, and lie about each login of a flow whose source says how."""
    honest_read, honest_write = worker._read, worker._write
    kind, nonce, lying = "", 0, False

    def read(fd: int) -> bytes:
        nonlocal kind, nonce, lying
        frame = honest_read(fd)
        _, found, rest = frame.partition(MARK.encode())
        if found:
            kind = rest.partition(b"\n")[0].decode()
        question = worker_pb2.RunFlow.FromString(frame)
        nonce, lying = question.nonce, not question.check_only
        return frame

    def write(fd: int, payload: bytes) -> None:
        if not lying or kind not in KINDS:
            honest_write(fd, payload)
            return
        reply = KINDS[kind](nonce)
        data = _LENGTH.pack(len(reply)) + reply
        while data:
            data = data[os.write(fd, data) :]

    worker._read, worker._write = read, write
    worker.serve(sock_fd, view, ready)
