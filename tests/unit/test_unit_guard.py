"""The guard of this folder refuses what a unit test must not do. Control: what is let through works."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest


async def nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


def connect() -> None:
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("deed", "event"),
    [
        (lambda: subprocess.run([sys.executable, "-c", ""], check=False), "subprocess.Popen"),
        (os.fork, "os.fork"),
        (lambda: os.system("true"), "os.system"),
        (connect, "socket.connect"),
        (lambda: socket.create_server(("127.0.0.1", 0)), "socket.bind"),
        (lambda: time.sleep(0.001), "sleeps 0.001 s"),
        (lambda: asyncio.run(nap(0.001)), "sleeps 0.001 s in its loop"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_unit_test_must_not_do_is_refused(deed: Callable[[], object], event: str) -> None:
    """Processes, the network and sleeps end the test that wants them."""
    with pytest.raises(AssertionError, match=event):
        deed()


def test_control_what_is_let_through_works() -> None:
    """Two connected sockets in this process carry bytes; a sleep of nothing lets others run."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"
    time.sleep(0)
    asyncio.run(nap(0))
