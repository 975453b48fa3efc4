"""What others need for the same three rules: Cerbos and workerd, out of npm into a folder of their own.

Knows their packages, their form of the rules, and what they must answer. Must not know what is compared.

What is compared is not the same: Cerbos evaluates CEL expressions inside one process, and workerd runs each tenant's
JavaScript in an isolate of one process, on one thread. Neither has a process and a kernel's limits for each tenant.
"""

from __future__ import annotations

import json
import platform
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.load.processes import BenchError, Server
from tests.node_package import environment, npm

CACHE: Final = Path(__file__).parents[2] / "build" / "peers"
_PACKAGES: Final = {"cerbos": "0.51.0", "workerd": "1.20261117.1"}
_FETCH_S: Final = 180.0
_START_S: Final = 20.0
_POLL_S: Final = 0.05
_CPU: Final = {"x86_64": ("x64", "64"), "aarch64": ("arm64", "arm64")}

POLICY: Final = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: login
  version: default
  rules:
    - name: verified
      actions: [login]
      effect: EFFECT_ALLOW
      roles: ["*"]
      condition: {match: {expr: P.attr.email_verified}}
    - name: no-mfa
      actions: [skip_mfa]
      effect: EFFECT_ALLOW
      roles: ["*"]
      condition: {match: {expr: '!(R.attr.client_id in ["admin-console", "payroll"] || P.attr.use_mfa)'}}
    - name: claims
      actions: [claim]
      effect: EFFECT_ALLOW
      roles: ["*"]
      condition: {match: {expr: 'has(P.attr.department) && R.attr.protocol != "oauth2-refresh-token"'}}
      output: {when: {ruleActivated: P.attr.department}}
"""
_CERBOS_CONFIG: Final = """\
server: {{httpListenAddr: "127.0.0.1:{http}", grpcListenAddr: "127.0.0.1:{grpc}"}}
storage: {{driver: disk, disk: {{directory: "{policies}", watchForChanges: false}}}}
telemetry: {{disabled: true}}
"""
BATCH: Final = 8
"""Logins in one call of Cerbos, where it is asked about several."""
_USER: Final = {
    "user_id": "auth0|5f7c8ec7c33c6c004bbafe82", "email": "ada@example.com", "email_verified": True,
    "name": "Ada Lovelace", "app_metadata": {"department": "engineering"}, "user_metadata": {"use_mfa": True},
}  # fmt: skip
_CHECK: Final[dict[str, Any]] = {
    "requestId": "bench",
    "principal": {
        "id": _USER["user_id"],
        "roles": ["user"],
        "attr": {"email": "ada@example.com", "email_verified": True, "use_mfa": True, "department": "engineering"},
    },
    "resources": [
        {
            "resource": {
                "kind": "login",
                "id": "login",
                "attr": {"client_id": "admin-console", "protocol": "oidc-basic-profile", "ip": "203.0.113.7"},
            },
            "actions": ["login", "skip_mfa", "claim"],
        }
    ],
}
EVENT: Final = {
    "user": _USER,
    "client": {"client_id": "admin-console", "name": "Admin console"},
    "connection": {"name": "Username-Password-Authentication", "strategy": "auth0"},
    "request": {"ip": "203.0.113.7", "method": "GET"},
    "transaction": {"protocol": "oidc-basic-profile", "requested_scopes": ["openid", "profile"]},
    "authentication": {"methods": [{"name": "pwd", "timestamp": "2026-11-24T08:00:00.123Z"}]},
    "stats": {"logins_count": 42},
}
"""The login of `subjects.event` as JSON."""
RULES: Final = """\
const SENSITIVE = new Set(["admin-console", "payroll"]);

function unverified(event, decision) {
  if (!event.user.email_verified) decision.denial = "Verify your email address first.";
}
function mfa(event, decision) {
  const metadata = event.user.user_metadata ?? {};
  if (SENSITIVE.has(event.client.client_id) || metadata.use_mfa) decision.outcome = "mfa_required";
}
function claims(event, decision) {
  const department = (event.user.app_metadata ?? {}).department;
  if (department && event.transaction.protocol !== "oauth2-refresh-token") {
    decision.claims["https://example.com/department"] = department;
  }
}
export default {
  async fetch(request) {
    const event = await request.json();
    const decision = { outcome: "allow", claims: {} };
    for (const action of [unverified, mfa, claims]) {
      action(event, decision);
      if (decision.denial) { decision.outcome = "deny"; break; }
    }
    return Response.json(decision);
  },
};
"""
_WORKERD_CONFIG: Final = """\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "rules.js", esModule = embed "rules.js")], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]
);
"""


def program(name: str, cache: Path = CACHE, *, fetch: bool = True) -> Path:
    """Return a peer's program, fetched where it is not there yet. Raises: BenchError, saying why there is none."""
    cpu = _CPU.get(platform.machine())
    if cpu is None or platform.system() != "Linux":
        raise BenchError(f"{name} has no package for {platform.system()} on {platform.machine()}")
    inside = {
        "cerbos": f"@cerbos/cerbos-linux-{cpu[0]}/cerbos-linux-{cpu[0]}",
        "workerd": f"@cloudflare/workerd-linux-{cpu[1]}/bin/workerd",
    }[name]
    # A folder for each version: a program that is there is the one that is asked for.
    folder = cache / f"{name}-{_PACKAGES[name]}"
    found = folder / "node_modules" / inside
    if not found.exists():
        if not fetch:
            raise BenchError(f"{name} is not in {cache}, and nothing is to be fetched")
        _fetch(f"{name}@{_PACKAGES[name]}", folder)
    if not found.exists():
        raise BenchError(f"{name} could not be had: its package holds no {inside}")
    return found


def _fetch(package: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *npm(), "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--no-save",
        "--fetch-retries", "1", package,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=_FETCH_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{package} could not be had: npm did not finish within {_FETCH_S:.0f} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        why = said[0].removeprefix("npm error").strip() if said else "it said nothing"
        raise BenchError(f"{package} could not be had: npm ended with exit code {done.returncode}, {why[:120]}")


class Peer(Server):
    """A peer that serves the three rules on loopback."""

    name: str
    request: bytes
    path = ""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        self._log = folder / f"{self.name}.log"
        with self._log.open("w") as log:
            super().__init__(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        self.target = f"127.0.0.1:{port}"
        try:
            self._await(port)
        except BaseException:
            self.stop()
            raise

    def _await(self, port: int) -> None:
        latest_s = time.monotonic() + _START_S
        while time.monotonic() < latest_s and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
            except OSError:
                time.sleep(_POLL_S)
            else:
                return
        lines = self._log.read_text().strip().splitlines()
        raise BenchError(f"{self.name} did not start: " + (lines[-1][:200] if lines else "it said nothing"))


class Cerbos(Peer):
    """Cerbos, asked by gRPC: the rules are CEL, and a request names three actions."""

    name = "Cerbos"
    path = "/cerbos.svc.v1.CerbosService/CheckResources"

    def __init__(self, folder: Path, *, fetch: bool = True) -> None:
        """Start it. Raises: BenchError."""
        binary = program("cerbos", fetch=fetch)
        policies = folder / "policies"
        policies.mkdir(exist_ok=True)
        (policies / "login.yaml").write_text(POLICY)
        http, port = free_port(), free_port()
        config = folder / "cerbos.yaml"
        config.write_text(_CERBOS_CONFIG.format(http=http, grpc=port, policies=policies))
        super().__init__([str(binary), "server", f"--config={config}", "--log-level=error"], folder, port)
        try:
            self.request, self.batch = self._ask()
        except BaseException:
            self.stop()
            raise

    def _ask(self) -> tuple[bytes, bytes]:
        """Make a request, and one of BATCH resources of the same user, and hold their answers to the rules.

        The messages are those that the server describes. A call names one principal, so that logins of several users
        cannot be asked about in one.
        """
        with grpc.insecure_channel(self.target) as channel:
            pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            asked, answered = (
                message_factory.GetMessageClass(pool.FindMessageTypeByName(f"cerbos.{name}"))
                for name in ("request.v1.CheckResourcesRequest", "response.v1.CheckResourcesResponse")
            )
            (one,) = _CHECK["resources"]
            batch = [one | {"resource": one["resource"] | {"id": f"login-{number}"}} for number in range(BATCH)]
            sent = [
                json_format.ParseDict(_CHECK | {"resources": resources}, asked()).SerializeToString()
                for resources in ([one], batch)
            ]
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(self.path)
            answers = [answered.FromString(call(data, timeout=10)) for data in sent]
        found = [json_format.MessageToDict(answer)["results"] for answer in answers]
        wanted = {
            "actions": {"login": "EFFECT_ALLOW", "skip_mfa": "EFFECT_DENY", "claim": "EFFECT_ALLOW"},
            "claims": ["engineering"],
        }
        told = [
            {"actions": result["actions"], "claims": [output["val"] for output in result["outputs"]]}
            for results in found
            for result in results
        ]
        _hold(self.name, told, [wanted] * (1 + BATCH))
        return sent[0], sent[1]


class Workerd(Peer):
    """workerd, asked by HTTP: the rules are JavaScript, and a request is the event as JSON."""

    name = "workerd"
    request = json.dumps(EVENT, separators=(",", ":")).encode()

    def __init__(self, folder: Path, *, fetch: bool = True) -> None:
        """Start it. Raises: BenchError."""
        binary = program("workerd", fetch=fetch)
        (folder / "rules.js").write_text(RULES)
        port = free_port()
        config = folder / "workerd.capnp"
        config.write_text(_WORKERD_CONFIG.format(port=port))
        super().__init__([str(binary), "serve", str(config)], folder, port)
        try:
            self._ask()
        except BaseException:
            self.stop()
            raise

    def _ask(self) -> None:
        sent = urllib.request.Request(f"http://{self.target}/", data=self.request)
        with urllib.request.urlopen(sent, timeout=10) as answer:
            found = json.load(answer)
        _hold(
            self.name, found, {"outcome": "mfa_required", "claims": {"https://example.com/department": "engineering"}}
        )


def _hold(name: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise BenchError(f"{name} answered {json.dumps(found)[:200]}, not {json.dumps(wanted)}")


def free_port() -> int:
    """Return a port of loopback that is free now: peers take no port 0, or do not tell which they got."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
