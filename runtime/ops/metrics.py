"""Every metric of the daemon: its name, help and labels, as the recorder that the daemon calls.

Only `tenant_cpu` names one of its own, because it decides which tenants are labels. The values of all other labels come
from enumerations.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from runtime.core.model import Verdict
from runtime.ops.labels import (
    CALLER_FILES,
    CERTIFICATES,
    CONTINUATIONS,
    DOORS,
    FRONTS,
    GRPC_CODES,
    GRPC_CONTINUE,
    GRPC_METHOD,
    GRPC_SERVICE,
    GRPC_TENANT,
    HOOK_DIALECTS,
    HOOK_RESULTS,
    HTTP_STATUSES,
    KEY_FILES,
    OUTCOMES,
    REFUSED_CALLERS,
    REPORTED_CHANGES,
    SUSPENSIONS,
    TRANSPORTS,
    TRIAL_RESULTS,
    TRIAL_SIDES,
    ExitReason,
    KillReason,
    RenewalReason,
    ShedReason,
    WorkerState,
)
from runtime.ops.recorders import BUCKETS, Across, Counter, Durations, Gauge, Histogram, Recorder
from runtime.ops.tenant_cpu import TenantCpu

_METHODS: Final = (GRPC_METHOD, GRPC_CONTINUE, GRPC_TENANT)
_RPC: Final = {
    "grpc_service": (GRPC_SERVICE,),
    "grpc_method": _METHODS,
    "grpc_type": ("unary",),
    "transport": TRANSPORTS,
}


class RpcCounts:
    """What is counted of one method."""

    __slots__ = ("codes", "durations", "started")

    def __init__(self, durations: Histogram) -> None:
        # Plain integer: the handler increments it.
        self.started = 0
        self.codes = dict.fromkeys(GRPC_CODES, 0)
        self.durations = durations

    def handled(self, code: str, seconds: float) -> None:
        """Count one answered call by the name of its status code."""
        codes = self.codes
        codes[code if code in codes else "UNKNOWN"] += 1
        histogram = self.durations
        histogram.counts[bisect_left(BUCKETS, seconds)] += 1
        histogram.total += seconds


class Metrics(Collector):
    """All recorders, and the registry that exports them. `watch_...` are given what is read at each scrape."""

    def __init__(self, version: str) -> None:
        # Plain integer: the handler increments, decrements and compares it with the concurrency cap.
        self.logins_in_flight = 0
        self._started = Counter("grpc_server_started", "Calls that arrived, answered or not.", **_RPC)
        self._handled = Counter(
            "grpc_server_handled",
            "Calls answered, by gRPC status. Every decision is OK, a denial too.",
            **_RPC,
            grpc_code=GRPC_CODES,
        )
        self._handling = Durations(
            "grpc_server_handling_seconds", "Seconds from a call's arrival to its answer, whatever the status.", **_RPC
        )
        counts = {key: RpcCounts(durations) for key, durations in self._handling.by_key.items()}
        self.rpc = {method: counts[GRPC_SERVICE, method, "unary", "grpc"] for method in _METHODS}
        self.stream = {method: counts[GRPC_SERVICE, method, "unary", "stream"] for method in _METHODS}
        self.http = {method: counts[GRPC_SERVICE, method, "unary", "http"] for method in _METHODS}
        self._started.watch(lambda: {key: each.started for key, each in counts.items()})
        self._handled.watch(
            lambda: {(*key, code): count for key, each in counts.items() for code, count in each.codes.items()}
        )
        self.streams = Gauge(
            "vestibule_streams", "Streams of StreamPostLogin that are open now; limits.max_streams is their limit."
        )
        self.stream_ended = Counter(
            "vestibule_streams_ended",
            "Streams that ended, by gRPC status; logins have their own.",
            grpc_code=GRPC_CODES,
        )
        self.http_connections = Gauge(
            "vestibule_http_connections", "Connections of the HTTP port now; http.max_connections is their limit."
        )
        self.http_answered = Counter(
            "vestibule_http_requests",
            "Requests answered on the HTTP port, by what they were for and the HTTP status.",
            door=DOORS,
            status=HTTP_STATUSES,
        )
        self._front = Gauge(
            "vestibule_rpc_front",
            "1 for the front that takes in calls: fast, or stock if rpc.front says so or grpcio was not tested.",
            "max",
            front=FRONTS,
        )
        self.rpc_restarted = Counter(
            "vestibule_rpc_restarts",
            "Servers of the stock front that a call has ended and that were replaced, with all their connections.",
        )
        self._in_flight = Gauge(
            "vestibule_logins_in_flight", "Logins being decided now, those that wait for a worker included."
        )
        self._in_flight.watch(lambda: {(): self.logins_in_flight})
        self._flows = Durations(
            "vestibule_flow_duration_seconds",
            "Seconds to a decision, the wait for a worker included.",
            outcome=OUTCOMES,
        )
        self._decisions = Counter("vestibule_decisions", "Logins decided, by outcome.", outcome=OUTCOMES)
        self._decisions.watch(self._flows.numbers)
        verdicts = [verdict.name.lower() for verdict in Verdict]
        self._runs = Durations(
            "vestibule_execution_duration_seconds",
            "Seconds of one action, by how it ended. What was skipped counts as 0.",
            verdict=verdicts,
        )
        # What a login counts in, found by the outcome and by the number of the verdict; 0 is no verdict.
        self._by_outcome = {outcome: self._flows.by_key[outcome,] for outcome in OUTCOMES}
        self._by_verdict = [Histogram(), *self._runs.by_key.values()]
        self._executions = Counter(
            "vestibule_executions",
            "Executions of actions, by how they ended: the verdicts of runtime/README.md.",
            verdict=verdicts,
        )
        self._executions.watch(self._runs.numbers)
        self._degraded = Counter(
            "vestibule_decisions_degraded", "Decisions in which an action failed, so that its on_error took part."
        )
        self.suspended = Counter(
            "vestibule_suspensions", "Logins suspended, by what their user is to do.", kind=SUSPENSIONS
        )
        self.continuation = Counter(
            "vestibule_continuations", "Continuations sent, by result: continued, or why not.", result=CONTINUATIONS
        )
        self.joined = Counter(
            "vestibule_logins_joined",
            "Requests that came again while they were being decided, and waited for the same decision.",
        )
        self.flow_retried = Counter(
            "vestibule_flow_retries", "Flows run again because their worker died through no fault of the action."
        )
        self.gradual = Counter(
            "vestibule_gradual_logins",
            "Logins of tenants with a version on trial, by the version that decided and what it led to.",
            side=TRIAL_SIDES,
            result=TRIAL_RESULTS,
        )
        self.gradual_returned = Counter(
            "vestibule_gradual_returns", "Trials that this daemon ended, because a share of them left its band."
        )
        self.report_only = Counter(
            "vestibule_report_only",
            "Logins decided again by a version that is reported on only, by the outcome that it would change to; or "
            "none, degraded, undecided, and skipped for want of room.",
            change=REPORTED_CHANGES,
        )
        self._queue_wait = Durations("vestibule_queue_wait_seconds", "Seconds a decided login waited for a worker.")
        self._waits = self._queue_wait.by_key[()]
        self.shed = Counter(
            "vestibule_sheds",
            "Logins refused, by what was full: in_flight, a tenant's share of it, its queue, the pool; or draining.",
            reason=ShedReason,
        )
        self._hooks = Counter(
            "vestibule_hook_calls",
            "Calls of other products' hooks, by dialect and how they ended. Retries that got a kept reply count.",
            dialect=HOOK_DIALECTS,
            result=HOOK_RESULTS,
        )
        self.caller_refused = Counter(
            "vestibule_callers_refused",
            "Calls refused for who sent them, by what is wrong with the credentials.",
            reason=REFUSED_CALLERS,
        )
        self._caller_files = Gauge(
            "vestibule_caller_files_healthy",
            "1 if the files could be read when they last changed, or there are none; 0: the ones before are in effect.",
            "min",
            files=CALLER_FILES,
        )
        self._caller_files(dict.fromkeys(CALLER_FILES, 1))
        self._key_files = Gauge(
            "vestibule_key_files_healthy",
            "1 if the file of keys could be read when it last changed, or there is none; 0: those before are used.",
            "min",
            keys=KEY_FILES,
        )
        self._key_files(dict.fromkeys(KEY_FILES, 1))
        self._sealed = Gauge(
            "vestibule_store_sealed",
            "1 if the secrets of the store are sealed; 0: they are plain text.",
            "min",
        )
        self._certificates = Gauge(
            "vestibule_certificate_expiry_timestamp_seconds",
            "When the ports' certificate and the first authority of clients end, in seconds since the epoch; 0: none.",
            "earliest",
            certificate=CERTIFICATES,
        )
        self.worker_spawned = Durations(
            "vestibule_worker_spawn_duration_seconds",
            "Seconds from asking for a worker to its report that it is locked down.",
        )
        self._workers = Gauge(
            "vestibule_workers",
            "Workers now: starting, blank (ready, of no tenant yet), idle (of a tenant), busy.",
            state=WorkerState,
        )
        self._memory = Gauge(
            "vestibule_workers_memory_bytes",
            "Private memory of all workers, as the kernel counts it. Beyond the ceiling idle ones are evicted.",
        )
        self._memory_ceiling = Gauge(
            "vestibule_workers_memory_ceiling_bytes", "What all workers may hold together: pool.memory_bytes."
        )
        self.tenants_aside = Gauge(
            "vestibule_tenants_aside",
            "Tenants kept to half of the processors now, for long executions beyond pool.long_run_share.",
            "max",
        )
        self.worker_exited = Counter(
            "vestibule_worker_exits",
            "Workers gone: killed by the daemon (see kills), by their filter, crashed, or died in another way.",
            reason=ExitReason,
        )
        self.worker_killed = Counter(
            "vestibule_worker_kills",
            "Workers killed by the daemon. Worth a look: deadline, violation, start; the others are routine.",
            reason=KillReason,
        )
        self.zygote_started = Counter(
            "vestibule_zygote_starts",
            "Starts of the zygote, which forks the workers, renewals aside. More than 1 means that it died.",
        )
        self.zygote_renewed = Counter(
            "vestibule_zygote_renewals",
            "Zygotes replaced by a new one: for their age, or because workers crashed. The latter is worth a look.",
            reason=RenewalReason,
        )
        self.layers_active = Gauge(
            "vestibule_sandbox_layer_active",
            "1 for each sandbox layer that holds the workers on this host, 0 for each that does not.",
            "min",
            layer=(),
        )
        self._revision = Gauge(
            "vestibule_catalog_revision", "Revision of the catalog that logins are decided by.", "min"
        )
        self._success = Gauge(
            "vestibule_catalog_last_success_timestamp_seconds",
            "When the store was last read without an error, in seconds since the epoch.",
            "min",
        )
        self._healthy = Gauge(
            "vestibule_catalog_healthy",
            "1 if the store is the one that is followed and can be read; 0: the last good catalog keeps deciding.",
            "min",
        )
        self._tenants = Gauge("vestibule_catalog_tenants", "Tenants of the catalog that logins are decided by.", "min")
        self._writable = Gauge(
            "vestibule_catalog_writable",
            "1 if the store could be written; 0: no suspended login can be continued.",
            "min",
        )
        self._log_lines_dropped = Counter(
            "vestibule_log_lines_dropped",
            "Log lines lost because their reader was too slow, or because they could not be written.",
        )
        self._build_info = Gauge(
            "vestibule_build_info", "1, labelled with the version that runs.", "max", version=(version,)
        )
        self._build_info({version: 1})
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        self.tenant_cpu = TenantCpu()
        self.registry.register(self.tenant_cpu)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def across(self) -> dict[str, Across]:
        """Say for each gauge what one number is made of those of several processes."""
        return {gauge.name: gauge.across for gauge in vars(self).values() if isinstance(gauge, Gauge)}

    def collect(self) -> Iterable[Metric]:
        """Make every family, at a scrape, in the HTTP thread."""
        return [recorder.collect() for recorder in vars(self).values() if isinstance(recorder, Recorder)]

    def login_finished(
        self,
        outcome: str,
        seconds: float,
        degraded: bool,
        waited_s: float,
        verdicts: Sequence[int],
        step_us: Sequence[int],
    ) -> None:
        """Count one decided login: the whole, its wait for a worker, and each execution by its Verdict's number."""
        histogram = self._by_outcome[outcome]
        histogram.counts[bisect_left(BUCKETS, seconds)] += 1
        histogram.total += seconds
        if degraded:
            self._degraded()
        histogram = self._waits
        histogram.counts[bisect_left(BUCKETS, waited_s)] += 1
        histogram.total += waited_s
        histograms = self._by_verdict
        for verdict, us in zip(verdicts, step_us, strict=False):
            histogram = histograms[verdict]
            seconds = us / 1e6
            histogram.counts[bisect_left(BUCKETS, seconds)] += 1
            histogram.total += seconds

    def caller_files_read(self, files: str, healthy: bool) -> None:
        """Note whether the newest attempt to read files of CALLER_FILES succeeded."""
        self._caller_files({files: healthy})

    def keys_read(self, kind: str, healthy: bool) -> None:
        """Note whether the newest attempt to read a file of KEY_FILES succeeded."""
        self._key_files({kind: healthy})

    def store_sealed(self, sealed: bool) -> None:
        """Note whether the store's secrets are sealed."""
        self._sealed(sealed)

    def certificates_expire(self, server_s: float, client_ca_s: float) -> None:
        """Note when certificates end, in seconds since the epoch; 0 for none."""
        self._certificates({"server": server_s, "client_ca": client_ca_s})

    def hook_answered(self, dialect: str, result: str) -> None:
        """Count one call of a hook."""
        self._hooks(dialect, result)

    def rpc_front(self, name: str) -> None:
        """Note which of FRONTS takes in calls."""
        self._front({front: front == name for front in FRONTS})

    def workers_memory(self, held_bytes: int, ceiling_bytes: int) -> None:
        """Note the private memory of all workers, and what they may hold together."""
        self._memory(held_bytes)
        self._memory_ceiling(ceiling_bytes)

    def watch_workers(self, census: Callable[[], Mapping[str, int]]) -> None:
        """Read worker counts by WorkerState from `census`."""
        self._workers.watch(lambda: {(state,): count for state, count in census().items()})

    def watch_log(self, lost: Callable[[], int]) -> None:
        """Read how many log lines were lost."""
        self._log_lines_dropped.watch(lambda: {(): lost()})

    def catalog_seen(
        self, revision: int, healthy: bool, last_success_s: float, tenants: int = 0, writable: bool = False
    ) -> None:
        """Note the catalog's state, and when its store was last read (seconds since the epoch)."""
        self._revision(revision)
        self._healthy(healthy)
        self._success(last_success_s)
        self._tenants(tenants)
        self._writable(writable)
