"""The URL of a store in PostgreSQL: it is shown without its password, and its faults are named without it."""

import json

import pytest

from runtime.cli import main
from runtime.config import store_url
from runtime.config.settings import load
from runtime.errors import ConfigError

GOOD = "postgresql://vest:hush%40@db.example:5432/flows?sslmode=verify-full&sslrootcert=/ca.pem"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (GOOD, "postgresql://vest@db.example:5432/flows?sslmode=verify-full&sslrootcert=/ca.pem"),
        ("postgresql://vest@db/flows", "postgresql://vest@db/flows"),
        ("postgresql://[::1]:5432/flows", "postgresql://[::1]:5432/flows"),
        ("postgresql://u:hush@[::1]:5432/flows", "postgresql://u@[::1]:5432/flows"),
        ("postgresql://u:hush@a:1,b:2/flows", "postgresql://u@a:1,b:2/flows"),
        ("postgresql:///flows?host=/run/postgresql", "postgresql:///flows?host=/run/postgresql"),
        ("postgresql://db/flows?user=u&password=hush&sslpassword=hush", "postgresql://db/flows?user=u"),
        ("postgresql://u:hush@sh@h/d", "postgresql://u@h/d"),
        ("postgresql://u:hu/sh@h/d", "postgresql://u@h/d"),
        ("postgresql://u:hush?@h/d", "postgresql://u@h/d"),
        ("postgresql://u:hush", "postgresql://u:***"),
        ("sqlite:a:b@c", "sqlite:a:b@c"),
    ],
)
def test_no_password_is_shown(url: str, wanted: str) -> None:
    """Not even of a URL that is malformed."""
    assert store_url.shown(url) == wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://u:hush@h/d?sslmod=verify-full", "'sslmod' is no parameter; did you mean sslmode?"),
        ("postgresql://u:hush@h/d?sslmode", "parameter sslmode has no value"),
        ("postgresql://u:hush@h:54x/d", "its port is no number from 1 to 65535"),
        ("postgresql://u:hush@h:0/d", "its port is no number from 1 to 65535"),
        ("postgresql://u:hush", "its port is no number from 1 to 65535"),
        ("postgresql://u:hu@sh@h/d", "such as %40 for @"),
        ("postgresql://u:hu/sh@h/d", "such as %40 for @"),
        ("postgresql://u:hush%@h/d", "is not followed by two hexadecimal digits"),
        ("postgresql:/u:hush@h/d", "the value is not a store; write sqlite:PATH"),
        ("postgresq://u:hush@h/d", "the value is not a store; write sqlite:PATH"),
        ("mysql://u:hush@h/d", "the value is not a store; write sqlite:PATH"),
    ],
)
def test_a_url_with_a_fault_is_named_without_its_password(url: str, wanted: str) -> None:
    """The fault says where the setting came from; the control is a URL that is taken."""
    with pytest.raises(ConfigError) as caught:
        load(env={"VESTIBULE_STORE": url})
    assert wanted in str(caught.value)
    assert "VESTIBULE_STORE" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert load(env={"VESTIBULE_STORE": GOOD}).config.store == GOOD


def test_the_configuration_is_printed_without_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table and as JSON."""
    for flags in ([], ["--json"]):
        assert main.main(["check-config", "--store", GOOD, *flags]) == 0
        out = capsys.readouterr().out
        assert "hush" not in out
        assert "vest@db.example:5432" in out
    assert json.loads(out)["store"]["value"] == store_url.shown(GOOD)


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        (GOOD, True),
        ("postgresql://u@h/d", False),
        ("postgresql://u@h/d?sslmode=require", False),
        ("postgresql://u@127.0.0.1:5432/d", True),
        ("postgresql://u@localhost/d", True),
        ("postgresql://u@[::1]:5432/d", True),
        ("postgresql:///d?host=/run/postgresql", True),
        ("postgresql://u@localhost,h/d", False),
        ("postgresql://u@h/d?hostaddr=192.0.2.1", False),
    ],
)
def test_whose_certificate_is_verified(url: str, verified: bool) -> None:
    """A server on this host needs none."""
    assert store_url.unverified(url) is not verified
