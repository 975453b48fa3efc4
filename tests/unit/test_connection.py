"""How a command reaches a daemon: what it takes from flags and the environment, and what it refuses."""

import argparse
from pathlib import Path

import pytest

from runtime.callers import key_text
from runtime.cli.connection import add_connection, credentials_of, target_of
from runtime.errors import ConfigError
from runtime.rpc.client import Credentials

KEY = str(key_text.generate())


def args(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_connection(parser)
    return parser.parse_args(words)


def credentials(*words: str) -> Credentials:
    given = args(*words)
    return credentials_of(given, target_of(given))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "api.key"
    path.touch(0o600)
    path.write_text(f"{KEY}\n")
    return path


@pytest.mark.parametrize(
    "target", ["127.0.0.1:1", "localhost:1", "[::1]:1", "h.example:50051", "unix:/run/v", "unix:/a b"]
)
def test_addresses_are_taken_as_they_are(target: str) -> None:
    """Host and port, or a socket by its absolute path."""
    assert target_of(args("--target", target)) == target


def test_a_key_is_sent_where_nobody_else_can_read_it(key_file: Path) -> None:
    """On this host and by TLS; to another host without TLS only by `--insecure`."""
    flags = ("--api-key-file", str(key_file))
    for target in ("127.0.0.1:1", "unix:/run/v"):
        assert credentials("--target", target, *flags).metadata() == (("authorization", f"Bearer {KEY}"),)
    with pytest.raises(ConfigError, match="would go to h:1 without TLS") as refused:
        credentials("--target", "h:1", *flags)
    assert KEY not in str(refused.value)
    assert credentials("--target", "h:1", "--tls", *flags).tls
    assert credentials("--target", "h:1", "--insecure", *flags).api_key == KEY
    assert KEY not in repr(credentials(*flags))


def test_a_key_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch, key_file: Path) -> None:
    """A file that is named counts before it; without either, none is sent."""
    assert credentials().metadata() == ()
    other = str(key_text.generate())
    monkeypatch.setenv("VESTIBULE_API_KEY", f" {other}\n")
    assert credentials().api_key == other
    assert credentials("--api-key-file", str(key_file)).api_key == KEY
    monkeypatch.setenv("VESTIBULE_API_KEY", "secret")
    with pytest.raises(ConfigError, match="environment VESTIBULE_API_KEY: holds no API key") as refused:
        credentials()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "\n", "vk_x", f"{KEY} {KEY}", "\xff"])
def test_a_file_without_a_key_is_refused(key_file: Path, text: str) -> None:
    """By its name, and without what it holds."""
    key_file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=str(key_file)):
        credentials("--api-key-file", str(key_file))


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660])
def test_a_key_file_that_others_can_use_is_refused(key_file: Path, mode: int) -> None:
    """With its mode and the remedy; the control is the same file for its owner only."""
    key_file.chmod(mode)
    with pytest.raises(ConfigError, match=f"has mode {mode:04o}.*chmod 06"):
        credentials("--api-key-file", str(key_file))
    key_file.chmod(0o600)
    assert credentials("--api-key-file", str(key_file)).api_key == KEY


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--target", "unix:/run/v", "--tls"), "a unix socket has no TLS"),
        (("--tls-cert", "c"), "and --tls-key belong together"),
        (("--tls", "--tls-key", "k"), "and --tls-key belong together"),
        (("--tls-cert", "c", "--tls-key", "k"), "needs TLS; give --tls-ca"),
        (("--tls-ca", "/no/such/file"), "/no/such/file: cannot be read"),
    ],
)
def test_flags_that_do_not_go_together_are_named(words: tuple[str, ...], fault: str) -> None:
    """Each fault says what to give."""
    with pytest.raises(ConfigError, match=fault):
        credentials(*words)
