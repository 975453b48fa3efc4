"""The keys in the store and the command that makes them."""

import contextlib
import json
import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from runtime.callers import key_text
from runtime.catalog import api_keys
from runtime.catalog.api_keys import NO_KEYS, ApiKey
from runtime.catalog.sqlite import SqliteDatabase
from runtime.cli import main
from runtime.errors import CatalogError

CREATE = ("api-keys", "create", "--scope", "execute", "--tenant", "acme", "--expires", "90d")


def key(name: str = "") -> ApiKey:
    made = key_text.generate()
    return ApiKey(made.key_id, key_text.digest(made.secret), name, ("execute",), "*", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


def run(capsys: pytest.CaptureFixture[str], path: Path, *words: str, code: int = 0) -> tuple[str, str]:
    """Run the command; return both outputs."""
    assert main.main([*words, "--store", f"sqlite:{path}"]) == code
    out, err = capsys.readouterr()
    return out, err


def test_keys_are_kept_until_they_are_revoked_and_after(path: Path) -> None:
    """A revoked key stays, with the instant of its first revocation, so that its user learns why."""
    kept = key("one")
    api_keys.add(SqliteDatabase(path), kept)
    api_keys.add(SqliteDatabase(path), key("two"))
    first = api_keys.revoke(SqliteDatabase(path), kept.key_id)
    assert first.revoked_at is not None
    assert api_keys.revoke(SqliteDatabase(path), kept.key_id) == first
    assert {found.key_id: found for found in api_keys.listed(SqliteDatabase(path))}[kept.key_id] == first
    with pytest.raises(CatalogError, match="has no API key 'other'"):
        api_keys.revoke(SqliteDatabase(path), "other")


def test_a_reader_sees_each_change_and_nothing_else(path: Path) -> None:
    """Without a change a reader gets its own object back; each change makes a new one."""

    def read(known: api_keys.ApiKeys) -> api_keys.ApiKeys:
        with SqliteDatabase(path, timeout_s=1.0).reading() as connection:
            return api_keys.read(connection, known, str(path))

    api_keys.add(SqliteDatabase(path), kept := key())
    found = read(NO_KEYS)
    assert list(found.by_id.values()) == [kept]
    assert read(found) is found
    api_keys.revoke(SqliteDatabase(path), kept.key_id)
    assert read(found).by_id[kept.key_id].revoked_at is not None
    assert read(found).version != found.version


def test_the_store_holds_no_secret(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither its file nor a list shows the key that was made; the control finds its id there."""
    made = key_text.parse(run(capsys, path, *CREATE)[0].strip())
    assert made is not None
    data = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert made.key_id.encode() in data
    assert made.secret.encode() not in data
    for words in (("api-keys", "list"), ("api-keys", "list", "--json"), ("api-keys", "revoke", made.key_id, "--json")):
        out, err = run(capsys, path, *words)
        assert made.key_id in out
        assert made.secret not in out + err
        assert key_text.digest(made.secret).hex() not in out


def test_a_row_that_cannot_be_read_is_named(path: Path) -> None:
    """A damaged row is the store's fault, in words."""
    api_keys.add(SqliteDatabase(path), key())
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE api_keys SET digest = 'text'")
    with pytest.raises(CatalogError, match="holds an API key that cannot be read"):
        api_keys.listed(SqliteDatabase(path))


def test_a_key_is_written_to_a_file_of_its_owner(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is new and private, the terminal does not have the key; a file that is there is not written over."""
    file = path.with_name("gateway.key")
    before = os.umask(0)
    try:
        out, err = run(capsys, path, *CREATE, "--out", str(file))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = key_text.parse(file.read_text().strip())
    assert made is not None
    assert made.secret not in out + err
    assert made.key_id in err
    _, err = run(capsys, path, *CREATE, "--out", str(file), code=2)
    assert "name a new file" in err
    assert len(api_keys.listed(SqliteDatabase(path))) == 1


def test_json_says_what_was_made(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key once, and what it is for; the end is where it was asked for."""
    made = json.loads(run(capsys, path, *CREATE, "--name", "gateway 1", "--json")[0])
    assert key_text.parse(made["key"])
    assert (made["scopes"], made["tenant"], made["name"], made["state"]) == (["execute"], "acme", "gateway 1", "active")
    assert abs(made["expires_at"] - time.time() - 90 * 86_400) < 60
    listed = json.loads(run(capsys, path, "api-keys", "list", "--json")[0])
    assert [each["key_id"] for each in listed] == [made["key_id"]]
    assert "key" not in listed[0]


@pytest.mark.parametrize("when", ["", "1", "0d", "-1d", "90", "90x", "2001-01-01", "tomorrow", "9999999d"])
def test_what_is_no_time_to_come_is_refused(path: Path, when: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message shows the forms; `never` has to be said."""
    _, err = run(capsys, path, *CREATE[:-2], f"--expires={when}", code=2)
    assert "or never" in err
    run(capsys, path, *CREATE[:-1], "never")
    assert api_keys.listed(SqliteDatabase(path))[0].expires_at is None


@pytest.mark.parametrize("tenant", ["", "A", "acme,umbrella", "**", "a" * 65])
def test_what_is_no_tenant_is_refused(path: Path, tenant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One tenant's id, or a star for every one."""
    words = list(CREATE)
    words[words.index("acme")] = tenant
    assert "--tenant" in run(capsys, path, *words, code=2)[1]
    assert not path.exists()
