"""The files of TLS: what is read, what is refused and why, and how a change is followed."""

import contextlib
import io
import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.callers import tls_files
from runtime.callers.caller_files import read_rules
from runtime.callers.tls_context import Clients, server_context
from runtime.callers.tls_files import Material
from runtime.config.listeners import TlsConfig
from runtime.config.sections import LogConfig
from runtime.errors import ConfigError
from runtime.ops.followed import Followed
from runtime.ops.log import build
from tests.fixtures.certificates import issue


@pytest.fixture(scope="module")
def authority() -> Any:
    return issue("authority", authority=True)


class Folder:
    """A folder with the files of one daemon, and the settings that name them."""

    def __init__(self, path: Path, authority: Any) -> None:
        self.path = path
        self.certificate = issue("server", by=authority)
        self.certificate.write(path, "server")
        (path / "ca.pem").write_bytes(authority.pem)
        self.config = TlsConfig(str(path / "server.pem"), str(path / "server.key"), str(path / "ca.pem"))

    def faults(self) -> str:
        with pytest.raises(ConfigError) as refused:
            tls_files.read(self.config)
        return str(refused.value)


@pytest.fixture
def folder(tmp_path: Path, authority: Any) -> Folder:
    return Folder(tmp_path, authority)


def test_good_files_are_read(folder: Folder, authority: Any) -> None:
    """The certificate with its chain, key, authorities, name and ends; no repr shows the key."""
    (folder.path / "server.pem").write_bytes(folder.certificate.pem + authority.pem)
    found = tls_files.read(folder.config)
    assert found.chain == folder.certificate.pem + authority.pem
    assert (found.key, found.client_ca, found.name) == (folder.certificate.key, authority.pem, "localhost")
    assert found.expires_at_s == folder.certificate.certificate.not_valid_after_utc.timestamp()
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("server.pem", b"", "holds no certificate"),
        ("server.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
        ("server.key", b"garbage", "holds no private key"),
        ("ca.pem", b"garbage", "holds no certificate"),
        ("server.pem", b"x" * ((1 << 20) + 1), "is larger than"),
        ("server.pem", None, "no such file"),
        ("server.key", None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(folder: Folder, name: str, data: bytes | None, fault: str) -> None:
    """The fault has the file's name, what is wrong and what to do."""
    path = folder.path / name
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    text = folder.faults()
    assert str(path) in text
    assert fault in text


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666])
def test_a_key_that_others_can_use_is_refused(folder: Folder, mode: int) -> None:
    """The mode and the remedy are named; the control is the same key for its owner only."""
    path = folder.path / "server.key"
    path.chmod(mode)
    assert f"has mode {mode:04o}" in folder.faults()
    assert "chmod 06" in folder.faults()
    path.chmod(0o600)
    assert tls_files.read(folder.config)


def test_a_key_that_our_group_can_read_must_be_roots(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orchestrator gives a secret of root's to a group; what is our own needs no reader but us."""
    path = folder.path / "server.key"
    path.chmod(0o640)
    owner = path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner if owner else 4242)
    if owner:
        assert "its group can read it" in folder.faults()
    else:
        assert tls_files.read(folder.config)
        monkeypatch.setattr("os.geteuid", lambda: 0)
        assert tls_files.read(folder.config)


def test_every_fault_is_listed_at_once(folder: Folder) -> None:
    """A wrong certificate, a wrong key and a wrong authority are three faults."""
    for name in ("server.pem", "server.key", "ca.pem"):
        (folder.path / name).write_bytes(b"x")
    with pytest.raises(ConfigError) as refused:
        tls_files.read(folder.config)
    assert len(refused.value.faults) == 3


def test_a_pair_must_belong_together_and_be_valid(folder: Folder, authority: Any) -> None:
    """Another one's key, a past and a future certificate are refused, and no fault quotes a key."""
    (folder.path / "server.key").write_bytes(issue("other").key)
    assert "is not the certificate of the key" in folder.faults()
    assert "PRIVATE" not in folder.faults()
    issue("server", by=authority, ends=timedelta(seconds=-1)).write(folder.path, "server")
    assert "expired at" in folder.faults()
    issue("server", by=authority, begins=timedelta(minutes=30)).write(folder.path, "server")
    assert "is not valid before" in folder.faults()


class Rig:
    """Follows the folder's files by hand."""

    def __init__(self, folder: Folder) -> None:
        self.stream = io.StringIO()
        self.read: list[Material | None] = []
        log = build(LogConfig(format="json"), self.stream)
        paths = tls_files.paths(folder.config)
        self.followed = Followed("tls", paths, lambda: tls_files.read(folder.config), log, self.read.append)

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.stream.getvalue().splitlines()]


def test_a_change_is_read_once_it_has_settled(folder: Folder, authority: Any) -> None:
    """Of a pair that is being replaced nothing is read before both are there: no false alarm."""
    rig = Rig(folder)
    first = rig.followed.value
    rig.followed.look()
    assert rig.followed.value is first
    renewed = issue("server", by=authority)
    (folder.path / "server.pem").write_bytes(renewed.pem)
    rig.followed.look()  # half of it
    renewed.write(folder.path, "server")
    rig.followed.look()  # all of it, and still changing
    assert rig.followed.value is first
    rig.followed.look()
    assert rig.followed.value.chain == renewed.pem
    assert rig.events() == ["files.reloaded"]
    rig.followed.look()
    assert rig.events() == ["files.reloaded"]


def test_a_bad_change_keeps_what_is_in_effect_and_says_so(folder: Folder) -> None:
    """An error with the fault and the remedy, once; the next good change is taken."""
    rig = Rig(folder)
    first = rig.followed.value
    (folder.path / "server.key").write_bytes(b"garbage")
    for _ in range(5):
        rig.followed.look()
    assert rig.followed.value is first
    assert rig.read == [first, None]
    assert rig.events() == ["files.failed"]
    line = json.loads(rig.stream.getvalue())
    assert line["level"] == "error"
    assert "server.key" in line["faults"][0]
    (folder.path / "server.key").write_bytes(folder.certificate.key)
    rig.followed.look(asked=True)
    assert rig.read[-1] == first
    assert rig.events() == ["files.failed", "files.reloaded"]


def test_a_rules_file_that_others_can_change_is_refused(tmp_path: Path) -> None:
    """It says who may decide logins; readable it may be."""
    path = tmp_path / "rules"
    path.write_text("dns:a execute *\n")
    path.chmod(0o644)
    assert len(read_rules(path).rules) == 1
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="others can change it; chmod 0644"):
        read_rules(path)


def connected(context: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
    """Shake hands in memory, and send a byte; return the client's side. Raises: ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    waiting = [asking.do_handshake, server.do_handshake]
    for _ in range(10):
        for step in tuple(waiting):
            with contextlib.suppress(ssl.SSLWantReadError):
                step()
                waiting.remove(step)
    assert not waiting
    server.write(b".")
    assert asking.read(1) == b"."  # with what may come before it, a ticket
    return asking


def handshake(context: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Shake hands; return the certificate that the client saw. Raises: ssl.SSLError."""
    shown = connected(context, client).getpeercert(binary_form=True)
    assert shown is not None
    return shown


def client_context(authority: Any, certificate: Any = None, folder: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if certificate is not None and folder is not None:
        context.load_cert_chain(*certificate.write(folder, "client"))
    return context


@pytest.mark.parametrize("clients", Clients)
def test_a_port_asks_for_certificates_as_it_is_told(folder: Folder, authority: Any, clients: Clients) -> None:
    """Required, optional or not at all; one that is shown and wrong is refused wherever it is asked for."""
    context = server_context(lambda: tls_files.read(folder.config), clients=clients)
    good = client_context(authority, issue("gateway", by=authority), folder.path)
    wrong = client_context(authority, issue("gateway"), folder.path)
    none = client_context(authority)
    assert handshake(context, good)
    with contextlib.nullcontext() if clients is Clients.UNASKED else pytest.raises(ssl.SSLError):
        handshake(context, wrong)
    with pytest.raises(ssl.SSLError) if clients is Clients.REQUIRED else contextlib.nullcontext():
        handshake(context, none)


def test_new_connections_have_the_newest_files(folder: Folder, authority: Any) -> None:
    """Certificate and authorities change together, for a listening context that stays the same one."""
    now = tls_files.read(folder.config)
    context = server_context(lambda: now)
    good = client_context(authority, issue("gateway", by=authority), folder.path)
    assert handshake(context, good) == folder.certificate.der
    other = issue("other authority", authority=True)
    renewed = issue("server", by=authority)
    now = Material(renewed.pem, renewed.key, other.pem)
    with pytest.raises(ssl.SSLError):
        handshake(context, good)
    assert handshake(context, client_context(authority, issue("gateway", by=other), folder.path)) == renewed.der


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("clients", [Clients.UNASKED, Clients.REQUIRED])
def test_no_session_of_a_client_with_a_certificate_is_resumed(
    folder: Folder, authority: Any, clients: Clients, version: ssl.TLSVersion
) -> None:
    """Each connection has its certificate checked anew; the control resumes where no certificate is asked for."""
    context = server_context(lambda: tls_files.read(folder.config), clients=clients)
    client = client_context(authority, issue("gateway", by=authority), folder.path)
    client.maximum_version = version
    if clients is Clients.REQUIRED and version is ssl.TLSVersion.TLSv1_2:
        with pytest.raises(ssl.SSLError):
            connected(context, client)
        return
    first = connected(context, client)
    again = connected(context, client, first.session)
    assert bool(again.session_reused) is (clients is Clients.UNASKED)
