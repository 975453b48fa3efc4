"""Load generators: h2load where it is installed, otherwise our own client; each a process of its own.

Knows command lines and what the programs print. Must not know what is measured with them.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from runtime.ops.labels import GRPC_METHOD, GRPC_SERVICE
from tests.load.processes import BenchError, Child, python

if TYPE_CHECKING:
    from collections.abc import Sequence

# A burst is sized to take seconds; one that takes this long has lost a call.
_LONGEST_S: Final = 90.0
# An uncompressed message in gRPC's framing: a flag, and the length.
_PREFIX: Final = struct.Struct(">BI")
_PATH: Final = f"/{GRPC_SERVICE}/{GRPC_METHOD}"


@dataclass(frozen=True, slots=True)
class Burst:
    """What one load came to."""

    count: int
    seconds: float
    latencies_us: tuple[float, ...] = ()
    answered_bytes: int | None = None
    """Bytes of all answers, framing included, where the generator tells."""

    @property
    def rate(self) -> float:
        """Return answers per second."""
        return self.count / self.seconds


class Generator(Protocol):
    """Sends one request over and over, as many at a time as wanted."""

    name: str

    def burst(
        self, target: str, request: bytes, *, count: int, in_flight: int, timed: bool = False, path: str = _PATH
    ) -> Burst:
        """Make `count` calls; with `timed`, note the time of each. Raises: BenchError unless each is answered."""

    def post(self, target: str, kind: str, request: bytes, *, count: int, in_flight: int, timed: bool = False) -> Burst:
        """As `burst`, by HTTP/1.1: one connection for each request in flight. `kind` is its content type."""


def generator(folder: Path, *, own: bool) -> Generator:
    """Return the best generator of this machine, or our own."""
    program = None if own else shutil.which("h2load")
    return H2load(program, folder) if program else OwnClient()


def streams(in_flight: int) -> tuple[int, int]:
    """Return connections and streams on each: a gateway has a few connections with several logins on each."""
    connections = max(1, min(4, in_flight // 4))
    return connections, max(1, in_flight // connections)


class H2load:
    """h2load of nghttp2: it is written in C, so it takes little from the two processors that it shares."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
        self.name = " ".join(version[:2]) or "h2load"

    def burst(
        self, target: str, request: bytes, *, count: int, in_flight: int, timed: bool = False, path: str = _PATH
    ) -> Burst:
        """See Generator. It counts HTTP answers, not gRPC's: the caller compares with the server's own count."""
        connections, each = streams(in_flight)
        flags = ["-c", str(connections), "-m", str(each), "-H", "content-type: application/grpc", "-H", "te: trailers"]
        return self._run(target, flags, _PREFIX.pack(0, len(request)) + request, count, timed, path)

    def post(self, target: str, kind: str, request: bytes, *, count: int, in_flight: int, timed: bool = False) -> Burst:
        """See Generator."""
        return self._run(
            target, ["--h1", "-c", str(in_flight), "-H", f"content-type: {kind}"], request, count, timed, _PATH
        )

    def _run(self, target: str, flags: list[str], sent: bytes, count: int, timed: bool, path: str) -> Burst:
        body = self._folder / "request.bin"
        body.write_bytes(sent)
        log = self._folder / "h2load.log"
        log.unlink(missing_ok=True)
        command = [
            self._program, "-n", str(count), "-t", "1", "-d", str(body), "-N", "30", *flags,
            *(["--log-file", str(log)] if timed else []),
            f"http://{target}{path}",
        ]  # fmt: skip
        with Child(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            try:
                text, _ = child.process.communicate(timeout=_LONGEST_S)
            except subprocess.TimeoutExpired:
                raise BenchError(f"h2load did not finish within {_LONGEST_S:.0f} s") from None
        burst = parse_summary(text)
        if burst.count != count:
            raise BenchError(f"h2load had {burst.count} of {count} calls answered")
        if not timed:
            return burst
        return Burst(burst.count, burst.seconds, parse_log(log.read_text()), burst.answered_bytes)


_RATE: Final = re.compile(r"finished in [\d.]+\w+, ([\d.]+) req/s")
_DONE: Final = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_DATA: Final = re.compile(r"\((\d+)\) data")


def parse_summary(text: str) -> Burst:
    """Read what h2load prints at its end. Raises: BenchError."""
    rate, done, data = _RATE.search(text), _DONE.search(text), _DATA.search(text)
    if rate is None or done is None or data is None or float(rate[1]) == 0:
        lines = text.strip().splitlines()
        raise BenchError("h2load made no measurement: " + (lines[-1][:200] if lines else "it said nothing"))
    succeeded = int(done[1])
    # Its duration has two digits, its rate six.
    return Burst(succeeded, succeeded / float(rate[1]), answered_bytes=int(data[1]))


def parse_log(text: str) -> tuple[float, ...]:
    """Read h2load's log: start, HTTP status and microseconds of each call. Raises: BenchError on a failed one."""
    latencies = []
    for line in text.splitlines():
        _, status, latency = line.split("\t")[:3]
        if status != "200":
            raise BenchError(f"h2load logged a call that ended with status {status}")
        latencies.append(float(latency))
    return tuple(latencies)


@dataclass(frozen=True, slots=True)
class Answers:
    """What our own client saw."""

    seconds: float
    latencies_us: tuple[float, ...]
    codes: dict[str, int]
    outcomes: dict[str, int]
    verdicts: dict[str, int]
    wrong: int
    starts_s: tuple[float, ...] = ()
    indexes: tuple[int, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    unsent: int = 0


class Call:
    """A run of our own client, from its start to its report."""

    def __init__(self, target: str, requests: Sequence[bytes], *, count: int, **plan: Any) -> None:
        """Start it. The keywords are members of `tests.load.own_client.Plan`."""
        texts = [base64.b64encode(request).decode() for request in requests]
        # No call begins after the plan's time; the last ones have theirs to be answered.
        self._longest_s = max(_LONGEST_S, plan.get("longest_s", 0.0) + 40.0)
        self._plan = json.dumps({"target": target, "requests": texts, "count": count, **plan})
        self._child = Child(
            python("tests.load.own_client"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._child.process.stdin is not None
        try:
            self._child.process.stdin.write(self._plan)
            self._child.process.stdin.close()
            self._child.process.stdin = None
        except BaseException:
            self._child.stop()
            raise

    @property
    def pid(self) -> int:
        """Return the process that sends."""
        return self._child.pid

    def report(self) -> Answers:
        """Wait for its end. Raises: BenchError."""
        with self._child as child:
            try:
                text, _ = child.process.communicate(timeout=self._longest_s)
            except subprocess.TimeoutExpired:
                raise BenchError(f"our client did not finish within {self._longest_s:.0f} s") from None
            try:
                found = json.loads(text)
            except ValueError:
                raise BenchError(f"our client ended with exit code {child.process.returncode}") from None
        for name in ("latencies_us", "starts_s", "indexes"):
            found[name] = tuple(found[name])
        return Answers(**found)

    def stop(self) -> None:
        """End it early."""
        self._child.stop()


def call(target: str, requests: Sequence[bytes], *, count: int, **plan: Any) -> Answers:
    """Run our own client to its end; see Call."""
    return Call(target, requests, count=count, **plan).report()


def stream_burst(target: str, request: bytes, *, count: int, in_flight: int, a_message: int) -> Burst:
    """Send logins on one stream, so many a message. Raises: BenchError unless each is decided."""
    plan = {
        "target": target, "request": base64.b64encode(request).decode(), "count": count, "in_flight": in_flight,
        "a_message": a_message, "longest_s": _LONGEST_S,
    }  # fmt: skip
    done = subprocess.run(
        python("tests.load.own_stream_client"),
        input=json.dumps(plan), capture_output=True, text=True, timeout=2 * _LONGEST_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"our stream client failed: {done.stderr.strip().splitlines()[-1][:200]}")
    found = json.loads(done.stdout)
    if found["answers"] != {"decided": count}:
        raise BenchError(f"of {count} logins on a stream, these were answered: {found['answers']}")
    return Burst(count, found["seconds"], tuple(found["latencies_us"]))


class OwnClient:
    """Our own client: Python, so it takes more of the processors, from echo and daemon alike."""

    name = "the project's own client (grpc.aio); install h2load (nghttp2-client) for a lighter one"

    def burst(
        self, target: str, request: bytes, *, count: int, in_flight: int, timed: bool = False, path: str = _PATH
    ) -> Burst:
        """See Generator."""
        connections, _ = streams(in_flight)
        answers = call(
            target, [request], count=count, in_flight=in_flight, connections=connections, decisions=False,
            longest_s=_LONGEST_S, path=path,
        )  # fmt: skip
        if answers.codes != {"OK": count}:
            raise BenchError(f"of {count} calls, these were answered: {answers.codes}")
        return Burst(count, answers.seconds, answers.latencies_us if timed else ())

    def post(self, target: str, kind: str, request: bytes, *, count: int, in_flight: int, timed: bool = False) -> Burst:
        """See Generator."""
        plan = {
            "target": target, "path": _PATH, "content_type": kind,
            "body": request.decode("latin-1"), "count": count, "connections": in_flight,
        }  # fmt: skip
        done = subprocess.run(
            python("tests.load.own_http_client"),
            input=json.dumps(plan), capture_output=True, text=True, timeout=_LONGEST_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"our HTTP client failed: {done.stderr.strip().splitlines()[-1][:200]}")
        found = json.loads(done.stdout)
        return Burst(count, found["seconds"], tuple(found["latencies_us"]) if timed else ())
