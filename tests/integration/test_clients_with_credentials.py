"""The shipped clients against a daemon that asks for TLS, a certificate and a key; each beside what is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vestibule_client import AsyncClient, Client, Tls

from runtime.callers import key_text
from runtime.catalog import api_keys
from runtime.catalog.api_keys import ApiKey
from runtime.catalog.sqlite import SqliteDatabase
from tests import node_package
from tests.fixtures.certificates import issue
from tests.fixtures.daemons import served
from tests.fixtures.tenants import define
from tests.fixtures.waiting import until

SOURCE = "def on_execute_post_login(event, api):\n    api.access.deny('decided')\n"
EVENT = {"user": {"user_id": "auth0|1"}, "client": {"client_id": "portal"}}
REFUSED, DECIDED = "the login could not be decided", "decided"


@dataclass(frozen=True)
class Desk:
    """A daemon's address, the files of a gateway, and keys of two tenants."""

    target: str
    root: Path
    mine: str
    others: str


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    root = tmp_path_factory.mktemp("desk")
    authority = issue("authority", authority=True)
    authority.write(root, "authority")
    issue("server", by=authority).write(root, "server")
    issue("gateway", by=authority).write(root, "gateway")
    flags = (
        "--auth-mode", "required", "--tls-cert-file", str(root / "server.pem"),
        "--tls-key-file", str(root / "server.key"), "--tls-client-ca-file", str(root / "authority.pem"),
    )  # fmt: skip
    with served(root, *flags) as daemon:
        daemon.publish(define("acme", SOURCE), define("umbrella", SOURCE))
        keys = []
        for tenant in ("acme", "umbrella"):
            made, now = key_text.generate(), int(time.time())
            row = ApiKey(made.key_id, key_text.digest(made.secret), "", ("execute",), tenant, now, None)
            api_keys.add(SqliteDatabase(daemon.path), row)
            keys.append(str(made))
        found = Desk(daemon.target, root, *keys)
        until(lambda: waiting(found, found.mine) == DECIDED, "the key is known")
        yield found


def tls(desk: Desk) -> Tls:
    return Tls(ca=desk.root / "authority.pem", certificate=desk.root / "gateway.pem", key=desk.root / "gateway.key")


def waiting(desk: Desk, key: str | None) -> str:
    with Client(desk.target, tls=tls(desk), api_key=key) as client:
        return described(client.decide("acme", EVENT).step)


def awaiting(desk: Desk, key: str | None) -> str:
    async def asked() -> str:
        async with AsyncClient(desk.target, tls=tls(desk), api_key=key) as client:
            return described((await client.decide("acme", EVENT)).step)

    return asyncio.run(asked())


def described(step: Any) -> str:
    description: str = step.description
    return description


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    app = folder / "app"
    app.mkdir()
    node_package.unpack(node_package.pack(folder), app)
    return app


@pytest.mark.parametrize("ask", [waiting, awaiting])
def test_a_key_over_mutual_tls(ask: Callable[[Desk, str | None], str], desk: Desk) -> None:
    """The gateway's own key decides; no key, another tenant's and a wrong one refuse the login."""
    assert ask(desk, desk.mine) == DECIDED
    for wrong in (None, desk.others, str(key_text.generate())):
        assert ask(desk, wrong) == REFUSED


def test_a_key_over_mutual_tls_from_node(app: Path, desk: Desk) -> None:
    """The same with @vestibule/client, with the reason that the daemon gives."""
    files = {"ca": "authority.pem", "certificate": "gateway.pem", "key": "gateway.key"}
    options = {"tls": {name: str(desk.root / file) for name, file in files.items()}}
    calls = [["decide", "acme", EVENT], ["getTenant", "acme"]]
    found = {}
    for key in (desk.mine, desk.others, ""):
        said = {"target": desk.target, "options": options | ({"apiKey": key} if key else {}), "calls": calls}
        found[key] = node_package.drive(app, "ask", said)["found"]
    decided, tenant = found[desk.mine]
    assert (decided["step"]["description"], tenant.get("thrown")) == (DECIDED, None)
    assert found[desk.others][0]["error"]["reason"] == "TENANT_NOT_ALLOWED"
    assert (found[""][0]["step"]["description"], found[""][1]["thrown"]) == (REFUSED, "RequestRefused")
