"""What errors of PostgreSQL mean for an operator: each a line with a remedy, and whether the server is only away."""

import psycopg
import pytest
from psycopg import errors

from runtime.catalog.postgresql_errors import explained
from runtime.errors import CatalogUnavailable, StoreBusy, StoreUnreachable, StoreUnwritable

NAME = "postgresql://u@h/d"


@pytest.mark.parametrize(
    ("error", "kind", "wanted"),
    [
        (errors.DiskFull("x"), StoreUnwritable, "its disk is full; nothing was changed"),
        (errors.ReadOnlySqlTransaction("x"), StoreUnwritable, "name the primary, or add target_session_attrs"),
        (errors.InsufficientPrivilege("x"), CatalogUnavailable, "may not be used by this user"),
        (errors.LockNotAvailable("x"), CatalogUnavailable, "is locked by another process"),
        (errors.QueryCanceled("x"), CatalogUnavailable, "did not answer in time"),
        (errors.DeadlockDetected("x"), StoreBusy, "is locked by another process"),
        (errors.TooManyConnections("x"), StoreUnreachable, "raise max_connections"),
        (errors.AdminShutdown("x"), StoreUnreachable, "was stopped by its operator"),
        (errors.CannotConnectNow("x"), StoreUnreachable, "is starting, stopping or recovering"),
        (errors.UndefinedTable("x"), CatalogUnavailable, "cannot be used (42P01: x)"),
        (psycopg.OperationalError("FATAL: the database system is starting up"), StoreUnreachable, "is starting"),
        (psycopg.OperationalError("SSL error: certificate verify failed"), CatalogUnavailable, "cannot be verified"),
        (psycopg.OperationalError("Connection refused"), StoreUnreachable, "check the server, its address"),
        (psycopg.OperationalError("tlsv13 alert certificate expired"), CatalogUnavailable, "which has expired; renew"),
        (psycopg.InterfaceError("x"), CatalogUnavailable, "cannot be used (InterfaceError: x)"),
    ],
)
def test_an_error_in_plain_words(error: psycopg.Error, kind: type, wanted: str) -> None:
    """A server that is away may be waited for; what must be corrected may not."""
    told = explained(error, NAME)
    assert type(told) is kind
    assert str(told).startswith(f"the store {NAME} ")
    assert wanted in str(told)


def test_what_is_quoted_is_short() -> None:
    """A server may say anything."""
    assert len(str(explained(psycopg.OperationalError("x" * 10_000), NAME))) < 500
