"""The default store, one SQLite file: how it is made, opened and migrated, and what its errors mean in plain words."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from runtime.catalog import schema
from runtime.catalog.database import Connection
from runtime.errors import CatalogUnavailable, NoStore, StoreUnwritable

# "VEST": says that the file is ours, so that another program's database is never migrated.
APPLICATION_ID = 0x56455354

# What SQLite keeps beside a file.
_LOGS = ("-wal", "-shm", "-journal")

# How SQLite says that it cannot make a log and its index beside a file.
_NO_LOG = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})
_NO_LOG_FILE = frozenset({sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP})


_GONE = "the store {} {}; put it back, or apply anew and restart the daemons that served it"
# What a transaction of a few pages takes, with its log.
ROOM_BYTES = 32768
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})


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
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        # A file that is there cannot be opened when its log cannot be made.
        unwritable = code in _UNWRITABLE or (code == sqlite3.SQLITE_CANTOPEN and path.is_file())
        kind = StoreUnwritable if unwritable else CatalogUnavailable
        raise kind([explain(error, path)]) from error
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
        if version > schema.SCHEMA_VERSION:
            schema.refuse_newer(str(path), version, *_needs(connection, version))
        return int(version)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id or version or tables:
        raise CatalogUnavailable([f"the store {path} is another program's database; name another file"])
    return 0


def _needs(connection: sqlite3.Connection, version: int) -> tuple[int, str]:
    """Return the oldest schema whose programs can use a newer one, and the release that made it."""
    query = "SELECT oldest, release FROM schema_versions WHERE version = ?"
    with contextlib.suppress(sqlite3.OperationalError):
        found: tuple[int, str] | None = connection.execute(query, (version,)).fetchone()
        if found is not None:
            return found
    return version, ""


def prepare(path: Path, timeout_s: float) -> None:
    """Make sure that the file exists, for its owner only, with the newest schema. Raises: CatalogUnavailable."""
    # The log lies beside the real file, whatever links lead to it.
    real = path.resolve()
    with errors_of(path):
        if real.exists():
            with contextlib.closing(connect(real, "rw", timeout_s)) as connection:
                if version_of(connection, path) >= schema.SCHEMA_VERSION:
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
        steps = schema.MIGRATIONS[version_of(connection, path) :]
        if not steps:
            return
        for step in steps:
            for statement in _sql(step):
                connection.execute(statement)
        connection.execute(*schema.recorded(int(time.time())))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")


def _sql(step: schema.Migration) -> list[str]:
    return [each.sqlite if isinstance(each, schema.Dialects) else each for each in step.statements]


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


def _is_there(path: Path) -> None:
    # Not Path.exists, which in some versions of Python takes a path that may not be seen for one that is not there.
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NoStore([_GONE.format(path, "is gone")]) from None


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


class SqliteDatabase:
    """One SQLite file as a Database. Migrates it by itself: the file is of this host, and no replica is elsewhere.

    A connection is not kept between transactions: the file may be deleted or replaced at any moment, and closing a
    connection to the old one could remove the log of the new one. Read-only connections never do.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout_s: float = 10.0) -> None:
        """Name the file, which need not exist. An apply of ten thousand tenants locks it for a few seconds."""
        self._path = Path(path)
        self._timeout_s = timeout_s
        self.name = str(self._path)
        self.setting = f"sqlite:{self._path}"

    def exists(self) -> bool:
        """Tell whether there is a file."""
        return self._path.exists()

    def prepare(self) -> None:
        """Make sure that the file exists, for its owner only, with a schema that this version can use."""
        prepare(self._path, self._timeout_s)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give one transaction that sees one state of the file."""
        path = self._path
        with errors_of(path):
            _is_there(path)
            before = _stamp(path)
            connection, version, locked = _open(path, self._timeout_s)
            if not version:
                connection.close()
                raise NoStore([_GONE.format(path, "is empty")])
            if version < schema.SCHEMA_VERSION:
                connection.close()
                prepare(path, self._timeout_s)
                before = _stamp(path)
                connection, _, locked = _open(path, self._timeout_s)
            with contextlib.closing(connection):
                with transaction(connection, "BEGIN"):
                    yield connection
                if not locked and (_has_log(path) or _stamp(path) != before):
                    raise CatalogUnavailable(
                        [f"the store {path} was written while it could not be locked; it will be read again"]
                    )

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give one transaction that no other writer runs beside; the file must exist."""
        path = self._path
        with errors_of(path):
            _is_there(path)
            with contextlib.closing(connect(path, "rw", self._timeout_s)) as connection:
                version = version_of(connection, path)
                if not version:
                    raise NoStore([_GONE.format(path, "is empty")])
                if version < schema.SCHEMA_VERSION:
                    prepare(path, self._timeout_s)
                with transaction(connection, "BEGIN IMMEDIATE"):
                    yield connection

    claiming = writing
    """A file has one writer at a time, whatever it writes."""

    def writable(self) -> bool:
        """Tell whether the file could be written: by its mode, its directory's, its mount, and room on its disk.

        Asked of the file system, for a connection that may write would leave its mark on the file's log.
        """
        real = self._path.resolve()
        try:
            room = os.statvfs(real)
        except OSError:
            return False
        enough = room.f_bavail * room.f_frsize >= ROOM_BYTES
        return enough and all(os.access(place, os.W_OK, effective_ids=True) for place in (real, real.parent))

    def watch(self, changed: Callable[[], None]) -> None:
        """Do nothing: a file announces nothing."""

    watched = False

    def version(self) -> int:
        """Return the version of the schema; 0 where there is no file, or an empty one."""
        with errors_of(self._path):
            if not self._path.exists():
                return 0
            connection, version, _ = _open(self._path, self._timeout_s)
            connection.close()
            return version

    def sql(self, step: schema.Migration) -> list[str]:
        """Return the statements of a step of the schema, as SQLite takes them."""
        return _sql(step)

    def migrate(self) -> None:
        """Bring the schema to the newest version, or make the file."""
        self.prepare()

    def scrub(self) -> None:
        """Write the file anew without its free pages, and empty its log. Raises: CatalogUnavailable."""
        with errors_of(self._path):
            _is_there(self._path)
            with contextlib.closing(connect(self._path, "rw", self._timeout_s)) as connection:
                # No copy in a temporary file, and nothing left in pages that become free.
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("VACUUM")
                give_up_s = time.monotonic() + self._timeout_s
                while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    if time.monotonic() > give_up_s:
                        raise CatalogUnavailable(
                            [
                                f"the log of the store {self._path} is being read, so what was deleted is still in it; "
                                "run `vestibule store purge` once more"
                            ]
                        )
                    time.sleep(0.01)

    def close(self) -> None:
        """Do nothing: no connection outlives its transaction."""
