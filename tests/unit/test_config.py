"""Configuration: precedence, exact kinds, every fault at once with its source and remedy."""

from pathlib import Path

import pytest

from runtime.config.environment import is_injected
from runtime.config.settings import SETTINGS, Config, load
from runtime.errors import ConfigError


def faults(**sources: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**sources)  # type: ignore[arg-type]  # sources by name
    return str(caught.value)


def test_defaults_are_a_configuration() -> None:
    """Without any source the defaults are in effect, and say so."""
    found = load()
    assert found.config == Config()
    assert set(found.sources.values()) == {"default"}


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    """Each source wins over the one behind it, setting by setting."""
    file = tmp_path / "vestibule.toml"
    file.write_text("drain_s = 1\n[pool]\nidle_s = 2\nmax_workers = 3\n[log]\nsample = 0.25\n")
    env = {"VESTIBULE_POOL_IDLE_S": "20", "VESTIBULE_POOL_MAX_WORKERS": "30", "PATH": "/bin"}
    found = load(file=file, env=env, flags={"pool.max_workers": "300", "listen": None})
    config = found.config
    assert (config.drain_s, config.pool.idle_s, config.pool.max_workers) == (1.0, 20.0, 300)
    assert config.log.sample == 0.25
    assert found.sources["pool.max_workers"] == "flag --pool-max-workers"
    assert found.sources["pool.idle_s"] == "environment VESTIBULE_POOL_IDLE_S"
    assert found.sources["drain_s"] == f"file {file}, drain_s"


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    """VESTIBULE_CONFIG is the file when no flag names one."""
    file = tmp_path / "c.toml"
    file.write_text("drain_s = 3")
    assert load(env={"VESTIBULE_CONFIG": str(file)}).config.drain_s == 3


def test_every_fault_of_every_source_is_reported_at_once(tmp_path: Path) -> None:
    """A file, the environment and a flag are wrong: all of it is listed, each with its source, kind and remedy."""
    file = tmp_path / "c.toml"
    file.write_text('listen = 7\nlog = 3\n[sandbox]\nisolaton = "login"\nuid = true\n')
    text = faults(file=file, env={"VESTIBULE_LOG_LEVEL": "loud"}, flags={"pool.idle_s": "soon"})
    assert f"file {file}, listen: an integer 7 is not an address; write host:port" in text
    assert f"file {file}, log: is not a table" in text
    assert "sandbox.isolaton: is not a setting; did you mean sandbox.isolation?" in text
    assert "sandbox.uid: a boolean true is not a whole number" in text
    assert "environment VESTIBULE_LOG_LEVEL: text 'loud' is not a choice; write one of debug" in text
    assert "flag --pool-idle-s: text 'soon' is not a number" in text
    assert len(text.splitlines()) == 6


def test_a_misspelt_variable_is_ignored_with_a_warning() -> None:
    """A variable that is no setting stops no daemon; the warning names the setting it may have meant."""
    found = load(env={"VESTIBULE_SANDBOX_ISOLATON": "login", "VESTIBULE_LOG_SAMPLE": "0.5"})
    assert found.config.sandbox.isolation == "tenant"
    assert found.config.log.sample == 0.5
    assert [str(fault) for fault in found.ignored] == [
        "environment VESTIBULE_SANDBOX_ISOLATON: is not a setting; did you mean VESTIBULE_SANDBOX_ISOLATION?"
    ]


def test_a_misspelt_variable_is_named_beside_faults() -> None:
    """When something else stops the start, the ignored variable is listed with it."""
    text = faults(env={"VESTIBULE_SANDBOX_ISOLATON": "login", "VESTIBULE_LOG_LEVEL": "loud"})
    assert "VESTIBULE_LOG_LEVEL" in text
    assert "VESTIBULE_SANDBOX_ISOLATON" in text


INJECTED = {
    # Services called vestibule, vestibule-db and vestibule-log-level, and one with two named ports of two protocols.
    "VESTIBULE_SERVICE_HOST": "10.0.0.1",
    "VESTIBULE_SERVICE_PORT": "50051",
    "VESTIBULE_SERVICE_PORT_GRPC": "50051",
    "VESTIBULE_PORT": "tcp://10.0.0.1:50051",
    "VESTIBULE_PORT_50051_TCP": "tcp://10.0.0.1:50051",
    "VESTIBULE_PORT_50051_TCP_PROTO": "tcp",
    "VESTIBULE_PORT_50051_TCP_PORT": "50051",
    "VESTIBULE_PORT_50051_TCP_ADDR": "10.0.0.1",
    "VESTIBULE_DB_SERVICE_HOST": "10.0.0.2",
    "VESTIBULE_DB_SERVICE_PORT_HTTP_METRICS": "9464",
    "VESTIBULE_DB_PORT": "udp://10.0.0.2:53",
    "VESTIBULE_DB_PORT_53_UDP_ADDR": "10.0.0.2",
    "VESTIBULE_DB_PORT_36412_SCTP": "sctp://10.0.0.2:36412",
    "VESTIBULE_LOG_LEVEL_SERVICE_HOST": "fd00::1",
    "VESTIBULE_LOG_LEVEL_PORT": "tcp://[fd00::1]:80",
    # A link of Docker with a range of ports.
    "VESTIBULE_CACHE_NAME": "/gateway/vestibule_cache",
    "VESTIBULE_CACHE_ENV_PATH": "/usr/bin",
    "VESTIBULE_CACHE_PORT_6379_TCP_START": "tcp://172.17.0.5:6379",
    "VESTIBULE_CACHE_PORT_6379_TCP_PORT_END": "6380",
    # Ours.
    "VESTIBULE_TARGET": "x:1",
    "VESTIBULE_REQUIRE_KERNEL": "1",
    "VESTIBULE_REQUIRE_TOOLCHAINS": "1",
    "VESTIBULE_TEST_SOMETHING": "1",
}


def test_what_a_cluster_injects_is_let_through() -> None:
    """Services and links whose names begin with ours put variables into every container: none is warned of."""
    found = load(env=INJECTED)
    assert found.config == Config()
    assert found.ignored == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VESTIBULE_PORT", "50051"),
        ("VESTIBULE_METRICS_PORT", "9464"),
        ("VESTIBULE_SERVICE_HOSTS", "a"),
        ("VESTIBULE_STORE_NAME", "flows"),
        ("VESTIBULE_ENV_MODE", "production"),
        ("VESTIBULE_LISTEN_PORT_TCP", "1"),
    ],
)
def test_what_only_looks_injected_is_warned_of(name: str, value: str) -> None:
    """A variable that a person may have written as a setting is warned of."""
    assert [fault.where for fault in load(env={name: value}).ignored] == [f"environment {name}"]


@pytest.mark.parametrize("value", ["tcp://10.0.0.1:80", "/web/db", "x"])
def test_no_setting_looks_like_an_injected_variable(value: str) -> None:
    """No cluster can set, by the name of a Service, what a setting is."""
    environ = {setting.env: value for setting in SETTINGS}
    assert [name for name in environ if is_injected(name, environ)] == []


@pytest.mark.parametrize(
    ("text", "size"), [("134217728", 134217728), ("128MiB", 1 << 27), ("128 mib", 1 << 27), ("1GiB", 1 << 30)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    """A size is a number of bytes or carries a binary unit."""
    assert load(env={"VESTIBULE_SANDBOX_MEMORY_BYTES": text}).config.sandbox.memory_bytes == size


@pytest.mark.parametrize("text", ["", "-1", "128TB", "1e9", "12.5MiB", "\uff19", "1_000"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Signs, fractions, unknown units and other scripts' digits are not sizes."""
    assert "VESTIBULE_SANDBOX_MEMORY_BYTES" in faults(env={"VESTIBULE_SANDBOX_MEMORY_BYTES": text})
    assert "such as 64MiB or 67108864" in faults(env={"VESTIBULE_POOL_MEMORY_BYTES": text})


@pytest.mark.parametrize(
    "text", ["", "50051", "host", "host:", "host:65536", "host:-1", "::1:5", "a b:1", "http://h:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """An address is host:port; IPv6 hosts stand in brackets."""
    assert "host:port" in faults(env={"VESTIBULE_LISTEN": text})


@pytest.mark.parametrize(("value", "wanted"), [("true", True), (" FALSE ", False), (True, True), (False, False)])
def test_yes_and_no(value: object, wanted: bool) -> None:
    """A switch is true or false, in text as in TOML."""
    assert load(flags={"catalog.allow_empty": value}).config.catalog.allow_empty is wanted


@pytest.mark.parametrize("value", ["yes", "1", "", 1, 0, 1.0, []])
def test_what_is_neither_yes_nor_no_is_refused(value: object) -> None:
    """Nothing else is taken for one of them."""
    assert "is neither; write true or false" in faults(flags={"catalog.allow_empty": value})


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:50051", "localhost:1", "0.0.0.0:65535", "unix:/run/v.sock"])
def test_addresses_are_kept_as_written(text: str) -> None:
    """What is an address is taken as it is."""
    assert load(env={"VESTIBULE_LISTEN": text, "VESTIBULE_INSECURE": "true"}).config.listen == text


def test_an_empty_host_is_every_interface() -> None:
    """`:50051` listens everywhere, and says so."""
    assert load(flags={"listen": ":50051", "insecure": True}).config.listen == "0.0.0.0:50051"


@pytest.mark.parametrize("text", ["nan", "inf", "1.5", "-0.1", "x"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """NaN is not in any range."""
    assert "VESTIBULE_LOG_SAMPLE" in faults(env={"VESTIBULE_LOG_SAMPLE": text})


@pytest.mark.parametrize("text", ["mysql://h/d", "sqlite:", "flows.db", "sqlite:a\0b", "postgresql:h/d"])
def test_what_is_no_store_is_refused(text: str) -> None:
    """A store is sqlite:PATH or the URL of a database in PostgreSQL."""
    assert "write sqlite:PATH" in faults(flags={"store": text})


def test_layers_are_a_list_of_known_names() -> None:
    """Required layers come as a list or as text with commas; an unknown one is refused, not waited for."""
    found = load(env={"VESTIBULE_SANDBOX_REQUIRED_LAYERS": "seccomp, landlock,seccomp"}).config
    assert found.sandbox.required_layers == ("seccomp", "landlock")
    assert "text 'seccmop' is not known" in faults(flags={"sandbox.required_layers": "seccmop"})
    assert load(flags={"sandbox.required_layers": ""}).config.sandbox.required_layers == ()


def test_settings_that_contradict_each_other_are_refused() -> None:
    """Values that are right alone and wrong together are named with both sources."""
    text = faults(
        env={"VESTIBULE_SANDBOX_ACTION_TIMEOUT_MS": "9000", "VESTIBULE_POOL_MAX_WORKERS": "2"},
        flags={"listen": "h:1", "metrics_listen": "h:1"},
    )
    assert "sandbox.action_timeout_ms (environment VESTIBULE_SANDBOX_ACTION_TIMEOUT_MS): 9000 is more than" in text
    assert "pool.blank_workers (default): 4 is more than pool.max_workers 2" in text
    assert "metrics_listen (flag --metrics-listen): h:1 is also the gRPC address" in text


def test_a_memory_for_all_workers_that_one_action_could_fill_is_refused() -> None:
    """It is at least what one action may take; 0 stands for a share of what there is."""
    small = {"pool.memory_bytes": "64MiB"}
    assert "sandbox.memory_bytes (default): 134217728 is more than pool.memory_bytes 67108864" in faults(flags=small)
    assert load(flags=small | {"sandbox.memory_bytes": "64MiB"}).config.pool.memory_bytes == 64 << 20
    assert load(flags={"pool.memory_bytes": "0"}).config.pool.memory_bytes == 0


@pytest.mark.parametrize(
    ("content", "said"), [(b"a = ", "is not TOML"), (b"\xff\xfe", "is not UTF-8"), (None, "no such file")]
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A missing file, other encodings and broken TOML are faults that name the file."""
    file = tmp_path / "c.toml"
    if content is not None:
        file.write_bytes(content)
    text = faults(file=file)
    assert str(file) in text
    assert said in text.lower() or said in text


def test_every_setting_reads_back_what_it_writes() -> None:
    """The text of a default is accepted as a value: the reference can be copied."""
    for setting in SETTINGS:
        assert load(flags={setting.key: setting.text(setting.default)}).value(setting.key) == setting.default
        assert setting.doc.endswith(".")
        assert setting.env.startswith("VESTIBULE_")
        assert setting.flag.startswith("--")
