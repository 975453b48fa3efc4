"""Build the parts of the daemon, start and stop them in the one right order.

Start: operators' port, the pool with its zygote (exec'd before grpc is even imported), catalog, gRPC last. Stop: gRPC
first, which drains; the operators' port last, so that a probe and a scrape see the draining.
"""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from runtime import start_log
from runtime.callers import own_certificate
from runtime.callers.caller_files import CallerFiles
from runtime.callers.callers import Callers
from runtime.calls.calls import Calls
from runtime.catalog.opening import open_stores
from runtime.catalog.replicas import KeysInUse
from runtime.catalog.trial_counts import SharedTrials
from runtime.config.addresses import bound
from runtime.config.effective import Config
from runtime.config.listeners import credentials_required
from runtime.continuation import keys
from runtime.errors import Fault
from runtime.findings import Source
from runtime.key_files import KeyFiles
from runtime.login.execution_log import ExecutionLog
from runtime.login.logins import Logins
from runtime.login.suspensions import Suspensions
from runtime.ops import file_limit
from runtime.ops.http import OperatorsPort
from runtime.ops.log import LoginLog, ProcessLog, task_failed
from runtime.ops.log_writer import LogWriter
from runtime.ops.metrics import Metrics
from runtime.ops.orphans import Orphans
from runtime.ops.own_port import OwnPort
from runtime.ops.shared import Operators, Shared
from runtime.presence import Presence
from runtime.probes import Probes
from runtime.reload import Read, Reload
from runtime.start_log import Listening
from runtime.workers.launch import Launched
from runtime.workers.pool import Pool
from runtime.workers.zygote import zygotes

if TYPE_CHECKING:  # it imports grpc, which must not be loaded before the zygote runs
    from runtime.admin.service import AdminService
    from runtime.doors.port import HttpPort
    from runtime.rpc.server import Server

_BEAT_S: Final = 0.5
# What the log may take of an exit that must not wait.
_LAST_LINES_S: Final = 0.2

OnStarted = Callable[[str, str, str], Awaitable[bool]]
"""Called with the gRPC, the metrics and the HTTP address (or nothing) once the daemon serves; it stops when the answer
is False."""


class Daemon:
    """One daemon in one event loop. Construct it inside the loop. Raises: ConfigError, of the keys of continuations."""

    def __init__(
        self,
        config: Config,
        version: str,
        log: ProcessLog,
        out: LogWriter,
        on_started: OnStarted | None = None,
        read_again: Read | None = None,
        ahead: Launched | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._config = config
        self._shared = shared
        self._version = version
        self._log = log
        self._out = out
        self._read_again = read_again
        self._loop = asyncio.get_running_loop()
        self._delay_s = 0.0
        self._stop = asyncio.Event()
        self._signals = 0
        self._metrics = Metrics(version)
        self._metrics.watch_log(lambda: out.lost)
        made = shared.keys if shared is not None else [keys.generate()]
        self._key_files = KeyFiles(config, os.environ, log, self._metrics, made)
        self._stores = open_stores(config, self._check_sources, self._catalog_changed, self._key_files.store_keys)
        self._catalog = self._stores.catalog
        self._pool = Pool(config, zygotes(config, ahead), self._metrics, log)
        self._probes = Probes(self._catalog, self._pool, allow_empty=config.catalog.allow_empty)
        self._caller_files = CallerFiles(config, log, self._metrics)
        self._callers = Callers(
            credentials_required(config), lambda: self._catalog.api_keys, self._caller_files.rules_now
        )
        self._suspensions = Suspensions(self._key_files.keyring, config.continuation.lifetime_s, self._stores.suspended)
        self._execution_log = ExecutionLog(config.log, self._stores.tenants, log)
        self._presence = Presence(self._stores.database, version, self._keys_in_use)
        self._orphans = Orphans()
        self._calls: Calls | None = None
        self._server: Server | None = None
        self._http: HttpPort | None = None
        self._on_started = on_started

    async def run(self) -> None:
        """Serve until a signal. Raises: StartError, WorkerStartError, CatalogUnavailable, before anything is served."""
        loop = self._loop
        loop.set_exception_handler(partial(task_failed, self._log))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        reload = self._reload_on_hangup()
        file_limit.raise_to_hard(self._config, self._log)
        async with AsyncExitStack() as parts:
            http = self._operators()
            http.start()
            parts.callback(http.close)
            beating = asyncio.create_task(self._beat(), name="heartbeat")
            parts.callback(beating.cancel)

            self._caller_files.start()
            parts.callback(self._caller_files.close)
            self._key_files.start(self._keys_changed)
            parts.callback(self._key_files.close)

            # Before the start: a pool that started halfway has a zygote to stop.
            parts.push_async_callback(self._pool.close)
            await self._pool.start()
            self._metrics.watch_workers(self._pool.counts)
            self._metrics.layers_active({layer.name: layer.active for layer in self._pool.layers})

            parts.callback(self._stores.close)
            await self._catalog.start()
            parts.push_async_callback(self._catalog.close)
            parts.push_async_callback(self._presence.close)
            noting = asyncio.create_task(self._presence.run(), name="presence")
            parts.callback(noting.cancel)
            parts.push_async_callback(self._execution_log.close)
            keeping = asyncio.create_task(self._execution_log.run(), name="executions")
            parts.callback(keeping.cancel)
            sampled = LoginLog(self._log, self._config.log.sample)
            logins = Logins(
                self._catalog,
                self._pool,
                self._metrics,
                self._config,
                self._log,
                sampled,
                self._suspensions,
                self._shared_trials(parts),
                self._execution_log if self._execution_log.on else None,
                self._stores.database,
            )
            parts.push_async_callback(logins.close)
            self._calls = calls = Calls(logins, self._config, self._metrics, self._log)
            from runtime.admin.service import AdminService  # when a worker can already start

            admin = AdminService(self._stores.tenants, calls, self._log, self._catalog.poll_now)
            parts.callback(admin.close)
            server, own_port = await self._start_server(calls, admin)
            self._server = server
            self._probes.serving(server, own_port)
            self._http = doors = await self._start_http(calls, admin)
            watching = asyncio.create_task(own_port.watch(), name="own port")
            parts.callback(watching.cancel)
            http_listen = bound(self._config.http_listen, doors.port) if doors is not None else ""
            self._started(Listening(server.port, http.port, http_listen))
            if reload is not None:
                # Not before: signals of the start are handled now.
                reloading = asyncio.create_task(reload.run(), name="reload")
                parts.callback(reloading.cancel)
                if self._shared is not None:
                    self._shared.attach(self._end, reload.ask)
            try:
                if self._on_started is not None:
                    listen = bound(self._config.listen, server.port)
                    metrics = bound(self._config.metrics_listen, http.port)
                    await self._show(self._on_started(listen, metrics, http_listen))
                await self._stop.wait()
            finally:
                # A port that takes no more calls is no fault from here on.
                watching.cancel()
                await self._drain(server, doors)
        self._log.info("daemon.stopped")

    def _shared_trials(self, parts: AsyncExitStack) -> SharedTrials | None:
        """Return what daemons share about trials; None for a directory, which has no trials."""
        if self._stores.tenants is None:
            return None
        found = SharedTrials(self._stores.tenants, self._catalog.poll_now, time.time)
        parts.callback(found.close)
        return found

    def _operators(self) -> Operators:
        """Return who answers for metrics and probes: the operators' port, or the supervisor's, which asks this."""
        registry, address, tls = (
            self._metrics.registry,
            self._config.metrics_listen,
            self._caller_files.metrics_context(),
        )
        if self._shared is not None:
            return self._shared.operators(registry, live=self._probes.live, ready=self._probes.ready)
        return OperatorsPort(address, registry, self._log, live=self._probes.live, ready=self._probes.ready, tls=tls)

    async def _start_server(self, calls: Calls, admin: "AdminService") -> "tuple[Server, OwnPort]":
        """Serve gRPC, and call it once. Raises: StartError."""
        # Read as grpc is loaded, whose core would write lines of its own to stderr: no JSON, and as many as a client
        # likes to send headers that cannot be parsed.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # The poller that gRPC had before its event engine: a thread less between a connection and our loop, which saves
        # a tenth of the daemon's processor time. Versions of gRPC without either ignore the name.
        os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")
        # grpc starts threads, and a fork would miss them.
        from runtime.doors.dialects.checks import METHOD, SERVICE, EnvoyChecks
        from runtime.rpc.listener import Tls
        from runtime.rpc.server import Server

        files = self._caller_files.tls
        tls = Tls(lambda: files.value, own_certificate.make()) if files is not None else None
        checks = EnvoyChecks(calls, self._catalog.snapshot, self._metrics)
        others = {SERVICE: {METHOD: checks.check}}
        server = Server(
            calls, self._config, self._metrics, self._log,
            callers=self._callers, tls=tls, others=others, guarded={admin.name: admin.methods},
            guarded_streams={admin.name: admin.streams}, shared=self._shared,
        )  # fmt: skip
        server.able(not self._probes.undecidable())
        await server.start()
        own_port = OwnPort(server.call_ourselves, self._log)
        await own_port.check()
        return server, own_port

    async def _start_http(self, calls: Calls, admin: "AdminService") -> "HttpPort | None":
        """Serve HTTP if that is configured. Raises: StartError."""
        if not self._config.http_listen:
            return None
        from runtime.doors.build import http_port

        tls, snapshot = self._caller_files.http_context(), self._catalog.snapshot
        port = http_port(
            calls, self._config, self._metrics, self._log,
            snapshot=snapshot, callers=self._callers, tls=tls, admin=admin,
            shared=self._shared.http if self._shared else (),
        )  # fmt: skip
        await port.start()
        return port

    async def _show(self, showing: Awaitable[bool]) -> None:
        """Wait until a command has shown the daemon that serves; a signal ends that too."""
        shown, stopped = asyncio.ensure_future(showing), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((shown, stopped), return_when=asyncio.FIRST_COMPLETED)
            if shown.done() and not shown.result():
                self._stop.set()
        finally:
            shown.cancel()
            stopped.cancel()

    def _started(self, listening: Listening) -> None:
        # What is here now stays: the collector need not look at it again for every login.
        gc.collect()
        gc.freeze()
        gc.enable()
        # Or a scrape before the next beat would say that the catalog is not healthy.
        self._see_catalog()
        self._probes.started()
        snapshot = self._catalog.snapshot()
        start_log.warn_of_secrets(self._log, snapshot, sealed=self._catalog.sealed)
        if not self._config.continuation.keys_file and self._shared is None:
            # Not before: a start that is refused has one line to say.
            start_log.warn_of_made_key(self._log, self._suspensions.keys.sealing_id)
        if self._shared is None or self._shared.number == 0:
            self._caller_files.warn(any_keys=bool(self._catalog.api_keys.by_id))
        start_log.started(
            self._log, self._config, self._version, listening, self._stores.setting, snapshot,
            self._caller_files, self._pool, credentials=self._callers.required,
        )  # fmt: skip

    def _reload_on_hangup(self) -> Reload | None:
        """Let SIGHUP reload, from now until the process ends: the loop's own handlers go before it does."""
        if self._read_again is None:
            return None
        reload = Reload(
            self._read_again, self._config, self._log, self._suspensions, self._look_now, self._key_files.moved
        )

        def hung_up(*_: object) -> None:
            # The loop is closed: nothing is left to reload.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(reload.ask)

        signal.signal(signal.SIGHUP, hung_up)
        return reload

    def _look_now(self) -> None:
        self._catalog.poll_now()
        self._caller_files.ask()
        self._key_files.ask()

    def _keys_changed(self) -> None:
        """Use keys that were read anew; called from the thread that read them."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._use_keys)

    def _use_keys(self) -> None:
        if not self._key_files.own:
            self._suspensions.use(self._key_files.keyring)
        self._catalog.poll_now()
        self._presence.ask()

    def _keys_in_use(self) -> KeysInUse:
        return self._key_files.in_use(self._suspensions.keys, self._suspensions.last_expiry_ms)

    async def _drain(self, server: "Server", http: "HttpPort | None") -> None:
        self._probes.draining()
        server.announce_end()
        if self._delay_s:
            # A caller that learns of endpoints by health or readiness still sends logins here until it has heard.
            self._log.info("daemon.ending", delay_s=self._delay_s)
            await asyncio.sleep(self._delay_s)
        in_flight = self._metrics.logins_in_flight
        self._log.info("daemon.draining", in_flight=in_flight, drain_s=self._config.drain_s)
        stopping = asyncio.ensure_future(http.stop(self._config.drain_s)) if http is not None else None
        given_up = await server.stop(self._config.drain_s)
        if stopping is not None:
            await stopping
        if self._calls is not None:
            self._calls.report(everything=True)
        if given_up:
            self._log.error("daemon.drain_cut", given_up=given_up, drain_s=self._config.drain_s)

    def _signalled(self, number: int) -> None:
        # A supervisor says that we end, and a service manager may send all of its processes a signal besides.
        if self._stop.is_set() and (self._signals or self._shared is None):
            # The second one: its sender does not want to wait. Workers die with us.
            self._out.close(_LAST_LINES_S)
            os._exit(128 + number)
        self._signals += 1
        # With SIGINT a person at the terminal waits for the end.
        self._end(self._config.drain.delay_s if number == signal.SIGTERM else 0.0)

    def _end(self, delay_s: float) -> None:
        """End soon; a delay that was said before stays."""
        if not self._stop.is_set():
            self._delay_s = delay_s
            self._stop.set()

    async def _beat(self) -> None:
        """Show that the loop turns, and do what is done about twice a second."""
        while True:
            self._probes.beat()
            if self._shared is not None:
                self._shared.beat()
            self._see_catalog()
            if self._calls is not None:
                self._calls.give_up_lost()
                self._calls.report()
            if self._http is not None:
                self._http.look_after_connections()
                self._metrics.http_connections(self._http.connections)
            self._log.report_suppressed()
            self._out.report_lost(self._log)
            self._orphans.look()
            await asyncio.sleep(_BEAT_S)

    def _see_catalog(self) -> None:
        catalog = self._catalog
        snapshot = catalog.snapshot()
        self._metrics.catalog_seen(
            snapshot.revision, catalog.healthy, catalog.last_success_s, len(snapshot.tenants), catalog.writable
        )
        self._metrics.store_sealed(catalog.sealed)
        if self._server is not None:
            self._server.able(not self._probes.undecidable())

    async def _check_sources(self, sources: Sequence[Source]) -> Sequence[Fault]:
        from runtime.offline.check import check_sources  # of a directory alone

        return await check_sources(sources, self._config, self._log)

    def _catalog_changed(self, event: str, fields: Mapping[str, Any], /) -> None:
        happened = event.partition(".")[2]
        level = {"failed": self._log.error, "stale": self._log.error, "off": self._log.warning}
        level.get(happened, self._log.info)(event, **fields)
        snapshot = self._catalog.snapshot()
        beside = {tenant: trial.definition.flow.digest for tenant, trial in snapshot.trials.items()}
        self._pool.flows_changed(snapshot.tenants, beside)
