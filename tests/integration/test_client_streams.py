"""The Python clients with `stream=True` against a real daemon: no login is lost by what ends a stream."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from vestibule.v1.decision_pb2 import OUTCOME_MFA_REQUIRED
from vestibule.v1.runtime_service_pb2 import VIEW_BASIC
from vestibule_client import AsyncClient, Client, NoAnswer, RequestRefused, Retries
from vestibule_client.requests import execute

from tests import node_package
from tests.fixtures.daemons import Daemon, Serve, served
from tests.fixtures.suspensions import CHALLENGE, OTP, event, event_data, suspended
from tests.fixtures.tenants import ADA, GATE, LOOP, define
from tests.fixtures.waiting import PATIENCE_S

# A stream lives for a second.
SHORT = (
    "--grpc-max-connection-age-grace-s", "8", "--sandbox-flow-timeout-ms", "1000", "--pool-queue-wait-ms", "1000",
    "--limits-tenant-share", "1",
)  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon whose streams end soon."""
    with served(tmp_path_factory.mktemp("daemon"), *SHORT) as daemon:
        daemon.publish(define("acme", GATE), define("waits", CHALLENGE), define("loops", LOOP, timeout_ms=1000))
        yield daemon


def decided(daemon: Daemon, transport: str) -> float:
    labels = {"grpc_method": "ExecutePostLogin", "transport": transport, "grpc_code": "OK"}
    return daemon.metric("grpc_server_handled_total", **labels)


def ended(daemon: Daemon) -> float:
    return daemon.metric("vestibule_streams_ended_total", grpc_code="UNAVAILABLE")


@pytest.mark.long
async def test_logins_outlive_their_streams(daemon: Daemon) -> None:
    """Many tasks share a stream; each that ends is replaced, and every login is decided."""
    before, streams, found = decided(daemon, "stream"), ended(daemon), Counter[Any]()
    async with AsyncClient(daemon.target, stream=True, deadline_s=60) as client:

        async def work() -> None:
            while ended(daemon) < streams + 1 or found.total() < 500:
                for _ in range(10):
                    found[(await client.decide("acme", ADA)).decision is not None] += 1

        await asyncio.gather(*[work() for _ in range(16)])
    assert set(found) == {True}
    assert decided(daemon, "stream") - before >= found[True]


def test_threads_share_a_stream(daemon: Daemon) -> None:
    """The same of threads."""
    before, streams, found = decided(daemon, "stream"), ended(daemon), Counter[Any]()
    lock = threading.Lock()
    with Client(daemon.target, stream=True, deadline_s=60) as client, ThreadPoolExecutor(8) as threads:

        def work(_: int) -> None:
            while ended(daemon) < streams + 1 or found.total() < 200:
                for _ in range(10):
                    got = client.decide("acme", ADA)
                    with lock:
                        found[got.decision is not None and got.decision.outcome] += 1

        list(threads.map(work, range(8)))
        assert client.get_tenant("acme").tenant_id == "acme"
    assert set(found) == {OUTCOME_MFA_REQUIRED}
    assert decided(daemon, "stream") - before >= found.total()


def request(tenant: str) -> Any:
    return execute(tenant, ADA, "", None, VIEW_BASIC)


def test_errors_and_continuations_are_those_of_a_call(daemon: Daemon) -> None:
    """A refused request, a login that takes too long, and one that is continued."""
    token = suspended(daemon, "waits")
    with Client(daemon.target, stream=True, retries=Retries(attempts=1)) as client:
        with pytest.raises(RequestRefused) as refused:
            client.execute_post_login(request("gone"))
        assert (refused.value.failure.reason, refused.value.failure.facts) == ("UNKNOWN_TENANT", {"tenant_id": "gone"})
        resumed = client.resume("waits", event("otp"), token, [OTP])
        assert resumed.decision is not None
        assert resumed.error is None
    with Client(daemon.target, stream=True, deadline_s=0.05, retries=Retries(attempts=1)) as client:
        with pytest.raises(NoAnswer) as late:
            client.execute_post_login(request("loops"))
        assert late.value.failure.status.name == "DEADLINE_EXCEEDED"


async def test_errors_of_the_asynchronous_client(daemon: Daemon) -> None:
    """The same, and a login whose task is cancelled is given up."""
    async with AsyncClient(daemon.target, stream=True, retries=Retries(attempts=1)) as client:
        with pytest.raises(RequestRefused) as refused:
            await client.execute_post_login(request("gone"))
        assert refused.value.failure.reason == "UNKNOWN_TENANT"
        asking = asyncio.create_task(client.execute_post_login(request("loops")))
        await asyncio.to_thread(daemon.wait_in_flight, 1)
        asking.cancel()
        await asyncio.to_thread(daemon.wait_in_flight, 0)
        assert (await client.decide("acme", ADA)).error is None
    with pytest.raises(NoAnswer):
        async with AsyncClient("127.0.0.1:1", stream=True, retries=Retries(attempts=2)) as client:
            await client.execute_post_login(request("acme"))


def test_a_daemon_that_drains_costs_no_login(serve: Serve) -> None:
    """What it has read is answered; the rest is asked elsewhere, or here again once there is a daemon."""
    daemon = serve("--limits-tenant-share", "1")
    daemon.publish(define("acme", GATE))
    with Client(daemon.target, stream=True, retries=Retries(attempts=1)) as client:
        assert client.decide("acme", ADA).error is None
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert client.decide("acme", ADA).error is not None


NODE = """
const { Client } = require("@vestibule/client");
const [target, seconds, suspended] = process.argv.slice(1);
const client = new Client(target, { stream: true, deadlineS: 60 });
const event = { user: { user_id: "auth0|1", email: "ada@example.com" }, client: { client_id: "app" } };
const found = {};
const count = (word) => { found[word] = (found[word] ?? 0) + 1; };
const ends = Date.now() + seconds * 1e3;
const work = async () => {
  while (Date.now() < ends) {
    const { step, error } = await client.decide("acme", event);
    count(error ? String(error) : step.kind);
  }
};
const main = async () => {
  await Promise.all(Array.from({ length: 16 }, work));
  const anyLogin = { user: { userId: "a" }, client: { clientId: "b" } };
  await client.executePostLogin({ tenantId: "gone", requestId: "", event: anyLogin })
    .catch((error) => { count(error.constructor.name); });
  const late = new Client(target, { stream: true, deadlineS: 0.05, log: () => undefined });
  count("late " + (await late.decide("loops", event)).error.failure.status);
  const token = Buffer.from(suspended, "hex");
  const again = await client.resume("waits", JSON.parse(process.env.EVENT), token, ["FACTOR_OTP"]);
  count("resumed " + (again.error ?? again.step.kind));
  const tenant = await client.getTenant("acme");
  count(tenant.tenantId);
  late.close();
  client.close();
  console.log(JSON.stringify(found));
};
main();
"""


def test_the_node_client_shares_a_stream(daemon: Daemon, tmp_path: Path) -> None:
    """Promises of a process share one; a stream that ends is replaced, errors and continuations are those of a call."""
    app = tmp_path / "app"
    app.mkdir()
    node_package.unpack(node_package.pack(tmp_path), app)
    before, streams, token = decided(daemon, "stream"), ended(daemon), suspended(daemon, "waits")
    done = subprocess.run(
        [node_package.node(), "-e", NODE, daemon.target, "3", token.hex()],
        cwd=app, env={"EVENT": json.dumps(event_data("otp"))}, capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    logins = found.pop("showFactors")
    assert found == {"RequestRefused": 1, "late DEADLINE_EXCEEDED": 1, "resumed issueTokens": 1, "acme": 1}
    assert decided(daemon, "stream") - before >= logins > 50
    assert ended(daemon) >= streams + 2
