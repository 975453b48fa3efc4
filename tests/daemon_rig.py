"""A real daemon for tests: `vestibule serve` as a process, gRPC calls, its log and metrics, its processes from outside.

Knows what an operator knows: flags, ports, log lines, /proc. Must not know the daemon's insides; only the store is
written by our own code, because nobody else writes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families
from vestibule.v1 import decision_pb2, event_pb2, runtime_service_pb2

from runtime.catalog import sqlite
from runtime.catalog import store as catalog_store
from runtime.catalog.base import Binding, Definition, Flow
from runtime.core.model import OnError, Policy, Settings
from tests import strict_reader
from tests.calls import unary

METHOD = "/vestibule.v1.ActionRuntimeService/ExecutePostLogin"
CONTINUE = "/vestibule.v1.ActionRuntimeService/ContinuePostLogin"
# How long anything may take on a machine that is busy with something else. Nothing waits this long when it works.
PATIENCE_S = 60.0

ALLOW = decision_pb2.OUTCOME_ALLOW
MFA = decision_pb2.OUTCOME_MFA_REQUIRED
DENY = decision_pb2.OUTCOME_DENY

GATE = """\
def on_execute_post_login(event, api):
    if event.user.email == "ada@example.com":
        api.multifactor.enable("any")
"""
SLOW = """\
def on_execute_post_login(event, api):
    total = 0
    for i in range(15_000_000):
        total += i
    if event.user.email == "ada@example.com":
        api.multifactor.enable("any")
"""
"""As GATE, and long enough to be hit while it runs."""
HOARD = """\
def on_execute_post_login(event, api):
    hoard = []
    while True:
        hoard.append("x" * 1_000_000)
"""
LOOP = """\
def on_execute_post_login(event, api):
    while True:
        pass
"""
CLIENT = event_pb2.Client(client_id="app")
ADA = event_pb2.PostLoginEvent(client=CLIENT, user=event_pb2.User(user_id="auth0|1", email="ada@example.com"))
BOB = event_pb2.PostLoginEvent(client=CLIENT, user=event_pb2.User(user_id="auth0|2", email="bob@example.com"))

# What the daemon must never have to say in a test that does not provoke it.
_OUR_FAULTS = frozenset({"task.failed", "library.complained", "login.lost", "http.failed", "daemon.drain_cut"})


TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Before a command: it is killed when the test's process has ended, however that was. Its zygote goes with it."""


def clean_environment() -> dict[str, str]:
    """Return our environment without settings of Vestibule."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}


def vestibule(
    *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*TIED, sys.executable, "-m", "runtime.cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=clean_environment() | dict(environment or {}),
        check=False,
    )


def quiet_port() -> int:
    """Return a port for a daemon whose log cannot say which one it got.

    It is below those that the kernel gives to connections, so that none of them takes it before the daemon does.
    """
    while True:
        port = random.randrange(15_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def until(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S, every_s: float = 0.02) -> Any:
    """Wait until a condition is truthy, and return what it gave."""
    give_up_s = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < give_up_s, f"{what}: not within {timeout_s} s"
        time.sleep(every_s)


def tenant(
    name: str,
    *sources: str,
    policy: Policy = Policy.NEVER,
    on_error: OnError = OnError.REQUIRE_MFA,
    timeout_ms: int | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Definition:
    """Define a tenant whose actions are called a0, a1, ..., each with the same secrets."""
    bindings, texts = [], {}
    for at, source in enumerate(sources):
        sha = hashlib.sha256(source.encode()).hexdigest()
        texts[sha] = source
        bindings.append(Binding(f"a{at}", sha, on_error, timeout_ms * 1000 if timeout_ms else None))
    by_action = {binding.action: dict(secrets) for binding in bindings} if secrets else {}
    return Definition(Flow(name, Settings(policy=policy, factors=("otp",)), tuple(bindings), by_action), texts)


def write_directory(root: Path, name: str, *sources: str | bytes) -> Path:
    """Write a tenant as its author does, and return the directory to apply."""
    actions = root / "tenants" / name / "actions"
    actions.mkdir(parents=True, exist_ok=True)
    steps = "".join(f"    - action: a{at}\n" for at in range(len(sources)))
    text = f"tenant: {name}\nmfa: {{policy: never, factors: [otp]}}\nflows:\n  post_login:\n{steps}"
    (actions.parent / "tenant.yaml").write_text(text)
    for at, source in enumerate(sources):
        (actions / f"a{at}.py").write_bytes(source.encode() if isinstance(source, str) else source)
    return root / "tenants"


class Refused(Exception):
    """No decision: the status, with its details by type."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: str = error.code().name
        self.message: str = error.details() or ""
        metadata: Any = error.trailing_metadata() or ()
        for key, value in metadata:
            if key == "grpc-status-details-bin":
                strict_reader.read(value, status_pb2.Status)
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an error is its call
        self.details: dict[str, Any] = {}
        for packed in status.details if status is not None else ():
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
                detail: Message = kind()
                if packed.Unpack(detail):
                    self.details[kind.__name__] = detail
        super().__init__(f"{self.code}: {self.message}")

    @property
    def reason(self) -> str:
        """The reason of its ErrorInfo."""
        reason: str = self.details["ErrorInfo"].reason
        return reason


class Process:
    """One process of /proc, told from a later one with the same number."""

    def ticks(self) -> int:
        """Return the processor time it has used, in clock ticks; 0 when it is gone."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return int(fields[11]) + int(fields[12])

    def __init__(self, pid: int, parent: int, session: int, born: int, state: str) -> None:
        self.pid, self.parent, self.session, self.born, self.state = pid, parent, session, born, state

    @classmethod
    def read(cls, pid: int) -> Process | None:
        """Read one; None when it is gone, or dead and only not reaped yet."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0])

    @property
    def alive(self) -> bool:
        """Is it still there?"""
        now = Process.read(self.pid)
        return now is not None and now.born == self.born

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Send a signal; False when it was gone."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def _processes() -> list[Process]:
    found = (Process.read(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process is not None]


def _children(pid: int) -> list[Process]:
    try:
        numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [process for process in map(Process.read, map(int, numbers)) if process is not None]


class Daemon:
    """A served daemon on ports of its own, with its own store unless one is given."""

    def __init__(
        self,
        root: Path,
        *flags: str,
        store: Path | None = None,
        launcher: Sequence[str] = (),
        blank: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.path = store or root / "flows.db"
        if store is None and not self.path.exists():
            # A daemon never makes a store. Most tests begin with an empty one and apply to it.
            catalog_store.prepare(self.path, 10.0)
        command = [
            *TIED,
            sys.executable,
            *launcher,
            "-m",
            "runtime.cli",
            "serve",
            "--store",
            f"sqlite:{self.path}",
        ]
        command += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--log-format", "json"]
        # Before the flags of a test, which may say otherwise.
        command += ["--pool-blank-workers", str(blank), "--drain-delay-s", "0"]
        # A budget is processor time: a busy machine takes several times as long, and a drain is to see the end of it.
        command += ["--catalog-allow-empty", "true", "--drain-s", str(PATIENCE_S), *flags]
        self.lines: list[dict[str, Any]] = []
        self.stray: list[str] = []
        self.tolerated: set[str] = set()
        self._news = threading.Condition()
        self._ended = False
        self._sessions: set[int] = set()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment() | dict(environment or {}),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._channel: grpc.Channel | None = None
        try:
            started = self.wait_for("daemon.started")
            self.tree()
        except BaseException:
            self.end()
            raise
        self.target: str = started["listen"]
        self.http = f"http://{started['metrics_listen']}"
        self._channel = grpc.insecure_channel(self.target, options=[("grpc.enable_retries", 0)])

    # -- log -------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.stray.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, event: str, timeout_s: float = PATIENCE_S, after: int = 0, **fields: Any) -> dict[str, Any]:
        """Return the first line of an event, from line `after` on, with these fields. A daemon that dies ends it."""

        def found() -> dict[str, Any] | None:
            for line in self.lines[after:]:
                if line["event"] == event and fields.items() <= line.items():
                    return line
            return None

        with self._news:
            self._news.wait_for(lambda: self._ended or found() is not None, timeout_s)
            line = found()
        assert line is not None, f"no {event} {fields} among {self.lines[after:]} {self.stray}"
        return line

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of an event so far."""
        return [line for line in list(self.lines) if line["event"] == event]

    # -- tenants ---------------------------------------------------------------------------------------------------

    def publish(self, *tenants: Definition) -> int:
        """Put tenants into the store and wait until the daemon serves them; return the revision."""
        revision = sqlite.apply(self.path, tenants).revision
        self.wait_for("catalog.reloaded", revision=revision)
        return revision

    # -- calls -----------------------------------------------------------------------------------------------------

    def send(self, data: bytes, timeout_s: float | None = PATIENCE_S) -> grpc.Future[Any]:
        """Begin a call with these very bytes."""
        assert self._channel is not None
        method = unary(self._channel, METHOD, strict_reader.reader(runtime_service_pb2.ExecutePostLoginResponse))
        begun: grpc.Future[Any] = method.future(data, timeout=timeout_s)
        return begun

    def begin(
        self,
        name: str,
        event: event_pb2.PostLoginEvent = ADA,
        *,
        timeout_s: float | None = PATIENCE_S,
        request_id: str = "",
    ) -> grpc.Future[Any]:
        """Begin a login."""
        request = runtime_service_pb2.ExecutePostLoginRequest(tenant_id=name, request_id=request_id, event=event)
        return self.send(request.SerializeToString(), timeout_s)

    def call(self, name: str, event: event_pb2.PostLoginEvent = ADA, **kwargs: Any) -> decision_pb2.Decision:
        """Decide a login. Raises: Refused."""
        return result(self.begin(name, event, **kwargs))

    def begin_resuming(
        self,
        name: str,
        event: event_pb2.PostLoginEvent,
        continuation: bytes,
        completed: Iterable[decision_pb2.FactorType] = (),
        *,
        gateway: runtime_service_pb2.GatewayContext | None = None,
        timeout_s: float | None = PATIENCE_S,
    ) -> grpc.Future[Any]:
        """Begin to go on with a suspended login."""
        assert self._channel is not None
        request = runtime_service_pb2.ContinuePostLoginRequest(
            tenant_id=name, event=event, continuation=continuation, completed=completed, gateway=gateway
        )
        method = unary(self._channel, CONTINUE, strict_reader.reader(runtime_service_pb2.ContinuePostLoginResponse))
        begun: grpc.Future[Any] = method.future(request.SerializeToString(), timeout=timeout_s)
        return begun

    def resume(self, *args: Any, **kwargs: Any) -> decision_pb2.Decision:
        """Go on with a suspended login; arguments as `begin_resuming` has them. Raises: Refused."""
        return result(self.begin_resuming(*args, **kwargs))

    def get(self, path: str) -> tuple[int, str]:
        """Ask the operators' port."""
        try:
            with urllib.request.urlopen(self.http + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return one sample of /metrics."""
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        raise AssertionError(f"there is no {name} {labels}")

    def wait_in_flight(self, count: int) -> None:
        """Wait until exactly so many logins are being decided."""
        until(lambda: self.metric("vestibule_logins_in_flight") == count, f"{count} logins in flight")

    # -- processes -------------------------------------------------------------------------------------------------

    def tree(self) -> tuple[Process, list[Process]]:
        """Return the zygote and its workers, as seen from outside."""

        def find() -> tuple[Process, list[Process]] | None:
            for outer in _children(self.process.pid):
                # A zygote has a session of its own; an outer process that only holds its PID namespace has one child.
                if outer.session != outer.pid:
                    continue
                self._sessions.add(outer.session)
                try:
                    name = Path(f"/proc/{outer.pid}/comm").read_text().strip()
                except OSError:
                    continue
                if name == "vst-zygote":
                    return outer, _children(outer.pid)
                inner = _children(outer.pid)
                if name == "vst-zygote-init" and inner:
                    return inner[0], _children(inner[0].pid)
            return None

        found: tuple[Process, list[Process]] = until(find, "a zygote")
        return found

    def workers(self) -> list[Process]:
        """Return the worker processes."""
        workers = self.tree()[1]
        # Each is the leader of a session of its own.
        self._sessions.update(worker.session for worker in workers)
        return workers

    def running_worker(self, other: Process | None = None) -> Process:
        """Wait for the worker that runs tenant code now, and is not `other`.

        It is the one that uses the processor, and goes on using it: one that is being forked does so for a moment only.
        """
        first: dict[tuple[int, int], int] = {}

        def busy() -> Process | None:
            for worker in self.workers():
                key = worker.pid, worker.born
                used = worker.ticks()
                if used - first.setdefault(key, used) >= 3 and (other is None or worker.born != other.born):
                    return worker
            return None

        found: Process = until(busy, "a running worker", every_s=0.005)
        return found

    def family(self) -> list[Process]:
        """Return every process of this daemon's zygotes that was ever seen and that still lives."""
        return [process for process in _processes() if process.session in self._sessions]

    def descriptors(self) -> int:
        """Count the daemon's open descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # -- end -------------------------------------------------------------------------------------------------------

    def stop(self) -> int:
        """Send SIGTERM and return the exit code; the log is complete then."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code; the log is complete then."""
        code = self.process.wait(timeout=2 * PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)
        return code

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self._channel is not None:
            self._channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        # Shown by pytest beside a failure.
        for line in [line for line in self.lines if line["level"] in ("warning", "error")][-40:]:
            print(json.dumps(line))

    def check(self) -> None:
        """Hold the daemon to what is true after every test: no fault of ours in its log, no process left behind."""
        with contextlib.suppress(AssertionError):
            until(lambda: not self.family(), "no process left", 10.0)
        left = self.family()
        for process in left:
            process.kill()
        assert not left, f"processes left behind: {[process.pid for process in left]}"
        assert not self.stray, f"lines that are not JSON: {self.stray}"
        ours = [
            line
            for line in self.lines
            if line["event"] not in self.tolerated
            and (line["event"] in _OUR_FAULTS or (line["event"] == "login.failed" and "where" in line))
        ]
        assert not ours, f"faults of ours: {ours}"


Serve = Callable[..., Daemon]
"""Starts a daemon in a test's own directory; takes flags, and what `Daemon` takes."""


@contextlib.contextmanager
def served(root: Path, *flags: str, **options: Any) -> Iterator[Daemon]:
    """Run a daemon for a block, and hold it to what must be true when it has ended."""
    daemon = Daemon(root, *flags, **options)
    try:
        yield daemon
    finally:
        daemon.end()
    daemon.check()


def result(call: grpc.Future[Any]) -> decision_pb2.Decision:
    """Wait for a login that was begun. Raises: Refused."""
    try:
        response: runtime_service_pb2.ExecutePostLoginResponse = call.result()
    except grpc.RpcError as error:
        raise Refused(error) from None
    return response.decision


def settled(daemon: Daemon, blank: int = 1) -> None:
    """Wait until so many are blank and nobody is on the way: who compiled is replaced, which may take a blank one."""

    def quiet() -> bool:
        states = ("blank", "busy", "starting")
        return [daemon.metric("vestibule_workers", state=state) for state in states] == [blank, 0, 0]

    until(quiet, "blank workers, and nobody on the way")


def beyond_workers(daemon: Daemon, blank: int = 2) -> tuple[int, int]:
    """Wait until nothing is on its way, and count the daemon's descriptors beyond three for each worker, and its
    processes beyond them.

    Counted one after the other, these were true at one time only if they are the same a little later.
    """
    daemon.wait_in_flight(0)

    def count() -> tuple[tuple[int, ...], int, int] | None:
        states = ("blank", "idle", "busy", "starting")
        free, idle, *on_the_way = (int(daemon.metric("vestibule_workers", state=state)) for state in states)
        pids = tuple(sorted(worker.pid for worker in daemon.workers()))
        if free < blank or any(on_the_way) or len(pids) != free + idle:
            return None
        return pids, daemon.descriptors() - 3 * len(pids), len(daemon.family()) - len(pids)

    def still() -> tuple[int, int] | None:
        found = count()
        time.sleep(0.05)
        return found[1:] if found is not None and count() == found else None

    counted: tuple[int, int] = until(still, "nothing is on its way, and each process is a worker the daemon knows")
    return counted


def right_when_cold(daemon: Daemon, name: str) -> None:
    """As `right`, once a blank worker is there: a busy machine may make none within a short queue wait."""
    until(lambda: daemon.metric("vestibule_workers", state="blank") >= 1, "a blank worker")
    right(daemon, name)


def right(daemon: Daemon, name: str = "acme") -> None:
    """Hold a tenant's logins to be decided rightly, and not degraded."""
    for event, outcome in ((ADA, MFA), (BOB, ALLOW)):
        decision = daemon.call(name, event)
        assert (decision.outcome, decision.degraded) == (outcome, False), decision
