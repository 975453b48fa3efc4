"""`vestibule healthcheck`: where it asks is where the settings of the daemon say."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cli.healthcheck import METRICS_LISTEN, listening
from runtime.config.settings import load
from runtime.errors import ConfigError

FILE = 'metrics_listen = "10.0.0.3:3"\n[tls]\nmetrics = true\ncert_file = "c"\nkey_file = "k"\n'


@pytest.mark.parametrize("file", [None, FILE])
@pytest.mark.parametrize(
    "env",
    [
        {},
        {"VESTIBULE_METRICS_LISTEN": "10.0.0.2:2"},
        {"VESTIBULE_TLS_METRICS": "FALSE"},
        {"VESTIBULE_TLS_METRICS": " true"},
    ],
)
@pytest.mark.parametrize("flag", [None, "10.0.0.1:1"])
def test_it_reads_the_settings_as_the_daemon_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str | None, env: dict[str, str], flag: str | None
) -> None:
    """Flag before environment before file before default, for the address and for its TLS."""
    given = env | {"VESTIBULE_TLS_CERT_FILE": "c", "VESTIBULE_TLS_KEY_FILE": "k"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "vestibule.toml"
    path.write_text(file or "")
    config = load(file=path, env=given, flags={"metrics_listen": flag}).config
    assert listening(flag, str(path)) == (config.metrics_listen, config.tls.metrics)


def test_its_default_is_the_settings_default() -> None:
    """It has a constant of its own, for the settings take too long to import."""
    assert load().config.metrics_listen == METRICS_LISTEN == listening(None, None)[0]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("0.0.0.0:9464", "127.0.0.1:9464"),
        (":9464", "127.0.0.1:9464"),
        ("[::]:9464", "[::1]:9464"),
        ("[::1]:9", "[::1]:9"),
    ],
)
def test_a_port_on_every_address_is_asked_on_loopback(written: str, asked: str) -> None:
    """`0.0.0.0` is where to listen, not whom to ask."""
    assert listening(written, None)[0] == asked


@pytest.mark.parametrize(
    ("flag", "file", "fault"),
    [
        ("nowhere", None, "metrics_listen: 'nowhere' is not an address to ask"),
        ("127.0.0.1:0", None, "write host:port"),
        (None, "listen", "is not TOML"),
        (None, "\xff", "is not UTF-8"),
    ],
)
def test_what_names_no_address_is_refused(tmp_path: Path, flag: str | None, file: str | None, fault: str) -> None:
    """Port 0 is an address to listen on; a file that the daemon would refuse is refused here."""
    path = tmp_path / "vestibule.toml"
    path.write_bytes((file or "").encode("latin-1"))
    with pytest.raises(ConfigError, match=fault):
        listening(flag, str(path))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory; give another path"):
        listening(None, str(tmp_path / "absent.toml"))
