"""Who may reach the ports: what needs TLS, credentials or `insecure`, and what is refused with its remedy."""

import pytest

from runtime.config.addresses import is_local
from runtime.config.listeners import credentials_required, login_listeners, weaknesses
from runtime.config.settings import Config, load
from runtime.errors import ConfigError

TLS = {"tls.cert_file": "c", "tls.key_file": "k"}


def faults(**flags: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(flags={key.replace("__", "."): value for key, value in flags.items()})
    return str(refused.value)


def config(flags: dict[str, str]) -> Config:
    return load(flags=flags).config


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True), ("unix:/run/v", True),
        ("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False), ("vestibule.example:1", False),
        ("localhost.example.com:1", False), ("[fe80::1%eth0]:1", False), ("[::ffff:127.0.0.1]:1", True),
        ("[::ffff:10.0.0.1]:1", False),
    ],
)  # fmt: skip
def test_local_is_what_only_this_host_reaches(address: str, local: bool) -> None:
    """Loopback and sockets; whatever may be another address counts as one that others reach."""
    assert is_local(address) is local


@pytest.mark.parametrize("setting", ["listen", "http_listen"])
@pytest.mark.parametrize(
    "flags",
    [{}, {"auth.mode": "required"}, {**TLS, "auth.mode": "off"}, {"auth.mode": "off"}],
    ids=["plain", "plain with keys", "TLS for anyone", "plain for anyone"],
)
def test_a_port_that_others_reach_is_refused_unless_it_says_insecure(setting: str, flags: dict[str, str]) -> None:
    """The message names the setting, what is wrong and every remedy; the controls start: said so, or local."""
    with pytest.raises(ConfigError) as refused:
        config({setting: "0.0.0.0:1", **flags})
    text = str(refused.value)
    assert all(word in text for word in (setting, "other hosts can reach", "tls.cert_file", "unix:", "--insecure"))
    found = config({setting: "0.0.0.0:1", "insecure": "true", **flags})
    assert list(weaknesses(found))
    assert not list(weaknesses(config({setting: "127.0.0.1:1", **flags})))


def test_a_port_with_tls_and_credentials_is_not_insecure() -> None:
    """What others reach asks for credentials by itself, and then nothing is weak."""
    found = config({"listen": "0.0.0.0:1", **TLS})
    assert credentials_required(found)
    assert not list(weaknesses(found))
    assert [(port.setting, port.local, port.tls) for port in login_listeners(found)] == [("listen", False, True)]


@pytest.mark.parametrize(
    ("flags", "required"),
    [
        ({}, False),
        ({"listen": "unix:/run/v"}, False),
        ({"http_listen": "10.0.0.1:1", **TLS}, True),
        # Without TLS, by `insecure`, a port asks for keys all the same.
        ({"listen": "0.0.0.0:1", "insecure": "true"}, True),
        ({"listen": "0.0.0.0:1", "insecure": "true", "auth.mode": "off"}, False),
        ({"auth.mode": "required"}, True),
        ({"metrics_listen": "0.0.0.0:1"}, False),
    ],
)
def test_credentials_are_asked_for_where_others_reach_a_port(flags: dict[str, str], required: bool) -> None:
    """By `auto`: as soon as one port that decides logins is not local. The port of metrics decides none."""
    assert credentials_required(config(flags)) is required


def test_a_unix_socket_has_no_tls() -> None:
    """Its mode says who may connect; the other port keeps its TLS."""
    found = login_listeners(config({"listen": "unix:/run/v", "http_listen": "10.0.0.1:1", **TLS}))
    assert [(port.setting, port.tls) for port in found] == [("listen", False), ("http_listen", True)]


def test_settings_of_tls_that_do_not_go_together_are_named() -> None:
    """Each fault says which setting is missing."""
    assert "needs tls.key_file" in faults(tls__cert_file="c")
    assert "needs tls.cert_file" in faults(tls__key_file="k")
    assert "needs tls.cert_file" in faults(tls__client_ca_file="a")
    assert "needs tls.cert_file" in faults(tls__metrics="true")
    assert "needs tls.client_ca_file" in faults(auth__certificates_file="r")
    assert "keeps ourselves out" in faults(listen_mode="0066")


@pytest.mark.parametrize("path", ["v.sock", "", "/", "/run/", f"/run/{'v' * 96}"])
def test_a_socket_is_an_absolute_path_that_the_kernel_takes(path: str) -> None:
    """A relative, an empty, a too long path and a folder are refused in words; 100 bytes are the most."""
    assert "unix: and the absolute path" in faults(listen=f"unix:{path}")
    assert config({"listen": f"unix:/run/{'v' * 95}"})


@pytest.mark.parametrize("mode", ["660x", "8", "01777", "rw-rw----"])
def test_what_is_no_mode_is_refused(mode: str) -> None:
    """A mode is three octal digits, with or without a zero before them."""
    assert "octal digits" in faults(listen_mode=mode)
    assert config({"listen_mode": "660"}).listen_mode == "660"
