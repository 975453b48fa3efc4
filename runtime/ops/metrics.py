"""Every metric of the daemon: names, labels, buckets, and recorders cheap enough for the hot path.

Knows: what is counted and what it is called. Must not know: gRPC objects, processes, tenants (`tenant_cpu` names
them).

A login makes about ten observations. `prometheus_client`'s own cost several microseconds each because they lock; here
one thread writes, so a list of integers and a bisection do. Labels come from enums; an unknown value counts as
`other`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runtime.core.model import Verdict
from runtime.ops.histogram import BUCKETS, Histogram, Series, counts_family, histogram_family, reasons_family
from runtime.ops.labels import (
    CONTINUATIONS,
    FRONTS,
    GRPC_CODES,
    GRPC_CONTINUE,
    GRPC_METHOD,
    GRPC_SERVICE,
    OUTCOMES,
    SUSPENSIONS,
    ExitReason,
    KillReason,
    ShedReason,
    WorkerState,
)
from runtime.ops.tenant_cpu import TenantCpu


class RpcCounts:
    """What is counted of one method."""

    __slots__ = ("codes", "durations", "started")

    def __init__(self) -> None:
        # Plain integer: the handler increments it.
        self.started = 0
        self.codes = dict.fromkeys(GRPC_CODES, 0)
        self.durations = Histogram()

    def handled(self, code: str, seconds: float) -> None:
        """Count one answered call by the name of its status code."""
        codes = self.codes
        codes[code if code in codes else "UNKNOWN"] += 1
        histogram = self.durations
        histogram.counts[bisect_left(BUCKETS, seconds)] += 1
        histogram.total += seconds


class Metrics:
    """All recorders, and the registry that exports them. Every series exists, at 0, from the start."""

    def __init__(self, version: str) -> None:
        # Plain integer: the handler increments, decrements and compares it with the concurrency cap.
        self.logins_in_flight = 0
        self._version = version
        self.rpc = {method: RpcCounts() for method in (GRPC_METHOD, GRPC_CONTINUE)}
        self._flows = {outcome: Histogram() for outcome in OUTCOMES}
        # Indexed by number: 0 is never recorded.
        self._executions = [Histogram() for _ in range(max(Verdict) + 1)]
        self._queue_wait = Histogram()
        self._spawn = Histogram()
        self._kills: dict[str, int] = {reason.value: 0 for reason in KillReason}
        self._exits: dict[str, int] = {reason.value: 0 for reason in ExitReason}
        self._sheds: dict[str, int] = {reason.value: 0 for reason in ShedReason}
        self._suspensions = dict.fromkeys(SUSPENSIONS, 0)
        self._continuations = dict.fromkeys(CONTINUATIONS, 0)
        self._rpc_front = ""
        self._rpc_restarts = 0
        self._retries = 0
        self._tenants_aside = 0
        self._memory_bytes = self._memory_ceiling_bytes = 0
        self._zygote_starts = 0
        self._degraded = 0
        self._workers: Callable[[], Mapping[str, int]] = dict
        self._log_lines_lost: Callable[[], int] = int
        self._layers: dict[str, bool] = {}
        self._catalog_revision = 0
        self._catalog_success_s = 0.0
        self._catalog_healthy = False
        self._catalog_tenants = 0
        self._catalog_writable = False
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Exporter(self))
        self.tenant_cpu = TenantCpu()
        self.registry.register(self.tenant_cpu)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

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
        histogram = self._flows[outcome]
        histogram.counts[bisect_left(BUCKETS, seconds)] += 1
        histogram.total += seconds
        if degraded:
            self._degraded += 1
        histogram = self._queue_wait
        histogram.counts[bisect_left(BUCKETS, waited_s)] += 1
        histogram.total += waited_s
        histograms = self._executions
        for verdict, us in zip(verdicts, step_us, strict=False):
            histogram = histograms[verdict]
            seconds = us / 1e6
            histogram.counts[bisect_left(BUCKETS, seconds)] += 1
            histogram.total += seconds

    def suspended(self, kind: str) -> None:
        """Count one login that waits for its user, by what for."""
        self._suspensions[kind] += 1

    def continuation(self, result: str) -> None:
        """Count one continuation that was sent, by what became of it: one of CONTINUATIONS."""
        _count(self._continuations, result)

    def worker_spawned(self, seconds: float) -> None:
        """Count the time from asking the zygote to the worker's report that it is locked down."""
        self._spawn.observe(seconds)

    def worker_killed(self, reason: str) -> None:
        """Count one kill by its KillReason; its exit is counted when it is reported."""
        _count(self._kills, reason)

    def worker_exited(self, reason: str) -> None:
        """Count one worker that is gone, by its ExitReason."""
        _count(self._exits, reason)

    def workers_memory(self, held_bytes: int, ceiling_bytes: int) -> None:
        """Note the private memory of all workers, and what they may hold together."""
        self._memory_bytes, self._memory_ceiling_bytes = held_bytes, ceiling_bytes

    def tenants_aside(self, count: int) -> None:
        """Note how many tenants are kept in the side lane."""
        self._tenants_aside = count

    def shed(self, reason: str) -> None:
        """Count one refusal for lack of capacity, by its ShedReason."""
        _count(self._sheds, reason)

    def flow_retried(self) -> None:
        """Count one flow that was run again because its worker died."""
        self._retries += 1

    def zygote_started(self) -> None:
        """Count one start of the zygote; more than one in a daemon's life means that it died."""
        self._zygote_starts += 1

    def rpc_front(self, name: str) -> None:
        """Note which of FRONTS takes in calls."""
        self._rpc_front = name

    def rpc_restarted(self) -> None:
        """Count one server of the stock front that a call has ended."""
        self._rpc_restarts += 1

    def watch_workers(self, census: Callable[[], Mapping[str, int]]) -> None:
        """Read worker counts by WorkerState from `census` at each scrape. It is called from the HTTP thread."""
        self._workers = census

    def watch_log(self, lost: Callable[[], int]) -> None:
        """Read at each scrape how many log lines were lost. It is called from the HTTP thread."""
        self._log_lines_lost = lost

    def layers_active(self, layers: Mapping[str, bool]) -> None:
        """Note which layers hold a worker on this host."""
        self._layers = dict(layers)

    def catalog_seen(
        self, revision: int, healthy: bool, last_success_s: float, tenants: int = 0, writable: bool = False
    ) -> None:
        """Note the catalog's state, and when its store was last read (seconds since the epoch)."""
        self._catalog_tenants = tenants
        self._catalog_writable = writable
        self._catalog_revision = revision
        self._catalog_healthy = healthy
        self._catalog_success_s = last_success_s


def _count(counts: dict[str, int], reason: str) -> None:
    counts[reason if reason in counts else "other"] += 1


class _Exporter(Collector):
    """Turns the recorders into metric families at scrape time."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Yield every family. Reads what the event loop writes: each number is whole, none is locked."""
        yield from self._rpc()
        yield from self._flows()
        yield from self._workers()
        yield from self._rest()

    def _rpc(self) -> Iterable[Metric]:
        m = self._metrics
        labels = ("grpc_service", "grpc_method", "grpc_type")
        methods = {(GRPC_SERVICE, method, "unary"): counts for method, counts in m.rpc.items()}
        started = CounterMetricFamily("grpc_server_started", "Calls that arrived, answered or not.", labels=labels)
        handled = CounterMetricFamily(
            "grpc_server_handled",
            "Calls answered, by gRPC status. Every decision is OK, a denial too.",
            labels=(*labels, "grpc_code"),
        )
        for values, counts in methods.items():
            started.add_metric(values, counts.started)
            for code, count in counts.codes.items():
                handled.add_metric((*values, code), count)
        yield started
        yield handled
        yield histogram_family(
            "grpc_server_handling_seconds",
            "Seconds from a call's arrival to its answer, whatever the status.",
            labels,
            {values: counts.durations for values, counts in methods.items()},
        )
        front = GaugeMetricFamily(
            "vestibule_rpc_front",
            "1 for the front that takes in calls: fast, or stock if rpc.front says so or grpcio was not tested.",
            labels=("front",),
        )
        for name in FRONTS:
            front.add_metric((name,), float(name == m._rpc_front))
        yield front
        yield CounterMetricFamily(
            "vestibule_rpc_restarts",
            "Servers of the stock front that a call has ended and that were replaced, with all their connections.",
            m._rpc_restarts,
        )
        yield GaugeMetricFamily(
            "vestibule_logins_in_flight",
            "Logins being decided now, those that wait for a worker included.",
            m.logins_in_flight,
        )

    def _flows(self) -> Iterable[Metric]:
        m = self._metrics
        flows: Series = {(outcome,): histogram for outcome, histogram in m._flows.items()}
        yield histogram_family(
            "vestibule_flow_duration_seconds",
            "Seconds to a decision, the wait for a worker included.",
            ("outcome",),
            flows,
        )
        yield counts_family("vestibule_decisions", "Logins decided, by outcome.", "outcome", flows)
        runs: Series = {(verdict.name.lower(),): m._executions[verdict] for verdict in Verdict}
        yield histogram_family(
            "vestibule_execution_duration_seconds",
            "Seconds of one action, by how it ended. What was skipped counts as 0.",
            ("verdict",),
            runs,
        )
        yield counts_family(
            "vestibule_executions",
            "Executions of actions, by how they ended: the verdicts of runtime/README.md.",
            "verdict",
            runs,
        )
        yield CounterMetricFamily(
            "vestibule_decisions_degraded",
            "Decisions in which an action failed, so that its on_error took part.",
            m._degraded,
        )
        yield reasons_family(
            "vestibule_suspensions", "Logins suspended, by what their user is to do.", m._suspensions, "kind"
        )
        yield reasons_family(
            "vestibule_continuations",
            "Continuations sent, by result: continued, or why not.",
            m._continuations,
            "result",
        )
        yield CounterMetricFamily(
            "vestibule_flow_retries",
            "Flows run again because their worker died through no fault of the action.",
            m._retries,
        )
        waited: Series = {(): m._queue_wait}
        yield histogram_family(
            "vestibule_queue_wait_seconds", "Seconds a decided login waited for a worker.", (), waited
        )
        yield reasons_family(
            "vestibule_sheds",
            "Logins refused, by what was full: in_flight, a tenant's share of it, its queue, the pool; or draining.",
            m._sheds,
        )

    def _workers(self) -> Iterable[Metric]:
        m = self._metrics
        spawned: Series = {(): m._spawn}
        yield histogram_family(
            "vestibule_worker_spawn_duration_seconds",
            "Seconds from asking for a worker to its report that it is locked down.",
            (),
            spawned,
        )
        workers = GaugeMetricFamily(
            "vestibule_workers",
            "Workers now: starting, blank (ready, of no tenant yet), idle (of a tenant), busy.",
            labels=("state",),
        )
        census = m._workers()
        for state in WorkerState:
            workers.add_metric((state.value,), census.get(state.value, 0))
        yield workers
        yield GaugeMetricFamily(
            "vestibule_workers_memory_bytes",
            "Private memory of all workers, as the kernel counts it. Beyond the ceiling idle ones are evicted.",
            m._memory_bytes,
        )
        yield GaugeMetricFamily(
            "vestibule_workers_memory_ceiling_bytes",
            "What all workers may hold together: pool.memory_bytes.",
            m._memory_ceiling_bytes,
        )
        yield GaugeMetricFamily(
            "vestibule_tenants_aside",
            "Tenants kept to half of the processors now, for long executions beyond pool.long_run_share.",
            m._tenants_aside,
        )
        yield reasons_family(
            "vestibule_worker_exits",
            "Workers gone: killed by the daemon (see kills), by their filter, crashed, or died in another way.",
            m._exits,
        )
        yield reasons_family(
            "vestibule_worker_kills",
            "Workers killed by the daemon. Worth a look: deadline, violation, start; the others are routine.",
            m._kills,
        )
        yield CounterMetricFamily(
            "vestibule_zygote_starts",
            "Starts of the zygote, which forks the workers. More than 1 means that it died.",
            m._zygote_starts,
        )
        layers = GaugeMetricFamily(
            "vestibule_sandbox_layer_active",
            "1 for each sandbox layer that holds the workers on this host, 0 for each that does not.",
            labels=("layer",),
        )
        for layer, active in m._layers.items():
            layers.add_metric((layer,), float(active))
        yield layers

    def _rest(self) -> Iterable[Metric]:
        m = self._metrics
        yield GaugeMetricFamily(
            "vestibule_catalog_revision", "Revision of the catalog that logins are decided by.", m._catalog_revision
        )
        yield GaugeMetricFamily(
            "vestibule_catalog_last_success_timestamp_seconds",
            "When the store was last read without an error, in seconds since the epoch.",
            m._catalog_success_s,
        )
        yield GaugeMetricFamily(
            "vestibule_catalog_healthy",
            "1 if the store is the one that is followed and can be read; 0: the last good catalog keeps deciding.",
            float(m._catalog_healthy),
        )
        yield GaugeMetricFamily(
            "vestibule_catalog_tenants", "Tenants of the catalog that logins are decided by.", m._catalog_tenants
        )
        yield GaugeMetricFamily(
            "vestibule_catalog_writable",
            "1 if the store could be written; 0: no suspended login can be continued.",
            float(m._catalog_writable),
        )
        yield CounterMetricFamily(
            "vestibule_log_lines_dropped",
            "Log lines lost because their reader was too slow, or because they could not be written.",
            m._log_lines_lost(),
        )
        info = GaugeMetricFamily("vestibule_build_info", "1, labelled with the version that runs.", labels=("version",))
        info.add_metric((m._version,), 1)
        yield info
