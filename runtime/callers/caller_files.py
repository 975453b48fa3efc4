"""The files that say who a daemon is and who its callers are: TLS, and rules for certificates. Both are followed."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from runtime.callers import certificates, tls_files
from runtime.callers.certificates import Rules
from runtime.callers.tls_context import Clients, server_context
from runtime.callers.tls_files import Material
from runtime.config.effective import Config
from runtime.config.listeners import credentials_required, weaknesses
from runtime.ops import private_file
from runtime.ops.followed import Followed
from runtime.ops.log import Log

_MOST_BYTES = 1 << 20
_NO_RULES = Rules()


class CallerGauges(Protocol):
    """Where the state of the files is noted; see runtime/ops/metrics.py."""

    def caller_files_read(self, files: str, healthy: bool) -> None:
        """Note whether the newest attempt to read files succeeded."""

    def certificates_expire(self, server_s: float, client_ca_s: float) -> None:
        """Note when certificates end."""


class CallerFiles:
    """The files of one configuration. `tls` and `rules` are None where it names none. Raises: ConfigError."""

    def __init__(self, config: Config, log: Log, gauges: CallerGauges) -> None:
        self._config, self._log, self._gauges = config, log, gauges
        self.tls: Followed[Material] | None = None
        self.rules: Followed[Rules] | None = None
        if config.tls.cert_file:
            read = partial(tls_files.read, config.tls)
            self.tls = Followed("tls", tls_files.paths(config.tls), read, log, self._tls_read)
        if config.auth.certificates_file:
            path = Path(config.auth.certificates_file)
            self.rules = Followed("certificates", [path], partial(read_rules, path), log, self._rules_read)

    def rules_now(self) -> Rules:
        """Return the rules in effect."""
        return self.rules.value if self.rules is not None else _NO_RULES

    def http_context(self) -> ssl.SSLContext | None:
        """Return TLS for the HTTP port; None where it has none."""
        clients = Clients.OPTIONAL if self._config.tls.http_clients == "optional" else Clients.REQUIRED
        return self._context(clients, ("http/1.1",))

    def metrics_context(self) -> ssl.SSLContext | None:
        """Return TLS for the port of metrics; None where it has none. A scrape and a probe have no certificate."""
        return self._context(Clients.UNASKED) if self._config.tls.metrics else None

    def _context(self, clients: Clients, alpn: Sequence[str] = ()) -> ssl.SSLContext | None:
        tls = self.tls
        return None if tls is None else server_context(lambda: tls.value, clients=clients, alpn=alpn)

    def warn(self, *, any_keys: bool) -> None:
        """Say what lets the wrong callers in, and what keeps all of them out."""
        for setting, weakness in weaknesses(self._config):
            self._log.warning("daemon.insecure", setting=setting, problem=weakness, remedy="`insecure` allows this")
        if credentials_required(self._config) and not any_keys and self.rules is None:
            remedy = "every call is refused: make a key with `vestibule api-keys create`"
            self._log.warning("callers.none", remedy=remedy)

    def start(self) -> None:
        """Begin to follow."""
        for followed in (self.tls, self.rules):
            if followed is not None:
                followed.start()

    def ask(self) -> None:
        """Read all again soon."""
        for followed in (self.tls, self.rules):
            if followed is not None:
                followed.ask()

    def close(self) -> None:
        """Stop following."""
        for followed in (self.tls, self.rules):
            if followed is not None:
                followed.close()

    def _tls_read(self, material: Material | None) -> None:
        self._gauges.caller_files_read("tls", material is not None)
        if material is not None:
            self._gauges.certificates_expire(material.expires_at_s, material.client_ca_expires_at_s)

    def _rules_read(self, rules: Rules | None) -> None:
        self._gauges.caller_files_read("certificates", rules is not None)


def check(config: Config) -> None:
    """Read the files once. Raises: ConfigError."""
    if config.tls.cert_file:
        tls_files.read(config.tls)
    if config.auth.certificates_file:
        read_rules(Path(config.auth.certificates_file))


def read_rules(path: Path) -> Rules:
    """Read the rules for certificates. Raises: ConfigError."""
    label = f"auth.certificates_file {path}"
    data, status = private_file.read(path, label, _MOST_BYTES, "name a file of rules")
    faults = private_file.changeable(status)
    if faults:
        raise private_file.refusal(label, faults)
    return certificates.parse(data.decode(errors="replace"), label)
