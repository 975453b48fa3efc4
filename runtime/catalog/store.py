"""The SQLite file: its schema and migrations, how it is opened, and what its errors mean in plain words.

What an apply writes into it is in rows.py and sqlite.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from runtime.errors import CatalogUnavailable, NoStore

# "VEST": says that the file is ours, so that another program's database is never migrated.
APPLICATION_ID = 0x56455354

# Each entry takes the schema from the version of its index to the next one; `user_version` is how many were applied.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # One row per apply that changed something. `id` is random: a reader that does not find the id it last read
        # knows that the file was replaced or restored, whatever the revision says.
        "CREATE TABLE applies (revision INTEGER PRIMARY KEY, id BLOB NOT NULL, applied_at INTEGER NOT NULL)",
        # Sources, immutable and shared between tenants and revisions of the catalog.
        "CREATE TABLE revisions (sha256 TEXT PRIMARY KEY, source TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TRIGGER revisions_are_immutable BEFORE UPDATE ON revisions "
        "BEGIN SELECT RAISE(ABORT, 'a revision is immutable'); END",
        # `changed_in` is the catalog revision of the last change; a removed tenant stays as a row without settings,
        # so that a reader can ask what changed since the revision it has.
        "CREATE TABLE tenants (tenant TEXT PRIMARY KEY, settings TEXT, digest BLOB, changed_in INTEGER NOT NULL) "
        "WITHOUT ROWID",
        "CREATE INDEX tenants_by_change ON tenants (changed_in)",
        "CREATE TABLE bindings (tenant TEXT NOT NULL REFERENCES tenants, position INTEGER NOT NULL, "
        "action TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES revisions, on_error TEXT NOT NULL, "
        "timeout_us INTEGER, PRIMARY KEY (tenant, position)) WITHOUT ROWID",
        "CREATE TABLE secrets (tenant TEXT NOT NULL REFERENCES tenants, action TEXT NOT NULL, name TEXT NOT NULL, "
        "value TEXT NOT NULL, PRIMARY KEY (tenant, action, name)) WITHOUT ROWID",
    ),
    (
        # What applies replaced, kept for logins that were suspended before: such a login is resumed with the flow it
        # began with. Sources are in `revisions`.
        "CREATE TABLE superseded (tenant TEXT NOT NULL, digest BLOB NOT NULL, replaced_at INTEGER NOT NULL, "
        "flow TEXT NOT NULL, PRIMARY KEY (tenant, digest)) WITHOUT ROWID",
        "CREATE INDEX superseded_by_age ON superseded (replaced_at)",
        # Continuations in use, by their random name, and used ones, which no claim holds any more.
        "CREATE TABLE continuations (name BLOB PRIMARY KEY, expires_at_ms INTEGER NOT NULL, "
        "claimed_until_ms INTEGER) WITHOUT ROWID",
        "CREATE INDEX continuations_by_expiry ON continuations (expires_at_ms)",
    ),
    (
        # JSON of the hook dialects that a tenant opens, with their secrets; NULL without any.
        "ALTER TABLE tenants ADD COLUMN doors TEXT",
    ),
    (
        # API keys by the part of them that is no secret; a revoked one stays, so that its user learns why. Instants in
        # seconds.
        "CREATE TABLE api_keys (id TEXT PRIMARY KEY, digest BLOB NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, "
        "tenant TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID",
        # One row, whose random value changes with every change of a key: what a reader compares.
        "CREATE TABLE api_keys_version (version BLOB NOT NULL)",
        "INSERT INTO api_keys_version VALUES (randomblob(16))",
    ),
    (
        # The digest of the request that a continuation was claimed for, and its sealed answer.
        "ALTER TABLE continuations ADD COLUMN request BLOB",
        "ALTER TABLE continuations ADD COLUMN answer BLOB",
        "CREATE INDEX continuations_with_answer ON continuations (expires_at_ms) WHERE answer IS NOT NULL",
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)

# What SQLite keeps beside a file.
_LOGS = ("-wal", "-shm", "-journal")

# How SQLite says that it cannot make a log and its index beside a file.
_NO_LOG = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})
_NO_LOG_FILE = frozenset({sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP})


_GONE = "the store {} {}; put it back, or apply anew and restart the daemons that served it"
# What a transaction of a few pages takes, with its log.
ROOM_BYTES = 32768


def explain(error: sqlite3.Error, path: Path) -> str:
    """Say in one line what an SQLite error means for the operator, and what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else -1
    meaning = {
        sqlite3.SQLITE_BUSY: "is locked by another process; try again when it is done",
        sqlite3.SQLITE_LOCKED: "is locked by another process; try again when it is done",
        sqlite3.SQLITE_READONLY: "cannot be written: the file, its directory or its disk is read-only",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its directory exists and is writable, its disk not "
        "read-only or full",
        sqlite3.SQLITE_FULL: "cannot be written: the disk is full; nothing was changed",
        sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error, or is full",
        sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup, or remove it and apply again",
        sqlite3.SQLITE_NOTADB: "is not an SQLite database; name another file, or remove it and apply again",
        sqlite3.SQLITE_PERM: "may not be opened; check its owner and mode",
        sqlite3.SQLITE_AUTH: "may not be opened; check its owner and mode",
    }.get(primary, f"cannot be used: {error}")
    name = getattr(error, "sqlite_errorname", None)
    return f"the store {path} {meaning}" + (f" ({name})" if name else "")


@contextlib.contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise inside into CatalogUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise CatalogUnavailable([explain(error, path)]) from error
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise CatalogUnavailable(
            [f"the store {path} cannot be used: {why}; check the path, its owner and mode"]
        ) from error


def connect(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    """Open an existing file in autocommit mode; the caller closes it. `mode` is `rw`, `ro` or `immutable`.

    Raises: CatalogUnavailable for what is no file; otherwise as SQLite does.
    """
    if path.exists() and not path.is_file():
        # SQLite would wait for ever on a named pipe, and calls a directory a disk error.
        raise CatalogUnavailable([f"the store {path} is not a plain file; name another, or move it away"])
    query = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    # Encoded by hand: a `?` or `#` in a file name must not become part of the query.
    uri = f"file:{quote(str(path.absolute()))}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # Tenants' sources and settings are data: no view, trigger or schema of a hostile file may call functions.
        connection.execute("PRAGMA trusted_schema = OFF")
        if mode == "rw":
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Run a block in one transaction that ends with COMMIT, or with ROLLBACK when anything is raised."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back by itself after some errors, a full disk among them.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Read the schema version; 0 for a file that holds nothing yet. Raises: CatalogUnavailable for a file not ours."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            raise CatalogUnavailable(
                [
                    f"the store {path} was written by a newer Vestibule (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}); upgrade this one"
                ]
            )
        return int(version)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id or version or tables:
        raise CatalogUnavailable([f"the store {path} is another program's database; name another file"])
    return 0


def prepare(path: Path, timeout_s: float) -> None:
    """Make sure that the file exists, for its owner only, with the newest schema. Raises: CatalogUnavailable."""
    # The log lies beside the real file, whatever links lead to it.
    real = path.resolve()
    with errors_of(path):
        if real.exists():
            with contextlib.closing(connect(real, "rw", timeout_s)) as connection:
                if version_of(connection, path) == SCHEMA_VERSION:
                    return
        with _alone_in(real.parent, timeout_s):
            if not real.exists():
                _create(real, timeout_s)
            else:
                with contextlib.closing(connect(real, "rw", timeout_s)) as connection:
                    _migrate(connection, path)


def _create(path: Path, timeout_s: float) -> None:
    """Make a whole store under another name and move it into place, so that no reader ever sees half of one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    made = Path(name)
    try:
        with contextlib.closing(connect(made, "rw", timeout_s)) as connection:
            _migrate(connection, path)
        # A write-ahead log left behind by a deleted store would be replayed into the new one.
        for suffix in _LOGS:
            _beside(path, suffix).unlink(missing_ok=True)
        made.rename(path)
    finally:
        for suffix in ("", *_LOGS):
            _beside(made, suffix).unlink(missing_ok=True)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection, "BEGIN IMMEDIATE"):
        # Read under the lock: another process may have migrated while we waited for it.
        for statements in MIGRATIONS[version_of(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextlib.contextmanager
def _alone_in(directory: Path, timeout_s: float) -> Iterator[None]:
    """Hold the directory's lock: one process at a time creates or migrates. SQLite cannot lock what does not exist."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        give_up_s = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_s:
                    raise CatalogUnavailable(
                        [f"the directory {directory} is locked by another process; try again when it is done"]
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reading(path: Path, timeout_s: float) -> Iterator[sqlite3.Connection]:
    """Open the file for a block that reads it once.

    A connection is not kept between reads: the file may be deleted or replaced at any moment, and closing a connection
    to the old one could remove the log of the new one. Read-only connections never do. Raises: CatalogUnavailable.
    """
    with errors_of(path):
        _is_there(path)
        before = _stamp(path)
        connection, version, locked = _open(path, timeout_s)
        if not version:
            connection.close()
            raise NoStore([_GONE.format(path, "is empty")])
        if version < SCHEMA_VERSION:
            connection.close()
            prepare(path, timeout_s)
            before = _stamp(path)
            connection, _, locked = _open(path, timeout_s)
        with contextlib.closing(connection):
            yield connection
            if not locked and (_has_log(path) or _stamp(path) != before):
                raise CatalogUnavailable(
                    [f"the store {path} was written while it could not be locked; it will be read again"]
                )


@contextlib.contextmanager
def writing(path: Path, timeout_s: float) -> Iterator[sqlite3.Connection]:
    """Open an existing file for a block that writes it in one transaction. Raises: CatalogUnavailable."""
    with errors_of(path):
        _is_there(path)
        with contextlib.closing(connect(path, "rw", timeout_s)) as connection:
            version = version_of(connection, path)
            if not version:
                raise NoStore([_GONE.format(path, "is empty")])
            if version < SCHEMA_VERSION:
                prepare(path, timeout_s)
            with transaction(connection, "BEGIN IMMEDIATE"):
                yield connection


def _is_there(path: Path) -> None:
    # Not Path.exists, which in some versions of Python takes a path that may not be seen for one that is not there.
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NoStore([_GONE.format(path, "is gone")]) from None


def writable(path: Path) -> bool:
    """Tell whether the store could be written: by its mode, its directory's, its mount, and room on its disk.

    Asked of the file system, for a connection that may write would leave its mark on the store's log.
    """
    real = path.resolve()
    try:
        room = os.statvfs(real)
    except OSError:
        return False
    enough = room.f_bavail * room.f_frsize >= ROOM_BYTES
    return enough and all(os.access(place, os.W_OK, effective_ids=True) for place in (real, real.parent))


def _open(path: Path, timeout_s: float) -> tuple[sqlite3.Connection, int, bool]:
    """Return a connection, the schema's version, and whether writers are kept from changing what is read."""
    connection = connect(path, "ro", timeout_s)
    try:
        return connection, version_of(connection, path), True
    except sqlite3.OperationalError as error:
        connection.close()
        # A log cannot be set up beside a file on a read-only or full disk; when there is none, the file is the whole
        # truth.
        unwritable = error.sqlite_errorcode in _NO_LOG_FILE or error.sqlite_errorcode & 0xFF in _NO_LOG
        if not unwritable or _has_log(path):
            raise
    except BaseException:
        connection.close()
        raise
    connection = connect(path, "immutable", timeout_s)
    try:
        return connection, version_of(connection, path), False
    except BaseException:
        connection.close()
        raise


def _stamp(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _has_log(path: Path) -> bool:
    log = _beside(path.resolve(), "-wal")
    return log.exists() and log.stat().st_size > 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a store's history: the newest apply, and the first, by which the store is known. None: no apply."""

    revision: int = 0
    apply_id: bytes = b""
    first_id: bytes = b""


NO_MARK = Mark()


def newest(connection: sqlite3.Connection) -> Mark:
    """Read where a store's history is."""
    query = "SELECT revision, id FROM applies ORDER BY revision {} LIMIT 1"
    last = connection.execute(query.format("DESC")).fetchone()
    if last is None:
        return NO_MARK
    first = connection.execute(query.format("ASC")).fetchone()
    return Mark(last[0], last[1], first[1])


def holds(connection: sqlite3.Connection, path: Path, mark: Mark) -> None:
    """Do nothing when the store's history holds the mark. Raises: CatalogUnavailable: it is an older or another one."""
    if mark == NO_MARK:
        return
    query = "SELECT 1 FROM applies WHERE revision = ? AND id = ?"
    if connection.execute(query, (mark.revision, mark.apply_id)).fetchone():
        return
    found = newest(connection)
    if found == NO_MARK:
        what = "is empty: nothing was ever applied to it"
    elif found.first_id != mark.first_id:
        what = f"is another store than the one that is served, with a history of its own (revision {found.revision})"
    elif found.revision < mark.revision:
        what = f"is older than what is served: it is at revision {found.revision}"
    else:
        what = f"was restored to an older state and changed since then: it is at another revision {found.revision}"
    raise CatalogUnavailable(
        [
            f"the store {path} {what}; the daemon keeps serving revision {mark.revision}: put the right store back, or "
            "restart the daemon to serve this one"
        ]
    )
