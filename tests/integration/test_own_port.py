"""A daemon is ready when a call through its own port is answered."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from runtime.calls.calls import Calls
from runtime.config.effective import Config
from runtime.ops.labels import GRPC_METHOD
from runtime.ops.log import build
from runtime.ops.metrics import Metrics
from runtime.ops.own_port import OwnPort
from runtime.rpc.own_call import own_call, target
from runtime.rpc.server import Server
from tests import other_grpc
from tests.fixtures.daemons import Serve
from tests.fixtures.waiting import until
from tests.integration.test_keepalive import NoFlows

LAUNCHER = other_grpc.__file__


@pytest.mark.parametrize("address", ["127.0.0.1:0", "0.0.0.0:0", "localhost:0", "[::1]:0", "[::]:0"])
async def test_our_own_port_is_called_wherever_it_listens(address: str) -> None:
    """A call gets through to a server on one address, a name, or all; no metric shows it."""
    config, metrics, log = replace(Config(), listen=address), Metrics("test"), io.StringIO()
    lines = build(config.log, log)
    server = Server(Calls(NoFlows(), config, metrics, lines), config, metrics, lines)
    await server.start()
    try:
        assert await own_call(target(address, server.port)) == ""
    finally:
        await server.stop(0)
    assert metrics.rpc[GRPC_METHOD].started == 0
    assert log.getvalue() == ""
    # The control: no server listens there any more.
    assert "UNAVAILABLE" in await own_call(target(address, server.port))


async def test_a_port_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that takes the connection and says nothing costs the time limit; no proxy of the environment is asked."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    taken: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        assert "ended with" in await own_call(target("127.0.0.1:0", port), timeout_s=0.2)
        assert taken
        for writer in taken:
            writer.close()
            await writer.wait_closed()


def answering(*reasons: str) -> Callable[[], Awaitable[str]]:
    """Return a call that fails for these reasons in turn."""
    left = list(reasons)

    async def call() -> str:
        return left.pop(0)

    return call


async def test_two_failures_in_a_row_are_a_reason() -> None:
    """One late answer is none; the second is, until the port answers again; each change has one line."""
    stream = io.StringIO()
    port = OwnPort(answering("late", "", "late", "gone", "gone", "", "late"), build(Config().log, stream))
    seen = []
    for _ in range(7):
        await port.check()
        seen.append(port.reason)
    assert seen == ["", "", "", "gone", "gone", "", ""]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("daemon.port_silent", "error"),
        ("daemon.port_answers", "info"),
    ]


def test_a_daemon_whose_port_fails_is_not_ready(serve: Serve) -> None:
    """Live, its zygote and store in order, and every call fails: /readyz says why."""
    daemon = serve(launcher=(LAUNCHER, "silent"))
    daemon.tolerated |= {"task.failed", "library.complained"}
    found = until(lambda: answer if (answer := daemon.get("/readyz"))[0] == 503 else None, "not ready")
    assert "a call through our own port ipv4:127.0.0.1:" in found[1]
    assert daemon.wait_for("daemon.port_silent")["level"] == "error"
    assert daemon.get("/livez")[0] == 200
